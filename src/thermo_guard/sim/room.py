"""The virtual server room: its heat, its cooling and the sensors in it, as they are at one time."""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from thermo_guard.core.readings import AlertCount, Poll, Reading

from . import physics
from .blueprint import Blueprint, SensorPlan
from .timeline import Timeline

HISTORY_LIMIT = 1440
"""Measurements that the source keeps of each sensor: a day of one a minute."""

NONSENSE_C = 327.67
"""What the source sends for a sensor that sends no temperature: the largest hundredth that two bytes hold."""


OPEN_DOOR_KW_PER_K = 0.6
"""What an open door of 2 m2 exchanges with the rooms around, by the difference of the air's temperatures alone: some
0.5 m3/s of air where they differ by ten degrees."""


class SensorFault(StrEnum):
    """What can be wrong with a sensor."""

    NONE = "none"
    OFFLINE = "offline"
    """It measures no more; the source goes on serving its last measurement."""
    STUCK = "stuck"
    """It goes on sending the same value, each with a new time."""
    MISSING = "missing"
    """The source does not list it at all."""
    NONSENSE = "nonsense"
    """What the source sends for it is no temperature."""


class Sensor:
    """One sensor: what it feels, and its last measurement."""

    def __init__(self, plan: SensorPlan, seed: int, felt_c: float, now: float) -> None:
        self.plan = plan
        self.fault = SensorFault.NONE
        self.felt_c = felt_c
        self._random = random.Random(f"{seed}/{plan.serial}")  # noqa: S311 - a simulation is to be repeatable
        self.next_at = now + self._random.uniform(0.0, plan.cadence_s)
        self.celsius = 0.0
        self.stamp = 0.0
        self.history: deque[tuple[float, float]] = deque(maxlen=HISTORY_LIMIT)
        """What the source was sent: when, and the degrees; oldest first."""
        self.measure(self.next_at - plan.cadence_s)

    def measure(self, now: float) -> None:
        """Take a measurement, unless it is offline. The noise is drawn in any case, so that faults shift no dice."""
        noise = self._random.gauss(0.0, self.plan.probe.noise_c)
        if self.fault is SensorFault.OFFLINE:
            return
        self.stamp = float(int(now))
        if self.fault is not SensorFault.STUCK:
            self.celsius = physics.quantised(self.felt_c + noise, self.plan.probe.step_c)
        if self.fault is not SensorFault.MISSING:
            self.history.append((self.stamp, self.sent_c))

    @property
    def sent_c(self) -> float:
        """What the source has for its degrees."""
        return NONSENSE_C if self.fault is SensorFault.NONSENSE else self.celsius


