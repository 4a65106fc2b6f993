"""The journal with its record: every event is durable first, then folded, logged, and told to people.

A disk that takes no writes is told on its edges, and its reserve is given back first. After that a shutdown goes on
from memory, since the heat would take what the guard does not save, and what was remembered is written as soon as the
disk takes it (ADR 0007); whatever begins or belongs to a way back waits for the disk.
"""

from collections.abc import Callable, Sequence

import structlog

from thermo_guard.core import events as ev
from thermo_guard.core.crashes import set_aside, suspects
from thermo_guard.core.events import Entry
from thermo_guard.core.messages import facts, message
from thermo_guard.core.readings import Reading
from thermo_guard.core.record import Record, fold
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.wishes import Wish
from thermo_guard.ports import Clock, Displaced, Fault, Journal, NoRoom, Notifier, Refused

log = structlog.get_logger()

Listener = Callable[[float, ev.Event], None]

_QUIET_S = 60.0
"""Events are tried again at each tick. Where none has failed for so long, a reading or snapshot that was taken shows
that the journal can be written again."""


class Ledger:
    def __init__(
        self, journal: Journal, notifier: Notifier, clock: Clock, listeners: tuple[Listener, ...] = ()
    ) -> None:
        self._journal = journal
        self._notifier = notifier
        self._clock = clock
        self._listeners = listeners
        entries = journal.entries()
        self.record = fold(Record(), entries)
        incident = self.record.incident
        self.fatal = () if incident is None else set_aside(entries, incident.phase or ev.Phase.DISARM)
        """What the guard did not survive in its last lives; for the loop to write."""
        self.suspects = set(suspects(entries))
        """Of these commands one may be what it did not survive; for the conductor to send one by one."""
        self.last_at = entries[-1].at if entries else None
        """When the guard of an earlier life last wrote."""
        self.snapshot: Snapshot | None = journal.snapshot()
        self.fault: str | None = None
        """Why the journal cannot be written; None while it can."""
        self.level = self.record.level
        """Of the room, as people were told last; the record's, unless the journal cannot be written."""
        self._failed_at = 0.0
        self._unwritten: list[tuple[float, tuple[ev.Event, ...]]] = []
        """What was done from memory, in order, each with its time."""
        self._unwritten_snapshot: Snapshot | None = None
        self._told: set[str] = set()
        """Levels of the alarms that were told without being on record."""

    def write(self, *events: ev.Event) -> bool:
        """Make the events durable and part of the record; False where the disk would not: then nothing has happened.

        On the way down they become part of the record all the same, and are written later.

        :raises Displaced: another guard owns the site; this one must end.
        """
        if not events:
            return True
        before, now = self.record, self._clock.now()
        try:
            entries = self._append(now, events)
        except Fault as fault:
            if self._must_end(fault):
                raise
            self._fail(fault)
            entries = self._from_memory(now, events)
            if not entries:
                for event in events:
                    self._tell_unwritten(event)
                return False
        else:
            self._recover()
        self.record = fold(self.record, entries)
        for entry in entries:
            self._tell(before, entry)
        return True

    def catch_up(self) -> None:
        """Write what was done from memory, as soon as the disk takes it.

        :raises Displaced: as `write`.
        """
        if not self._unwritten and self._unwritten_snapshot is None:
            return
        try:
            self._flush()
        except Fault as fault:
            if self._must_end(fault):
                raise
            self._fail(fault)
        else:
            self._recover()

    def _append(self, now: float, events: tuple[ev.Event, ...]) -> Sequence[Entry]:
        """In a full disk's reserve, if need be; what was remembered goes first."""
        try:
            self._flush()
            return self._journal.append(now, *events)
        except Fault as fault:
            if self._must_end(fault):
                raise
            is_full = isinstance(fault, NoRoom) and self._matters(now, events)
            if not is_full or not self._journal.give_back_reserve():
                raise
            log.warning("journal.reserve_given_back", reason=str(fault))
            self._notifier.tell("The disk of the data folder is full: its reserve has been given back",
                                f"{fault}. Free some space: the next time there is no reserve.", urgent=True)
            self._flush()
            return self._journal.append(now, *events)

    def _flush(self) -> None:
        """Write what is only remembered, in its order; what has been written stays written where the rest is not."""
        if self._unwritten_snapshot is not None:
            self._journal.keep_snapshot(self._unwritten_snapshot)
            self._unwritten_snapshot = None
        while self._unwritten:
            self._journal.append(self._unwritten[0][0], *self._unwritten[0][1])
            del self._unwritten[0]

    def _must_end(self, fault: Fault) -> bool:
        """Another guard has the site; or the journal is broken, which the next start mends, while nothing is urgent."""
        incident = self.record.incident
        is_on_the_way_down = incident is not None and incident.goal is ev.Goal.OFF
        return isinstance(fault, Displaced) or (isinstance(fault, Refused) and not is_on_the_way_down)

    def _matters(self, now: float, events: tuple[ev.Event, ...]) -> bool:
        """An incident is open, or these open one."""
        after = fold(self.record, _numbered(self.record.seq, now, events))
        return self.record.incident is not None or after.incident is not None

    def _from_memory(self, now: float, events: tuple[ev.Event, ...]) -> Sequence[Entry]:
        """The events as entries that are not durable yet; none where they must not be taken up without a disk.

        Taken up is what belongs to a way down, a person's order (the inbox still knows it after a crash), and the level
        that ends a shelved alarm.
        """
        entries = _numbered(self.record.seq, now, events)
        incident = fold(self.record, entries).incident
        is_down = incident is not None and incident.goal is ev.Goal.OFF and any(map(_is_of_incident, events))
        is_order = any(isinstance(event, ev.WishTaken) for event in events)
        is_level = self.record.is_shelved and any(isinstance(event, ev.LevelChanged) for event in events)
        if needs_disk(events) or not (is_down or is_order or is_level):
            return ()
        self._unwritten.append((now, events))
        return entries

    def _tell(self, before: Record, entry: Entry) -> None:
        incident = before.incident
        names: dict[str, str] = {}
        if isinstance(entry.event, ev.Answered) and incident is not None:
            names = {target: intent.command.name for (_, target), intent in incident.intents.items()}
        log.info(entry.event.kind, **facts(entry.event, names))
        for listener in self._listeners:
            listener(entry.at, entry.event)
        if isinstance(entry.event, ev.LevelChanged) and not self._is_new(entry.event):
            return
        if isinstance(entry.event, ev.LoginRefused) and _account(entry.event) in before.refused:
            return  # told once, until it has worked again
        if (told := message(entry.event, incident, entry.at)) is not None:
            self._notifier.tell(told.title, told.body, urgent=told.is_urgent)

    def wishes(self) -> Sequence[Wish]:
        """The operator's orders that have not been answered yet, oldest first.

        :raises Fault: the journal cannot be read.
        """
        return self._journal.wishes(self.record.wish)

    def keep_snapshot(self, snapshot: Snapshot) -> bool:
        """Make the snapshot durable; False where the disk would not."""
        try:
            self._journal.keep_snapshot(snapshot)
        except Fault as fault:
            if self._must_end(fault):
                raise
            self._fail(fault)
            incident = self.record.incident
            if incident is None or incident.goal is not ev.Goal.OFF:
                return False
            self._unwritten_snapshot = self.snapshot = snapshot
            return True
        self._recover_if_quiet()
        self._unwritten_snapshot = None
        self.snapshot = snapshot
        return True

    def keep_readings(self, readings: Sequence[Reading]) -> None:
        """Make new measurements durable, if the disk would.

        :raises Displaced: as `write`.
        """
        if not readings:
            return
        try:
            self._journal.keep_readings(readings)
        except Fault as fault:
            if self._must_end(fault):
                raise
            self._fail(fault)
            return
        self._recover_if_quiet()

    def _is_new(self, event: ev.LevelChanged) -> bool:
        """Whether people have not been told of this level yet; they have, after this."""
        is_new, self.level = event.level != self.level, event.level
        return is_new

    def _fail(self, fault: Fault) -> None:
        self._failed_at = self._clock.now()
        if self.fault is None:
            log.error("journal.failed", reason=str(fault))
            self._notifier.tell(
                "The journal cannot be written: nothing is powered on until it can",
                f"{fault}. A shutdown would go on from memory; if this process ended meanwhile, it would not know how "
                "far it had got.", urgent=True,
            )
        self.fault = str(fault)

    def _recover_if_quiet(self) -> None:
        if self._clock.now() - self._failed_at >= _QUIET_S and not self._unwritten:
            self._recover()

    def _recover(self) -> None:
        if self.fault is not None:
            self.fault = None
            self._told.clear()
            log.info("journal.recovered")
            self._notifier.tell("The journal can be written again", "What was done from memory is on record.")

    def _tell_unwritten(self, event: ev.Event) -> None:
        """Tell what nobody may miss, once for each edge, in words that promise nothing."""
        if isinstance(event, ev.LevelChanged) and self._is_new(event):
            self._told.clear()
            log.warning(event.kind, **facts(event, {}), journal="not written")
            if (told := message(event, self.record.incident, self._clock.now())) is not None:
                self._notifier.tell(told.title, told.body, urgent=told.is_urgent)
        elif isinstance(event, ev.AlarmObserved) and event.level not in self._told:
            self._told.add(event.level)
            log.warning(event.kind, **facts(event, {}), journal="not written")
            if (told := message(event, None, self._clock.now())) is not None:
                self._notifier.tell(told.title, told.body, urgent=told.is_urgent)


def _numbered(seq: int, at: float, events: Sequence[ev.Event]) -> tuple[Entry, ...]:
    return tuple(Entry(seq + place, at, event) for place, event in enumerate(events, 1))


def needs_disk(events: Sequence[ev.Event]) -> bool:
    """Something is powered on with it, or the guard takes hold: not before it is durable."""
    return any(
        isinstance(event, ev.PowerOnWished | ev.GuardArmed | ev.RehearsalWished)
        or (isinstance(event, ev.GoalWished) and event.goal is ev.Goal.ON) for event in events
    )


def _is_of_incident(event: ev.Event) -> bool:
    """What the way down cannot go on without; the rest waits for the disk, so that the memory stays small."""
    return not isinstance(event, ev.GuardStarted | ev.GuardStopped | ev.NamesResolved | ev.SensorsLearned)


def _account(event: ev.LoginRefused) -> tuple[str, str]:
    return event.endpoint, event.user
