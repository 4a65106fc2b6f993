"""What the policy decides, as a course of events: for the log, for `replay` and for whoever scores it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .assessment import Assessment, Level, SensorNow
from .policy import Room, assess, seen
from .policy_settings import PolicySettings
from .readings import Kind, Poll
from .room import is_calm
from .stages import Stage
from .track import MAX_AGE_BOUNDS_S
from .votes import FANS_S

STILL_BLIND_EVERY_S = 300.0


class What(StrEnum):
    """What has been decided or noticed."""

    WARNED = "warned"
    WARNING_ENDED = "warning_ended"
    SHED = "shed"
    SHED_ENDED = "shed_ended"
    TRIPPED = "tripped"
    """By HIGH, CRITICAL, a projection or BLIND_POLICY; the reason says which."""
    CRITICAL = "critical"
    """The room became CRITICAL after the trip."""
    BLIND = "blind"
    STILL_BLIND = "still_blind"
    SIGHTED = "sighted"
    DEGRADED = "degraded"
    """Fewer sensors than configured decide, or another kind does."""
    WHOLE = "whole"
    PERMISSIVE = "permissive"
    """After a trip: the room permits that the hosts come back."""
    SENSOR_SUSPECT = "sensor_suspect"
    SENSOR_RESTORED = "sensor_restored"


@dataclass(frozen=True, slots=True)
class Decision:
    at: float
    """Seconds since 1970 UTC."""
    what: What
    level: str
    """The room's level then; empty where it is not known yet."""
    celsius: float | None
    """The hottest that counted; of a sensor's event, what that sensor said."""
    reason: str
    sensor: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    """The reason as data: who voted how, who was left out and why, slope, projection, time to stop."""


class Noticing:
    """What is new in each assessment against the one before."""

    def __init__(self, settings: PolicySettings) -> None:
        self._limits = {Stage.WARN: ("WARN_THRESHOLD", settings.warn_at_c),
                        Stage.SHED: ("SHED_THRESHOLD", settings.shed_at_c)}
        self._above_k = {kind: settings.above_room_k(kind) for kind in Kind}
        self._suspects: frozenset[str] = frozenset()
        self._slips: frozenset[str] = frozenset()
        """Those of them that sent something once that is no measurement, and never lost their vote."""
        self._stage = Stage.NONE
        self._level: Level | None = None
        self._degraded: tuple[object, ...] = ()
        self._told_blind_at = 0.0

    def news(self, told: Assessment, now: float) -> Iterator[Decision]:
        """Of sensors, of sight and of the stages before the trip; nothing where nothing has changed."""
        yield from self._of_sensors(told, now)
        yield from self._of_sight(told, now)
        if told.stage is not self._stage:
            yield from self._of_stages(told, now)

    def _of_sensors(self, told: Assessment, now: float) -> Iterator[Decision]:
        suspects = frozenset(one.sensor for one in (*told.sensors, *told.inlets) if one.is_suspect)
        if suspects == self._suspects:
            return
        for sensor in (*told.sensors, *told.inlets):
            if sensor.is_suspect and sensor.sensor not in self._suspects:
                yield _of_sensor(What.SENSOR_SUSPECT, sensor, sensor.why, told, now)
            elif sensor.sensor in self._suspects and not sensor.is_suspect:
                why = "it measures again" if sensor.sensor in self._slips or not sensor.cleared else sensor.cleared
                yield _of_sensor(What.SENSOR_RESTORED, sensor, why, told, now)
        self._slips = frozenset(one.sensor for one in (*told.sensors, *told.inlets) if one.is_suspect and one.is_fresh)
        self._suspects = suspects

    def _of_sight(self, told: Assessment, now: float) -> Iterator[Decision]:
        before, self._level = self._level, told.level
        if told.level is Level.BLIND:
            is_again = told.projection is not None and now - self._told_blind_at >= STILL_BLIND_EVERY_S
            if before is not Level.BLIND or is_again:
                self._told_blind_at = now
                yield decision(What.STILL_BLIND if before is Level.BLIND else What.BLIND, told, now)
            return
        if before is Level.BLIND:
            yield decision(What.SIGHTED, told, now)
        if not told.degraded and not self._degraded:
            return
        counting = tuple(sensor.sensor for sensor in (*told.sensors, *told.inlets) if sensor.is_fresh)
        degraded = (told.kind, told.demand, counting) if told.degraded else ()
        if degraded != self._degraded and told.level is not None:
            self._degraded = degraded
            yield decision(What.DEGRADED if degraded else What.WHOLE, told, now,
                           told.degraded or "all sensors decide again")

    def _of_stages(self, told: Assessment, now: float) -> Iterator[Decision]:
        before, self._stage = self._stage, told.stage
        for stage, begins, ends in (
            (Stage.WARN, What.WARNED, What.WARNING_ENDED), (Stage.SHED, What.SHED, What.SHED_ENDED)
        ):
            what = begins if before < stage <= told.stage else ends if told.stage < stage <= before else None
            if what is not None:
                yield decision(what, told, now, "; ".join((*self._hottest(told, stage), *told.reasons)))

    def _hottest(self, told: Assessment, stage: Stage) -> Iterator[str]:
        """Which sensor stands highest against the stage's limit for its kind; what begins below it, the alarm began."""
        name, limit_c = self._limits[stage]
        hottest = max(((one.celsius - self._above_k[one.kind], one.sensor, one.celsius, one.kind)
                       for one in (*told.sensors, *told.inlets) if one.is_fresh and one.celsius is not None),
                      default=None)
        if hottest is not None:
            _, sensor, celsius, kind = hottest
            if told.is_alarm and celsius < limit_c + self._above_k[kind]:
                return
            for_inlets = "" if kind is Kind.ROOM else " for inlets"
            yield f"{sensor} at {celsius:.1f} degC is the hottest, {name}{for_inlets} {limit_c + self._above_k[kind]:g}"


