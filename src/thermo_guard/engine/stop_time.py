"""Keeps in mind what it would take now to stop everything: what a projection is held against."""

from dataclasses import replace

from thermo_guard.core.durations import Durations
from thermo_guard.core.estimate import stop_s
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.scope import scope_of
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.ports import Clock

from .ledger import Ledger
from .lookout import Look
from .terms import Aside, LoopSettings

ESTIMATE_EVERY_S = 600.0


class StopTime:
    def __init__(self, settings: LoopSettings, ledger: Ledger, clock: Clock, aside: Aside) -> None:
        self._settings = settings
        self._ledger = ledger
        self._aside = aside
        self.look: Look[float] = Look("time to stop", self._estimate, clock)
        self._of: Snapshot | None = ledger.snapshot
        known_s = None if self._of is None else self._sum(self._of)  # what was projected before a restart still is
        self.policy: PolicySettings = replace(settings.policy, stop_s=known_s)
        """With that time in it, once it is known."""

    def tick(self) -> None:
        """Sum it up in quiet time, when it is due; in an incident what was known last stands."""
        if (seconds := self.look.take()) is not None:
            self.policy = replace(self._settings.policy, stop_s=seconds)
        snapshot = self._ledger.snapshot
        if snapshot is None or self._ledger.record.incident is not None:
            return
        if self._of is None:
            self.look.ask_again()
        self._of = snapshot
        self.look.start_if_due(ESTIMATE_EVERY_S)

    async def _estimate(self) -> float:
        snapshot = self._of
        assert snapshot is not None  # noqa: S101 - set before each start
        return await self._aside(lambda: self._sum(snapshot))

    def _sum(self, snapshot: Snapshot) -> float:
        record, settings = self._ledger.record, self._settings
        return stop_s(snapshot, record.bmc_of, settings.timing, settings.runbook, has_direct_logins=True,
                      durations=Durations(record.took), scope=scope_of(record))
