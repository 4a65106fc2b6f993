"""The journal with its record: every event is durable first, then folded, logged, and told to people."""

from collections.abc import Callable

import structlog

from thermo_guard.core import events as ev
from thermo_guard.core.messages import facts, message
from thermo_guard.core.record import Record, fold
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.ports import Clock, Fault, Journal, Notifier, Refused

log = structlog.get_logger()

Listener = Callable[[float, ev.Event], None]


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
            log.error("journal.failed", reason=str(fault))
            return False
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
        if (told := message(entry.event, incident, entry.at)) is not None:
            self._notifier.tell(told.title, told.body, urgent=told.is_urgent)

    def keep_snapshot(self, snapshot: Snapshot) -> bool:
        """Make the snapshot durable; False where the disk would not."""
        try:
            self._journal.keep_snapshot(snapshot)
        except Refused:
            raise
        except Fault as fault:
            log.error("journal.failed", reason=str(fault))
            return False
        self.snapshot = snapshot
        return True
