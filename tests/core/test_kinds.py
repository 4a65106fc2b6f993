"""The room's own sensors and the servers' inlets: never pooled, each with its limits, one deciding after the other."""

import pytest

from core.course_of import STARTS_AT, Day, Degrees, rising, wobbling
from thermo_guard.core.decisions import What
from thermo_guard.core.policy import Level, PolicySettings
from thermo_guard.core.readings import AlertCount, Kind
from thermo_guard.core.room import alarmed

COOL: dict[str, Degrees] = {"a": wobbling(22.0), "b": wobbling(22.5)}
RACK: dict[str, Degrees] = {f"x{place}": 25.0 for place in range(5)}
NOT_PROJECTED = PolicySettings(projects=False)


def hot(names: dict[str, Degrees], top: float) -> dict[str, Degrees]:
    """All of them go up by half a degree a minute, in whole degrees."""
    rise = rising(0.5, 60, 25.0, top)
    return {name: lambda minute: float(round(rise(minute))) for name in names}


def test_many_inlets_do_not_outvote_two_sensors_of_the_room() -> None:
    """While the room's sensors see and are cool, hot inlets trip nothing; one believable one is a warning."""
    day = Day(NOT_PROJECTED).until(60, COOL, RACK).until(180, COOL, hot(RACK, 45.0))
    assert not day.when(What.TRIPPED)
    assert day.when(What.WARNED)


def test_the_inlets_decide_while_the_room_is_blind_by_limits_of_their_own() -> None:
    """No answer from the room for five minutes: then a majority of inlets at HIGH + 3 trips, told as degraded."""
    day = Day(NOT_PROJECTED).until(60, COOL, RACK).until(180, None, hot(RACK, 45.0))
    assert not day.when(What.BLIND), "somebody sees the room"
    assert "inlets decide" in day.why(What.DEGRADED)
    (tripped,) = day.when(What.TRIPPED)
    assert tripped == pytest.approx(60 + (38 - 25.5) / 0.5 + 2, abs=2)
    assert "at or above 38 degC" in day.why(What.TRIPPED)


def test_two_hot_inlets_of_five_are_too_few() -> None:
    """M of N of them must agree."""
    some = {**RACK, **hot({"x0": 0.0, "x1": 0.0}, 45.0)}
    assert not Day(NOT_PROJECTED).until(60, COOL, RACK).until(180, None, some).when(What.TRIPPED)


def test_without_inlets_a_silent_room_is_blind() -> None:
    """Nobody is left to ask."""
    day = Day(NOT_PROJECTED).until(60, COOL).until(120, None)
    assert len(day.when(What.BLIND)) == 1
    assert 65 <= day.when(What.BLIND)[0] <= 66


def test_everything_silent_is_blind_and_not_cool() -> None:
    """A common cause takes all of them: that is BLIND, told as such."""
    day = Day(NOT_PROJECTED).until(60, COOL, RACK).until(120)
    assert day.when(What.BLIND)
    assert day.course.assessment is not None
    assert not day.course.assessment.permits_power_on


@pytest.mark.parametrize("is_running", [False, None])
def test_the_inlet_of_a_server_that_is_off_says_nothing(is_running: bool | None) -> None:
    """Still air is no room: such inlets neither trip nor keep the room from being blind."""
    day = Day(NOT_PROJECTED).until(60, COOL, RACK).until(180, None, hot(RACK, 45.0), is_running=is_running)
    assert bool(day.when(What.TRIPPED)) is (is_running is None)
    assert bool(day.when(What.BLIND)) is (is_running is False)


def test_an_inlet_counts_ten_minutes_after_its_server_was_switched_on() -> None:
    """Until then it blows the heat of the time without fans."""
    day = Day(NOT_PROJECTED).until(30, COOL, RACK, is_running=False).until(60, COOL, RACK, is_running=True)
    inlets = [(minute, one) for minute, one in day.decided if one.what is What.DEGRADED]
    assert not inlets, "the room's sensors decide all the while"
    told = day.course.assessment
    assert told is not None
    assert all(sensor.is_fresh for sensor in told.inlets)
    again = Day(NOT_PROJECTED).until(30, COOL, RACK, is_running=False).until(39, COOL, RACK, is_running=True)
    assert again.course.assessment is not None
    assert not any(sensor.is_fresh for sensor in again.course.assessment.inlets)
    assert {sensor.why for sensor in again.course.assessment.inlets} == {
        "its server's fans have not run for long enough"}


