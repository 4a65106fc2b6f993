"""The journal with its record: every event is durable first, then folded, logged, and told to people.

A journal that does not take writes stops every command. That is told on its edges; alarm and blindness are told once
each meanwhile, kept in memory only, although the record knows nothing of them.
"""

from collections.abc import Callable, Sequence

import structlog

from thermo_guard.core import events as ev
from thermo_guard.core.messages import facts, message
from thermo_guard.core.readings import Reading
from thermo_guard.core.record import Record, fold
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.ports import Clock, Fault, Journal, Notifier, Refused

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
        self.record = fold(Record(), journal.entries())
        self.snapshot: Snapshot | None = journal.snapshot()
        self.fault: str | None = None
        """Why the journal cannot be written; None while it can."""
        self.level = self.record.level
        """Of the room, as people were told last; the record's, unless the journal cannot be written."""
        self._failed_at = 0.0
        self._told: set[tuple[str, str]] = set()
        """Kind and level of what was told without being on record."""

    def write(self, *events: ev.Event) -> bool:
        """Make the events durable and part of the record; False where the disk would not: then nothing has happened.

        :raises Refused: another guard owns the site; this one must end.
        """
        if not events:
            return True
        before = self.record
        try:
            entries = self._journal.append(self._clock.now(), *events)
        except Refused:
            raise
        except Fault as fault:
            self._fail(fault)
            for event in events:
                self._tell_unwritten(event)
            return False
        self._recover()
        self.record = fold(self.record, entries)
        for entry in entries:
            self._tell(before, entry)
        return True

    def _tell(self, before: Record, entry: ev.Entry) -> None:
        incident = before.incident
        names: dict[str, str] = {}
        if isinstance(entry.event, ev.Answered) and incident is not None:
            names = {target: intent.command.name for (_, target), intent in incident.intents.items()}
        log.info(entry.event.kind, **facts(entry.event, names))
        for listener in self._listeners:
            listener(entry.at, entry.event)
        if isinstance(entry.event, ev.LevelChanged) and not self._is_new(entry.event):
            return
        if (told := message(entry.event, incident, entry.at)) is not None:
            self._notifier.tell(told.title, told.body, urgent=told.is_urgent)

    def keep_snapshot(self, snapshot: Snapshot) -> bool:
        """Make the snapshot durable; False where the disk would not."""
        try:
            self._journal.keep_snapshot(snapshot)
        except Refused:
            raise
        except Fault as fault:
            self._fail(fault)
            return False
        self._recover_if_quiet()
        self.snapshot = snapshot
        return True

    def keep_readings(self, readings: Sequence[Reading]) -> None:
        """Make new measurements durable, if the disk would.

        :raises Refused: as `write`.
        """
        if not readings:
            return
        try:
            self._journal.keep_readings(readings)
        except Refused:
            raise
        except Fault as fault:
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
            self._notifier.tell("The journal cannot be written: nothing is commanded until it can", str(fault),
                                urgent=True)
        self.fault = str(fault)

    def _recover_if_quiet(self) -> None:
        if self._clock.now() - self._failed_at >= _QUIET_S:
            self._recover()

    def _recover(self) -> None:
        if self.fault is not None:
            self.fault = None
            self._told.clear()
            log.info("journal.recovered")
            self._notifier.tell("The journal can be written again", "Thermo-Guard commands again what is due.")

    def _tell_unwritten(self, event: ev.Event) -> None:
        """Tell what nobody may miss, once for each edge, in words that promise nothing."""
        if isinstance(event, ev.LevelChanged) and self._is_new(event):
            self._told.clear()
            log.warning(event.kind, **facts(event, {}), journal="not written")
            if (told := message(event, self.record.incident, self._clock.now())) is not None:
                self._notifier.tell(told.title, told.body, urgent=told.is_urgent)
        elif (isinstance(event, ev.AlarmTripped | ev.HeatReturned | ev.AlarmObserved)
              and (event.kind, event.level) not in self._told):
            self._told.add((event.kind, event.level))
            log.warning(event.kind, **facts(event, {}), journal="not written")
            self._notifier.tell(
                f"{event.level.upper()} temperature, and the journal cannot be written: NOTHING is being done",
                "\n".join(event.reasons), urgent=True,
            )
