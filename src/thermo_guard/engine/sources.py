"""What the sensors have said, by every way that it comes: Meraki's answers and its past, a broker, the inlets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from thermo_guard.core import events as ev
from thermo_guard.core.policy import Level, PolicySettings, Room, alarmed, relived, remembered, seen
from thermo_guard.core.readings import Kind, Poll, Reading
from thermo_guard.core.record import Record
from thermo_guard.core.room import RELIVED_S
from thermo_guard.ports import Clock

from .ledger import Ledger
from .lookout import Look, Lookout
from .terms import Edges, LoopSettings

log = structlog.get_logger()

HISTORY_S = 24 * 3600.0
"""What is kept of so long is taken up after a start: usual levels and slopes are known at once."""
PAST_S = 3 * 3600.0
"""And what the source itself remembers."""
PAST_AGAIN_S = 60.0
AFTER_FAULT_S = 5.0
"""A broker or a port that fails is not asked again sooner."""


class Sources:
    def __init__(self, settings: LoopSettings, edges: Edges, ledger: Ledger, lookout: Lookout) -> None:
        self._settings = settings
        self._ledger = ledger
        self._lookout = lookout
        self._clock: Clock = edges.clock
        self.inlets: Mapping[str, Look[Poll]] = {
            one.address: Look(f"inlet {one.address}", one.inlet, edges.clock) for one in edges.inlets
        }
        past, messages, hints = edges.past, edges.messages, edges.hints
        self._past: Look[Sequence[Reading]] | None = (
            None if past is None else Look("history", lambda: past.history(PAST_S), edges.clock))
        self._messages: Look[Poll] | None = None if messages is None else Look("broker", messages.next, edges.clock)
        self._hints: Look[str] | None = None if hints is None else Look("webhooks", hints.next, edges.clock)
        self._is_count_missing = False
        now = edges.clock.now()
        kept = [reading for reading in edges.journal.readings(now - HISTORY_S) if reading.seen_at <= now]
        self.last_at = kept[-1].seen_at if kept else None
        """When the guard of an earlier life was last given a measurement."""
        self.room = _begun(ledger.record, kept, settings.policy, now)

    @property
    def looks(self) -> list[Look[Any]]:
        own = [look for look in (self._past, self._messages, self._hints) if look is not None]
        return [*own, *self.inlets.values()]

    def start_looks(self) -> None:
        for look in self.inlets.values():
            look.start_if_due(self._settings.inlet_s)
        for waiting in (self._messages, self._hints):
            if waiting is not None:
                waiting.start_if_due(AFTER_FAULT_S if waiting.fault is not None else 0.0)
        if self._past is not None and self._past.shown is None:
            self._past.start_if_due(PAST_AGAIN_S)

    def due_in_s(self) -> float:
        """Until the next of them should be asked again."""
        return min((look.due_in_s(self._settings.inlet_s) for look in self.inlets.values()), default=float("inf"))

    def take_in(self, policy: PolicySettings) -> None:
        """Fold in whatever has come."""
        if self._past is not None and (past := self._past.take()) is not None:
            log.info("sensors.history_taken", measurements=len(past))
            self.room = relived(self.room, past, policy)
        if self._hints is not None and (hint := self._hints.take()) is not None:
            log.info("sensors.hinted", by=hint)
            self._lookout.polls.ask_again()
            self._lookout.counts.ask_again()
        new: list[Reading] = []
        for look in (self._lookout.polls, self._messages, *self.inlets.values()):
            if look is not None and (poll := look.take()) is not None:
                new += self._fold(poll, policy)
        self._ledger.keep_readings(new)
        count = self._lookout.counts.take()
        if count is None:
            return
        self.room = alarmed(self.room, count)
        if (count.temperature is None) is not self._is_count_missing:
            self._is_count_missing = count.temperature is None
            log.warning("alert_count.missing" if self._is_count_missing else "alert_count.present",
                        what="whether Meraki counts sensors in temperature alarm in this network; degrees go on")

    def _fold(self, poll: Poll, policy: PolicySettings) -> Sequence[Reading]:
        """Take a poll into the room; its measurements that are new."""
        log.debug("sensors.polled", kind=str(poll.kind), readings={r.sensor: r.celsius for r in poll.readings})
        new = [r for r in poll.readings
               if (track := self.room.tracks.get(r.sensor)) is None or r.stamp > track.last.stamp]
        self.room = seen(self.room, poll, policy)
        if policy.sensors is None and self.room.sensors != self._ledger.record.sensors:
            self._ledger.write(ev.SensorsLearned(self.room.sensors))
        return new


def _begun(record: Record, kept: Sequence[Reading], policy: PolicySettings, now: float) -> Room:
    """The room as an earlier life left it: what was blind is so since then, not since the start."""
    room = remembered(Room(started_at=now, sensors=record.sensors), kept, policy, every_s=RELIVED_S)
    if record.level == Level.BLIND and kept:
        room = replace(room, blind_since=min(now, kept[-1].seen_at + policy.blind_after_s))
    if record.incident is None:
        return room
    # Hosts may have been switched on a minute ago: their fans have to run before their inlets count again.
    return replace(room, tracks={name: replace(track, is_running=False) if track.kind is Kind.BMC else track
                                 for name, track in room.tracks.items()})
