"""What one sensor has said lately, and how it usually speaks: its cadence, its usual level, its latest doubts.

A measurement is known by its source's stamp, so one sample that is polled ten times counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from .policy_settings import PolicySettings
from .readings import Kind, Reading

MAX_AGE_BOUNDS_S = (300.0, 2700.0)
"""A sensor's reading is stale somewhere between 5 and 45 minutes, whatever cadence it shows."""
KEPT_MEASUREMENTS = 12
"""At least so many are kept a sensor, for its cadence; more where a window in time needs them."""
SURE_OF_CADENCE = 5
"""From fewer a gap cannot be told from a slow sensor."""
KEPT_S = 1200.0
"""And all of so long, for slopes and rises."""
USUAL_OVER_S = 7 * 24 * 3600.0
"""The usual level follows within this time."""
UNUSUAL_K = 1.5
"""What is further from it than this may be no usual time: it is learned the slow way only."""
ODD_TIMES = 5
ODD_EVERY_S = 30.0
"""So many different values, one after the other, that are no newer than the last measurement: neither what was kept up
on the way nor the slower of two ways to one sensor."""
USUAL_LEAST_S = 3600.0
"""No sooner than this does what is new outweigh what a new sensor began with."""


class Measurement(NamedTuple):
    celsius: float
    stamp: float
    """Seconds since 1970 UTC, by the source's clock."""
    measured_at: float
    """Seconds on the guard's line."""


class Suspicion(NamedTuple):
    """A sensor that does not vote, and why."""

    reason: str
    since: float
    """Measured when it first misbehaved, on the guard's line."""
    good_from: float | None = None
    """Since when it has behaved; None: not at all yet."""
    goods: int = 0
    """How many measurements in a row it has behaved for."""
    judged: float = 0.0
    """Stamp of the measurement that was judged last: each counts once."""
    is_alone: bool = False
    """What it says is possible; only its neighbours do not follow."""


@dataclass(frozen=True, slots=True)
class Track:
    """`recent` is never empty, newest last, stamps strictly rising."""

    recent: tuple[Measurement, ...]
    hot_from: float | None
    """Stamp of the first of its measurements that have stood at or above HIGH without a break, up to the last one."""
    kind: Kind = Kind.ROOM
    usual_c: float | None = None
    """Its level in quiet time; None until it has said something plausible."""
    usual_from: float = 0.0
    """Measured when that began to be learned."""
    same_from: float = 0.0
    """Measured when it first said what it has said ever since."""
    same: int = 1
    """So many times in a row."""
    changes: float = 0.0
    """The share of its measurements that differ from the one before, lately."""
    suspicion: Suspicion | None = None
    is_running: bool | None = None
    """Of an inlet: whether its server moves air past it."""
    running_from: float | None = None
    """Since when it does, where it was seen to begin."""
    slipped_at: float | None = None
    """When something was last sent for it that is no measurement."""
    odd: tuple[int, Reading] | None = None
    """How many different values have come since its last measurement with stamps that are no newer, and the last."""
    cleared: str = ""
    """Why it is believed again after it was suspect last."""

    @property
    def last(self) -> Measurement:
        return self.recent[-1]

    @property
    def before(self) -> Measurement | None:
        return self.recent[-2] if len(self.recent) > 1 else None

    @property
    def cadence_s(self) -> float | None:
        """Median time between its distinct measurements; None until there are two."""
        stamps = [m.stamp for m in self.recent[-KEPT_MEASUREMENTS:]]
        return median(b - a for a, b in pairwise(stamps)) if len(stamps) > 1 else None

    def max_age_s(self, settings: PolicySettings) -> float:
        """How old its last measurement may be and still say something of now."""
        if settings.max_age_s is not None:
            return settings.max_age_s
        low, high = MAX_AGE_BOUNDS_S
        return high if (cadence_s := self.cadence_s) is None else min(high, max(low, 2.5 * cadence_s))

    def break_s(self) -> float:
        """After a longer silence nothing is known of the time between."""
        high = MAX_AGE_BOUNDS_S[1]
        return max(high, 2.5 * (self.cadence_s or 0.0)) if len(self.recent) >= SURE_OF_CADENCE else high

    def is_fresh(self, settings: PolicySettings, now: float) -> bool:
        """A measurement from the future is not: the guard's clock was set back since it was kept."""
        age_s = now - self.recent[-1].measured_at
        if age_s <= MAX_AGE_BOUNDS_S[0] and settings.max_age_s is None:
            return age_s >= 0
        return 0 <= age_s <= self.max_age_s(settings)

    @property
    def above_usual_k(self) -> float:
        """How far it stands from its usual level."""
        return 0.0 if self.usual_c is None else self.recent[-1].celsius - self.usual_c

    def moved_k(self, over_s: float) -> float:
        """How far it has moved in the last seconds, up or down: from the lowest or highest since then to the last.

        What it showed then is part of it: a slow sensor may have measured but once since.
        """
        last = self.recent[-1]
        since = last.measured_at - over_s
        degrees = []
        for measurement in reversed(self.recent):
            degrees.append(measurement.celsius)
            if measurement.measured_at <= since:
                break
        rise, fall = last.celsius - min(degrees), last.celsius - max(degrees)
        return rise if rise >= -fall else fall


