"""Where a sensor is going: a robust slope with its confidence, and when it would be at a level if it went on so.

The slope is Theil and Sen's: the median of all slopes between two measurements, which one wrong measurement does not
turn; its bounds are Sen's, by Kendall's rank statistic. Source: P. K. Sen, Estimates of the Regression Coefficient
Based on Kendall's Tau, JASA 63 (1968).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median

from .readings import Kind
from .track import Measurement, Track, window

OVER_S = 300.0
"""The last measurements from which the slope is taken, where so many are there."""
LEAST = 4
"""Of fewer than these no slope is sure."""
MOST = 16
"""More are thinned out: the medians of as many groups say the same."""
LONGEST_S = 3600.0
JUMP_K_PER_S = 5.0 / 60.0
"""The air of a room does not warm faster than this."""
SLOWED_BY = {Kind.ROOM: 4 / 3, Kind.BMC: 2.0}
"""A rise that has fallen by so much within the window nears its end; inlets send whole degrees: by more."""
SLOW_S = 120.0
"""Who measures less often is slow."""
BRISK_K = 2.0
"""A rise between two measurements that is no noise."""
AWAY_K = 6.0
"""Further above its usual level than a compressor's cycle, or people, bring a sensor."""
NEWEST = 3
"""What the last so many measurements show counts where it is less: cooling that is back shows there first."""
LAG_S = 60.0
"""A probe shows what the air was at least so long ago."""
_Z = 1.96
"""Both bounds hold with 95 %."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Kelvin a second."""

    k_per_s: float
    low: float
    """It is surely no less."""
    high: float
    samples: int
    over_s: float

    @property
    def rises(self) -> bool:
        return self.low > 0.0


def slope(measurements: Sequence[Measurement]) -> Slope | None:
    """The slope of these measurements, oldest first; None where they are too few to say."""
    if len(measurements) < LEAST:
        return None
    points = [(m.measured_at, m.celsius) for m in measurements] if len(measurements) <= MOST else _thinned(measurements)
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0])
    n = len(points)
    if len(slopes) < n:
        return None
    spread = _Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = int((len(slopes) - spread) // 2)
    is_bounded = low >= 0
    return Slope(
        median(slopes),
        slopes[low] if is_bounded else -math.inf, slopes[-1 - low] if is_bounded else math.inf,
        len(measurements), points[-1][0] - points[0][0],
    )


def _thinned(measurements: Sequence[Measurement]) -> list[tuple[float, float]]:
    """So many groups of neighbours, each by its median."""
    points = []
    for place in range(MOST):
        group = measurements[place * len(measurements) // MOST:(place + 1) * len(measurements) // MOST]
        points.append((median(m.measured_at for m in group), median(m.celsius for m in group)))
    return points


def slope_of(track: Track) -> Slope | None:
    """The slope of the last minutes; of a slow sensor, of its last four measurements, or of two that tell enough."""
    lately = slope(_lately(track))
    return lately if lately is not None and lately.rises else _brisk(track) or lately


def _brisk(track: Track) -> Slope | None:
    """Of a sensor so slow that a room burns within four measurements: a rise far beyond what noise and habit explain.

    The air stood still for a part of the time between the two, so that it surely rises no less.
    """
    last, before = track.last, track.before
    if before is None or (track.cadence_s or 0.0) <= SLOW_S or track.above_usual_k < AWAY_K:
        return None
    rise_k, seconds = last.celsius - before.celsius, last.measured_at - before.measured_at
    if rise_k < BRISK_K or seconds <= 0:
        return None
    return Slope(rise_k / seconds, rise_k / seconds, math.inf, 2, seconds)


def _lately(track: Track) -> Sequence[Measurement]:
    """What the slope is taken of: from the last jump on, since a door that is closed says nothing of the cooling."""
    lately = window(track, span_s(track))
    jumps = _jumps(lately)
    return lately[jumps[-1]:] if jumps else lately


def has_jumped(track: Track) -> bool:
    """It has warmed as the air of a room does not, but a rack behind a door that is closed, or a sensor moved."""
    return bool(_jumps(track.recent))


def _jumps(measurements: Sequence[Measurement]) -> Sequence[int]:
    """Where they begin anew."""
    return [place for place, (a, b) in enumerate(pairwise(measurements), 1)
            if b.celsius - a.celsius > JUMP_K_PER_S * max(60.0, b.measured_at - a.measured_at)]


def span_s(track: Track) -> float:
    """Over what time its slope is taken."""
    return min(LONGEST_S, max(OVER_S, (LEAST - 0.5) * (track.cadence_s or 0.0)))


def time_to_s(track: Track, celsius: float, slope_now: Slope) -> float:
    """Seconds from its last measurement until it stands at `celsius`; infinite where it never does.

    A rise that has grown slower goes on growing slower at the same rate, as a room does that nears its balance; one
    that has grown faster is only believed to go on as it is.
    """
    left_k = celsius - track.last.celsius
    if left_k <= 0:
        return 0.0
    now = min(slope_now.k_per_s, _newest_k_per_s(track))
    if now <= 0:
        return math.inf
    left_s = max(_time_s(track, left_k, now), _slowing_s(_lately(track), left_k, SLOWED_BY[track.kind]))
    return max(0.0, left_s - LAG_S)


def _slowing_s(lately: Sequence[Measurement], left_k: float, slowed_by: float) -> float:
    """As a rise goes on whose second half was so much slower than its first; 0 where it was not."""
    first, middle, last = lately[0], lately[len(lately) // 2], lately[-1]
    early_s, late_s = middle.measured_at - first.measured_at, last.measured_at - middle.measured_at
    if early_s <= 0 or late_s <= 0:
        return 0.0
    early, late = (middle.celsius - first.celsius) / early_s, (last.celsius - middle.celsius) / late_s
    if not 0 < slowed_by * late <= early:
        return 0.0
    return _settling_s(left_k, late, math.log(early / late) / ((early_s + late_s) / 2))


def _settling_s(left_k: float, now: float, decay: float) -> float:
    """Until it has risen by so much, where its slope falls by a constant rate; infinite where it never has."""
    share = left_k * decay / now
    return math.inf if share >= 1 else -math.log1p(-share) / decay


def _newest_k_per_s(track: Track) -> float:
    newest = 2 if (track.cadence_s or 0.0) > SLOW_S else NEWEST
    first, last = track.recent[-min(newest, len(track.recent))], track.last
    seconds = last.measured_at - first.measured_at
    return (last.celsius - first.celsius) / seconds if seconds > 0 else math.inf


def _time_s(track: Track, left_k: float, now: float) -> float:
    span = span_s(track)
    earlier = slope(window(track, span, ended_s=span))
    if earlier is None or earlier.k_per_s <= now:
        return left_k / now
    return _settling_s(left_k, now, math.log(earlier.k_per_s / now) / span)
