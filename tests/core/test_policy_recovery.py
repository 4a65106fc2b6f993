"""The way back from an alarm: the recovery, the sensors that count for it, the watch after the first host."""

import pytest

from core.timeline import STARTS_AT, Story, levels, recovered_at, three
from thermo_guard.core.policy import Level, PolicySettings, Room, assess, seen, watch
from thermo_guard.core.readings import Poll, Reading, Rejected

HOT, COOL, BAND = 36.0, 24.0, 32.0
ALARM = (Level.HIGH, Level.CRITICAL)


# --- recovery ---


def test_recovery_needs_the_hold() -> None:
    """Every fresh sensor at or below LOW for RECOVERY_HOLD, counted from when the last of them got there."""
    story = Story().steady(0, 30, 2, a=HOT, b=HOT, c=HOT).steady(30, 50, 2, a=30.0, b=30.0, c=30.1)
    day = story.steady(50, 90, 2, a=30.0, b=30.0, c=30.0).until(90)
    assert recovered_at(day) == pytest.approx(65, abs=0.5)


def test_one_measurement_above_low_starts_the_hold_anew() -> None:
    """A cooling that blinks is no recovery."""
    story = Story().steady(0, 60, 2, a=COOL, b=COOL, c=COOL)
    at_ten = [m for m in story.measure(11, c=30.1).until(60) if m.minute >= 11]
    assert recovered_at(at_ten) == pytest.approx(27, abs=0.5)


def test_recovery_is_not_seen_on_one_old_sample() -> None:
    """A sample from before the hold says nothing about its end: enough sensors must have measured again."""
    story = Story().steady(0, 10, 2, a=COOL, b=COOL, c=COOL)
    settings = three(max_age_s=2700.0)
    story.settings = settings
    assert recovered_at(Story(settings).measure(0, a=COOL, b=COOL, c=COOL).until(44)) is None
    again = Story(settings).measure(0, a=COOL, b=COOL, c=COOL).measure(20, a=COOL).measure(25, b=COOL).until(44)
    assert recovered_at(again) == pytest.approx(25, abs=0.3)


def test_recovery_needs_as_many_fresh_sensors_as_votes() -> None:
    """Four of five asked for: three cool ones are a LOW room, but no recovery."""
    settings = PolicySettings(sensors=tuple("abcde"), votes=4)
    day = Story(settings).steady(0, 120, 2, a=COOL, b=COOL, c=COOL).until(120)
    assert levels(day) == {Level.LOW}
    assert recovered_at(day) is None
    assert any("only 3 of the 4 sensors that a recovery needs" in reason for reason in day[-1].assessment.reasons)
    assert day[-1].assessment.cool_as_of is None


def test_a_room_is_known_to_be_cool_as_of_the_votes_it_needs() -> None:
    """Two of three that need it have measured since minute 20, however fresh the third."""
    story = Story(three(max_age_s=2700.0)).measure(0, a=COOL, b=COOL, c=COOL).measure(20, a=COOL).measure(25, b=COOL)
    day = {m.minute: m.assessment.cool_as_of for m in story.until(30)}
    assert (day[10], day[22], day[30]) == (STARTS_AT, STARTS_AT, STARTS_AT + 20 * 60)
    band = Story().steady(0, 20, 2, a=BAND, b=COOL, c=COOL).until(20)
    assert {m.assessment.cool_as_of for m in band} == {None}


def test_blindness_starts_the_hold_anew() -> None:
    """What nobody saw does not count as cool."""
    day = Story().steady(0, 90, 2, a=COOL, b=COOL, c=COOL).silent(5, 20).until(60)
    assert recovered_at(day) == pytest.approx(35, abs=0.5)


def test_a_restart_starts_the_hold_anew() -> None:
    """The hold is not remembered: fail towards waiting."""
    day = Story().steady(0, 90, 2, a=COOL, b=COOL, c=COOL).restart(10).until(60)
    assert recovered_at(day) == pytest.approx(25, abs=0.5)


# --- sensors that the settings do not name ---


