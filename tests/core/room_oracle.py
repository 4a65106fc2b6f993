"""What the README's section "How a trip is decided" and .env.example say of a room, told anew for tests.

It shares no line with the policy: it keeps every measurement that a guard was ever given and judges from all of them.
Times are whole seconds, temperatures degrees Celsius.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

LOW, BAND, HIGH, CRITICAL, BLIND = "low", "band", "high", "critical", "blind"
KEPT = 200
UNKNOWN_BETWEEN_S = 2700
"""Two measurements further apart than the oldest that still counts say nothing of the time between."""


@dataclass
class Rules:
    """The settings, by the words of .env.example."""

    names: tuple[str, ...] | None
    votes: int | None
    degrade_to: int
    on_delay_s: int
    max_age_s: int | None
    hold_s: int
    high_c: float = 35.0
    low_c: float = 30.0
    critical_c: float = 40.0


@dataclass
class Sample:
    stamp: int
    celsius: float
    at: int
    """When it was measured, by the earliest that the guard was told."""


@dataclass
class Oracle:
    rules: Rules
    started_at: int
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """Of each sensor, in the order of their stamps."""
    shown: set[str] = field(default_factory=set)
    polled_at: int | None = None
    cool_since: int | None = None
    """Of the unbroken time in which the room was seen cool by enough sensors."""
    has_cooled: bool = False
    suspects: set[str] = field(default_factory=set)
    """Whom the guard does not believe; why, test_plausibility.py has."""
    above_usual_k: dict[str, float] = field(default_factory=dict)
    """As the guard knows them; what is usual is not for this oracle."""

    def told(self, sensor: str, stamp: int, celsius: float, at: int) -> None:
        """A sample that is served again is the same measurement; one older than the last adds nothing."""
        self.shown.add(sensor)
        samples = self.samples.setdefault(sensor, [])
        if not samples or stamp > samples[-1].stamp:
            samples.append(Sample(stamp, celsius, at))
        elif stamp == samples[-1].stamp:
            samples[-1].at = min(samples[-1].at, at)

    def restarted(self, now: int) -> None:
        """What was measured is kept; since when the room has been cool is not known any more."""
        self.started_at, self.polled_at, self.cool_since, self.has_cooled = now, None, None, False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.shown)) if self.rules.names is None else self.rules.names

    @property
    def wanted(self) -> int:
        """TRIP_VOTES, or the majority of the sensors."""
        return self.rules.votes or len(self.names) // 2 + 1

    @property
    def fewest(self) -> int:
        """Never fewer than two, unless there is only one sensor, VOTES_DEGRADE_TO=1 or TRIP_VOTES=1."""
        return min(self.wanted, 1 if len(self.names) == 1 else self.rules.degrade_to)

    def fresh(self, now: int) -> list[str]:
        return [name for name in self.names if name not in self.suspects
                and self.samples.get(name) and self._is_fresh(self.samples[name], now)]

    def _is_fresh(self, samples: list[Sample], now: int) -> bool:
        """Not from the future, and not stale: SENSOR_MAX_AGE, or 2.5 times its cadence within 300 to 2700."""
        most_s: float = UNKNOWN_BETWEEN_S
        if self.rules.max_age_s is not None:
            most_s = self.rules.max_age_s
        elif len(samples) > 1:
            cadence_s = median(b.stamp - a.stamp for a, b in pairwise(samples[-12:]))
            most_s = min(UNKNOWN_BETWEEN_S, max(300, 2.5 * cadence_s))
        return 0 <= now - samples[-1].at <= most_s

    def voters(self, now: int) -> list[str]:
        """Each by itself; or together, where they are too slow for that: one stood there, another does later."""
        fresh = self.fresh(now)
        alone = [name for name in fresh if self._stands_high(self.samples[name])]
        demand = max(self.fewest, min(self.wanted, len(fresh)))
        since = {name: self._high_since(self.samples[name]) for name in fresh}
        slow = {name: at for name, at in since.items() if at is not None and (
            name in alone or self._cadence_s(self.samples[name]) > 2 * self.rules.on_delay_s)}
        hot = [name for name in fresh if since[name] is not None]
        if len(alone) >= demand or len(slow) < max(demand, 1) or len(hot) < 2:
            return alone
        begun = sorted(slow.values())[max(demand - 2, 0)]
        held_s = max(self.samples[name][-1].stamp for name in slow) - begun
        return list(slow) if held_s >= self.rules.on_delay_s else alone

    @staticmethod
    def _cadence_s(samples: list[Sample]) -> float:
        return median(b.stamp - a.stamp for a, b in pairwise(samples[-12:])) if len(samples) > 1 else 0.0

    def _stands_high(self, samples: list[Sample]) -> bool:
        """At or above HIGH for TRIP_ON_DELAY, on measurements with different stamps and none below between."""
        since = self._high_since(samples)
        return since is not None and samples[-1].stamp - since >= self.rules.on_delay_s

    def _high_since(self, samples: list[Sample]) -> int | None:
        """Stamp of the first of those that stand at or above HIGH without a break."""
        first = None
        for place in range(len(samples) - 1, -1, -1):
            gap_s = 0 if first is None else first.stamp - samples[place].stamp
            if samples[place].celsius < self.rules.high_c or gap_s > self._longest_gap_s(samples[:place + 1]):
                break
            first = samples[place]
        return None if first is None else first.stamp

    def _longest_gap_s(self, samples: list[Sample]) -> float:
        """Of a sensor that is known to be slow, from five measurements on, 2.5 times its cadence."""
        if len(samples) < 5:
            return UNKNOWN_BETWEEN_S
        return max(UNKNOWN_BETWEEN_S, 2.5 * median(b.stamp - a.stamp for a, b in pairwise(samples[-12:])))

    def is_critical(self, now: int) -> bool:
        """One fresh sensor, if its measurement before stood above LOW or a second sensor stands high, and not most of
        its neighbours have measured since and stand still, at or below LOW, or below HIGH and by 6 K less above their
        usual levels.
        """
        fresh = {name: self.samples[name] for name in self.fresh(now)}
        high = {name for name, samples in fresh.items() if samples[-1].celsius >= self.rules.high_c}
        for name, samples in fresh.items():
            if samples[-1].celsius < self.rules.critical_c:
                continue
            was_warm = (len(samples) > 1 and samples[-2].celsius > self.rules.low_c
                        and samples[-1].stamp - samples[-2].stamp <= self._longest_gap_s(samples))
            against = [
                other for other in fresh if other != name and self._stands_still(fresh[other], samples[-1])
                and (fresh[other][-1].celsius <= self.rules.low_c or (
                    fresh[other][-1].celsius < self.rules.high_c
                    and self.above_usual_k[name] - self.above_usual_k[other] > 6))]
            if (was_warm or high - {name}) and 2 * len(against) <= len(fresh) - 1:
                return True
        return False

    def _stands_still(self, samples: list[Sample], against: Sample) -> bool:
        """Within ten minutes of what it is held against, and not a degree up in a quarter of an hour,
        nor the fourth part of what it is away.
        """
        last = samples[-1]
        lately = [last.celsius]
        for sample in reversed(samples[-KEPT:-1]):
            lately.append(sample.celsius)
            if last.at - sample.at >= 900:  # what it showed then is part of it
                break
        up = last.celsius - min(lately)
        has_moved = up >= max(1.0, (against.celsius - last.celsius) / 4) and up >= max(lately) - last.celsius
        return last.at >= against.at - 600 and not has_moved

    def by_sensors(self, now: int) -> str | None:
        """The level, as long as the source answers; None while its first answer is awaited."""
        if self.polled_at is None:
            return None
        fresh = self.fresh(now)
        if self.is_critical(now):
            return CRITICAL
        if len(fresh) < max(self.fewest, 1):
            return BLIND
        if len(self.voters(now)) >= max(self.fewest, min(self.wanted, len(fresh))):
            return HIGH
        is_low = all(self.samples[name][-1].celsius <= self.rules.low_c for name in fresh)
        return LOW if is_low else BAND

    def silent_s(self, now: int) -> int:
        return now - (self.started_at if self.polled_at is None else self.polled_at)

    def judged(self, level: str | None, now: int) -> None:
        """Take in the level that holds at this tick: what cooling and recovery stand on."""
        if level != LOW or len(self.fresh(now)) < self.wanted:
            self.cool_since = None
        elif self.cool_since is None:
            self.cool_since = now
        self.has_cooled = level == LOW or (self.has_cooled and level in {BAND, None})

    def is_recovered(self, now: int) -> bool:
        """Cool for RECOVERY_HOLD, and not by what was measured before it began."""
        if self.cool_since is None or now - self.cool_since < self.rules.hold_s:
            return False
        since = self.cool_since
        again = [name for name in self.fresh(now) if self.samples[name][-1].at > since]
        return self.rules.hold_s == 0 or len(again) >= self.wanted
