"""Whether the room is too hot, cool again, or unseen: who counts, who votes, what is projected, what follows.

Sources: MooN voting and degrading after IEC 61511; on-delay and dead-band as OPC UA Part 9 names them. Missing, stale
or rejected data is unknown: it is never cool and never hot. The room's own sensors decide; the servers' inlets confirm
a projection, and decide alone only while those are blind.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from . import plausibility
from .assessment import Assessment as Assessment  # noqa: PLC0414 - others take the policy's words from here
from .assessment import Level as Level  # noqa: PLC0414
from .assessment import Projection, SensorNow
from .policy_settings import PolicySettings as PolicySettings  # noqa: PLC0414
from .projection import Slope, slope_of, time_to_s
from .readings import Kind
from .recovery import Watch as Watch  # noqa: PLC0414
from .recovery import is_as_usual, is_cool, not_recovered, watched
from .room import Room as Room  # noqa: PLC0414
from .room import alarmed as alarmed  # noqa: PLC0414
from .room import examine, without_taken_away
from .room import relived as relived  # noqa: PLC0414
from .room import remembered as remembered  # noqa: PLC0414
from .room import seen as seen  # noqa: PLC0414
from .stages import Held, Stage, Stages, highest, staged, turned_to
from .track import MAX_AGE_BOUNDS_S, Track
from .votes import Tally, tally
from .votes import votes_needed as votes_needed  # noqa: PLC0414

CONTRADICTS_WITHIN_S = 600.0
"""A neighbour's measurement that is older than this against a hot one says nothing against it."""
CONFIRMS_FROM = 0.3
"""A second source confirms a rise that it shows at least by this share."""


def assess(room: Room, settings: PolicySettings, now: float) -> tuple[Room, Assessment]:
    """Judge the room at `now`; the room that comes back carries what holds over time: level, cool time, stages.

    Sensors that were taken away are forgotten where the room is LOW without them: never in one that may be hot.
    """
    left = without_taken_away(room, settings)
    if left is not room:
        forgot, assessment = assess(left, settings, now)
        if assessment.level is Level.LOW:
            return forgot, assessment
    if room.unexamined_at is not None:
        tracks = dict(room.tracks)
        examine(tracks, settings, min(now, room.unexamined_at))  # after a restart that is what was kept last
        room = replace(room, tracks=tracks, unexamined_at=None)
    return _Judgement(room, settings, now).given()


