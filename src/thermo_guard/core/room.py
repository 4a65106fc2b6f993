"""What is known of the room: what the sensors deliver, each measurement once, and held against the others."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from . import plausibility
from .assessment import Level, Projection
from .policy_settings import PolicySettings
from .readings import UNNAMED, AlertCount, Kind, Poll, Reading
from .stages import Stages
from .track import MAX_AGE_BOUNDS_S, Track, begun_again, taken
from .votes import counts

FORGOTTEN_AFTER_S = 7 * 24 * 3600.0
"""A sensor that no answer has listed for so long was taken away: with MERAKI_SENSORS unset it no longer votes."""
RELIVED_S = 60.0
"""So often is the past gone through."""
_NO_STAGES: Stages = {}


@dataclass(frozen=True, slots=True)
class Room:
    """What is known of the room; folded from polls, and from kept readings after a restart."""

    started_at: float
    tracks: Mapping[str, Track] = field(default_factory=dict)
    """Of both kinds."""
    sensors: tuple[str, ...] = ()
    """Every sensor of the room ever seen and not forgotten, for where the settings name none."""
    inlets: tuple[str, ...] = ()
    polled_at: float | None = None
    """When the room's sensors were last heard of."""
    held: Level | None = None
    """The last level that was seen; blindness does not change it."""
    cool_since: float | None = None
    usual_since: float | None = None
    """Since when it has been cool and back at its usual level."""
    has_cooled: bool = False
    """It has been seen LOW since it was last hot or unseen; after a start that is not known."""
    missing_since: Mapping[str, float] = field(default_factory=dict)
    """The first of the answers without a longer break that have not listed a sensor at all, by sensor."""
    rejected: Mapping[str, str] = field(default_factory=dict)
    """Why the last poll's value of a sensor was no measurement."""
    unexamined_at: float | None = None
    """When the guard was given what it has not held against the rest yet; None: nothing."""
    stages: Stages = field(default_factory=lambda: _NO_STAGES)
    blind_since: float | None = None
    going: Projection | None = None
    """Where the room was going when it was last seen, while it is BLIND."""
    projected_at: float | None = None
    """When a projection last called for the trip."""
    alarmed_since: float | None = None
    """Since when Meraki itself holds sensors in alarm."""
    alarm_at: float | None = None
    """When it last said so or not."""


def seen(room: Room, poll: Poll, settings: PolicySettings, *, is_examined: bool = False) -> Room:
    """The room after one successful poll.

    :param is_examined: what it was given before needs to be held against the rest no more.
    """
    tracks, given_at = _folded(room, poll.readings, settings, is_examined=is_examined)
    for reading in poll.readings:
        tracks[reading.sensor] = plausibility.mistimed(tracks[reading.sensor], poll.at)
    sensors, inlets = _names(room, tracks)
    rejected: Mapping[str, str] = room.rejected
    if poll.rejected or rejected:
        now = {r.sensor: r.reason for r in poll.rejected if r.sensor != UNNAMED}
        for name in now.keys() & tracks.keys():
            tracks[name] = plausibility.slipped(tracks[name], now[name], poll.at)
        rejected = _kept(room, poll, now)
        if poll.kind is Kind.BMC:  # a sensor that sends nonsense is one of those that vote
            inlets = tuple(sorted({*inlets, *now}))
        else:
            sensors = tuple(sorted({*sensors, *now}))
    polled_at, missing_since = room.polled_at, room.missing_since
    if poll.kind is Kind.ROOM and (poll.lists_all or poll.readings):
        polled_at = poll.at
        if poll.lists_all:
            spoken = {r.sensor for r in poll.readings}
            missing = [name for name in sensors if name not in spoken and name not in rejected]
            missing_since = _missing(room, poll, missing) if missing else {}
    return Room(
        started_at=room.started_at, tracks=tracks, sensors=sensors, inlets=inlets, polled_at=polled_at, held=room.held,
        cool_since=room.cool_since, usual_since=room.usual_since, has_cooled=room.has_cooled,
        missing_since=missing_since, rejected=rejected, unexamined_at=given_at, stages=room.stages,
        blind_since=room.blind_since, going=room.going, projected_at=room.projected_at,
        alarmed_since=room.alarmed_since, alarm_at=room.alarm_at,
    )  # not by `replace`: that takes three times as long, and a recording has a million readings


def _kept(room: Room, poll: Poll, rejected: dict[str, str]) -> dict[str, str]:
    """What is rejected now, and what was of sensors that have not spoken since."""
    spoken = {reading.sensor for reading in poll.readings}
    return {**{name: why for name, why in room.rejected.items() if name not in spoken}, **rejected}


def _missing(before: Room, poll: Poll, missing: Iterable[str]) -> Mapping[str, float]:
    """Since when each has been missing; of a time without answers nobody can say what they would have listed."""
    is_first = before.polled_at is None or poll.at - before.polled_at > MAX_AGE_BOUNDS_S[1]
    return {name: poll.at if is_first else before.missing_since.get(name, poll.at) for name in missing}


