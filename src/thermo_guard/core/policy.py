"""Whether the room is too hot, cool again, or unseen: votes, on-delay, dead-band, recovery and the restart's watch.

Sources: MooN voting and degrading after IEC 61511; on-delay and dead-band as OPC UA Part 9 names them. A measurement is
known by its source's stamp, so one sample that is polled ten times counts once. Missing, stale or rejected data is
unknown: it is never cool and never hot.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from statistics import median

from .policy_settings import PolicySettings as PolicySettings  # noqa: PLC0414 - others take it from here
from .readings import UNNAMED, Poll, Reading

MAX_AGE_BOUNDS_S = (300.0, 2700.0)
"""A sensor's reading is stale somewhere between 5 and 45 minutes, whatever cadence it shows."""
KEPT_MEASUREMENTS = 12
"""At least so many are kept a sensor, for its cadence; more where the restart's watch needs them."""


FORGOTTEN_AFTER_S = 7 * 24 * 3600.0
"""A sensor that no answer has listed for so long was taken away: with MERAKI_SENSORS unset it no longer votes."""


class Level(StrEnum):
    LOW = "low"
    BAND = "band"
    HIGH = "high"
    CRITICAL = "critical"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Measurement:
    celsius: float
    stamp: float
    measured_at: float


@dataclass(frozen=True, slots=True)
class Track:
    """What one sensor has said lately; `recent` is never empty, newest last, stamps strictly rising."""

    recent: tuple[Measurement, ...]
    hot_from: float | None
    """Stamp of the first of its measurements that have stood at or above HIGH without a break, up to the last one."""

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
        if settings.max_age_s is not None:
            return settings.max_age_s
        low, high = MAX_AGE_BOUNDS_S
        return high if self.cadence_s is None else min(high, max(low, 2.5 * self.cadence_s))


@dataclass(frozen=True, slots=True)
class Room:
    """What is known of the room; folded from polls, and from kept readings after a restart."""

    started_at: float
    tracks: Mapping[str, Track] = field(default_factory=dict)
    sensors: tuple[str, ...] = ()
    """Every sensor ever seen and not forgotten, for where the settings name none."""
    polled_at: float | None = None
    held: Level | None = None
    """The last level that was seen; blindness does not change it."""
    cool_since: float | None = None
    has_cooled: bool = False
    """It has been seen LOW since it was last hot or unseen; after a start that is not known."""
    missing_since: Mapping[str, float] = field(default_factory=dict)
    """The first of the answers without a longer break that have not listed a sensor at all, by sensor."""
    rejected: Mapping[str, str] = field(default_factory=dict)
    """Why the last poll's value of a sensor was no measurement."""


@dataclass(frozen=True, slots=True)
class SensorNow:
    """One voting sensor as the decision took it."""

    sensor: str
    celsius: float | None
    age_s: float | None
    is_fresh: bool
    is_voting: bool
    why: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The room's level, with its reasons in words."""

    level: Level | None
    """None: the first answer is still awaited."""
    reasons: tuple[str, ...]
    sensors: tuple[SensorNow, ...]
    votes: int
    demand: int
    """So many votes make HIGH."""
    hottest_c: float | None
    """Of the fresh sensors; None where there is none."""
    cool_since: float | None
    cool_as_of: float | None
    """When the last of the measurements that a recovery needs was made; None where the room is not so surely LOW."""
    has_cooled: bool
    is_recovered: bool
    """Every condition of recovery has held for its time."""

    @property
    def permits_power_on(self) -> bool:
        """A restart heats the room into the band; after heat or blindness the band says nothing of the cooling."""
        return self.level is Level.LOW or (self.level is Level.BAND and self.has_cooled)

    @property
    def is_alarm(self) -> bool:
        return self.level in {Level.HIGH, Level.CRITICAL}


