"""Which entries still say something: what a start reads of a journal of years, and what may be dropped for good.

The record folded from these is the record folded from all; a property test holds it. What a start does not read, no
later start reads either, so that it is also what is pruned.
"""

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, literal, not_, or_, select, tuple_

from thermo_guard.core.policy import Level

from .schema import event, sample, wish

KEEP_SAMPLES_S = 7 * 86400.0
KEEP_WISHES_S = 7 * 86400.0
"""The inbox only; what became of an order is an event."""
KEEP_EVENTS_S = 2 * 365 * 86400.0
QUIET_ENTRIES = 20_000
"""How many of the newest entries are read where no incident is open: a fifth of a second of start."""
PRUNE_ROWS = 10_000
"""At most so many rows at once, so that no tick waits long; 8 sensors every 10 s make 2,880 an hour."""

OPENERS = ("alarm.tripped", "shutdown.wished", "power_on.wished", "shed.begun")
"""Each begins an incident; the record of one owes nothing to the incidents before it, but for a rehearsal that it has
overtaken."""
LEVELS = "level.changed"
LATEST_COUNTS = (
    "sensors.learned", "bmcs.matched", "names.resolved", LEVELS, "incident.closed", "guard.started", "guard.stopped",
    "hosts.confirmed", "durations.learned",
)
"""Kinds of which only the newest still says anything once an incident has followed it: of a life, whether the guard
that opened the incident had begun anew or was told to end."""
LOGINS = ("login.refused", "login.accepted")
"""Kinds of which only the newest of each account on each endpoint counts: a password that nobody mends is refused every
20 minutes for years."""
OF_ONE_INCIDENT = (
    *OPENERS, "goal.wished", "snapshot.closed", "room.recovered", "heat.returned", "phase.begun", "commands.intended",
    "commands.answered", "targets.observed", "target.abandoned", "guard.away",
    "graces.compressed", "shed.ended", "shed.resumed", "shed.widened", "restart.held",
)
"""Kinds that say nothing once the next incident has begun."""


def counts(connection: Connection, site_id: str) -> ColumnElement[bool]:
    """Whether an event is read: all since the newest opener, and what outlasts it.

    Where no incident is open, at most the newest `QUIET_ENTRIES` since then. A kind that is added to the core and named
    in none of the lists here is read at any age, which is slow at worst, never wrong: `guard.armed`, `wish.taken`
    and `rehearsal.wished` are such kinds, few in any life.
    """
    return counts_from(_start_of_interest(connection, site_id), site_id)


def counts_from(start: int, site_id: str) -> ColumnElement[bool]:
    """The same, where all is read from `start` on."""
    older = and_(event.c.site == site_id, event.c.seq < start)
    return or_(
        event.c.seq >= start,
        event.c.kind.not_in((*LATEST_COUNTS, *LOGINS, *OF_ONE_INCIDENT)),
        event.c.seq.in_(
            select(func.max(event.c.seq)).where(older, event.c.kind.in_(LATEST_COUNTS)).group_by(event.c.kind)
        ),
        event.c.seq.in_(
            select(func.max(event.c.seq)).where(older, event.c.kind.in_(LOGINS))
            .group_by(event.c.body["endpoint"].as_string(), event.c.body["user"].as_string())
        ),
        event.c.seq.in_(_newest_at(older, Level.LOW, Level.BAND)),
        event.c.seq.in_(_newest_at(older, Level.LOW)),
        event.c.seq.in_(_levels_at_wishes(site_id, start)),
    )


def _newest_at(older: ColumnElement[bool], *levels: Level) -> Select[tuple[int]]:
    """The last time that the room was so cool: below HIGH, or LOW, ends what a person has shelved."""
    is_at = event.c.body["level"].as_string().in_([str(level) for level in levels])
    return select(event.c.seq).where(older, event.c.kind == LEVELS, is_at).order_by(event.c.seq.desc()).limit(1)


def _levels_at_wishes(site_id: str, start: int) -> Select[tuple[int]]:
    """The level at which each order was taken up: an abort shelves the alarm only where there was one."""
    taken, level = event.alias("taken"), event.alias("level")
    before = (
        select(func.max(level.c.seq))
        .where(level.c.site == site_id, level.c.kind == LEVELS, level.c.seq < taken.c.seq)
        .correlate(taken).scalar_subquery()
    )
    # Never NULL: one in a list would make the whole condition unknown, and its opposite with it.
    return select(func.coalesce(before, literal(0))).where(
        taken.c.site == site_id, taken.c.kind == "wish.taken", taken.c.seq < start
    )


def _start_of_interest(connection: Connection, site_id: str) -> int:
    """The seq from which everything is read."""
    here = event.c.site == site_id

    def newest(*kinds: str) -> int:
        return connection.scalar(select(func.max(event.c.seq)).where(here, event.c.kind.in_(kinds))) or 0

    opened = newest(*OPENERS, "rehearsal.wished")
    if opened > newest("incident.closed"):
        return opened
    quiet = select(event.c.seq).where(here).order_by(event.c.seq.desc()).offset(QUIET_ENTRIES - 1).limit(1)
    return max(opened, connection.scalar(quiet) or 0)


def prune(connection: Connection, site_id: str, now: float) -> None:
    """Drop old samples and orders, and old events that no start reads any more."""
    old_samples = (
        select(sample.c.sensor, sample.c.stamp)
        .where(sample.c.site == site_id, sample.c.seen_at < now - KEEP_SAMPLES_S).limit(PRUNE_ROWS)
    )
    connection.execute(
        delete(sample).where(sample.c.site == site_id, tuple_(sample.c.sensor, sample.c.stamp).in_(old_samples))
    )
    connection.execute(delete(wish).where(wish.c.site == site_id, wish.c.at < now - KEEP_WISHES_S))
    here = event.c.site == site_id
    # Times never run back in a journal, so that the first young entry ends the old ones, and is mostly the very first.
    first_young = connection.scalar(
        select(event.c.seq).where(here, event.c.at >= now - KEEP_EVENTS_S).order_by(event.c.seq).limit(1)
    )
    old = here if first_young is None else and_(here, event.c.seq < first_young)
    passed = select(event.c.seq).where(old, not_(counts(connection, site_id))).order_by(event.c.seq).limit(PRUNE_ROWS)
    connection.execute(delete(event).where(event.c.seq.in_(passed)))
