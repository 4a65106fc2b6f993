"""What is scored: the guard's policy, two baselines, and two that only show that the score is honest."""

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from score.draw import HIGH_C, LOW_C
from thermo_guard.core.decisions import Course, Decision, What
from thermo_guard.core.policy import watch
from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.core.readings import Kind, Poll

RESTART_HOLD_S = 900.0
"""The baselines restart when every sensor has been under LOW for so long, host after host."""


class Policy(Protocol):
    """What the rooms ask of a policy."""

    def take(self, poll: Poll) -> None: ...

    def decide(self, now: float) -> tuple[Decision, ...]: ...

    def is_clear(self, since: float, now: float) -> bool:
        """Whether another host may follow the first, which was or will be on at `since`."""


Maker = Callable[[PolicySettings, float], Policy]


class Guard:
    """The policy as the guard runs it; of each inlet the source says whether its server moves air."""

    def __init__(self, settings: PolicySettings, started_at: float) -> None:
        self._course = Course(settings, started_at)

    def take(self, poll: Poll) -> None:
        self._course.take(poll)

    def decide(self, now: float) -> tuple[Decision, ...]:
        return self._course.decide(now)

    def is_clear(self, since: float, now: float) -> bool:
        course = self._course
        return course.assessment is not None and watch(
            course.room, course.assessment, course.settings, since, now).is_clear


class Threshold:
    """So many room sensors at or above HIGH, for so long."""

    def __init__(self, needed: int, hold_s: float) -> None:
        self._needed = needed
        self._hold_s = hold_s
        self._last: dict[str, float] = {}
        self._hot_from: float | None = None
        self._cool_from: float | None = None
        self._is_tripped = False

    def take(self, poll: Poll) -> None:
        if poll.kind is Kind.ROOM:
            self._last.update((reading.sensor, reading.celsius) for reading in poll.readings)

    def decide(self, now: float) -> tuple[Decision, ...]:
        values = self._last.values()
        hot = sum(c >= HIGH_C for c in values)
        self._hot_from = _since(self._hot_from, now, holds=hot >= min(self._needed, max(1, len(values))))
        self._cool_from = _since(self._cool_from, now, holds=bool(values) and all(c < LOW_C for c in values))
        hottest = max(values, default=math.nan)
        if not self._is_tripped and self._hot_from is not None and now - self._hot_from >= self._hold_s:
            self._is_tripped = True
            return (Decision(now, What.TRIPPED, "high", hottest, f"{hot} sensors at or above {HIGH_C:g}"),)
        if self._is_tripped and self._cool_from is not None and now - self._cool_from >= RESTART_HOLD_S:
            self._is_tripped = False
            return (Decision(now, What.PERMISSIVE, "low", hottest, f"all below {LOW_C:g}"),)
        return ()

    def is_clear(self, since: float, now: float) -> bool:  # noqa: ARG002 - it waits for nothing
        return True


def _since(before: float | None, now: float, *, holds: bool) -> float | None:
    if not holds:
        return None
    return now if before is None else before


class Seen:
    """Trips as soon as two well sensors stand at the floor: no policy that keeps a floor and a second source is faster.

    A yardstick and no policy: it knows which sensors are well, and would trip in every warm room.
    """

    def __init__(self, settings: PolicySettings, well: frozenset[str]) -> None:
        self._well = well
        self._settings = settings
        self._is_at_floor: dict[str, bool] = {}
        self._is_tripped = False

    def take(self, poll: Poll) -> None:
        above_k = self._settings.above_room_k(poll.kind)
        for reading in poll.readings:
            if reading.sensor not in self._well:
                continue
            self._is_at_floor[reading.sensor] = reading.celsius >= self._settings.floor_c + above_k

    def decide(self, now: float) -> tuple[Decision, ...]:
        at_floor = sum(self._is_at_floor.values())
        if self._is_tripped or at_floor < min(2, max(1, len(self._well))):
            return ()
        self._is_tripped = True
        return (Decision(now, What.TRIPPED, "high", None, f"{at_floor} sources at the floor"),)

    def is_clear(self, since: float, now: float) -> bool:  # noqa: ARG002 - it waits for nothing
        return True


class TripsAt:
    """Trips at a given time, or never."""

    def __init__(self, at: float = math.inf) -> None:
        self._at = at

    def take(self, poll: Poll) -> None:
        """It needs no sensors."""

    def decide(self, now: float) -> tuple[Decision, ...]:
        if now < self._at:
            return ()
        self._at = math.inf
        return (Decision(now, What.TRIPPED, "high", None, "told to"),)

    def is_clear(self, since: float, now: float) -> bool:  # noqa: ARG002 - it waits for nothing
        return True


OURS = "Thermo-Guard"
ANY = "any >= 35"
TWO = "2 of 3 >= 35, 60 s"
SEEN = "two at the floor"
POLICIES: Mapping[str, Maker] = {
    OURS: Guard,
    ANY: lambda _settings, _started_at: Threshold(1, 0.0),
    TWO: lambda _settings, _started_at: Threshold(2, 60.0),
}
