"""A trip before HIGH: only with a level, a second source, and no time to lose. And what is done blind."""

import math
from itertools import pairwise

import pytest

from core.course_of import Day, Degrees, rising, wobbling
from thermo_guard.core.decisions import What
from thermo_guard.core.policy import PolicySettings

COOL = {"a": wobbling(22.0), "b": wobbling(22.5), "c": wobbling(23.0)}


def burning(per_minute: float, begin: float = 60.0) -> dict[str, Degrees]:
    return {name: rising(per_minute, begin, base) for name, base in (("a", 22.0), ("b", 22.5), ("c", 23.0))}


def test_a_room_that_is_too_fast_for_the_stop_trips_before_high() -> None:
    """At a degree a minute with ten minutes to stop everything, HIGH would come too late."""
    day = Day().until(60, COOL).until(90, burning(1.0))
    (tripped,) = day.when(What.TRIPPED)
    assert 67 <= tripped <= 70
    assert "would be CRITICAL in" in day.why(What.TRIPPED)
    assert "to stop everything takes 10 min" in day.why(What.TRIPPED)


@pytest.mark.parametrize("settings", [
    PolicySettings(stop_s=600.0, projects=False), PolicySettings(stop_s=None),
    PolicySettings(stop_s=600.0, projection_floor_c=34.9), PolicySettings(stop_s=60.0, stop_margin_s=0.0),
])
def test_without_its_conditions_it_waits_for_high(settings: PolicySettings) -> None:
    """Switched off, time to stop unknown, below the floor, or time enough."""
    day = Day(settings).until(60, COOL).until(90, burning(1.0))
    (tripped,) = day.when(What.TRIPPED)
    assert tripped >= 73


def test_a_rack_door_that_closes_trips_nothing() -> None:
    """+6.4 K in a minute and +12.9 in five at the sensors of one rack, harmlessly: rate alone is nothing."""
    def door(minute: float) -> float:
        return round(22.0 + (12.9 * (1 - math.exp(-(minute - 59) / 1.46)) if minute >= 60 else 0.0), 1)

    one = Day().until(60, COOL).until(120, {**COOL, "a": door})
    assert not one.when(What.TRIPPED)
    racks: dict[str, Degrees] = {"a": wobbling(22.0), "b": lambda m: door(m) - 1, "c": lambda m: door(m) - 2}
    rack = Day().until(60, {"a": wobbling(22.0), "b": wobbling(21.0), "c": wobbling(20.0)}).until(120, racks)
    assert not rack.when(What.TRIPPED)


def test_one_source_alone_is_not_enough() -> None:
    """The only sensor of a room that rises is confirmed by an inlet, or by nobody."""
    alone = Day().until(60, {"a": wobbling(22.0)}).until(75, {"a": rising(1.0, 60)})
    assert alone.when(What.TRIPPED) == [74]  # HIGH at 73 held for a minute
    inlet = rising(1.0, 60, 25.0)
    both = Day().until(60, {"a": wobbling(22.0)}, {"x": 25.0})
    both.until(75, {"a": rising(1.0, 60)}, {"x": lambda minute: float(round(inlet(minute)))})
    assert both.when(What.TRIPPED)[0] <= 71
    assert "x rises too" in both.why(What.TRIPPED)


def test_two_that_drift_are_contradicted_by_the_rest() -> None:
    """Inlets and a third sensor that stand still below LOW outweigh two that rise."""
    level = {"x": 24.0, "y": 25.0, "z": 24.0}
    day = Day().until(60, COOL, level)
    day.until(80, {"a": rising(0.9, 60, 22.0, 33.0), "b": rising(0.9, 60, 22.5, 33.0), "c": wobbling(23.0)}, level)
    assert not day.when(What.TRIPPED)


def test_blindness_holds_and_is_told_again_while_the_room_was_rising() -> None:
    """By default nothing trips by what nobody sees; every five minutes people hear where the room was going."""
    day = Day().until(60, COOL).until(68, burning(0.8)).until(100, {}, answers=False)
    assert len(day.when(What.BLIND)) == 1
    assert not day.when(What.TRIPPED)
    again = day.when(What.STILL_BLIND)
    assert len(again) >= 4
    assert {round(b - a) for a, b in pairwise(again)} == {5}
    assert "rises by 0.80 K a minute" in day.why(What.STILL_BLIND)


def test_trip_after_needs_its_minutes_and_a_room_that_was_rising() -> None:
    """BLIND_POLICY=trip-after:10, and by the last projection the room is HIGH by then."""
    settings = PolicySettings(stop_s=60.0, blind_trip_s=600.0)
    day = Day(settings).until(60, COOL).until(68, burning(0.8)).until(120, {}, answers=False)
    (blind,), (tripped,) = day.when(What.BLIND), day.when(What.TRIPPED)
    assert tripped == pytest.approx(blind + 10, abs=1)
    assert "BLIND_POLICY" in day.why(What.TRIPPED)
    level = Day(settings).until(60, COOL).until(600, {}, answers=False)
    assert not level.when(What.TRIPPED)
    slow = Day(settings).until(60, COOL).until(90, burning(0.1)).until(150, {}, answers=False)
    assert not slow.when(What.TRIPPED), "by its slope it would stand at 31"


def slow(per_minute: float, base: float = 22.0, top: float = 60.0) -> Day:
    """Three sensors, each every six minutes at a time of its own; the rise begins in the 120th minute."""
    day = Day()
    rise = rising(per_minute, 120.0, base, top)
    for minute in range(240):
        name = {0: "a", 2: "b", 4: "c"}.get(minute % 6)
        day.until(minute + 1, {} if name is None else {name: rise})
    return day


def test_two_measurements_of_slow_sensors_tell_enough() -> None:
    """By the time that four of each have come the room would have burned: two far above their usual level trip."""
    day = slow(1.0)
    assert day.when(What.TRIPPED)[0] <= 134
    assert "rises too" in day.why(What.TRIPPED)


def test_a_cycle_of_the_compressor_at_slow_sensors_trips_nothing() -> None:
    """Four degrees within six minutes are no more than such a room's habit, however warm it is kept."""
    assert not slow(1.0, 27.5, 31.5).when(What.TRIPPED)
