"""How the virtual room warms and cools: a lumped model of two nodes, the air and everything that is heavy.

    Ca dTa/dt = (1 - phi) P + hA (Tm - Ta) + UA (To - Ta) - Qc(t, Ta)
    Cm dTm/dt = phi P + hA (Ta - Tm)
    tau dTs/dt = Ta + bias + gamma P - Ts

The parameters lie within what is published for small server rooms (air 1.2 kJ/m3K times 1..3 for what stands in it,
racks 200-450 kJ/K each, hA 0.05-0.3 kW/K a rack, UA 0.05-0.3 kW/K); they are fitted to published minutes to 32, 35
and 40 degC for 3, 10 and 20 kW, not to one measured room. Pure functions of values; degrees Celsius, kilowatts,
kilojoules, seconds.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEP_S = 5.0
"""Longest step of integration: the fastest thing here, a cooled room's air, has a time constant of some 30 s."""

_AIR_KJ_PER_M3_K = 1.2 * 1.75
_MASS_KJ_PER_K_RACK = 450.0
_EXCHANGE_KW_PER_K_RACK = 0.2


@dataclass(frozen=True, slots=True)
class Room:
    """The constants of a room."""

    air_kj_per_k: float
    """Ca."""
    mass_kj_per_k: float
    """Cm."""
    exchange_kw_per_k: float
    """hA, between air and mass."""
    leak_kw_per_k: float = 0.125
    """UA, through walls and door."""
    outside_c: float = 25.0
    """To, of the rooms around it."""
    mass_share: float = 0.5
    """phi: of the heat, what goes into the mass first."""


def room_of(volume_m3: float, racks: int, *, leak_kw_per_k: float = 0.125, outside_c: float = 25.0) -> Room:
    """A room of ordinary make."""
    return Room(
        air_kj_per_k=_AIR_KJ_PER_M3_K * volume_m3, mass_kj_per_k=_MASS_KJ_PER_K_RACK * racks,
        exchange_kw_per_k=_EXCHANGE_KW_PER_K_RACK * racks, leak_kw_per_k=leak_kw_per_k, outside_c=outside_c,
    )


@dataclass(frozen=True, slots=True)
class Cooling:
    """An air conditioner that works the harder the further the air is above its setpoint."""

    capacity_kw: float
    setpoint_c: float = 21.0
    band_k: float = 3.0
    """From no cooling at the setpoint to all of it."""

    def kw(self, air_c: float) -> float:
        """Heat that it takes out while it is whole."""
        return self.capacity_kw * min(1.0, max(0.0, (air_c - self.setpoint_c) / self.band_k))


@dataclass(frozen=True, slots=True)
class Outage:
    """The cooling fails, wholly or in part, and comes back gradually."""

    start_s: float
    end_s: float = math.inf
    """When it is switched on again."""
    restart_s: float = 300.0
    """From there until it has its full power; compressors take 2 to 30 min."""
    left: float = 0.0
    """Share of the cooling that goes on working meanwhile."""

    def share(self, at_s: float) -> float:
        if at_s < self.start_s:
            return 1.0
        if at_s < self.end_s:
            return self.left
        ramp = 1.0 if self.restart_s <= 0 else min(1.0, (at_s - self.end_s) / self.restart_s)
        return self.left + (1.0 - self.left) * ramp


def cooling_share(outages: Iterable[Outage], at_s: float) -> float:
    """What share of the cooling is there, 0 to 1."""
    return min((outage.share(at_s) for outage in outages), default=1.0)


@dataclass(frozen=True, slots=True)
class Heat:
    """How warm the two nodes are."""

    air_c: float
    mass_c: float


def steady(room: Room, cooling: Cooling | None, power_kw: float) -> Heat:
    """Where the room settles under a constant load."""
    uncooled = room.outside_c + power_kw / room.leak_kw_per_k
    air_c = uncooled
    if cooling is not None and uncooled > cooling.setpoint_c:
        gain = cooling.capacity_kw / cooling.band_k
        in_band = (power_kw + room.leak_kw_per_k * room.outside_c + gain * cooling.setpoint_c) / (
            room.leak_kw_per_k + gain
        )
        is_overwhelmed = in_band > cooling.setpoint_c + cooling.band_k
        air_c = uncooled - cooling.capacity_kw / room.leak_kw_per_k if is_overwhelmed else in_band
    return Heat(air_c, air_c + room.mass_share * power_kw / room.exchange_kw_per_k)


def warmed(room: Room, heat: Heat, power_kw: float, cooling_kw: float, seconds: float) -> Heat:
    """The room after a step of at most STEP_S under constant power and cooling.

    :raises ValueError: a longer step, which would be wrong without anybody seeing it.
    """
    if not 0.0 <= seconds <= STEP_S:
        raise ValueError(f"a step of {seconds} s is not within 0 to {STEP_S} s")
    exchanged = room.exchange_kw_per_k * (heat.mass_c - heat.air_c)
    leaked = room.leak_kw_per_k * (room.outside_c - heat.air_c)
    into_air = (1.0 - room.mass_share) * power_kw + exchanged + leaked - cooling_kw
    into_mass = room.mass_share * power_kw - exchanged
    return Heat(
        heat.air_c + into_air * seconds / room.air_kj_per_k, heat.mass_c + into_mass * seconds / room.mass_kj_per_k
    )


@dataclass(frozen=True, slots=True)
class Probe:
    """How a sensor follows the air around it."""

    tau_s: float = 120.0
    """Time constant; 60 to 300 s."""
    bias_c: float = 0.0
    """What it is off by, +-1 degC."""
    near_k_per_kw: float = 0.0
    """gamma: how much warmer its place is for each kW in the room."""
    noise_c: float = 0.05
    """Standard deviation of one measurement."""
    step_c: float = 0.1
    """Degrees that one count stands for; BMCs have 1."""

    def settled_c(self, air_c: float, power_kw: float) -> float:
        return air_c + self.bias_c + self.near_k_per_kw * power_kw

    def felt_c(self, felt_c: float, air_c: float, power_kw: float, seconds: float) -> float:
        """What it feels after a time in constant air; exact, whatever its length."""
        settled = self.settled_c(air_c, power_kw)
        return settled + (felt_c - settled) * math.exp(-seconds / self.tau_s)


INTAKE = Probe(tau_s=60.0)
"""How the air at a server's front, which its fans draw past the sensor, follows the room's."""


def quantised(celsius: float, step_c: float) -> float:
    """The nearest count, without the dust of binary fractions."""
    return round(round(celsius / step_c) * step_c, 6)
