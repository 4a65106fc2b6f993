"""Rooms in which nothing is wrong, in minute steps: what must never trip, for years of sensors.

The air wanders as a recorded office does; the compressor cycles, defrosts, fails over; doors open; a rack's door is
closed and the sensor in it rises by up to 13 K in five minutes, as has been measured, harmlessly. The room's own air
never reaches 33 degC.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from score.draw import Site, inlet_sensors, room_sensors, site_of
from score.noise import Pools, Stream
from score.policies import Maker
from score.rows import faulty, spoilt, two_wrongs, wrong_of
from score.sensing import EPOCH, Sensor, SensorPlan, inlet_polls, room_poll
from thermo_guard.core.decisions import What
from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.core.readings import Kind, Poll

STEP_S = 60.0
HIGHEST_C = 33.0


@dataclass(frozen=True, slots=True)
class Quiet:
    """A room and its sensors for some days."""

    key: str
    days: float
    site: Site
    sensors: tuple[SensorPlan, ...]

    @property
    def room_count(self) -> int:
        return sum(sensor.kind is Kind.ROOM for sensor in self.sensors)


@dataclass(frozen=True, slots=True)
class Spell:
    """What a policy made of some benign days."""

    number: int
    sensor_days: float
    """Of the room's sensors alone."""
    trips: int
    told: Mapping[str, int]
    why: str = ""


def week(number: int) -> Quiet:
    dice = random.Random(f"benign/{number}")
    site = site_of(dice, 3.0, 20.0)
    rooms = 3 if dice.random() < 0.7 else dice.choice((1, 2, 4))
    sensors = room_sensors(dice, rooms, is_slow=dice.random() < 0.25)
    sensors += inlet_sensors(dice, dice.choice((0, 0, 1, 2, 4)), site.hosts, site.power_kw)
    return Quiet(f"benign/{number}", 7.0, site, sensors)


def one_bad(number: int) -> Quiet:
    return _spoilt("benign, one bad", number, twice=False)


def two_bad(number: int) -> Quiet:
    return _spoilt("benign, two bad", number, twice=True)


def _spoilt(row: str, number: int, *, twice: bool) -> Quiet:
    """A day of three sensors; they go wrong within its first half."""
    dice = random.Random(f"{row}/{number}")
    site = site_of(dice, 3.0, 20.0)
    sensors = room_sensors(dice, 3) + inlet_sensors(dice, dice.randint(0, 4), site.hosts, site.power_kw)
    wrongs = two_wrongs(dice, number) if twice else (wrong_of(number),)
    faults = {f"room-{n}": faulty(dice, wrong, dice.uniform(0.0, 43_200.0)) for n, wrong in enumerate(wrongs)}
    return Quiet(f"{row}/{number}", 1.0, site, spoilt(sensors, faults))