class VirtualRoom:
    def __init__(self, plan: Blueprint, seed: int, timeline: Timeline, power_kw: float) -> None:
        self._plan = plan
        self._timeline = timeline
        self._starts_at = timeline.now
        self._outages = list(plan.outages)
        self.watchers: list[Callable[[Sensor], None]] = []
        """Each is told of every measurement that reaches the source and is a temperature."""
        self._room = plan.room
        """Its constants as they stand now."""
        self.heat = physics.steady(plan.room, plan.cooling, power_kw)
        self.peak_c = self.heat.air_c
        self.intake_c = self.heat.air_c
        """The air at the servers' fronts."""
        self.sensors = {
            sensor.serial: Sensor(
                sensor, seed, sensor.probe.settled_c(self.heat.air_c, power_kw), timeline.now
            ) for sensor in plan.sensors
        }
        for sensor in self.sensors.values():
            timeline.at(sensor.next_at, lambda sensor=sensor: self._measure(sensor))  # type: ignore[misc]
        for outage in self._outages:
            self._announce(outage)

    @property
    def cooling_share(self) -> float:
        return physics.cooling_share(self._outages, self._timeline.now - self._starts_at)

    def fail_cooling(self, for_s: float, *, restart_s: float = 300.0, left: float = 0.0) -> None:
        """Let the cooling fail now, for a time."""
        start_s = self._timeline.now - self._starts_at
        outage = physics.Outage(start_s, start_s + for_s, restart_s, left)
        self._outages.append(outage)
        self._announce(outage)

    def repair_cooling(self, *, restart_s: float = 300.0) -> None:
        """End every outage that is going on."""
        at_s = self._timeline.now - self._starts_at
        going_on = [outage for outage in self._outages if outage.start_s <= at_s < outage.end_s]
        self._outages = [outage for outage in self._outages if outage not in going_on]
        for outage in going_on:
            self._outages.append(physics.Outage(outage.start_s, at_s, restart_s, outage.left))
        if going_on:
            self._timeline.note("room.cooling_returned", "cooling")

    def _announce(self, outage: physics.Outage) -> None:
        def fails() -> None:
            if outage in self._outages:
                self._timeline.note("room.cooling_failed", "cooling", f"{outage.left:.0%} left" if outage.left else "")

        def returns() -> None:
            if outage in self._outages:
                self._timeline.note("room.cooling_returned", "cooling")

        self._timeline.at(self._starts_at + outage.start_s, fails)
        if outage.end_s != float("inf"):
            self._timeline.at(self._starts_at + outage.end_s, returns)

    def open_door(self, *, is_open: bool) -> None:
        """Let air go in and out by an open door, or shut it again."""
        leak_kw_per_k = self._plan.room.leak_kw_per_k + (OPEN_DOOR_KW_PER_K if is_open else 0.0)
        if leak_kw_per_k != self._room.leak_kw_per_k:
            self._room = replace(self._plan.room, leak_kw_per_k=leak_kw_per_k)
            self._timeline.note("room.door_opened" if is_open else "room.door_closed", "door")

    def step(self, power_kw: float, seconds: float) -> None:
        """Warm or cool for one step of integration under constant power."""
        cooling = self._plan.cooling
        cooling_kw = cooling.kw(self.heat.air_c) * self.cooling_share if cooling is not None else 0.0
        self.heat = physics.warmed(self._room, self.heat, power_kw, cooling_kw, seconds)
        self.peak_c = max(self.peak_c, self.heat.air_c)
        self.intake_c = physics.INTAKE.felt_c(self.intake_c, self.heat.air_c, power_kw, seconds)
        for sensor in self.sensors.values():
            sensor.felt_c = sensor.plan.probe.felt_c(sensor.felt_c, self.heat.air_c, power_kw, seconds)

    def _measure(self, sensor: Sensor) -> None:
        now = self._timeline.now
        sensor.measure(now)
        sensor.next_at = now + sensor.plan.cadence_s
        self._timeline.at(sensor.next_at, lambda: self._measure(sensor))
        if sensor.fault in {SensorFault.NONE, SensorFault.STUCK}:
            for tell in self.watchers:
                tell(sensor)

    def set_fault(self, serial: str, fault: SensorFault) -> None:
        self.sensors[serial].fault = fault
        self._timeline.note("sensor.fault", serial, fault.value)

    def poll(self) -> Poll:
        """What the source answers now."""
        now = self._timeline.now
        return Poll(now, tuple(
            Reading(s.plan.serial, s.sent_c, s.stamp, now, max(0.0, now - s.stamp)) for s in self._listed
        ))

    def past(self, for_s: float) -> Sequence[Reading]:
        """What the source was sent in the last `for_s` seconds, oldest first."""
        now = self._timeline.now
        readings = [
            Reading(s.plan.serial, celsius, stamp, now, max(0.0, now - stamp))
            for s in self._listed for stamp, celsius in s.history if now - stamp <= for_s
        ]
        return sorted(readings, key=lambda reading: (reading.stamp, reading.sensor))

    @property
    def _listed(self) -> Sequence[Sensor]:
        return [sensor for sensor in self.sensors.values() if sensor.fault is not SensorFault.MISSING]

    def alert_count(self) -> AlertCount:
        in_alarm = sum(sensor.celsius >= self._plan.alert_c for sensor in self.sensors.values())
        return AlertCount(self._timeline.now, in_alarm)