def seen(room: Room, poll: Poll, settings: PolicySettings) -> Room:
    """The room after one successful poll."""
    before, room = room, remembered(room, poll.readings, settings)
    rejected = {r.sensor: r.reason for r in poll.rejected if r.sensor != UNNAMED}
    sensors = tuple(sorted({*room.sensors, *rejected}))  # a sensor that sends nonsense is one of those that vote
    missing_since = _missing(before, poll, set(sensors) - {r.sensor for r in poll.readings} - set(rejected))
    return replace(room, polled_at=poll.at, rejected=rejected, sensors=sensors, missing_since=missing_since)


def _missing(before: Room, poll: Poll, missing: Iterable[str]) -> Mapping[str, float]:
    """Since when each has been missing; of a time without answers nobody can say what they would have listed."""
    is_first = before.polled_at is None or poll.at - before.polled_at > MAX_AGE_BOUNDS_S[1]
    return {name: poll.at if is_first else before.missing_since.get(name, poll.at) for name in missing}


def remembered(room: Room, readings: Iterable[Reading], settings: PolicySettings) -> Room:
    """The room after readings that may be old: as `seen`, without counting as an answered poll."""
    tracks = dict(room.tracks)
    for reading in readings:
        tracks[reading.sensor] = _taken(tracks.get(reading.sensor), reading, settings)
    return replace(room, tracks=tracks, sensors=tuple(sorted({*room.sensors, *tracks})))


def _taken(track: Track | None, reading: Reading, settings: PolicySettings) -> Track:
    new = Measurement(reading.celsius, reading.stamp, reading.measured_at)
    hot_from, recent = (None, ()) if track is None else (track.hot_from, track.recent)
    if track is not None and new.stamp <= track.last.stamp:
        return _placed(track, new)
    if track is not None and new.stamp - track.last.stamp > MAX_AGE_BOUNDS_S[1]:
        hot_from = None  # nothing is known of the time between
    if new.celsius < settings.high_c:
        hot_from = None
    elif hot_from is None:
        hot_from = new.stamp
    recent = (*recent, new)
    oldest = new.measured_at - max(settings.watch_s, settings.on_delay_s)
    while len(recent) > KEPT_MEASUREMENTS and recent[1].measured_at < oldest:
        recent = recent[1:]
    return Track(recent, hot_from)


def _placed(track: Track, again: Measurement) -> Track:
    """The track with its last measurement at the earliest of the times that it has been placed at.

    A measurement that is served again never grows younger; one that was kept by a clock that was ahead grows old.
    """
    if again.stamp != track.last.stamp or again.measured_at >= track.last.measured_at:
        return track
    return replace(track, recent=(*track.recent[:-1], replace(track.last, measured_at=again.measured_at)))


def votes_needed(settings: PolicySettings, count: int) -> int:
    """M of N: the setting, or a majority of the `count` configured sensors."""
    return settings.votes if settings.votes is not None else count // 2 + 1


def assess(room: Room, settings: PolicySettings, now: float) -> tuple[Room, Assessment]:
    """Judge the room at `now`; the room that comes back carries the level held and the start of the cool time.

    Sensors that were taken away are forgotten where the room is LOW without them: never in one that may be hot.
    """
    left = _without_taken_away(room, settings)
    if left is not room:
        forgot, assessment = assess(left, settings, now)
        if assessment.level is Level.LOW:
            return forgot, assessment
    names = settings.sensors if settings.sensors is not None else room.sensors
    fresh = {name: track for name in names if (track := room.tracks.get(name)) and _is_fresh(track, settings, now)}
    wanted = votes_needed(settings, len(names))
    is_alone = len(names) == 1 and settings.votes is None  # one sensor is no second opinion where two were asked for
    floor = min(wanted, 1 if is_alone else settings.degrade_to)
    demand = max(floor, min(wanted, len(fresh)))
    voters = [name for name, track in fresh.items() if _votes_high(track, settings)]
    hottest = max(fresh, key=lambda name: fresh[name].last.celsius, default=None)

    level, reasons = _judged(room, settings, now, names, fresh, voters, floor=floor, demand=demand)
    is_cool = level is Level.LOW and len(fresh) >= wanted
    cool_since = (room.cool_since if room.cool_since is not None else now) if is_cool else None
    has_cooled = level is Level.LOW or (room.has_cooled and level in {Level.BAND, None})
    if level is Level.BAND and not has_cooled:
        reasons = (*reasons, "not yet at or below LOW since it was last hot or unseen")
    if level is Level.LOW and not is_cool:
        reasons = (*reasons, f"cool, but only {len(fresh)} of the {wanted} sensors that a recovery needs are fresh")
    room = replace(room, cool_since=cool_since, has_cooled=has_cooled,
                   held=room.held if level in {Level.BLIND, None} else level)
    return room, Assessment(
        level=level,
        reasons=reasons,
        sensors=tuple(_sensor_now(name, room, name in fresh, name in voters, now) for name in names),
        votes=len(voters),
        demand=demand,
        hottest_c=None if hottest is None else fresh[hottest].last.celsius,
        cool_since=cool_since,
        cool_as_of=_as_of(fresh, wanted) if is_cool else None,
        has_cooled=has_cooled,
        is_recovered=cool_since is not None and _has_held(fresh, wanted, cool_since, settings, now),
    )


