"""The journal as `ports.Journal` has it: every write is one durable transaction, fenced by site, epoch and owner.

Synchronous on purpose: a commit is a fraction of a millisecond on a local disk, and an intent must be durable before
the next line runs. Call it from one thread at a time.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert as upsert

from thermo_guard.core.events import Entry, Event
from thermo_guard.core.readings import Reading
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.ports import Refused

from . import schema
from .codec import decode_event, decode_snapshot, encode_event, encode_snapshot
from .database import DATABASE_FILE, bring_up_to_date, connect, database_faults, disconnect, require_current
from .folder_lock import FolderLock
from .schema import event, sample, site, snapshot

KEEP_SAMPLES_S = 7 * 86400.0
KEEP_EVENTS_S = 2 * 365 * 86400.0
QUIET_ENTRIES = 20_000
"""How many of the newest entries are read where no incident is open: a fifth of a second of start."""
PRUNE_EVERY_S = 3600.0
PRUNE_ROWS = 10_000
"""At most so many rows an hour, so that no tick waits long; 8 sensors every 10 s make 2,880."""

LATEST_COUNTS = ("sensors.learned", "bmcs.matched", "level.changed", "incident.closed")
"""Kinds of which only the newest still says anything once an incident has followed it."""
OF_ONE_INCIDENT = (
    "guard.started", "guard.stopped", "alarm.tripped", "snapshot.closed", "room.recovered", "heat.returned",
    "phase.begun", "commands.intended", "commands.answered", "targets.observed", "target.abandoned",
)
"""Kinds that say nothing once the next incident has begun."""


class JournalReader:
    """Reads beside the guard that writes, without its lock; sees what was committed."""

    def __init__(self, folder: Path, connection: Connection, site_id: str) -> None:
        self._folder = folder
        self._connection = connection
        self._site = site_id

    def entries(self) -> Sequence[Entry]:
        """What the record is folded from, oldest first; the start stays fast after years.

        Read whole: everything since the last `alarm.tripped` (where no incident is open, at most the newest
        `QUIET_ENTRIES` of it), and, of any age, every kind not named in this module, power-ons included. Of the kinds
        in `LATEST_COUNTS` the newest older one is added; those in `OF_ONE_INCIDENT` are left out before it. A kind
        that is added to the core and named in neither is thus read whole, which is slow at worst, never wrong.

        :raises Fault: Refused where an entry cannot be read by this version; else as the database.
        """
        here = event.c.site == self._site
        with self._reading() as connection:
            start = _start_of_interest(connection, self._site)
            latest = (
                select(func.max(event.c.seq))
                .where(here, event.c.seq < start, event.c.kind.in_(LATEST_COUNTS)).group_by(event.c.kind)
            )
            wanted = or_(
                event.c.seq >= start,
                event.c.kind.not_in(LATEST_COUNTS + OF_ONE_INCIDENT),
                event.c.seq.in_(latest),
            )
            rows = connection.execute(
                select(event.c.seq, event.c.at, event.c.body).where(here, wanted).order_by(event.c.seq)
            ).all()
        return tuple(Entry(seq, at, decode_event(body, seq)) for seq, at, body in rows)

    def snapshot(self) -> Snapshot | None:
        with self._reading() as connection:
            body = connection.scalar(select(snapshot.c.body).where(snapshot.c.site == self._site))
        return None if body is None else decode_snapshot(body)

    def readings(self, since: float) -> Sequence[Reading]:
        """Kept measurements seen since then, oldest first, to a hundredth of a degree."""
        columns = (sample.c.sensor, sample.c.centi_c, sample.c.stamp, sample.c.seen_at, sample.c.age_s)
        query = (
            select(*columns).where(sample.c.site == self._site, sample.c.seen_at >= since)
            .order_by(sample.c.seen_at, sample.c.stamp, sample.c.sensor)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return tuple(Reading(sensor, centi_c / 100, stamp, seen, age) for sensor, centi_c, stamp, seen, age in rows)

    def close(self) -> None:
        disconnect(self._connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with database_faults(self._folder), self._connection.begin():
            yield self._connection


class SqlJournal(JournalReader):
    """Implements `ports.Journal`, for the one guard that holds the folder."""

    def __init__(self, folder: Path, connection: Connection, site_id: str, owner: str, lock: FolderLock) -> None:
        super().__init__(folder, connection, site_id)
        self.owner = owner
        self._lock = lock
        self._pruned_at: float | None = None
        with database_faults(folder):
            bring_up_to_date(connection)
            self._epoch = _claim(connection, site_id, owner)

    @classmethod
    def open(cls, data_dir: Path, site: str = "default", owner: str | None = None) -> Self:
        """Take the folder, bring its tables up to date and become the site's owner.

        :param owner: random per start of a process; default 16 hex digits.
        :raises Fault: Refused where another process guards the folder (named), a newer version made the journal, or
            the file is damaged; Transient where the disk does not take writes.
        """
        owner = owner or secrets.token_hex(8)
        lock = FolderLock.take(data_dir, owner)
        connection: Connection | None = None
        try:
            connection = connect(data_dir, read_only=False)
            return cls(data_dir, connection, site, owner, lock)
        except BaseException:
            if connection is not None:
                disconnect(connection)
            lock.release()
            raise

    @staticmethod
    def read_only(data_dir: Path, site: str = "default") -> JournalReader:
        """Open it beside a running guard, for `status` and `plan`.

        :raises Fault: Refused where there is none, or its tables are of another version.
        """
        connection = connect(data_dir, read_only=True)
        try:
            with database_faults(data_dir):
                require_current(connection, data_dir)
        except BaseException:
            disconnect(connection)
            raise
        return JournalReader(data_dir, connection, site)

    @staticmethod
    def is_in(data_dir: Path) -> bool:
        """Whether the folder has a journal at all."""
        return (data_dir / DATABASE_FILE).exists()

    def append(self, at: float, *events: Event) -> Sequence[Entry]:
        """Write the events in one transaction; durable on return.

        :raises Fault: Refused where another owner has taken the site, Transient where the disk would not.
        """
        if not events:
            return ()
        rows = [
            {"site": self._site, "epoch": self._epoch, "at": at, "kind": each.kind, "body": encode_event(each)}
            for each in events
        ]
        with self._writing() as connection:
            keys = [connection.execute(insert(event).values(row)).inserted_primary_key for row in rows]
        return tuple(Entry(key[0], at, each) for key, each in zip(keys, events, strict=True) if key is not None)

    def keep_snapshot(self, snapshot: Snapshot) -> None:
        """Put it in the place of the one before.

        :raises Fault: as `append`.
        """
        table = schema.snapshot
        row = {"epoch": self._epoch, "at": snapshot.at, "body": encode_snapshot(snapshot)}
        with self._writing() as connection:
            if connection.execute(update(table).where(table.c.site == self._site).values(row)).rowcount == 0:
                connection.execute(insert(table).values(site=self._site, **row))

    def keep_readings(self, readings: Sequence[Reading]) -> None:
        """Keep new measurements; one (sensor, stamp) is kept once. Now and then, drop what has grown old.

        :raises Fault: as `append`.
        """
        if not readings:
            return
        rows = [
            {"site": self._site, "sensor": each.sensor, "stamp": each.stamp, "seen_at": each.seen_at,
             "centi_c": round(each.celsius * 100), "age_s": each.age_s}
            for each in readings
        ]
        now = max(each.seen_at for each in readings)
        with self._writing() as connection:
            connection.execute(upsert(sample).on_conflict_do_nothing(), rows)
            if self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY_S:
                _prune(connection, self._site, now)
                self._pruned_at = now

    def close(self) -> None:
        """Let go of the site and the folder."""
        super().close()
        self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction that holds only while the site is ours."""
        fence = update(site).where(
            site.c.id == self._site, site.c.epoch == self._epoch, site.c.owner == self.owner
        ).values(epoch=self._epoch)
        with database_faults(self._folder), self._connection.begin():
            if self._connection.execute(fence).rowcount != 1:
                raise Refused(f"Another guard owns the site {self._site!r} now: this one must not act on it any more.")
            yield self._connection