class Air:
    """The room's air, minute by minute, and what a closed door adds at one sensor."""

    def __init__(self, key: str, pools: Pools, sensors: int) -> None:
        dice = self._dice = random.Random(f"{key}/air")
        self._sensors = sensors
        self._base_c = dice.uniform(18.0, 25.5)
        self._swing_k, self._phase = dice.uniform(0.0, 1.5), dice.uniform(0.0, 2 * math.pi)
        self._cycle_k, self._cycle_s = dice.uniform(0.1, 1.2), dice.uniform(900.0, 2400.0)
        self._wander = Stream(pools.wander, 1, f"{key}/wander")
        self._wander_k = 0.4 * self._wander.next()
        self._next_wander_k = 0.4 * self._wander.next()
        self._bump_k = self._bump_left_s = 0.0
        self._now_bump_k = 0.0
        self._door_at = -1
        self._door_k = self._door_left_s = self._now_door_k = 0.0

    def minute(self, at_s: float) -> tuple[float, int, float]:
        """The air, the sensor behind a closed door (-1: none), and what that adds."""
        if at_s % 3600 < STEP_S:
            self._wander_k, self._next_wander_k = self._next_wander_k, 0.4 * self._wander.next()
        self._bump()
        self._door()
        hour = at_s % 3600 / 3600
        air_c = (
            self._base_c + self._swing_k * math.sin(2 * math.pi * at_s / 86_400 + self._phase)
            + self._cycle_k * math.sin(2 * math.pi * at_s / self._cycle_s)
            + (1 - hour) * self._wander_k + hour * self._next_wander_k + self._now_bump_k
        )
        return min(HIGHEST_C, air_c), self._door_at, self._now_door_k

    def _bump(self) -> None:
        """Defrosting, people at the open door, a change from one air conditioner to the other: some six a day."""
        if self._bump_left_s <= 0 and self._dice.random() < 6 / 1440:
            self._bump_k = self._dice.uniform(-3.0, 5.0)
            self._bump_left_s = self._dice.uniform(120.0, 900.0)
        self._bump_left_s -= STEP_S
        wanted_k = self._bump_k if self._bump_left_s > 0 else 0.0
        self._now_bump_k += (wanted_k - self._now_bump_k) * 0.25

    def _door(self) -> None:
        """A rack's door is closed twice a week, for 3 to 30 min; a room of one sensor has it outside the racks."""
        if self._door_left_s <= 0 and self._sensors > 1 and self._dice.random() < 2 / 10_080:
            self._door_at = self._dice.randrange(self._sensors)
            self._door_k = self._dice.uniform(4.0, 13.0)
            self._door_left_s = self._dice.uniform(180.0, 1800.0)
        self._door_left_s -= STEP_S
        wanted_k = self._door_k if self._door_left_s > 0 else 0.0
        self._now_door_k += (wanted_k - self._now_door_k) * 0.45


def minutes(quiet: Quiet, pools: Pools) -> Iterator[tuple[float, list[Poll]]]:
    """What comes in, minute by minute."""
    rooms = [plan for plan in quiet.sensors if plan.kind is Kind.ROOM]
    air = Air(quiet.key, pools, len(rooms))
    air_c = air.minute(0.0)[0]
    power_kw = quiet.site.power_kw
    sensors = [Sensor(plan, quiet.key, pools, air_c, power_kw, STEP_S) for plan in quiet.sensors]
    room, inlets = sensors[:len(rooms)], sensors[len(rooms):]
    running = frozenset(range(quiet.site.hosts))
    at_s = 0.0
    while at_s < quiet.days * 86_400:
        at_s += STEP_S
        air_c, door_at, door_k = air.minute(at_s)
        for n, sensor in enumerate(sensors):
            sensor.feel(air_c, power_kw)
            if at_s >= sensor.next_at_s:
                sensor.measure(at_s, extra_k=door_k if n == door_at else 0.0)
        yield at_s, [room_poll(room, at_s), *inlet_polls(inlets, at_s, running)]


def spent(number: int, quiet: Quiet, makers: Mapping[str, Maker], settings: PolicySettings, pools: Pools
          ) -> dict[str, Spell]:
    """Each policy over these days; a day after a trip it begins anew, so that one cause counts once a day."""
    settings = replace(settings, stop_s=quiet.site.stop_s)
    policies = {name: make(settings, EPOCH) for name, make in makers.items()}
    trips, told = Counter[str](), {name: Counter[str]() for name in makers}
    why, off_until = dict.fromkeys(makers, ""), dict.fromkeys(makers, 0.0)
    for at_s, polls in minutes(quiet, pools):
        for name, policy in policies.items():
            if at_s < off_until[name]:
                continue
            for poll in polls:
                policy.take(poll)
            for decision in policy.decide(EPOCH + at_s):
                told[name][decision.what] += 1
                if decision.what is What.TRIPPED:
                    trips[name] += 1
                    why[name] = why[name] or f"at {at_s:.0f} s: {decision.reason}"
                    off_until[name] = at_s + 86_400
                    policies[name] = makers[name](settings, EPOCH + off_until[name])
    days = quiet.room_count * quiet.days
    return {name: Spell(number, days, trips[name], told[name], why[name]) for name in makers}