def test_the_last_sensor_of_the_room_trips_with_an_inlet_that_bears_it_out() -> None:
    """One of three is left: too few to decide, and enough as a second opinion."""
    three = {**COOL, "c": wobbling(23.0)}
    day = Day(NOT_PROJECTED).until(60, three, RACK)
    day.until(100, {"a": rising(0.8, 60), "b": 85.0, "c": 85.0}, hot(RACK, 36.0))
    assert "bears it out" in day.why(What.TRIPPED)


def test_the_last_sensor_of_the_room_is_critical_whatever_the_inlets_say() -> None:
    """They decide, and warm slowly, low in the rack: a second source must not cost the trip that one alone gives."""
    three = {**COOL, "c": wobbling(23.0)}
    slow = {name: lambda minute: float(round(22.0 + 0.2 * max(0.0, minute - 60))) for name in RACK}
    day = Day(NOT_PROJECTED).until(60, three, RACK).until(130, {"a": rising(0.5, 60), "b": 85.0, "c": 85.0}, slow)
    assert day.why(What.TRIPPED).startswith("a at 40.0 degC, critical is 40")


def test_a_room_is_not_low_while_its_last_sensor_is_warm() -> None:
    """The inlets that decide are cool; what is left of the room is not."""
    three = {**COOL, "c": wobbling(23.0)}
    day = Day(NOT_PROJECTED).until(60, three, RACK).until(120, {"a": rising(0.3, 60, 22.0, 33.0), "b": 85.0}, RACK)
    told = day.course.assessment
    assert told is not None
    assert (told.kind, told.level) == (Kind.BMC, Level.BAND)


@pytest.mark.parametrize(("count", "trips"), [(12, False), (1, True)])
def test_one_inlet_of_twelve_is_not_a_majority_of_those_that_spoke(count: int, trips: bool) -> None:
    """N is how many BMCs are asked, not how many have answered."""
    day = Day(PolicySettings(projects=False, inlet_count=count)).until(60, COOL, {"x0": 25.0})
    day.until(180, None, hot({"x0": 0.0}, 45.0))
    assert bool(day.when(What.TRIPPED)) is trips
    assert bool(day.when(What.BLIND)) is not trips


@pytest.mark.parametrize(("votes", "trips"), [(True, True), (False, False)])
def test_merakis_own_alarm_stands_for_one_vote_only_where_it_may(votes: bool, trips: bool) -> None:
    """Beside a sensor that votes; by itself it says no degrees and decides nothing."""
    day = Day(PolicySettings(projects=False, alarm_votes=votes))
    day.until(60, {**COOL, "c": wobbling(23.0)})
    for minute in range(60, 100):
        day.course.room = alarmed(day.course.room, AlertCount(STARTS_AT + 60 * minute, 1))
        day.until(minute + 1, {
            "a": rising(0.7, 60, 22.0, 37.0), "b": rising(0.45, 60, 22.5, 33.0), "c": wobbling(30.5)})
    assert bool(day.when(What.TRIPPED)) is trips
    alone = Day(PolicySettings(projects=False, alarm_votes=votes)).until(60, COOL)
    for minute in range(60, 100):
        alone.course.room = alarmed(alone.course.room, AlertCount(STARTS_AT + 60 * minute, 2))
        alone.until(minute + 1, COOL)
    assert not alone.when(What.TRIPPED)


def test_slow_sensors_show_the_on_delay_together() -> None:
    """Each measures every 20 minutes: two of them at HIGH, one after the other, are two measurements."""
    day = Day(NOT_PROJECTED)
    for minute in range(200):
        slow = {name: (24.0 if minute < 100 else 36.0) for at, name in ((0, "a"), (7, "b"), (13, "c"))
                if minute % 20 == at}
        day.until(minute + 1, slow)
    assert day.when(What.TRIPPED) == [107]


def test_one_hot_sample_of_all_slow_sensors_is_one_moment() -> None:
    """Taken together and polled for an hour it does not show the on-delay."""
    day = Day(NOT_PROJECTED)
    for minute in range(160):
        day.until(minute + 1, dict.fromkeys("abc", 24.0 if minute < 140 else 36.0) if minute % 20 == 0 else {})
    assert not day.when(What.TRIPPED)


def test_the_limits_of_inlets_follow_the_rooms_unless_they_are_set() -> None:
    """HIGH + 3 and LOW + 3: some of a server's warm air comes back to it."""
    usual, own = PolicySettings(high_c=34.0, low_c=28.0), PolicySettings(inlet_high_c=40.0, inlet_low_c=31.0)
    assert (usual.high_of(Kind.BMC), usual.low_of(Kind.BMC)) == (37.0, 31.0)
    assert (own.high_of(Kind.BMC), own.low_of(Kind.BMC)) == (40.0, 31.0)
