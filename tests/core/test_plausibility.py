"""Who is not believed, and why; who bears whom out; who is believed again."""

import pytest

from core.course_of import STARTS_AT, Day, Degrees, rising, wobbling
from thermo_guard.core.decisions import What
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.readings import Poll, Reading

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


def test_a_probe_that_only_just_got_power_is_no_fahrenheit_in_a_warm_room() -> None:
    """85 is what both send where it is 29 degC: the one again and again, the other between its neighbours' values."""
    warm = {"a": wobbling(28.0), "b": wobbling(28.5), "c": wobbling(29.0)}
    day = Day().until(60, warm).until(90, {**warm, "a": 85.0})
    assert "only just got power" in day.why(What.SENSOR_SUSPECT)
    day = Day().until(60, {**warm, "a": lambda minute: 85.0 if minute % 7 == 3 else 84.2 + minute % 2})
    assert "degrees Fahrenheit" in day.why(What.SENSOR_SUSPECT)


def test_nonsense_once_is_a_slip_and_twice_a_fault() -> None:
    """A value that is no number leaves a sensor its vote once; it is told each time."""
    day = Day().until(60, COOL).until(61, {"b": 22.0, "c": 22.0}, nonsense=("a",)).until(62, COOL)
    assert day.when(What.SENSOR_SUSPECT) == [60]
    assert day.when(What.SENSOR_RESTORED) == [61]
    assert day.why(What.SENSOR_RESTORED) == "it measures again"
    day.until(120, COOL).until(122, {"b": 22.0, "c": 22.0}, nonsense=("a",)).until(150, COOL)
    assert day.when(What.SENSOR_RESTORED) == [61, 132]


def test_a_sensor_that_sends_nonsense_every_other_time_is_told_once() -> None:
    """Twice within ten minutes is a fault: it stays out until it has behaved for as long."""
    day = Day().until(60, COOL)
    for minute in range(60, 120):
        day.until(minute + 1, *([{"b": 22.5, "c": 23.0}] if minute % 2 else [COOL]), nonsense=("a",) * (minute % 2))
    assert day.when(What.SENSOR_SUSPECT, "a") == [61, 63]
    assert day.when(What.SENSOR_RESTORED, "a") == [62]


def test_a_suspect_sensor_comes_back_after_it_has_behaved() -> None:
    """Ten minutes, not one good value."""
    day = Day().until(60, COOL).until(63, {**COOL, "a": 85.0}).until(90, COOL)
    assert day.when(What.SENSOR_SUSPECT) == [60]
    assert day.when(What.SENSOR_RESTORED) == [73]
    assert day.why(What.SENSOR_RESTORED) == "it has behaved for 10 min"
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


@pytest.mark.parametrize("minutes", [5, 10])
def test_two_that_froze_just_before_the_fire_are_found_out(minutes: int) -> None:
    """First the third is not believed; once chance no longer explains their silence it is heard again, and trips."""
    def still(name: str) -> Degrees:
        return lambda minute: COOL[name](min(minute, 300 - minutes))

    burning = rising(0.6, 300, 23.0, 57.0)
    day = Day().until(400, {"a": still("a"), "b": still("b"), "c": lambda m: round(burning(m) + wobbling(0.0)(m), 1)})
    assert day.when(What.SENSOR_SUSPECT, "c")[0] < day.when(What.SENSOR_SUSPECT, "a")[0]
    assert day.when(What.SENSOR_RESTORED, "c")
    assert day.when(What.TRIPPED)


def test_a_closed_rack_discredits_nobody_who_stands_as_usual() -> None:
    """Two sensors behind its door go up by 12.9 K in five minutes; the third is believed, and nothing is projected."""
    def closed(base: float) -> Degrees:
        return lambda m: wobbling(base)(m) + (0.0 if m < 120 else min(12.9, round(6.4 + 1.6 * (m - 120), 1)))

    day = Day().until(180, {"a": closed(20.0), "b": closed(20.2), "c": wobbling(20.4)})
    assert not day.when(What.SENSOR_SUSPECT, "c")
    assert not day.when(What.TRIPPED)


@pytest.mark.parametrize(("back_s", "named"), [(0.0, "repeats the time of its last"), (1800.0, "clock was set back")])
def test_times_that_do_not_advance_are_named(back_s: float, named: str) -> None:
    """New values under the time of the last measurement, or under earlier ones, are of no known time."""
    day = Day().until(60, COOL)
    for minute in range(60, 75):
        now = STARTS_AT + 60 * minute
        stamp = now - back_s if back_s else STARTS_AT + 59 * 60
        odd = Reading("a", 23.0 + minute / 10, stamp, now, now - stamp)
        well = tuple(Reading(name, COOL[name](minute), now, now, 0.0) for name in "bc")
        day.course.take(Poll(now, (odd, *well)))
        day.decided += [(minute, one) for one in day.course.decide(now)]
    assert day.when(What.SENSOR_SUSPECT, "a") == [64]
    assert named in day.why(What.SENSOR_SUSPECT)


def test_old_measurements_that_come_in_a_heap_speak_against_nobody() -> None:
    """A gateway that was cut off delivers what it has kept."""
    day = Day().until(60, COOL)
    for minute in (60, 61):
        now = STARTS_AT + 60 * minute
        kept = tuple(Reading("a", 20.0 + n / 10, now - 600 - n, now, 600.0 + n) for n in range(20))
        day.course.take(Poll(now, kept, lists_all=False))
        day.until(minute + 1, COOL)
    assert not day.when(What.SENSOR_SUSPECT)


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


@pytest.mark.parametrize("value", [41.0, 42.0, 44.3])
def test_one_that_is_hot_in_a_warm_room_trips_nothing_by_itself(value: float) -> None:
    """Its neighbours stand still at 33: that is no room at its end, whatever it goes on to say (S2)."""
    warm = {"a": wobbling(32.5), "b": wobbling(33.0), "c": wobbling(33.3)}
    day = Day(PolicySettings(stop_s=600.0)).until(60, COOL)
    day.until(90, {name: rising(0.4, 60, 22.5, 33.0) for name in COOL})
    day.until(150, warm).until(151, {**warm, "a": value}).until(240, warm)
    day.until(400, {**warm, "a": wobbling(value)})
    assert not day.when(What.TRIPPED)


def test_a_suspect_is_not_believed_because_the_room_has_warmed_a_little() -> None:
    """42 beside 32 is borne out by nobody, though 32 is half of its rise."""
    warming = rising(0.5, 90, 22.5, 32.0)
    day = Day().until(60, COOL).until(90, {**COOL, "a": 42.0}).until(140, {"a": 42.0, "b": warming, "c": warming})
    assert day.when(What.SENSOR_SUSPECT, "a") == [60]
    assert not day.when(What.SENSOR_RESTORED, "a")
    assert not day.when(What.TRIPPED)