class _Judgement:
    """One assessment in the making."""

    def __init__(self, room: Room, settings: PolicySettings, now: float) -> None:
        self.before, self.settings, self.now = room, settings, now
        names = settings.sensors if settings.sensors is not None else room.sensors
        silent_s = now - (room.started_at if room.polled_at is None else room.polled_at)
        unheard = f"no answer from the sensors' source for {silent_s:.0f} s"
        self.inlets = tally(Kind.BMC, room.inlets, room.tracks, settings, now)
        self.room = tally(
            Kind.ROOM, names, room.tracks, settings, now, has_alarm=self._has_alarm(),
            unheard=unheard if silent_s > settings.blind_after_s else "",
            are_others_high=bool(room.inlets) and len(self.inlets.voters) >= self.inlets.demand,
        )
        self.blind = self.room.blind
        has_inlets = bool(self.blind) and not self._is_awaited() and bool(room.inlets) and not self.inlets.blind
        self.decides = self.inlets if has_inlets else self.room
        self.projection: Projection | None = None

    def _has_alarm(self) -> bool:
        room = self.before
        is_recent = room.alarm_at is not None and self.now - room.alarm_at <= self.settings.blind_after_s
        return (self.settings.alarm_votes and is_recent and room.alarmed_since is not None
                and self.now - room.alarmed_since >= self.settings.on_delay_s)

    def given(self) -> tuple[Room, Assessment]:
        room, settings, now = self.before, self.settings, self.now
        level, reasons = self._level()
        blind_since = now if level is Level.BLIND and room.blind_since is None else room.blind_since
        if level not in {Level.BLIND, None}:
            blind_since = None
        trips_blind = blind_since is not None and self._trips_blind(blind_since)
        if trips_blind:
            reasons = (*reasons, "BLIND_POLICY: by the last projection the room is HIGH by now")
        lacking = is_cool(level, self.room, self.inlets, settings)
        cool_since = (room.cool_since if room.cool_since is not None else now) if lacking == "" else None
        usual_since = None
        if cool_since is not None and is_as_usual(self.room, was=room.usual_since is not None):
            usual_since = now if room.usual_since is None else room.usual_since
        not_yet = lacking or ("" if cool_since is None else
                              not_recovered(self.room, self.inlets, cool_since, usual_since, settings, now))
        has_cooled = level is Level.LOW or (room.has_cooled and level in {Level.BAND, None})
        if level is Level.BAND and not has_cooled:
            reasons = (*reasons, "not yet at or below LOW since it was last hot or unseen")
        if lacking:
            reasons = (*reasons, f"cool, but {lacking}")
        stages = self._stages(level, trips_blind=trips_blind)
        after = replace(
            room, held=room.held if level in {Level.BLIND, None} else level, cool_since=cool_since,
            usual_since=usual_since, has_cooled=has_cooled, stages=stages, blind_since=blind_since,
            going=self.projection if level is Level.BLIND else None, projected_at=self._projected_at(level),
        )
        hottest = self.decides.hottest
        return after, Assessment(
            level=level, reasons=reasons, sensors=tuple(self._sensors(self.room)), votes=len(self.decides.voters),
            demand=self.decides.demand,
            hottest_c=None if hottest is None else self.decides.valid[hottest].last.celsius,
            cool_since=cool_since, cool_as_of=self._cool_as_of() if cool_since is not None else None,
            has_cooled=has_cooled, is_recovered=cool_since is not None and not not_yet,
            inlets=tuple(self._sensors(self.inlets)), kind=self.decides.kind, stage=highest(stages),
            degraded=self._degraded(level), projection=self.projection, trips_blind=trips_blind, not_yet=not_yet,
            stop_s=settings.stop_s,
        )

    def _level(self) -> tuple[Level | None, tuple[str, ...]]:
        """The level and its reasons."""
        decides, settings, now = self.decides, self.settings, self.now
        if self.blind and decides is self.room:
            if self.before.polled_at is None and not self.room.unheard:
                return None, ("the first answer is awaited",)
            if (critical := self._critical()) is not None:
                return Level.CRITICAL, (critical,)
            return Level.BLIND, tuple(self._why_blind())
        if self.before.polled_at is None and decides is self.room:
            return None, ("the first answer is awaited",)
        instead = () if decides is self.room else (f"{self.blind}: the servers' inlets decide",)
        if (critical := self._critical()) is not None:
            return Level.CRITICAL, (critical, *instead)
        high_c = settings.high_of(decides.kind)
        if len(decides.voters) >= decides.demand:
            said = ", ".join(f"{name} {track.last.celsius:.1f}" if (track := decides.valid.get(name)) else name
                             for name in decides.voters)
            why = (f"{len(decides.voters)} of {len(decides.valid)} fresh sensors at or above {high_c:g} degC "
                   f"for {settings.on_delay_s:g} s, {decides.demand} needed: {said}")
            return Level.HIGH, (why, *instead)
        if decides is self.inlets and (one := self._one_with_inlet()):
            return Level.HIGH, (one, *instead)
        hottest_c = decides.valid[decides.hottest].last.celsius if decides.hottest is not None else -math.inf
        if hottest_c > settings.floor_c + settings.above_room_k(decides.kind) or (self.blind and self.room.valid):
            self.projection = self._projected()
            if self._calls_for_trip():
                assert self.projection is not None  # noqa: S101 - nothing else calls
                return Level.PROJECTED, (self.projection.in_words(),)
            if self.before.projected_at is not None and now - self.before.projected_at <= settings.off_delay_s:
                ago = f"{(now - self.before.projected_at) / 60:.0f} min ago"
                return Level.PROJECTED, (f"{ago} it was projected to be CRITICAL before all could be stopped",)
        low_c = settings.low_of(decides.kind)
        if hottest_c <= low_c and all(track.last.celsius <= settings.low_c for track in self.room.valid.values()):
            count = len(decides.valid)
            all_of = f"all {count} fresh sensors" if count > 1 else "the one fresh sensor"
            return Level.LOW, (f"{all_of} at or below {low_c:g} degC", *instead)
        why = f"{len(decides.voters)} of {decides.demand} votes needed for HIGH, not all at or below LOW"
        return Level.BAND, (why, *instead)

    def _is_awaited(self) -> bool:
        """The room's sensors have not been heard of yet, and may still be."""
        return self.before.polled_at is None and not self.room.unheard

    def _critical(self) -> str | None:
        """Why the room is CRITICAL: one plausible sensor that nothing contradicts; of inlets, as many as make HIGH."""
        settings, decides = self.settings, self.decides
        for name, track in ({} if self.room.unheard else self.room.valid).items():
            if track.recent[-1].celsius < settings.critical_c:
                continue
            why = self._is_plausible(name, track)
            if why and not self._is_contradicted(name, track):
                return f"{name} at {track.last.celsius:.1f} degC, critical is {settings.critical_c:g}; {why}"
        if decides.kind is Kind.ROOM:
            return None
        critical_c = settings.critical_c + settings.above_room_k(Kind.BMC)
        hot = [name for name, track in decides.valid.items() if track.last.celsius >= critical_c]
        if len(hot) < decides.demand:
            return None
        return f"{len(hot)} inlets at or above {critical_c:g} degC: {', '.join(hot[:5])}"

    def _one_with_inlet(self) -> str:
        """The last of the room's sensors votes, and an inlet above its LOW bears it out."""
        warm = [name for name, track in self.inlets.valid.items()
                if track.last.celsius > self.settings.low_of(Kind.BMC)]
        if not self.room.voters or not warm:
            return ""
        name = self.room.voters[0]
        return (f"{name} at {self.room.valid[name].last.celsius:.1f} degC, and the inlet {warm[0]} bears it out with "
                f"{self.inlets.valid[warm[0]].last.celsius:.1f}")

    def _is_plausible(self, name: str, track: Track) -> str:
        before, settings = track.before, self.settings
        is_near = before is not None and track.last.stamp - before.stamp <= max(MAX_AGE_BOUNDS_S[1], track.break_s())
        if before is not None and is_near and before.celsius > settings.low_c:
            return f"its measurement before stood at {before.celsius:.1f}"
        for other, second in (*self.room.valid.items(), *self.inlets.valid.items()):
            if other != name and second.last.celsius >= settings.high_of(second.kind):
                return f"{other} agrees with {second.last.celsius:.1f}"
        return ""

    def _is_contradicted(self, name: str, track: Track) -> bool:
        """More of its neighbours have measured since and stand still, cool or far from it, than not."""
        others = [other for other_name, other in self.room.valid.items() if other_name != name]
        others = others or list(self.inlets.valid.values())
        return 2 * sum(self._is_against(other, track) for other in others) > len(others)

    def _is_against(self, other: Track, track: Track) -> bool:
        celsius, settings = other.last.celsius, self.settings
        is_elsewhere = celsius <= settings.low_of(other.kind) or (
            celsius < settings.high_of(other.kind)
            and track.above_usual_k - other.above_usual_k > plausibility.APART_K)
        return (is_elsewhere and other.last.measured_at >= track.last.measured_at - CONTRADICTS_WITHIN_S
                and plausibility.stands_still(other, track.last.celsius - other.last.celsius))

    def _rising(self, names: Mapping[str, Track], floor_c: float) -> list[tuple[str, Track, Slope]]:
        return [(name, track, slope) for name, track in names.items()
                if track.recent[-1].celsius > floor_c and (slope := slope_of(track)) is not None and slope.rises]

    def _projected(self) -> Projection | None:
        """Where the most urgent of the sensors above the floor is going, and who confirms it.

        Of inlets, while they decide, as many must be going there as make HIGH: the least urgent of those counts.
        """
        settings, rooms = self.settings, self.room.valid
        inlets = self._rising(self.inlets.valid, settings.floor_c + settings.above_room_k(Kind.BMC))
        if self.decides is self.inlets and not rooms:
            urgent = self._by_urgency(inlets)
            if len(urgent) < self.inlets.demand:
                return None
            left_s, name, track, slope = urgent[self.inlets.demand - 1]
            second = urgent[0][1] if urgent[0][1] != name else name if self.inlets.demand == 1 else ""
        else:
            rising = self._rising(rooms, settings.floor_c)
            urgent = self._by_urgency(rising)
            if not urgent:
                return None
            left_s, name, track, slope = urgent[0]
            second = next((one[0] for one in (*rising, *inlets)
                           if one[0] != name and one[2].k_per_s >= CONFIRMS_FROM * slope.k_per_s), "")
            voices = (*rooms.items(), *self.inlets.valid.items())
            others = [voice for other, voice in voices if other not in {name, second}]
            if 2 * sum(self._is_against(other, track) for other in others) > len(others):
                second = ""
        if math.isinf(left_s):
            return None
        return Projection(name, track.last.celsius, slope.k_per_s * 60, left_s, settings.stop_s, second)

    def _by_urgency(self, rising: list[tuple[str, Track, Slope]]) -> list[tuple[float, str, Track, Slope]]:
        """With the seconds until each is CRITICAL."""
        settings = self.settings
        return sorted(
            ((max(0.0, time_to_s(track, settings.critical_c + settings.above_room_k(track.kind), slope)
                  - (self.now - track.last.measured_at)), name, track, slope) for name, track, slope in rising),
            key=lambda one: one[:2],
        )

    def _calls_for_trip(self) -> bool:
        """It would be CRITICAL before everything could be stopped, a second source shows it, and it may trip."""
        going, settings = self.projection, self.settings
        return (going is not None and settings.projects and settings.stop_s is not None and bool(going.confirmed_by)
                and going.critical_in_s <= settings.stop_s + settings.stop_margin_s)

    def _projected_at(self, level: Level | None) -> float | None:
        if level is Level.LOW:
            return None
        return self.now if level is Level.PROJECTED and self._calls_for_trip() else self.before.projected_at

    def _why_blind(self) -> Iterator[str]:
        """The reasons of blindness, with the hottest that is known of the room, where it went, and what it was."""
        room = self.before
        yield self.blind
        known = self.room.valid or {name: room.tracks[name] for name in self.room.names if name in room.tracks}
        known = {name: track for name, track in known.items() if track.suspicion is None}
        newest = max((track.last.measured_at for track in known.values()), default=0.0)
        lately = {name: t for name, t in known.items() if newest - t.last.measured_at <= MAX_AGE_BOUNDS_S[1]}
        if lately:
            name = max(sorted(lately), key=lambda name: lately[name].last.celsius)
            last = lately[name].last
            yield f"hottest reading {last.celsius:.1f} degC at {name}, {self.now - last.measured_at:.0f} s old"
        for name in self.room.names:
            if (track := room.tracks.get(name)) is not None and track.suspicion is not None:
                yield f"{name} is suspect: {track.suspicion.reason}"
        is_seen = bool(self.room.valid) and not self.room.unheard
        self.projection = self._was_going() if room.going is None or is_seen else room.going
        if self.projection is not None:
            yield f"when it was last seen, {self.projection.in_words()}"
        if room.held is not None:
            yield f"before that the room was {room.held.upper()}"

    def _was_going(self) -> Projection | None:
        """Where the room was going when it was last seen; from a few minutes before it came to be BLIND."""
        tracks = {name: track for name in self.room.names
                  if (track := self.before.tracks.get(name)) is not None and track.suspicion is None
                  and self.now - track.last.measured_at <= 2 * MAX_AGE_BOUNDS_S[1]}
        rising = sorted(self._rising(tracks, -math.inf), key=lambda one: -one[2].k_per_s)
        needed = max(1, min(self.room.floor, len(self.room.valid) or self.room.floor))
        if len(rising) < needed:
            return None
        name, track, slope = rising[needed - 1]
        left_s = (self.settings.critical_c - track.last.celsius) / slope.k_per_s - (self.now - track.last.measured_at)
        second = rising[0][0] if rising[0][0] != name else ""
        return Projection(name, track.last.celsius, slope.k_per_s * 60, max(0.0, left_s), self.settings.stop_s, second)

    def _trips_blind(self, blind_since: float) -> bool:
        """By the setting alone: blind for so long, and HIGH by now if it went on as it did."""
        going, settings = self.projection, self.settings
        if settings.blind_trip_s is None or going is None or self.now - blind_since < settings.blind_trip_s:
            return False
        track = self.before.tracks.get(going.sensor)
        since_s = 0.0 if track is None else self.now - track.last.measured_at
        return going.celsius + going.k_per_min / 60 * since_s >= settings.high_c

    def _stages(self, level: Level | None, *, trips_blind: bool) -> Stages:
        stages = self.before.stages
        if level in {Level.BLIND, None}:
            frozen: dict[Stage, Held] = {stage: Held(held.is_on) for stage, held in stages.items()}
            frozen.pop(Stage.WARN, None)
            return {**frozen, **self._warned(), **({Stage.TRIP: Held(is_on=True)} if trips_blind else {})}
        above_k = {Kind.ROOM: 0.0, Kind.BMC: self.settings.above_room_k(Kind.BMC)}
        valid = [*self.room.valid.values(), *self.inlets.valid.values()]
        hottest_c = max(track.recent[-1].celsius - above_k[track.kind] for track in valid)
        is_alarm = level in {Level.HIGH, Level.CRITICAL, Level.PROJECTED}
        if not stages and not is_alarm and hottest_c < self.settings.warn_at_c:
            return stages
        return staged(
            stages, hottest_c, self.decides.voted_c - above_k[self.decides.kind],
            max(track.last.measured_at for track in valid), self.settings, self.now,
            is_alarm=is_alarm, is_critical=level is Level.CRITICAL,
        )

    def _warned(self) -> Stages:
        """A room of which too little is known to trip is still told of by the sensor that is left."""
        warned, valid = self.before.stages.get(Stage.WARN, Held()), list(self.room.valid.values())
        if not valid or self.room.unheard:
            return {Stage.WARN: Held(warned.is_on)} if warned.is_on else {}
        hottest_c, newest = max(t.last.celsius for t in valid), max(t.last.measured_at for t in valid)
        begins = hottest_c >= self.settings.warn_at_c
        turned = turned_to(warned, newest, self.settings, self.now, begins=begins, ends=False)
        return {} if turned == Held() else {Stage.WARN: turned}

    def _degraded(self, level: Level | None) -> str:
        """In what way fewer decide than there are, or others."""
        if level in {Level.BLIND, None}:
            return ""
        if self.decides is not self.room:
            return f"the room's sensors are blind ({self.blind}): {len(self.inlets.valid)} inlets decide"
        if len(self.room.valid) == len(self.room.names):
            return ""
        out = [f"{sensor.sensor} ({sensor.why})" for sensor in self._sensors(self.room) if not sensor.is_fresh]
        left, needed = len(self.room.valid), self.room.demand
        decide = (f"{needed} of {left} decide instead of {self.room.wanted} of {len(self.room.names)}"
                  if needed <= left else f"only {left} is left, and {needed} have to agree")
        return f"{decide}: without {', '.join(out)}"

    def _cool_as_of(self) -> float | None:
        """The time after which as many of the sensors as a recovery needs have measured."""
        newest = sorted((track.last.measured_at for track in self.room.valid.values()), reverse=True)
        return newest[max(self.room.wanted, 1) - 1] if newest else None

    def _sensors(self, kind: Tally) -> Iterator[SensorNow]:
        for name in kind.names:
            track = self.before.tracks.get(name)
            rejected = self.before.rejected.get(name)
            if track is None:
                yield SensorNow(name, None, None, is_fresh=False, is_voting=False, why=rejected or "never seen",
                                kind=kind.kind, is_suspect=rejected is not None)
                continue
            is_valid, is_voting = name in kind.valid, name in kind.voters
            if rejected is not None:
                why = rejected
            elif is_valid:
                why = "votes HIGH" if is_voting else "fresh"
            else:
                why = self._why_left_out(track)
            last, going = track.recent[-1], slope_of(track) if is_valid else None
            yield SensorNow(name, last.celsius, self.now - last.measured_at, is_valid, is_voting, why, kind.kind,
                            track.suspicion is not None or rejected is not None,
                            None if going is None else round(60 * going.k_per_s, 3), track.cleared)

    def _why_left_out(self, track: Track) -> str:
        if track.suspicion is not None:
            return f"suspect: {track.suspicion.reason}"
        if track.is_fresh(self.settings, self.now):
            return "its server is off" if not track.is_running else "its server's fans have not run for long enough"
        return "stale"


def watch(
    room: Room, assessment: Assessment, settings: PolicySettings, since: float, now: float,
    *, despite_unseen: bool = False,
) -> Watch:
    """Whether the room has stayed level since a host was switched on; `recovery.watched` has the rules."""
    names = tuple(sensor.sensor for sensor in assessment.sensors)
    return watched(
        tally(Kind.ROOM, names, room.tracks, settings, now), tally(Kind.BMC, room.inlets, room.tracks, settings, now),
        assessment, settings, since, now, despite_unseen=despite_unseen,
    )
