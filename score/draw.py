"""One draw: a room with its load, its cooling's course and its sensors, all from the ranges of published rooms.

A draw is the same for every policy: everything in it comes from its row and its number.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from score.sensing import SensorPlan
from thermo_guard.core.readings import Kind
from thermo_guard.sim.physics import STEP_S, Cooling, Heat, Probe, Room, steady, warmed

CRITICAL_C = 40.0
HIGH_C = 35.0
LOW_C = 30.0
NEVER = math.inf


class Course(Protocol):
    """What share of the cooling is there at a time."""

    def share(self, at_s: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Decline:
    """Cooling that fades, as it does where it loses its refrigerant."""

    start_s: float
    lasts_s: float
    left: float

    def share(self, at_s: float) -> float:
        gone = min(1.0, max(0.0, (at_s - self.start_s) / self.lasts_s))
        return 1.0 - gone * (1.0 - self.left)


@dataclass(frozen=True, slots=True)
class Site:
    room: Room
    cooling: Cooling
    power_kw: float
    """All hosts at work."""
    rest: float
    """Share of it that goes on when every host is off."""
    hosts: int
    stop_s: float
    """X: from the trip until the last host is off."""

    @property
    def start(self) -> Heat:
        return steady(self.room, self.cooling, self.power_kw)


@dataclass(frozen=True, slots=True)
class Draw:
    row: str
    number: int
    site: Site
    sensors: tuple[SensorPlan, ...]
    courses: tuple[Course, ...]
    """Of the cooling; the least of them holds."""
    fails_s: float
    horizon_s: float
    room_poll_s: float = 60.0
    inlet_poll_s: float = 30.0
    back_s: float | None = None
    """From here the cooling is back for good."""
    false_back_s: float | None = None
    """When it comes back only to go again."""
    relapse: "Relapse | None" = None
    blind_s: tuple[float, float] | None = None
    """Between these no sensor of the room is heard."""

    @property
    def key(self) -> str:
        return f"{self.row}/{self.number}"

    def cooling_kw(self, air_c: float, at_s: float) -> float:
        share = min([course.share(at_s) for course in self.courses])
        return share * self.site.cooling.kw(air_c) if share > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class Relapse:
    """The cooling fails again after the first host has come back."""

    after_s: float
    lasts_s: float
    restart_s: float


@dataclass(frozen=True, slots=True)
class Truth:
    """What the air does where nobody stops anything; seconds from the beginning, NEVER where it does not."""

    normal_c: float
    felt_s: float
    """The cooling has failed and the air is 3 K above what it was: where an oracle trips."""
    high_s: float
    critical_s: float
    highest_c: float

    def oracle_margin_s(self, stop_s: float) -> float:
        return self.critical_s - self.felt_s - stop_s

    def is_saveable(self, stop_s: float) -> bool:
        """Physics allows it: the oracle would have had everything off in time."""
        return self.critical_s < NEVER and self.oracle_margin_s(stop_s) >= 0


def truth_of(draw: Draw) -> Truth:
    heat = draw.site.start
    normal_c = highest_c = heat.air_c
    felt_s = high_s = critical_s = NEVER
    at_s = 0.0
    while at_s < draw.horizon_s and critical_s == NEVER:
        cooling_kw = draw.cooling_kw(heat.air_c, at_s)
        heat = warmed(draw.site.room, heat, draw.site.power_kw, cooling_kw, STEP_S)
        at_s += STEP_S
        air_c = heat.air_c
        if air_c > highest_c:
            highest_c = air_c
            if felt_s == NEVER and at_s >= draw.fails_s and air_c >= normal_c + 3:
                felt_s = at_s
            if high_s == NEVER and air_c >= HIGH_C:
                high_s = at_s
            if air_c >= CRITICAL_C:
                critical_s = at_s
    return Truth(normal_c, felt_s, high_s, critical_s, highest_c)


def site_of(dice: random.Random, least_kw: float, most_kw: float) -> Site:
    """A room of the ranges published for small server rooms."""
    power_kw = math.exp(dice.uniform(math.log(least_kw), math.log(most_kw)))
    racks = max(1, round(power_kw / dice.uniform(2.5, 6.0)))
    room = Room(
        air_kj_per_k=1.2 * dice.uniform(20.0, 45.0) * (1 + 0.5 * (racks - 1)) * dice.uniform(1.0, 3.0),
        mass_kj_per_k=dice.uniform(200.0, 450.0) * racks,
        exchange_kw_per_k=dice.uniform(0.05, 0.3) * racks,
        leak_kw_per_k=dice.uniform(0.05, 0.3),
        outside_c=dice.uniform(15.0, 30.0),
        mass_share=dice.uniform(0.3, 0.7),
    )
    setpoint_c = dice.uniform(18.0, 24.0)
    leaking_in_kw = room.leak_kw_per_k * max(0.0, room.outside_c - setpoint_c)
    cooling = Cooling(power_kw * dice.uniform(1.2, 2.0) + leaking_in_kw, setpoint_c)
    return Site(room, cooling, power_kw, dice.uniform(0.03, 0.12), dice.randint(3, 8), dice.uniform(300.0, 900.0))


def room_sensors(dice: random.Random, count: int, *, is_slow: bool = False) -> tuple[SensorPlan, ...]:
    """The room's sensors; slow ones measure as battery-run sensors report, each 2 to 20 min."""
    cadence_s = dice.uniform(120.0, 1200.0) if is_slow else 60.0
    return tuple(
        SensorPlan(
            f"room-{n}", Kind.ROOM,
            Probe(dice.uniform(60.0, 300.0), dice.uniform(-1.0, 1.0), dice.uniform(0.0, 0.1), 0.0, 0.1),
            cadence_s, dice.uniform(0.0, cadence_s),
        ) for n in range(count))


def inlet_sensors(dice: random.Random, count: int, hosts: int, power_kw: float) -> tuple[SensorPlan, ...]:
    """Inlets of BMCs: whole degrees, and up to 4 K of the servers' own warm air at full load."""
    cadence_s = dice.choice((30.0, 60.0))
    return tuple(
        SensorPlan(
            f"192.0.2.{n + 1}", Kind.BMC,
            Probe(dice.uniform(60.0, 125.0), dice.uniform(-1.0, 1.0), dice.uniform(0.0, 4.0) / power_kw, 0.0, 1.0),
            cadence_s, 10.0, host=n % hosts,
        ) for n in range(count))


def without_faults(sensors: Sequence[SensorPlan]) -> tuple[SensorPlan, ...]:
    return tuple(replace(sensor, fault=None) for sensor in sensors)
