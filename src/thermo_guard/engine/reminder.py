"""Tells hourly that a confirmed alarm would do nothing, and why, until that is over or a person has said he knows."""

import structlog

from thermo_guard.core.goal import NOT_ARMED
from thermo_guard.ports import Notifier

from .arming import Stance
from .ledger import Ledger

log = structlog.get_logger()

REMIND_S = 3600.0


class Reminder:
    def __init__(self, ledger: Ledger, notifier: Notifier) -> None:
        self._ledger = ledger
        self._notifier = notifier
        self._told: tuple[float, str, tuple[str, ...]] | None = None
        """When, why nothing would be done, and what was lacking then."""

    def tick(self, stance: Stance, now: float) -> None:
        """Tell what is due."""
        why, lacking = stance.why, stance.lacking
        if why is None or stance.is_soon_over:
            self._told = None
        elif self._told is None or self._told[1] != why:
            self._told = (now, why, lacking)
            if why == NOT_ARMED:  # a pause or an abort has just been told by its own event
                self._tell(why, lacking)
        elif now - self._told[0] >= REMIND_S:
            acknowledged = self._ledger.record.acknowledged
            is_known = acknowledged is not None and acknowledged[0] >= self._told[0] and lacking == self._told[2]
            if not is_known:
                self._told = (now, why, lacking)
                self._tell(why, lacking)

    def _tell(self, why: str, lacking: tuple[str, ...]) -> None:
        log.warning("guard.standing_by", why=why, lacking=lacking)
        self._notifier.tell(f"{why}: a confirmed alarm would do nothing", "\n".join(lacking), urgent=True)
