"""The rows that are drawn from physics: what fails in them, and how."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from score.draw import (
    CRITICAL_C,
    Course,
    Decline,
    Draw,
    Relapse,
    Site,
    inlet_sensors,
    room_sensors,
    site_of,
)
from score.sensing import Fault, SensorPlan, Wrong
from thermo_guard.core.readings import Kind
from thermo_guard.sim.physics import Outage

QUIET_S = (1800.0, 3600.0)
"""So long has the guard watched before something fails."""
ALONE = (Wrong.ZERO, Wrong.NO_PROBE, Wrong.POWER_ON, Wrong.ALL_BITS, Wrong.NAN, Wrong.FAHRENHEIT, Wrong.STUCK,
         Wrong.DRIFT_UP, Wrong.DRIFT_DOWN, Wrong.SPIKES, Wrong.OFFLINE, Wrong.GONE, Wrong.REJECTED, Wrong.FUTURE,
         Wrong.REPEATED)


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of draw."""

    name: str
    what: str
    """What is drawn, in a sentence."""
    draw: Callable[[int], Draw]
    is_lived: bool = False
    """The room is lived through, with hosts that stop and come back; else only the time of the trip is judged."""
    has_clean_twin: bool = False
    """The same draw is also judged with every sensor well, for what the fault costs."""


def _dice(row: str, number: int) -> random.Random:
    return random.Random(f"{row}/{number}")


def _cast(dice: random.Random, site: Site, *, rooms: int = 3, is_slow: bool = False,
          inlets: int | None = None) -> tuple[SensorPlan, ...]:
    count = dice.randint(0, 8) if inlets is None else inlets
    return room_sensors(dice, rooms, is_slow=is_slow) + inlet_sensors(dice, count, site.hosts, site.power_kw)


def _loss(row: str, number: int, *, rooms: int = 3, is_slow: bool = False) -> Draw:
    dice = _dice(row, number)
    site = site_of(dice, 3.0, 20.0)
    sensors = _cast(dice, site, rooms=rooms, is_slow=is_slow)
    fails_s = dice.uniform(*QUIET_S) * (4 if is_slow else 1)
    return Draw(row, number, site, sensors, (Outage(fails_s),), fails_s, fails_s + 4 * 3600)


def total_loss(number: int) -> Draw:
    return _loss("total loss", number)


def slow_sensors(number: int) -> Draw:
    return _loss("slow sensors", number, is_slow=True)


def other_counts(number: int) -> Draw:
    return _loss("1, 2 or 4 sensors", number, rooms=(1, 2, 4)[number % 3])


def light_room(number: int) -> Draw:
    """Drawn until one settles below CRITICAL."""
    row = "light room"
    for attempt in range(1000):
        dice = _dice(row, number * 1000 + attempt)
        site = site_of(dice, 0.5, 4.0)
        sensors = _cast(dice, site)
        fails_s = dice.uniform(*QUIET_S)
        draw = Draw(row, number, site, sensors, (Outage(fails_s),), fails_s, fails_s + 4 * 3600)
        settles_c = site.room.outside_c + site.power_kw / site.room.leak_kw_per_k
        if settles_c < CRITICAL_C - 0.5:
            return draw
    raise AssertionError("no light room was drawn")


def partial_loss(number: int) -> Draw:
    dice = _dice("partial loss", number)
    site = site_of(dice, 3.0, 20.0)
    fails_s = dice.uniform(*QUIET_S)
    fails = Outage(fails_s, left=dice.uniform(0.1, 0.8))
    return Draw("partial loss", number, site, _cast(dice, site), (fails,), fails_s, fails_s + 4 * 3600)


def dip(number: int) -> Draw:
    """One to three of them."""
    dice = _dice("dips", number)
    site = site_of(dice, 3.0, 20.0)
    sensors = _cast(dice, site)
    fails_s = at_s = dice.uniform(*QUIET_S)
    dips: list[Course] = []
    for _ in range(dice.randint(1, 3)):
        end_s = at_s + dice.uniform(60.0, 360.0)
        dips.append(Outage(at_s, end_s, restart_s=dice.uniform(30.0, 180.0)))
        at_s = end_s + dice.uniform(900.0, 5400.0)
    return Draw("dips", number, site, sensors, tuple(dips), fails_s, at_s + 1800)


