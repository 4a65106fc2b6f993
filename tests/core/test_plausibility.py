"""Who is not believed, and why; who bears whom out; who is believed again."""

import pytest

from core.course_of import Day, rising, wobbling
from thermo_guard.core.decisions import What
from thermo_guard.core.policy import PolicySettings

COOL = {"a": wobbling(22.0), "b": wobbling(22.5), "c": wobbling(23.0)}


@pytest.mark.parametrize(("celsius", "named"), [
    (0.0, "measures nothing"), (-127.0, "disconnected probe"), (85.0, "only just got power"),
    (255.0, "largest number of a byte"), (71.6, "degrees Fahrenheit"), (-40.0, "end of a sensor's scale"),
    (327.67, "largest hundredth"), (150.0, "out of range"), (-3.0, "out of range"),
])
def test_what_a_sensor_cannot_mean_is_named(celsius: float, named: str) -> None:
    """A value that no room has makes its sensor suspect at once, with the reason, and trips nothing (S2)."""
    day = Day().until(60, COOL).until(90, {**COOL, "a": celsius})
    assert day.when(What.SENSOR_SUSPECT) == [60]
    assert named in day.why(What.SENSOR_SUSPECT)
    assert not day.when(What.TRIPPED)
    assert "2 of 2 decide instead of 2 of 3" in day.why(What.DEGRADED)


def test_fahrenheit_from_the_first_day_is_named() -> None:
    """Nothing is known of that sensor yet; its neighbours say what it would have to show."""
    day = Day().until(30, {**COOL, "a": wobbling(72.0, 0.2)})
    assert "looks like degrees Fahrenheit: that would be 22" in day.why(What.SENSOR_SUSPECT)


def test_nonsense_once_is_a_slip_and_twice_a_fault() -> None:
    """A value that is no number leaves a sensor its vote once; it is told each time."""
    day = Day().until(60, COOL).until(61, {"b": 22.0, "c": 22.0}, nonsense=("a",)).until(62, COOL)
    assert day.when(What.SENSOR_SUSPECT) == [60]
    assert day.when(What.SENSOR_RESTORED) == [61]
    day.until(64, {"b": 22.0, "c": 22.0}, nonsense=("a",)).until(90, COOL)
    assert day.when(What.SENSOR_RESTORED) == [61, 74]


def test_a_suspect_sensor_comes_back_after_it_has_behaved() -> None:
    """Ten minutes, not one good value."""
    day = Day().until(60, COOL).until(63, {**COOL, "a": 85.0}).until(90, COOL)
    assert day.when(What.SENSOR_SUSPECT) == [60]
    assert day.when(What.SENSOR_RESTORED) == [73]
    assert day.when(What.WHOLE) == [73]


def test_one_that_is_heated_alone_is_suspect() -> None:
    """56 degC beside a neighbour at 28 is a sensor in trouble and no room: neither HIGH nor CRITICAL."""
    day = Day(PolicySettings(stop_s=600.0)).until(60, {"a": wobbling(27.0), "b": wobbling(28.0)})
    day.until(75, {"a": rising(8.0, 60, 27.0, 56.6), "b": wobbling(28.0)}).until(120, {"a": 27.0, "b": wobbling(28.0)})
    assert day.when(What.SENSOR_SUSPECT, "a") == [61]
    assert "its neighbours do not follow: b 28" in day.why(What.SENSOR_SUSPECT)
    assert not day.when(What.TRIPPED)
    assert day.when(What.SENSOR_RESTORED, "a")


def test_two_that_are_heated_together_bear_each_other_out() -> None:
    """What two sensors show is the room's, however quick, and the third that lags is no witness against them."""
    hot = rising(9.0, 60)
    day = Day().until(60, COOL).until(80, {"a": hot, "b": hot, "c": rising(2.0, 61, 23.0)})
    assert day.when(What.TRIPPED)[0] <= 63
    assert not day.when(What.BLIND)


