"""How the room's way to CRITICAL shortens the plan: the slope, the share, and when it is told."""

from dataclasses import replace

import pytest

from core.plants import NOW, incident
from thermo_guard.core.events import Goal
from thermo_guard.core.haste import FIRM, MOST_HASTE, compressed, to_critical_s
from thermo_guard.core.policy import PolicySettings, Room, assess, seen
from thermo_guard.core.readings import Poll, Reading

POLICY = PolicySettings(critical_c=40.0)


def room_of(*celsius: float, every_s: float = 60.0) -> Room:
    """One sensor that has measured so, the last time now."""
    room = Room(started_at=NOW - 3600)
    for number, value in enumerate(celsius):
        at = NOW - every_s * (len(celsius) - 1 - number)
        room = seen(room, Poll(at, (Reading("S", value, stamp=at, seen_at=at, age_s=0.0),)), POLICY)
    return room


def until_critical(*celsius: float) -> float | None:
    room, assessment = assess(room_of(*celsius), POLICY, NOW)
    return to_critical_s(room, assessment, POLICY)


def test_a_steady_rise_is_carried_on_to_critical() -> None:
    """Half a degree a minute from 36 leaves eight minutes."""
    assert until_critical(34.5, 35.0, 35.5, 36.0) == pytest.approx(480.0)


def test_one_wrong_measurement_turns_no_slope() -> None:
    """The median of all slopes stands where a least-squares line would not."""
    assert until_critical(34.0, 34.5, 35.0, 29.0, 36.0, 36.5, 37.0) == pytest.approx(360.0, rel=0.2)


@pytest.mark.parametrize("celsius", [(36.0, 36.0, 36.0, 36.0), (37.0, 36.5, 36.0, 35.5), (36.0, 36.5)])
def test_a_room_that_does_not_rise_or_is_barely_known_hurries_nobody(celsius: tuple[float, ...]) -> None:
    """Level, falling, or two measurements: no projection is made up."""
    assert until_critical(*celsius) is None


def test_at_critical_no_time_is_left() -> None:
    """Whatever the slope."""
    assert until_critical(41.0, 40.5, 40.4, 40.2) == 0.0


DOWN = incident(Goal.OFF)


def test_everyone_gets_the_share_that_the_room_leaves_of_the_plan() -> None:
    """Ten minutes for a plan of twenty."""
    event = compressed(DOWN, 600.0, 1200.0)
    assert event is not None
    assert (event.factor, event.incident) == (0.5, DOWN.id)
    assert "critical in 10 min" in event.reason


def test_the_share_has_a_floor() -> None:
    """At CRITICAL it is taken at once."""
    event = compressed(DOWN, 0.0, 1200.0)
    assert event is not None
    assert event.factor == MOST_HASTE


@pytest.mark.parametrize(("haste", "critical_s"), [
    (1.0, 1200.0), (1.0, None), (1.0, 1200.0 * (FIRM + 0.01)), (0.5, 600.0), (0.3, 900.0), (MOST_HASTE, 0.0),
])
def test_nothing_is_told_where_the_plan_is_in_time_or_the_share_is_no_smaller(
    haste: float, critical_s: float | None
) -> None:
    """It never grows again on the way down, and small changes are no news."""
    assert compressed(replace(DOWN, haste=haste), critical_s, 1200.0) is None


def test_the_way_back_knows_no_haste() -> None:
    """Nothing is started faster for the heat."""
    assert compressed(incident(Goal.ON), 0.0, 1200.0) is None
