"""What the sensors have delivered, judged by the words of the README and not by the policy's code."""

from dataclasses import dataclass

from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.readings import Poll
from thermo_guard.sim.world import World

OLDEST_S = 2700.0
"""No measurement that is older says anything of the room."""
SURELY_FRESH_S = 300.0
"""Any that is younger does."""
HOTTEST_C = 60.0
"""What the air of a server room can be."""
LONGEST_STOP_S = 4 * 3600.0
"""No plant that is drawn takes so long to stop."""
SLOW_S, FAR_K = 120.0, 6.0
"""A sensor that measures less often is slow; so far above its usual level two of its measurements tell enough."""
KEPT = 60


@dataclass(frozen=True, slots=True)
class Said:
    """One measurement as it was delivered; times by the world."""

    celsius: float
    stamp: float
    at: float
    """When it was first delivered."""
    measured_at: float


class Senses:
    def __init__(self, world: World, policy: PolicySettings) -> None:
        self._policy = policy
        self._sensors = [sensor.serial for sensor in world.plan.sensors]
        self._said: dict[str, list[Said]] = {}
        self._answered_at = world.now

    def begin(self, now: float) -> None:
        """A new life: it has the readings of the one before, and no answer yet."""
        self._answered_at = now

    def take(self, poll: Poll, now: float) -> None:
        self._answered_at = now
        for reading in poll.readings:
            said = self._said.setdefault(reading.sensor, [])
            is_possible = 0.0 < reading.celsius <= HOTTEST_C
            if is_possible and (not said or reading.stamp > said[-1].stamp):
                said.append(Said(reading.celsius, reading.stamp, now, now - reading.age_s))
                del said[:-KEPT]

    def unanswered_s(self, now: float) -> float:
        return now - self._answered_at

    def why_no_alarm(self, level: str, now: float) -> str | None:
        """Why what was delivered is no alarm of this level; None where it is one."""
        policy, fresh = self._policy, self._fresh(now)
        if level == "critical":
            for serial, said in fresh.items():
                before = said[-2].celsius if len(said) > 1 else None
                agrees = any(other[-1].celsius >= policy.high_c for name, other in fresh.items() if name != serial)
                if said[-1].celsius >= policy.critical_c and (agrees or (before or -273.0) > policy.low_c):
                    return None
            return "no fresh sensor stands at it, believably"
        if level == "projected":
            rising = [serial for serial, said in fresh.items() if self._is_on_its_way(said)]
            return None if len(rising) >= 2 else f"{len(rising)} fresh sensors above LOW are on their way to CRITICAL"
        hot = [serial for serial, said in fresh.items() if self._hot_s(said) >= policy.on_delay_s]
        needed = min(2, len(self._sensors))
        since = sorted(said[-1].stamp - self._hot_s(said) for said in fresh.values() if self._hot_s(said) >= 0.0)
        if len(since) >= needed > 1:  # each once, one after the other, is as much
            newest = max(said[-1].stamp for said in fresh.values() if self._hot_s(said) >= 0.0)
            if newest - since[needed - 2] >= policy.on_delay_s:
                return None
        return None if len(hot) >= needed else f"{len(hot)} fresh sensors have stood at HIGH, {needed} are needed"

    def why_not_recovered(self, now: float) -> str | None:
        """Why the room has not recovered by what was delivered; None where it has."""
        policy, fresh = self._policy, self._fresh(now)
        if len(fresh) < min(2, len(self._sensors)):
            return f"{len(fresh)} sensors are fresh"
        since = now - policy.recovery_hold_s
        surely = self._fresh(now, SURELY_FRESH_S)
        warm = [serial for serial, said in surely.items()
                if said[-1].celsius > policy.low_c
                or any(one.at > since and one.celsius > policy.low_c for one in said)]
        # One that most of the others contradict is suspect, and left out.
        return f"{', '.join(warm)} stood above LOW" if warm and len(warm) >= len(surely) / 2 else None

    def why_not_warm(self, now: float) -> str | None:
        """Why what was delivered is no reason to shed; None where it is, or was just now."""
        limit_c, since = self._policy.shed_at_c, now - self._policy.off_delay_s - SURELY_FRESH_S
        warm = [serial for serial, said in self._said.items()
                if any(one.at >= since and one.celsius >= limit_c for one in said)]
        needed = min(2, len(self._sensors))
        return None if len(warm) >= needed else f"{len(warm)} sensors have stood at {limit_c:g}, {needed} are needed"

    def why_still_warm(self, now: float) -> str | None:
        """Why what was shed stays off: enough sensors are not below the stage's dead-band."""
        limit_c = self._policy.shed_at_c - self._policy.dead_band_k
        warm = [serial for serial, said in self._fresh(now, SURELY_FRESH_S).items() if said[-1].celsius > limit_c]
        return f"{', '.join(warm)} stand above {limit_c:g}" if len(warm) > max(len(self._sensors), 2) // 2 else None

    def why_hot(self, now: float, for_s: float) -> str | None:
        """Enough sensors have said for so long that the room is hot, and are fresh."""
        fresh = self._fresh(now, SURELY_FRESH_S)
        hot = [serial for serial, said in fresh.items() if self._is_hot_since(said, now - for_s)]
        is_alarm = len(hot) > max(len(self._sensors), 2) // 2
        return f"{', '.join(hot)} stand at HIGH" if is_alarm else None

    def _is_hot_since(self, said: list[Said], by: float) -> bool:
        earlier = [one for one in said if one.at <= by]
        later = said[len(earlier):]
        return self._hot_s(earlier) >= self._policy.on_delay_s and all(
            one.celsius >= self._policy.high_c for one in later
        )

    def is_cool(self, now: float) -> bool:
        fresh = self._fresh(now, SURELY_FRESH_S)
        return bool(fresh) and all(said[-1].celsius <= self._policy.low_c for said in fresh.values())

    def _fresh(self, now: float, within_s: float | None = None) -> dict[str, list[Said]]:
        within_s = within_s or self._policy.max_age_s or OLDEST_S
        return {serial: said for serial, said in self._said.items() if said and now - said[-1].measured_at <= within_s}

    def _is_on_its_way(self, said: list[Said]) -> bool:
        """Above LOW, and at the pace of its last four measurements at CRITICAL before anything is surely stopped.

        Of a slow sensor two tell as much, where the second is far above what it has ever shown in quiet time.
        """
        last = said[-1]
        is_far = last.celsius - min(one.celsius for one in said) >= FAR_K
        is_slow = len(said) > 1 and last.stamp - said[-2].stamp > SLOW_S
        return last.celsius > self._policy.low_c and any(
            self._burns(said[-few], last) for few in ([2, 4] if is_slow and is_far else [4]) if len(said) >= few)

    def _burns(self, first: Said, last: Said) -> bool:
        if last.celsius <= first.celsius:
            return False
        pace = (last.celsius - first.celsius) / (last.stamp - first.stamp)
        return (self._policy.critical_c - last.celsius) / pace <= LONGEST_STOP_S

    def _hot_s(self, said: list[Said]) -> float:
        """How long its measurements have stood at HIGH without a break."""
        first = None
        for one in reversed(said):
            if one.celsius < self._policy.high_c:
                break
            first = one
        return -1.0 if first is None else said[-1].stamp - first.stamp
