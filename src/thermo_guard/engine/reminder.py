"""Tells hourly that a confirmed alarm would do nothing, and why, until that is over or a person has said he knows."""

import structlog

from thermo_guard.core.goal import NOT_ARMED, PAUSED
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
        if why is None:
            was_paused = self._told is not None and self._told[1].startswith(PAUSED)
            if was_paused and self._ledger.record.paused_until is not None:  # its time is over; no RESUME has ended it
                title = "The pause is over: a confirmed alarm shuts the cluster down again"
                self._notifier.tell(title, "", urgent=True)
            self._told = None
        elif stance.is_soon_over:
            return  # where it does not end after all, people know already
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