def weekend(number: int) -> Draw:
    """The cooling fades within 6 to 18 hours."""
    dice = _dice("weekend", number)
    site = site_of(dice, 3.0, 8.0)
    fails_s = dice.uniform(*QUIET_S)
    fades = Decline(fails_s, dice.uniform(6.0, 18.0) * 3600, dice.uniform(0.0, 0.3))
    sensors = _cast(dice, site)
    return Draw("weekend", number, site, sensors, (fades,), fails_s, fails_s + fades.lasts_s + 3600,
                inlet_poll_s=60.0)


def recovery(number: int) -> Draw:
    dice = _dice("recovery", number)
    site = site_of(dice, 3.0, 20.0)
    sensors = _cast(dice, site)
    fails_s = dice.uniform(*QUIET_S)
    back_s = fails_s + dice.uniform(20.0, 180.0) * 60
    return Draw("recovery", number, site, sensors, (Outage(fails_s, back_s, dice.uniform(120.0, 1800.0)),), fails_s,
                back_s + 4 * 3600, back_s=back_s)


def false_recovery(number: int) -> Draw:
    """Back for six minutes, gone again for up to an hour, then back for good."""
    dice = _dice("false recovery", number)
    site = site_of(dice, 3.0, 20.0)
    sensors = _cast(dice, site)
    fails_s = dice.uniform(*QUIET_S)
    false_s = fails_s + dice.uniform(20.0, 60.0) * 60
    again_s = false_s + 360.0
    back_s = again_s + dice.uniform(20.0, 60.0) * 60
    courses = (Outage(fails_s, false_s, dice.uniform(30.0, 120.0)),
               Outage(again_s, back_s, dice.uniform(120.0, 1800.0)))
    return Draw("false recovery", number, site, sensors, courses, fails_s, back_s + 4 * 3600, back_s=back_s,
                false_back_s=false_s)


def relapse(number: int) -> Draw:
    """Back as if for good, and gone again 5 to 40 min after the first host has come back."""
    dice = _dice("relapse", number)
    site = site_of(dice, 3.0, 20.0)
    sensors = _cast(dice, site)
    fails_s = dice.uniform(*QUIET_S)
    back_s = fails_s + dice.uniform(20.0, 90.0) * 60
    again = Relapse(dice.uniform(300.0, 2400.0), dice.uniform(1800.0, 5400.0), dice.uniform(120.0, 900.0))
    return Draw("relapse", number, site, sensors, (Outage(fails_s, back_s, dice.uniform(120.0, 900.0)),), fails_s,
                back_s + 7 * 3600, back_s=back_s, relapse=again)


def recovery_one_bad(number: int) -> Draw:
    draw = replace(recovery(number), row="recovery, one bad")
    dice = _dice(draw.row, number)
    start_s = dice.uniform(600.0, (draw.back_s or 0.0) + 600.0)
    return replace(draw, sensors=spoilt(draw.sensors, {"room-0": faulty(dice, wrong_of(number), start_s)}))


def recovery_blind(number: int) -> Draw:
    """Silent from 20 to 60 min after the failure until half an hour to two hours after the cooling is back."""
    draw = replace(recovery(number), row="recovery, blind")
    dice = _dice(draw.row, number)
    start_s = draw.fails_s + dice.uniform(1200.0, 3600.0)
    end_s = max(start_s, draw.back_s or 0.0) + dice.uniform(1800.0, 7200.0)
    wrong = dice.choice((Wrong.OFFLINE, Wrong.GONE))
    silent = {sensor.name: Fault(wrong, start_s, end_s=end_s) for sensor in draw.sensors if sensor.kind is Kind.ROOM}
    return replace(draw, sensors=spoilt(draw.sensors, silent), blind_s=(start_s, end_s),
                   horizon_s=draw.horizon_s + 7200.0)


# Sensor faults in a burning room


def faulty(dice: random.Random, wrong: Wrong, start_s: float) -> Fault:
    size = 0.0
    if wrong in {Wrong.DRIFT_UP, Wrong.DRIFT_DOWN}:
        size = dice.uniform(0.5, 4.0)
    elif wrong is Wrong.SPIKES:
        size = dice.choice((-1, 1)) * dice.uniform(10.0, 60.0)
    return Fault(wrong, start_s, size)