def _claim(connection: Connection, site_id: str, owner: str) -> int:
    """Become the site's owner under a new epoch; embedded, the folder's lock has already kept every other one out."""
    with connection.begin():
        epoch = connection.scalar(select(site.c.epoch).where(site.c.id == site_id))
        if epoch is None:
            connection.execute(insert(site).values(
                id=site_id, zone="", epoch=1, owner=owner, state={}, schema_version=schema.SCHEMA_VERSION
            ))
            return 1
        connection.execute(
            update(site).where(site.c.id == site_id).values(epoch=epoch + 1, owner=owner, lease_until=None)
        )
        return int(epoch) + 1


def _start_of_interest(connection: Connection, site_id: str) -> int:
    """The seq from which everything is read."""
    here = event.c.site == site_id
    trip, closed = (
        connection.scalar(select(func.max(event.c.seq)).where(here, event.c.kind == kind)) or 0
        for kind in ("alarm.tripped", "incident.closed")
    )
    if trip > closed:
        return int(trip)
    newest = select(event.c.seq).where(here).order_by(event.c.seq.desc()).offset(QUIET_ENTRIES - 1).limit(1)
    return max(int(trip), connection.scalar(newest) or 0)


def _prune(connection: Connection, site_id: str, now: float) -> None:
    """Drop old samples, and old events that no fold reads any more; never one of the last incident."""
    old_samples = (
        select(sample.c.sensor, sample.c.stamp)
        .where(sample.c.site == site_id, sample.c.seen_at < now - KEEP_SAMPLES_S).limit(PRUNE_ROWS)
    )
    connection.execute(
        delete(sample).where(sample.c.site == site_id, tuple_(sample.c.sensor, sample.c.stamp).in_(old_samples))
    )
    passed = (
        select(event.c.seq)
        .where(
            event.c.site == site_id, event.c.seq < _start_of_interest(connection, site_id),
            event.c.kind.in_(OF_ONE_INCIDENT), event.c.at < now - KEEP_EVENTS_S,
        )
        .limit(PRUNE_ROWS)
    )
    connection.execute(delete(event).where(event.c.seq.in_(passed)))