def test_a_sensor_that_joins_counts() -> None:
    """Without MERAKI_SENSORS every sensor ever seen is configured: the majority grows with them, also in an alarm."""
    story = Story(PolicySettings()).steady(0, 60, 2, a=HOT).steady(30, 60, 2, b=COOL, c=COOL)
    day = story.until(60)
    assert levels(day, 2.3, 29.9) == {Level.HIGH}
    assert levels(day, 30.3, 60) == {Level.BAND}
    assert day[-1].assessment.demand == 2


def test_a_sensor_that_left_still_counts() -> None:
    """One that has died is unknown, not gone: two hot ones of five known are no majority."""
    story = Story(PolicySettings()).steady(0, 10, 2, a=COOL, b=COOL, c=COOL, d=COOL, e=COOL)
    day = story.steady(10, 60, 2, a=HOT, b=HOT, c=COOL, d=COOL).until(60)
    assert not levels(day) & set(ALARM)


DAY_S = 24 * 3600.0
NO_NAMES = PolicySettings()


def listed(room: Room, begin_d: float, end_d: float, settings: PolicySettings = NO_NAMES, **celsius: float) -> Room:
    """The room after answers every 20 minutes that list these sensors and no other."""
    for step in range(int((end_d - begin_d) * 72)):
        now = STARTS_AT + begin_d * DAY_S + 1200.0 * step
        readings = tuple(Reading(name, value, now, now, 0.0) for name, value in celsius.items())
        room, _ = assess(seen(room, Poll(now, readings), settings), settings, now)
    return room


def test_sensors_that_were_replaced_are_forgotten_in_the_end() -> None:
    """Three old ones that no answer lists vote for a week; then those that are there suffice for a recovery."""
    room = listed(listed(Room(STARTS_AT), 0, 1, a=COOL, b=COOL, c=COOL), 1, 7.9, x=COOL, y=COOL, z=COOL)
    assert set(room.sensors) == set("abcxyz")
    assert listed(room, 7.9, 8.1, x=COOL, y=COOL, z=COOL).sensors == ("x", "y", "z")


def test_a_replaced_one_of_two_does_not_blind_for_ever() -> None:
    """One of two was taken away: BLIND for a week, and then a site of one sensor, if that is cool."""
    room = listed(listed(Room(STARTS_AT), 0, 1, a=COOL, b=COOL), 1, 7.9, a=COOL)
    now = STARTS_AT + 7.9 * DAY_S
    assert assess(room, NO_NAMES, now)[1].level is Level.BLIND
    assert listed(room, 7.9, 8.1, a=COOL).sensors == ("a",)


@pytest.mark.parametrize("degrees", [BAND, 39.0])
def test_a_room_that_is_not_cool_forgets_no_sensor(degrees: float) -> None:
    """The one that the heat destroyed was not taken away."""
    room = listed(listed(Room(STARTS_AT), 0, 1, a=COOL, b=COOL, c=COOL), 1, 12, a=degrees, b=degrees)
    assert room.sensors == ("a", "b", "c")


def test_only_a_week_of_answers_counts() -> None:
    """A sensor that sends nonsense is there; a week without answers says nothing; named sensors vote for ever."""
    begin = listed(Room(STARTS_AT), 0, 1, a=COOL, b=COOL, c=COOL)
    gap = listed(listed(begin, 1, 2, a=COOL, b=COOL), 10, 11, a=COOL, b=COOL)
    assert gap.sensors == ("a", "b", "c")
    named = listed(begin, 1, 12, PolicySettings(sensors=("a", "b", "c")), a=COOL, b=COOL)
    assert named.sensors == ("a", "b", "c")
    room = begin
    for step in range(72 * 12):
        now = STARTS_AT + DAY_S + 1200.0 * step
        readings = tuple(Reading(name, COOL, now, now, 0.0) for name in "ab")
        room, _ = assess(seen(room, Poll(now, readings, (Rejected("c", "no number"),)), NO_NAMES), NO_NAMES, now)
    assert room.sensors == ("a", "b", "c")