def _without_taken_away(room: Room, settings: PolicySettings) -> Room:
    """The room without the sensors that no answer has listed for long; the same where there are none."""
    if settings.sensors is not None or room.polled_at is None:
        return room
    gone = {name for name, since in room.missing_since.items() if room.polled_at - since >= FORGOTTEN_AFTER_S}
    if not gone:
        return room
    return replace(
        room, sensors=tuple(name for name in room.sensors if name not in gone),
        tracks={name: track for name, track in room.tracks.items() if name not in gone},
        missing_since={name: since for name, since in room.missing_since.items() if name not in gone},
    )


def _as_of(fresh: Mapping[str, Track], wanted: int) -> float | None:
    """The time after which `wanted` of the sensors have measured."""
    newest = sorted((track.last.measured_at for track in fresh.values()), reverse=True)
    return newest[max(wanted, 1) - 1] if newest else None


def _judged(
    room: Room, settings: PolicySettings, now: float, names: Sequence[str], fresh: Mapping[str, Track],
    voters: Sequence[str], *, floor: int, demand: int,
) -> tuple[Level | None, tuple[str, ...]]:
    """The level and its reasons."""
    silent_s = now - (room.started_at if room.polled_at is None else room.polled_at)
    if silent_s > settings.blind_after_s:
        return Level.BLIND, _blind(f"no answer from the sensors' source for {silent_s:.0f} s", room, names, fresh, now)
    if room.polled_at is None:
        return None, ("the first answer is awaited",)
    if (critical := _critical(fresh, settings)) is not None:
        return Level.CRITICAL, (critical,)
    if len(fresh) < max(floor, 1):
        why = f"{len(fresh)} of {len(names)} sensors fresh, at least {max(floor, 1)} needed"
        return Level.BLIND, _blind(why, room, names, fresh, now)
    if len(voters) >= demand:
        said = ", ".join(f"{name} {fresh[name].last.celsius:.1f}" for name in voters)
        why = (f"{len(voters)} of {len(fresh)} fresh sensors at or above {settings.high_c:g} degC "
               f"for {settings.on_delay_s:g} s, {demand} needed: {said}")
        return Level.HIGH, (why,)
    if all(track.last.celsius <= settings.low_c for track in fresh.values()):
        return Level.LOW, (f"all {len(fresh)} fresh sensors at or below {settings.low_c:g} degC",)
    return Level.BAND, (f"{len(voters)} of {demand} votes needed for HIGH, not all at or below LOW",)


def _blind(
    why: str, room: Room, names: Sequence[str], fresh: Mapping[str, Track], now: float
) -> tuple[str, ...]:
    """The reasons of blindness, with the hottest that is known of the room and what it was before."""
    reasons = [why]
    known = fresh or {name: room.tracks[name] for name in names if name in room.tracks}
    newest = max((track.last.measured_at for track in known.values()), default=0.0)
    lately = {name: t for name, t in known.items() if newest - t.last.measured_at <= MAX_AGE_BOUNDS_S[1]}
    if lately:
        name = max(sorted(lately), key=lambda name: lately[name].last.celsius)
        last = lately[name].last
        reasons.append(f"hottest reading {last.celsius:.1f} degC at {name}, {now - last.measured_at:.0f} s old")
    if room.held is not None:
        reasons.append(f"before that the room was {room.held.upper()}")
    return tuple(reasons)