def decision(what: What, told: Assessment, now: float, reason: str = "") -> Decision:
    return Decision(now, what, str(told.level or ""), told.hottest_c, reason or "; ".join(told.reasons),
                    facts=told.as_data())


def _of_sensor(what: What, sensor: SensorNow, reason: str, told: Assessment, now: float) -> Decision:
    return Decision(now, what, str(told.level or ""), sensor.celsius, reason, sensor.sensor, sensor.as_data())


class Course:
    """The policy alone over what the sensors said, without a plant: what would have been decided, and when.

    The guard decides by the same functions. After a trip the caller says by `are_hosts_on` when the hosts have gone
    off, and when they are on again, where the readings of their inlets do not say it themselves.
    """

    def __init__(self, settings: PolicySettings, started_at: float) -> None:
        self.settings = settings
        self.room = Room(started_at=started_at)
        self.assessment: Assessment | None = None
        """The last one; None before the first decision. In a calm hour it is the one before it."""
        self.is_calm = False
        """What came last changed nothing: all are fresh, believed and far from every limit."""
        self.is_tripped = False
        self.are_hosts_on = True
        self._off_at = -math.inf
        """When the hosts were last known to be off."""
        self._noticing = Noticing(settings)
        self._is_critical = False
        self._lacked = ""
        """What the recovery lacked when it was last asked."""
        self._counted = 0
        self._is_examined = False
        """Nothing that was taken waits to be held against the rest."""
        self._calm_until = 0.0
        """Before then nothing can go stale, and the room was cool: while it stays so there is nothing to decide."""
        low_c = min(settings.low_c, settings.warn_at_c, settings.floor_c, settings.shed_at_c)
        self._ceilings_c = {kind: low_c + settings.above_room_k(kind) - 0.5 for kind in Kind}

    def take(self, poll: Poll) -> None:
        """What a source has answered."""
        if not self.are_hosts_on:
            self._off_at = poll.at
        if poll.kind is Kind.BMC and poll.at - self._off_at <= 2 * FANS_S:
            poll = replace(poll, readings=tuple(
                replace(r, is_running=self.are_hosts_on) if r.is_running is None else r for r in poll.readings))
        self.room = seen(self.room, poll, self.settings, is_examined=self._is_examined)
        self._is_examined = False

    def decide(self, now: float) -> tuple[Decision, ...]:
        """What is decided now: at each time at which something came in, and about once a minute besides."""
        self.is_calm = now < self._calm_until and self._is_still_calm()
        if self.is_calm:
            return ()
        self.room, told = assess(self.room, self.settings, now)
        self.assessment = told
        self._calm_until = self._calm_for(told)
        news = tuple(self._noticing.news(told, now))
        if self.is_tripped or told.is_alarm:
            return (*news, *self._of_alarm(told, now))
        return news

    def _is_still_calm(self) -> bool:
        """As it was, so that a long recording of quiet days is not judged anew each minute."""
        if len(self.room.tracks) != self._counted or self.room.rejected or not is_calm(self.room, self._ceilings_c):
            return False
        self._calm_until, self._is_examined = self._quiet_until(), True
        return True

    def _calm_for(self, told: Assessment) -> float:
        room = self.room
        self._counted = len(room.tracks)
        if told.level is not Level.LOW or self.is_tripped or room.stages or room.rejected or room.polled_at is None:
            return 0.0
        sensors = (*told.sensors, *told.inlets)
        if told.kind is not Kind.ROOM or not all(sensor.is_fresh for sensor in sensors):
            return 0.0
        return self._quiet_until()

    def _quiet_until(self) -> float:
        """Before then every sensor is fresh that is fresh now, and their source is not silent."""
        age_s = MAX_AGE_BOUNDS_S[0] if self.settings.max_age_s is None else self.settings.max_age_s
        oldest = min(track.recent[-1].measured_at for track in self.room.tracks.values())
        return min(oldest + age_s, (self.room.polled_at or 0.0) + self.settings.blind_after_s)

    def _of_alarm(self, told: Assessment, now: float) -> Iterator[Decision]:
        is_critical = told.level is Level.CRITICAL
        if told.is_alarm and not self.is_tripped:
            self.is_tripped, self._is_critical = True, is_critical
            yield decision(What.TRIPPED, told, now)
        elif is_critical and not self._is_critical:
            self._is_critical = True
            yield decision(What.CRITICAL, told, now)
        elif told.is_recovered and told.permits_power_on:
            self.is_tripped = self._is_critical = False
            cool_s = now - (now if told.cool_since is None else told.cool_since)
            waited = f"until now {self._lacked}" if self._lacked else ""
            reasons = (*told.reasons, f"cool for {cool_s / 60:.0f} min", waited)
            yield decision(What.PERMISSIVE, told, now, "; ".join(filter(None, reasons)))
        self._lacked = told.not_yet