def taken(track: Track | None, reading: Reading, settings: PolicySettings) -> Track:
    """The track with one more reading; the same measurement again only ever makes it older."""
    new = Measurement(reading.celsius, reading.stamp, reading.measured_at)
    high_c = settings.high_of(reading.kind)
    is_hot = new.celsius >= high_c
    if track is None:
        return Track((new,), new.stamp if is_hot else None, reading.kind, same_from=new.measured_at,
                     is_running=reading.is_running)
    recent, last = track.recent, track.recent[-1]
    if new.stamp <= last.stamp:
        return _placed(_counted(track, reading), new)
    hot_from = None
    if is_hot:
        is_broken = new.stamp - last.stamp > MAX_AGE_BOUNDS_S[1] and new.stamp - last.stamp > track.break_s()
        hot_from = new.stamp if track.hot_from is None or is_broken else track.hot_from
    recent = (*recent, new)
    if len(recent) > KEPT_MEASUREMENTS and recent[1].measured_at < new.measured_at - KEPT_S:
        recent = _shortened(recent, new.measured_at - max(settings.watch_s, settings.on_delay_s, KEPT_S))
    is_same = new.celsius == last.celsius
    usual_c, usual_from = _usual(track, new, settings.low_of(reading.kind))
    return Track(
        recent, hot_from, track.kind, usual_c, usual_from,
        track.same_from if is_same else new.measured_at, track.same + 1 if is_same else 1,
        track.changes + ((0.0 if is_same else 1.0) - track.changes) / 200, track.suspicion,
        reading.is_running, _running_from(track, reading), track.slipped_at, cleared=track.cleared,
    )


def begun_again(track: Track | None, first: Reading, settings: PolicySettings) -> Track | None:
    """The track at an earlier measurement, with what was learned before that: its usual level, how it speaks.

    None where nothing was.
    """
    if track is None or track.usual_c is None or track.usual_from >= first.measured_at:
        return None
    begun = replace(taken(None, first, settings), usual_c=track.usual_c, usual_from=track.usual_from,
                    changes=track.changes, running_from=track.running_from)
    if track.same_from >= first.measured_at or first.celsius != track.last.celsius:
        return begun
    return replace(begun, same_from=track.same_from, same=track.same)


def _shortened(recent: tuple[Measurement, ...], oldest: float) -> tuple[Measurement, ...]:
    """Without what neither a window in time nor the cadence needs."""
    drop = 0
    while len(recent) - drop > KEPT_MEASUREMENTS and recent[drop + 1].measured_at < oldest:
        drop += 1
    return recent[drop:]


def _running_from(track: Track, reading: Reading) -> float | None:
    """None where nobody saw it begin, nor a silence in which it may have: it has then run for long."""
    if not reading.is_running:
        return None
    may_begin = track.is_running is False or reading.measured_at - track.last.measured_at > MAX_AGE_BOUNDS_S[0]
    return reading.measured_at if may_begin else track.running_from


def _counted(track: Track, odd: Reading) -> Track:
    """The track with one more value that cannot be its newest; the same one again counts once."""
    times, last = track.odd or (0, None)
    if (odd.stamp, odd.celsius) == (track.last.stamp, track.last.celsius):
        return track
    is_new = last is None or ((odd.stamp, odd.celsius) != (last.stamp, last.celsius)
                              and odd.seen_at >= last.seen_at + ODD_EVERY_S)
    return replace(track, odd=(times + 1, odd)) if is_new else track


def _placed(track: Track, again: Measurement) -> Track:
    """The track with its last measurement at the earliest of the times that it has been placed at.

    A measurement that is served again never grows younger; one that was kept by a clock that was ahead grows old.
    """
    if again.stamp != track.last.stamp or again.measured_at >= track.last.measured_at:
        return track
    return replace(track, recent=(*track.recent[:-1], track.last._replace(measured_at=again.measured_at)))


def _usual(track: Track, new: Measurement, low_c: float) -> tuple[float | None, float]:
    """Its usual level and since when it is learned, with what it said last; what is no quiet time teaches nothing."""
    last = track.recent[-1]
    if track.suspicion is not None:
        return track.usual_c, track.usual_from
    if last.celsius >= low_c:
        return track.usual_c, track.usual_from
    if track.usual_c is None:
        return last.celsius, last.measured_at
    step_s, known_s = new.measured_at - last.measured_at, new.measured_at - track.usual_from
    is_away = not -UNUSUAL_K <= last.celsius - track.usual_c <= UNUSUAL_K
    over_s = USUAL_OVER_S if is_away or known_s > USUAL_OVER_S else max(USUAL_LEAST_S, known_s)
    weight = 0.0 if step_s < 0.0 else step_s / over_s if step_s < over_s else 1.0
    return track.usual_c + weight * (last.celsius - track.usual_c), track.usual_from


def window(track: Track, over_s: float, *, ended_s: float = 0.0) -> Sequence[Measurement]:
    """Its measurements of `over_s` seconds, the last of them `ended_s` before the newest."""
    until = track.recent[-1].measured_at - ended_s
    return [m for m in track.recent if until - over_s <= m.measured_at <= until]