def _is_fresh(track: Track, settings: PolicySettings, now: float) -> bool:
    """A measurement from the future is not: the guard's clock was set back since it was kept."""
    return 0 <= now - track.last.measured_at <= track.max_age_s(settings)


def _votes_high(track: Track, settings: PolicySettings) -> bool:
    """The on-delay is measured between distinct measurements: a sample that is read again adds nothing."""
    return track.hot_from is not None and track.last.stamp - track.hot_from >= settings.on_delay_s


def _critical(fresh: Mapping[str, Track], settings: PolicySettings) -> str | None:
    for name, track in fresh.items():
        if track.last.celsius < settings.critical_c:
            continue
        said = f"{name} at {track.last.celsius:.1f} degC, critical is {settings.critical_c:g}"
        before = track.before
        if before is not None and track.last.stamp - before.stamp <= MAX_AGE_BOUNDS_S[1] and (
            before.celsius > settings.low_c
        ):
            return f"{said}; its measurement before stood at {before.celsius:.1f}"
        for other, second in fresh.items():
            if other != name and second.last.celsius >= settings.high_c:
                return f"{said}; {other} agrees with {second.last.celsius:.1f}"
    return None


def _has_held(
    fresh: Mapping[str, Track], wanted: int, cool_since: float, settings: PolicySettings, now: float
) -> bool:
    """The hold has passed, and enough sensors have measured again since it began."""
    if now - cool_since < settings.recovery_hold_s:
        return False
    again = sum(1 for track in fresh.values() if track.last.measured_at > cool_since)
    return settings.recovery_hold_s == 0 or again >= wanted


def _sensor_now(name: str, room: Room, is_fresh: bool, is_voting: bool, now: float) -> SensorNow:
    track = room.tracks.get(name)
    if track is None:
        return SensorNow(name, None, None, is_fresh, is_voting, room.rejected.get(name, "never seen"))
    why = room.rejected.get(name) or ("votes HIGH" if is_voting else "fresh" if is_fresh else "stale")
    return SensorNow(name, track.last.celsius, now - track.last.measured_at, is_fresh, is_voting, why)


@dataclass(frozen=True, slots=True)
class Watch:
    """Whether the room has stayed level since a host was switched on."""

    is_clear: bool
    why: str


def watch(
    room: Room, assessment: Assessment, settings: PolicySettings, since: float, now: float,
    *, despite_unseen: bool = False,
) -> Watch:
    """No fresh sensor has risen by `rise_c` in the last `watch_s`, and enough have measured since `since`.

    :param despite_unseen: a person answers for the room where the sensors cannot.
    """
    if now - since < settings.watch_s:
        return Watch(is_clear=False, why=f"watching the room for {settings.watch_s:g} s, {now - since:.0f} s so far")
    if despite_unseen and not assessment.permits_power_on and not assessment.is_alarm:
        return Watch(is_clear=True, why="a person answers for the room")
    fresh = [room.tracks[s.sensor] for s in assessment.sensors if s.is_fresh]
    if not assessment.permits_power_on:
        return Watch(is_clear=False, why=f"the room is {assessment.level}")
    measured = sum(1 for track in fresh if track.last.measured_at > since)
    if measured < min(votes_needed(settings, len(assessment.sensors)), max(len(fresh), 1)):
        return Watch(is_clear=False, why="the sensors have not measured since the first host came on")
    begin = max(since, now - settings.watch_s)
    for track in fresh:
        inside = [m.celsius for m in track.recent if m.measured_at >= begin]
        outside = [m.celsius for m in track.recent if m.measured_at < begin][-1:]
        rise_c = track.last.celsius - min(inside + outside)
        if rise_c >= settings.rise_c:
            return Watch(is_clear=False, why=f"the room rose by {rise_c:.1f} degC within {settings.watch_s:g} s")
    return Watch(is_clear=True, why="the room stayed level")
