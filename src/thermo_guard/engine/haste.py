"""Holds the plan against the room on the way down: where it would be critical first, everyone's time is shortened."""

from dataclasses import replace

from thermo_guard.core import events as ev
from thermo_guard.core.durations import Durations
from thermo_guard.core.estimate import remaining_s
from thermo_guard.core.haste import compressed, to_critical_s
from thermo_guard.core.policy import Assessment, Room
from thermo_guard.core.record import Record
from thermo_guard.core.scope import scope_of
from thermo_guard.core.view import PlantNow
from thermo_guard.ports import Clock

from .ledger import Ledger
from .lookout import Look
from .terms import Aside, LoopSettings

ESTIMATE_EVERY_S = 120.0


class Haste:
    def __init__(self, settings: LoopSettings, ledger: Ledger, clock: Clock, aside: Aside) -> None:
        self._settings = settings
        self._ledger = ledger
        self._aside = aside
        self.look: Look[float] = Look("estimate", self._estimate, clock)
        """Of the seconds that the way down still takes, counted from when it was begun."""
        self._of: tuple[Record, PlantNow, float] | None = None
        """What the estimate under way starts from, and when."""

    def tick(self, plant: PlantNow, room: Room, assessment: Assessment, now: float) -> None:
        """On a way down that is worked on: shorten what is left, where the room will not wait for it."""
        estimate, incident = self.look.take(), self._ledger.record.incident
        critical_s = to_critical_s(room, assessment, self._settings.policy)
        is_due = incident is not None and incident.goal is ev.Goal.OFF and not incident.is_limited
        if incident is None or not is_due or critical_s is None:
            return
        if estimate is not None and self._of is not None:
            left_s = estimate - (now - self._of[2])
            if left_s > 0 and (event := compressed(incident, critical_s, left_s)) is not None:
                self._ledger.write(event)
        if self.look.task is None and self.look.due_in_s(ESTIMATE_EVERY_S) <= 0:
            self._of = (self._ledger.record, plant, now)
            self.look.start_if_due(ESTIMATE_EVERY_S)

    def rest(self) -> None:
        """Nothing is worked on: what was begun to be summed up says nothing of what comes."""
        self.look.call_off()
        self._of = None

    async def _estimate(self) -> float:
        snapshot = self._ledger.snapshot
        assert self._of is not None  # noqa: S101 - set before each start
        record, plant, now = self._of
        incident = record.incident
        if incident is None or snapshot is None:
            return 0.0
        settings, durations = self._settings, Durations(record.took)
        unhurried = replace(incident, haste=1.0)
        return await self._aside(lambda: remaining_s(
            unhurried, snapshot, plant, record.bmc_of, settings.timing, settings.runbook, durations, now,
            scope=scope_of(record, snapshot),
        ))
