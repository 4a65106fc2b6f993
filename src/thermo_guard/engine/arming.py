"""Proves the site before the guard takes hold, and again each hour after that.

All that a shutdown cannot do without must have been seen to work, and the room must have stood below HIGH for a while:
who is installed this evening into a room that is already hot, or with half a configuration, does no harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from thermo_guard.core import events as ev
from thermo_guard.core.finding import Area, Finding, Verdict, Way, conclusion, in_the_way
from thermo_guard.core.goal import NOT_ARMED, Mode, standing_by
from thermo_guard.core.policy import Assessment, Level
from thermo_guard.ports import Clock, Notifier

from .ledger import Ledger
from .lookout import Look
from .terms import LoopSettings, Preflight

log = structlog.get_logger()

PROVE_EVERY_S = 120.0
CHECK_EVERY_S = 3600.0
"""Once armed; a check that fails anew is looked at again after CONFIRM_S before it is told."""
CONFIRM_S = 300.0
PROOF_VALID_S = 900.0

_Gap = tuple[Area, Way]


@dataclass(frozen=True, slots=True)
class Stance:
    """What a confirmed alarm would do now."""

    why: str | None
    """Why it would do nothing, in words; None: it would trip."""
    lacking: tuple[str, ...] = ()
    """What stands in the way of arming, each with the line that mends it."""
    is_soon_over: bool = False
    """It needs no reminder: it ends by itself, or it is the setting."""


class Arming:
    def __init__(
        self, settings: LoopSettings, ledger: Ledger, notifier: Notifier, clock: Clock, preflight: Preflight | None
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._notifier = notifier
        self._clock = clock
        self.look: Look[Sequence[Finding]] | None = None if preflight is None else Look("check", preflight, clock)
        self._below_since: float | None = None
        """Since when every voting sensor has stood below HIGH."""
        self._gaps: frozenset[_Gap] = frozenset()
        """What failed at the last check, and at the one before: only what fails twice is told."""
        self.passed_since: float | None = None
        """When the check was begun that has come in at this tick and found nothing in the way of a shutdown."""
        self._told_gaps: frozenset[_Gap] = frozenset()

    def start_look_if_due(self) -> None:
        """Check the site again; never in an incident, where the looks that matter must not wait."""
        if self.look is None or self._settings.mode is Mode.OBSERVE:
            return
        if self._ledger.record.incident is not None:
            self.look.call_off()
            return
        is_unsure = self._gaps != self._told_gaps
        every_s = CONFIRM_S if is_unsure else CHECK_EVERY_S
        self.look.start_if_due(PROVE_EVERY_S if self._ledger.record.armed is None else every_s)

    def tick(self, assessment: Assessment, now: float) -> None:
        """Take hold when all is proved; tell what is not."""
        self._watch_room(assessment, now)
        found = None if self.look is None else self.look.take()
        has_passed = found is not None and not in_the_way(found, Way.DOWN)
        self.passed_since = self.look.started_at if has_passed and self.look is not None else None
        if self._settings.mode is Mode.ARMED and self._ledger.record.armed is None:
            if not self.lacking(now) and self._may_arm_at(now) <= now:
                self._ledger.write(ev.GuardArmed("", self._could_be_better()))
                self._told_gaps = self._gaps = self._failing()
        elif found is not None:
            self._compare()

    def stance(self, now: float) -> Stance:
        """Whether a confirmed alarm would trip now, and if not why."""
        why = standing_by(self._ledger.record, self._settings.mode, now)
        if why is None and self._ledger.record.is_shelved:
            return Stance("SHELVED since the abort, until the room has been below HIGH")
        if why != NOT_ARMED:
            return Stance(why, is_soon_over=self._settings.mode is Mode.OBSERVE)
        lacking, has_looked = self.lacking(now), self.look is None or self.look.has_looked
        if lacking or not has_looked:
            return Stance(why, lacking, is_soon_over=not has_looked)
        at = datetime.fromtimestamp(self._may_arm_at(now), UTC).strftime("%H:%M UTC")
        return Stance(f"{why} before {at}, if the room stays below HIGH until then", is_soon_over=True)

    def lacking(self, now: float) -> tuple[str, ...]:
        """What a shutdown cannot do without and has not been seen to work."""
        if self.look is None:
            return ("Nothing can check this site: `thermo-guard arm` takes hold without proof.",)
        is_old = self.look.shown_at is None or now - self.look.shown_at > PROOF_VALID_S
        if self.look.shown is None or is_old:
            return (f"The site has not been checked yet{f': {self.look.fault}' if self.look.fault else ''}.",)
        lines = [f.in_a_line() for f in self.look.shown if f.verdict is Verdict.FAIL and f.way is Way.DOWN]
        if self._below_since is None and not lines:
            lines.append("Room: the voting sensors do not all stand below TEMPERATURE_HIGH_THRESHOLD. Cool the room; "
                         "`thermo-guard arm` takes hold all the same.")
        return tuple(lines)

    def _watch_room(self, assessment: Assessment, now: float) -> None:
        hottest_c = assessment.hottest_c
        is_seen = assessment.level in {Level.LOW, Level.BAND} and hottest_c is not None
        if not is_seen or hottest_c is None or hottest_c >= self._settings.policy.high_c:
            self._below_since = None
        elif self._below_since is None:
            self._below_since = now

    def _may_arm_at(self, now: float) -> float:
        return (now if self._below_since is None else self._below_since) + self._settings.arm_after_s

    def _failing(self) -> frozenset[_Gap]:
        shown = self.look.shown if self.look is not None and self.look.shown is not None else ()
        return frozenset((f.area, f.way) for f in shown if f.verdict is Verdict.FAIL and f.way is not None)

    def _could_be_better(self) -> tuple[str, ...]:
        """What fails of the rest, with what follows from it."""
        shown = self.look.shown if self.look is not None and self.look.shown is not None else ()
        lines = [f.in_a_line() for f in shown if f.verdict is Verdict.FAIL]
        return (conclusion(shown).text, *lines) if lines else ()

    def _compare(self) -> None:
        """Tell what a later check finds broken, once it has found it twice, and what holds again."""
        before, self._gaps = self._gaps, self._failing()
        if self._gaps != before or self._gaps == self._told_gaps or self.look is None or self.look.shown is None:
            return
        new, self._told_gaps = self._gaps - self._told_gaps, self._gaps
        lines = [f.in_a_line() for f in self.look.shown if (f.area, f.way) in new and f.verdict is Verdict.FAIL]
        end = conclusion(self.look.shown).text
        log.warning("check.changed", failing=lines, conclusion=end)
        self._notifier.tell(f"A check of the site {'fails' if new else 'holds again'}: it stays armed",
                            "\n".join([end, *lines]), urgent=bool(new))