def spoilt(sensors: tuple[SensorPlan, ...], faults: Mapping[str, Fault]) -> tuple[SensorPlan, ...]:
    return tuple(replace(sensor, fault=faults.get(sensor.name)) for sensor in sensors)


def wrong_of(number: int) -> Wrong:
    """Every kind of fault comes as often as any other."""
    return ALONE[number % len(ALONE)]


def two_wrongs(dice: random.Random, number: int) -> tuple[Wrong, Wrong]:
    """The second is any, in a third of the draws the same."""
    first = wrong_of(number)
    return first, first if dice.random() < 1 / 3 else dice.choice(ALONE)


def burning_one_bad(number: int) -> Draw:
    draw = _loss("one bad", number)
    dice = _dice("one bad/fault", number)
    start_s = dice.uniform(600.0, draw.fails_s + 600.0)
    return replace(draw, sensors=spoilt(draw.sensors, {"room-0": faulty(dice, wrong_of(number), start_s)}))


def burning_two_bad(number: int) -> Draw:
    draw = _loss("two bad", number)
    dice = _dice("two bad/fault", number)
    wrongs = two_wrongs(dice, number)
    faults = {f"room-{n}": faulty(dice, wrong, dice.uniform(600.0, draw.fails_s + 600.0))
              for n, wrong in enumerate(wrongs)}
    return replace(draw, sensors=spoilt(draw.sensors, faults))


def burning_blind(number: int) -> Draw:
    """All room sensors fall silent at once, before the failure or within it; three inlets or more remain."""
    draw = _loss("room blind", number)
    dice = _dice("room blind/fault", number)
    inlets = inlet_sensors(dice, dice.randint(3, 8), draw.site.hosts, draw.site.power_kw)
    rooms = tuple(sensor for sensor in draw.sensors if sensor.kind is Kind.ROOM)
    start_s = draw.fails_s + dice.uniform(-600.0, 300.0)
    silent = {sensor.name: Fault(dice.choice((Wrong.OFFLINE, Wrong.GONE)), start_s) for sensor in rooms}
    return replace(draw, sensors=spoilt(rooms, silent) + inlets)


ROWS = (
    Row("Total loss, 3 sensors", "all cooling gone at 3 to 20 kW; three room sensors a minute, 0 to 8 inlets",
        total_loss),
    Row("Total loss, 1, 2 or 4 sensors", "the same with another number of room sensors", other_counts),
    Row("Total loss, slow sensors", "the same with three that measure every 2 to 20 min", slow_sensors),
    Row("Partial loss", "10 to 80 % of the cooling is left", partial_loss),
    Row("Slow weekend rise", "the cooling fades within 6 to 18 h, 3 to 8 kW", weekend),
    Row("Light room", "all cooling gone, and the room settles below 40 degC by itself", light_room),
    Row("Dips", "one to three times without cooling for 1 to 6 min", dip),
    Row("Burning, one of three bad", "total loss, one room sensor wrong in one of 15 ways", burning_one_bad,
        has_clean_twin=True),
    Row("Burning, two of three bad", "total loss, two room sensors wrong, alike or not", burning_two_bad,
        has_clean_twin=True),
    Row("Burning, room blind", "total loss, every room sensor silent, 3 to 8 inlets remain", burning_blind,
        has_clean_twin=True),
    Row("Recovery", "total loss; after 20 to 180 min the cooling is back, at full power within 2 to 30 min", recovery,
        is_lived=True),
    Row("Recovery, one of three bad", "the same with one room sensor wrong in one of 15 ways", recovery_one_bad,
        is_lived=True),
    Row("Recovery, room blind", "the same, the room's sensors silent from 20 to 60 min after the failure until 30 to "
        "120 min after the cooling is back", recovery_blind, is_lived=True),
    Row("False recovery", "back after 20 to 60 min, gone again 6 min later, back for good after 20 to 60 min more",
        false_recovery, is_lived=True),
    Row("Relapse", "gone again 5 to 40 min after the first host is back, for 30 to 90 min", relapse, is_lived=True),
)