def test_a_stuck_sensor_is_suspect_once_its_neighbours_have_moved() -> None:
    """A frozen value is neither cool nor hot, and stands in nobody's way."""
    day = Day().until(60, COOL).until(120, {"a": 22.1, "b": rising(0.4, 60, 22.5), "c": rising(0.4, 60, 23.0)})
    assert "it is stuck at 22.1 degC" in day.why(What.SENSOR_SUSPECT)
    assert day.when(What.SENSOR_SUSPECT, "a")
    assert not day.when(What.SENSOR_SUSPECT, "b")
    assert day.when(What.TRIPPED)


@pytest.mark.parametrize("per_minute", [0.5, 0.1, 0.05])
def test_two_that_have_long_frozen_do_not_silence_the_third(per_minute: float) -> None:
    """They are the suspects, by the odds; what is left of the room is BLIND, told, and trips at CRITICAL."""
    burning = rising(per_minute, 120)
    day = Day().until(120 + 19 / per_minute, {"a": 22.0, "b": lambda m: burning(m) + wobbling(0.0)(m), "c": 22.3})
    assert len(day.when(What.SENSOR_SUSPECT, "a")) == len(day.when(What.SENSOR_SUSPECT, "c")) == 1
    assert not day.when(What.SENSOR_SUSPECT, "b")
    assert day.when(What.BLIND)[0] < 120 + 4 / per_minute
    assert day.when(What.STILL_BLIND)
    assert day.when(What.TRIPPED)


def test_sensors_that_show_whole_degrees_are_not_frozen() -> None:
    """In a room whose sensors seldom change anyway, no change is no sign against those that agree."""
    day = Day().until(300, {"a": 22.0, "b": lambda m: float(int(rising(0.05, 120)(m))), "c": 22.0})
    assert not day.when(What.SENSOR_SUSPECT, "a") + day.when(What.SENSOR_SUSPECT, "c")


def test_a_level_room_makes_nobody_suspect() -> None:
    """Whole degrees that do not change for hours are what a BMC shows of a quiet night."""
    day = Day().until(1440, {"a": 22.0, "b": 23.0, "c": wobbling(22.0)}, {"x": 24.0, "y": 26.0}, every=5.0)
    assert not day.when(What.SENSOR_SUSPECT)


def test_a_sensor_that_drifts_away_from_quiet_neighbours_is_suspect() -> None:
    """A degree an hour reaches no vote: it is told long before HIGH."""
    day = Day().until(600, COOL).until(1500, {**COOL, "a": rising(1 / 60, 600)})
    assert day.when(What.SENSOR_SUSPECT, "a")
    assert day.when(What.SENSOR_SUSPECT, "a")[0] < 600 + 8 * 60
    assert not day.when(What.TRIPPED)


def test_the_inlets_bear_out_the_one_that_burns_against_two_that_are_stuck() -> None:
    """A majority that is frozen does not outvote a room that the servers feel too."""
    stuck = {"a": 22.0, "b": 23.0}
    day = Day().until(60, {**COOL}, {"x": 24.0, "y": 24.0, "z": 25.0})
    hot = rising(0.8, 60, 24.0)
    day.until(120, {**stuck, "c": rising(0.8, 60, 23.0)}, {"x": lambda m: round(hot(m)), "y": lambda m: round(hot(m)),
                                                        "z": lambda m: round(hot(m)) + 1.0})
    assert not day.when(What.SENSOR_SUSPECT, "c")
    assert day.when(What.SENSOR_SUSPECT, "a")
    assert day.when(What.TRIPPED)[0] < 80


def test_all_that_jump_at_once_are_the_room() -> None:
    """A closed rack with its fans stopped: more than air in a room does, and every sensor shows it."""
    day = Day().until(60, COOL).until(70, {"a": 40.0, "b": 41.0, "c": 40.5})
    assert not day.when(What.SENSOR_SUSPECT)
    assert day.when(What.TRIPPED) == [60]