def remembered(
    room: Room, readings: Collection[Reading], settings: PolicySettings, *, every_s: float = 0.0
) -> Room:
    """The room after readings that may be old: as `seen`, without counting as an answered poll.

    :param every_s: how often they are held against each other: a day of many inlets need not be relived by the second.
    """
    if not readings:
        return room
    tracks, given_at = _folded(room, readings, settings, every_s)
    sensors, inlets = _names(room, tracks)
    return replace(room, tracks=tracks, sensors=sensors, inlets=inlets, unexamined_at=given_at)


def _folded(
    room: Room, readings: Collection[Reading], settings: PolicySettings, every_s: float = 0.0,
    *, is_examined: bool = False,
) -> tuple[dict[str, Track], float | None]:
    """The tracks with these readings, and when the guard was given what is not held against the rest yet."""
    tracks, given_at = dict(room.tracks), None if is_examined else room.unexamined_at
    examined_at = given_at or 0.0
    for reading in readings:
        name, seen_at = reading.sensor, reading.seen_at
        before = tracks.get(name)
        is_new = before is None or reading.stamp > before.recent[-1].stamp
        if is_new and given_at is not None and seen_at > given_at and seen_at > examined_at + every_s:
            examine(tracks, settings, given_at)  # each measurement is held against what the others said then
            given_at, examined_at, before = None, seen_at, tracks.get(name)
        tracks[name] = taken(before, reading, settings)
        if is_new and (given_at is None or seen_at > given_at):
            given_at = seen_at
    return tracks, given_at


def _names(room: Room, tracks: Mapping[str, Track]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the room's sensors and of the inlets, with those that have spoken for the first time."""
    if len(tracks) == len(room.tracks) and (room.sensors or room.inlets):
        return room.sensors, room.inlets
    return (tuple(sorted({*room.sensors, *(name for name, track in tracks.items() if track.kind is Kind.ROOM)})),
            tuple(sorted({*room.inlets, *(name for name, track in tracks.items() if track.kind is Kind.BMC)})))


def relived(room: Room, past: Collection[Reading], settings: PolicySettings) -> Room:
    """The room with what a source remembers of the time before: each measurement in its place in time."""
    known = [
        Reading(name, m.celsius, m.stamp, m.measured_at, 0.0, track.kind, track.is_running)
        for name, track in room.tracks.items() for m in track.recent
    ]
    placed = [Reading(r.sensor, r.celsius, r.stamp, r.measured_at, 0.0, r.kind, r.is_running) for r in past]
    in_order = sorted((*placed, *known), key=lambda reading: (reading.measured_at, reading.sensor))
    first = {reading.sensor: reading for reading in reversed(in_order)}
    begun = {name: track for name, reading in first.items()
             if (track := begun_again(room.tracks.get(name), reading, settings)) is not None}
    told = remembered(Room(started_at=room.started_at, tracks=begun), in_order, settings, every_s=RELIVED_S)
    return replace(room, tracks=told.tracks, sensors=tuple(sorted({*room.sensors, *told.sensors})),
                   inlets=tuple(sorted({*room.inlets, *told.inlets})), unexamined_at=told.unexamined_at)


def alarmed(room: Room, count: AlertCount) -> Room:
    """The room after Meraki has said how many sensors it holds in alarm."""
    is_alarmed = bool(count.temperature)
    since = (room.alarmed_since if room.alarmed_since is not None else count.at) if is_alarmed else None
    return replace(room, alarmed_since=since, alarm_at=count.at)


def examine(tracks: dict[str, Track], settings: PolicySettings, now: float) -> None:
    """Hold the sensors of each kind against each other, as of `now`; the inlets bear witness for the room's own."""
    def is_able(track: Track) -> bool:
        return track.is_fresh(settings, now) and (track.kind is Kind.ROOM or counts(track))

    inlets = [name for name, track in tracks.items() if track.kind is Kind.BMC]
    witness_k = 0.0
    if inlets:
        tracks.update(plausibility.examined(tracks, inlets, is_able, settings))
        believed = [tracks[name] for name in inlets if tracks[name].suspicion is None and is_able(tracks[name])]
        if any(track.above_usual_k > plausibility.STUCK_K for track in believed):
            witness_k = plausibility.witness(believed)
    rooms = [name for name, track in tracks.items() if track.kind is Kind.ROOM
             and (settings.sensors is None or name in settings.sensors)]
    if rooms:
        tracks.update(plausibility.examined(tracks, rooms, is_able, settings, witness_k=witness_k))


def without_taken_away(room: Room, settings: PolicySettings) -> Room:
    """The room without the sensors that no answer has listed for long; the same where there are none."""
    if settings.sensors is not None or room.polled_at is None or not room.missing_since:
        return room
    gone = {name for name, since in room.missing_since.items() if room.polled_at - since >= FORGOTTEN_AFTER_S}
    if not gone:
        return room
    return replace(
        room, sensors=tuple(name for name in room.sensors if name not in gone),
        tracks={name: track for name, track in room.tracks.items() if name not in gone},
        missing_since={name: since for name, since in room.missing_since.items() if name not in gone},
    )


def is_calm(room: Room, ceilings_c: Mapping[Kind, float]) -> bool:
    """No sensor stands above its kind's ceiling, and nothing strikes the eye that would have to be looked into."""
    for track in room.tracks.values():
        if track.recent[-1].celsius > ceilings_c[track.kind]:
            return False
    return not any(
        plausibility.strikes([track for track in room.tracks.values() if track.kind is kind]) for kind in Kind
    )