def test_a_network_without_sensors_is_blind() -> None:
    """An empty answer is not a cool room."""
    assert levels(Story(PolicySettings()).until(30)) == {Level.BLIND}


def test_the_hold_counts_from_when_the_room_is_back_at_its_usual_level() -> None:
    """With its hosts off it fell below LOW before anything cooled it: that time says nothing."""
    story = Story().steady(0, 60, 2, a=22.0, b=22.0, c=22.0).steady(60, 90, 2, a=HOT, b=HOT, c=HOT)
    story = story.steady(90, 120, 2, a=28.0, b=28.0, c=28.0).steady(120, 200, 2, a=23.0, b=23.0, c=23.0)
    first = next(moment.minute for moment in story.until(200) if moment.minute > 90 and moment.assessment.is_recovered)
    assert 135 <= first <= 137


# --- the watch after the first host ---


def watched(story: Story, since_min: float, at_min: float) -> bool:
    moment = story.until(at_min)[-1]
    now = STARTS_AT + moment.minute * 60
    return watch(moment.room, moment.assessment, story.settings, STARTS_AT + since_min * 60, now).is_clear


def test_the_watch_is_clear_after_its_time_in_a_level_room() -> None:
    """RESTART_WATCH without a rise of 1 degC since the first host came on."""
    story = Story().steady(0, 60, 2, a=24.0, b=24.5, c=23.0)
    assert not watched(story, 20, 29)
    assert watched(story, 20, 31)


@pytest.mark.parametrize("begin_tenths", range(180, 300, 7))
def test_a_rise_of_one_degree_holds_the_others(begin_tenths: int) -> None:
    """Exactly 1 degC is a rise, in tenths as sensors say them; nine tenths are not."""
    begin = begin_tenths / 10
    for rise_tenths, is_clear in ((9, True), (10, False)):
        end = (begin_tenths + rise_tenths) / 10
        story = Story().steady(0, 60, 2, b=20.0, c=20.0).steady(0, 24, 2, a=begin).steady(24, 60, 2, a=end)
        assert watched(story, 20, 31) is is_clear


@pytest.mark.parametrize(("rise_k", "is_clear"), [(0.5, True), (0.6, False)])
def test_a_rise_that_most_sensors_show_holds_the_others_sooner(rise_k: float, is_clear: bool) -> None:
    """Where nothing cools one host warms all of the room a little; a draught warms one sensor."""
    story = Story().steady(0, 24, 2, a=24.0, b=24.0, c=24.0).steady(24, 60, 2, a=24.0, b=24.0 + rise_k, c=24.0 + rise_k)
    assert watched(story, 20, 31) is is_clear


def test_the_watch_compares_with_the_room_before_the_first_host() -> None:
    """With slow sensors the rise is against the last measurement from before."""
    story = Story(three(max_age_s=2700.0)).measure(10, a=24.0, b=24.0, c=24.0).measure(25, a=25.2, b=24.0, c=24.0)
    assert not watched(story, 20, 33)


def test_the_watch_needs_new_measurements() -> None:
    """No sensor has spoken since the host came on: the silence is not level."""
    story = Story(three(max_age_s=2700.0)).measure(10, a=24.0, b=24.0, c=24.0)
    assert not watched(story, 20, 40)
    assert watched(story.measure(39, a=24.0, b=24.0), 20, 40)


def test_a_room_that_settles_after_a_rise_is_clear_in_the_end() -> None:
    """The others follow once RESTART_WATCH has passed without a rise."""
    story = Story().steady(0, 22, 2, a=24.0, b=24.0, c=24.0).steady(22, 60, 2, a=25.5, b=24.0, c=24.0)
    assert not watched(story, 20, 31)
    assert watched(story, 20, 36)


def test_the_watch_is_never_clear_while_blind_or_hot() -> None:
    """Power-on is not permitted then, whatever the slope."""
    blind = Story().steady(0, 90, 2, a=24.0, b=24.0, c=24.0).silent(30, 90)
    assert not watched(blind, 20, 60)
    hot = Story().steady(0, 90, 2, a=HOT, b=HOT, c=HOT)
    assert not watched(hot, 20, 60)
