"""The room's level as the issue words it: votes, on-delay, CRITICAL, BLIND; each as a short day."""

import pytest

from core.timeline import STARTS_AT, Story, first, levels, three
from thermo_guard.core.policy import Level, PolicySettings, Room, assess, remembered, seen, votes_needed
from thermo_guard.core.readings import Poll, Reading

HOT, COOL, BAND = 36.0, 24.0, 32.0
ALARM = (Level.HIGH, Level.CRITICAL)


# --- votes ---


@pytest.mark.parametrize(("sensors", "votes"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (9, 5)])
def test_the_default_vote_is_a_majority(sensors: int, votes: int) -> None:
    """More than half of the configured sensors; one where there is one."""
    assert votes_needed(PolicySettings(), sensors) == votes


def test_two_of_three_trip() -> None:
    """A majority at or above HIGH for the on-delay is HIGH, whatever the third says."""
    story = Story().steady(0, 30, 2, a=COOL, b=COOL, c=COOL).steady(30, 60, 2, a=HOT, b=35.0)
    day = story.steady(30, 60, 2, c=COOL).until(60)
    assert levels(day, 0, 29.9) == {Level.LOW}
    assert first(day, *ALARM) == pytest.approx(32, abs=0.3)
    assert levels(day, 32.3, 60) == {Level.HIGH}


def test_one_of_three_never_trips() -> None:
    """One sensor in a bad place is not the room."""
    day = Story().steady(0, 600, 2, a=39.9, b=COOL, c=COOL).until(600)
    assert levels(day, 0.3) == {Level.BAND}


def test_just_below_high_never_trips() -> None:
    """At or above is the rule; a tenth below is not."""
    day = Story().steady(0, 120, 2, a=34.9, b=34.9, c=34.9).until(120)
    assert levels(day, 0.3) == {Level.BAND}


def test_votes_count_against_configured_sensors_not_against_those_that_happen_to_be_fresh() -> None:
    """With three of five asked for, two hot ones among four fresh are too few."""
    settings = PolicySettings(sensors=("a", "b", "c", "d", "e"))
    day = Story(settings).steady(0, 120, 2, a=HOT, b=HOT, c=COOL, d=COOL).until(120)
    assert not levels(day) & set(ALARM)


def test_sensors_that_are_not_configured_neither_vote_nor_agree() -> None:
    """A sensor in another room of the same network changes nothing."""
    day = Story().steady(0, 120, 2, a=COOL, b=COOL, c=COOL, x=45.0, y=45.0).until(120)
    assert levels(day, 0.3) == {Level.LOW}


def test_two_of_three_becomes_two_of_two() -> None:
    """When one of three sensors drops out, both of the others must agree."""
    one = Story().steady(0, 180, 2, a=COOL, b=COOL).steady(0, 10, 2, c=COOL).steady(60, 180, 2, a=HOT)
    assert not levels(one.until(180)) & set(ALARM)
    both = Story().steady(0, 60, 2, a=COOL, b=COOL).steady(0, 10, 2, c=COOL).steady(60, 90, 2, a=HOT, b=HOT)
    assert first(both.until(90), *ALARM) == pytest.approx(62, abs=0.3)


def test_four_votes_of_seven_degrade_to_two_and_no_further() -> None:
    """The demand falls with the fresh sensors, down to 2; with one left the room is BLIND, however hot that is."""
    settings = PolicySettings(sensors=tuple("abcdefg"))
    cool = dict.fromkeys("abcdefg", COOL)
    story = Story(settings).steady(0, 10, 2, **cool).steady(10, 60, 2, a=HOT, b=HOT)
    assert first(story.until(60), Level.HIGH) == pytest.approx(13, abs=0.5)  # the others go stale after 5 min
    alone = Story(settings).steady(0, 10, 2, **cool).steady(10, 60, 2, a=HOT)
    day = alone.until(60)
    assert levels(day, 15, 60) == {Level.BLIND}


@pytest.mark.parametrize(("degrade_to", "expected"), [(2, Level.BLIND), (1, Level.HIGH)])
def test_the_last_sensor_alone_trips_only_where_the_operator_says_so(degrade_to: int, expected: Level) -> None:
    """VOTES_DEGRADE_TO=1 lets the last sensor decide; by default it does not."""
    story = Story(three(degrade_to=degrade_to)).steady(0, 10, 2, a=COOL, b=COOL, c=COOL).steady(10, 60, 2, a=HOT)
    assert levels(story.until(60), 20, 60) == {expected}


def test_a_single_configured_sensor_decides_alone() -> None:
    """One sensor is a poor site, but a guarded one."""
    day = Story(PolicySettings(sensors=("a",))).steady(0, 20, 2, a=COOL).steady(20, 40, 2, a=HOT).until(40)
    assert first(day, *ALARM) == pytest.approx(22, abs=0.3)


def test_trip_votes_of_one_stays_one() -> None:
    """An operator who asks for one vote gets it; the floor of 2 does not raise it."""
    day = Story(three(votes=1)).steady(0, 20, 2, a=COOL, b=COOL, c=COOL).steady(20, 40, 2, a=HOT).until(40)
    assert first(day, *ALARM) == pytest.approx(22, abs=0.3)


def test_two_sensors_of_which_one_dies_are_blind() -> None:
    """A majority of two is two: with one left nobody can say what the room is, and its reading is told."""
    story = Story(PolicySettings(sensors=("a", "b"))).steady(0, 60, 2, a=HOT).steady(0, 9, 2, b=COOL)
    day = story.until(60)
    assert levels(day, 14, 60) == {Level.BLIND}
    assert any("36.0 degC at a" in reason for reason in day[-1].assessment.reasons)


# --- on-delay ---


def test_one_sample_polled_ten_times_counts_once() -> None:
    """The on-delay needs distinct measurements: the same stamp again is the same sample."""
    day = Story().measure(0, a=COOL, b=COOL, c=COOL).measure(20, a=HOT, b=HOT, c=HOT).until(39.9)
    assert not levels(day) & set(ALARM)
    again = Story().measure(0, a=COOL, b=COOL, c=COOL).measure(20, a=HOT, b=HOT, c=HOT).measure(40, a=HOT, b=HOT)
    assert first(again.until(45), *ALARM) == pytest.approx(40, abs=0.3)


def test_the_on_delay_is_between_measurements() -> None:
    """Measurements every 20 s stand for a minute before they vote."""
    story = Story(three(poll_interval_s=20.0)).steady(0, 10, 1 / 3, a=COOL, b=COOL, c=COOL)
    day = story.steady(10, 20, 1 / 3, a=HOT, b=HOT, c=HOT).until(20)
    assert first(day, *ALARM) == pytest.approx(11, abs=0.4)


def test_a_single_cooler_measurement_starts_the_on_delay_anew() -> None:
    """Consecutive measurements at or above HIGH are meant."""
    story = Story().steady(0, 10, 2, a=COOL, b=COOL, c=COOL)
    for minute in range(10, 60, 2):
        value = HOT if minute % 4 == 2 else 34.0
        story.measure(minute, a=value, b=value, c=value)
    assert not levels(story.until(60)) & set(ALARM)


def test_a_gap_breaks_the_run() -> None:
    """Hot, an hour of nothing, hot again: what was between is not known, and the on-delay starts anew."""
    story = Story().measure(0, a=HOT, b=HOT, c=HOT).measure(65, a=HOT, b=HOT, c=HOT)
    day = story.until(80)
    assert not levels(day) & set(ALARM)
    assert first(story.measure(81, a=HOT, b=HOT).until(85), *ALARM) == pytest.approx(81, abs=0.3)


def test_zero_on_delay_trips_on_the_first_votes() -> None:
    """TRIP_ON_DELAY=0 is the operator's word."""
    day = Story(three(on_delay_s=0.0)).steady(0, 10, 2, a=COOL, b=COOL, c=COOL).measure(10, a=HOT, b=HOT).until(12)
    assert first(day, *ALARM) == pytest.approx(10, abs=0.3)


def test_a_restart_in_the_on_delay_loses_nothing() -> None:
    """A kill -9 between the first and the second hot measurement does not start the delay anew."""
    story = Story().steady(0, 20, 2, a=COOL, b=COOL, c=COOL).measure(20, a=HOT, b=HOT).restart(21)
    day = story.measure(22, a=HOT, b=HOT).until(25)
    assert first(day, *ALARM) == pytest.approx(22, abs=0.3)


# --- CRITICAL ---


def test_one_sensor_that_was_warm_before_is_critical_at_once() -> None:
    """Its measurement before stood above LOW: it is a room that heats, not a spike."""
    day = Story().steady(0, 10, 2, a=34.1, b=31.0, c=31.0).measure(10, a=40.0).until(12)
    assert first(day, Level.CRITICAL) == pytest.approx(10, abs=0.3)


def test_one_sensor_that_its_neighbours_contradict_is_not_critical() -> None:
    """Two that have measured since and stand still below LOW outweigh one, however sure that is of itself."""
    story = Story().steady(0, 60, 2, b=COOL, c=COOL)
    for minute in range(30):
        story.measure(minute, a=COOL + minute)
    assert Level.CRITICAL not in levels(story.steady(30, 60, 2, a=52.0).until(60))


def test_a_neighbour_that_rises_too_contradicts_nothing() -> None:
    """A slower sensor in the same heat is behind, and no witness against it."""
    story = Story(PolicySettings(sensors=("a", "b"))).steady(0, 20, 2, a=COOL, b=COOL)
    for minute in range(20, 40, 2):
        story.measure(minute, a=COOL + 2 * (minute - 20), b=COOL + 0.6 * (minute - 20))
    assert first(story.until(40), Level.CRITICAL) == pytest.approx(28, abs=0.3)


def test_a_second_sensor_that_agrees_makes_it_critical_at_once() -> None:
    """Two sensors do not spike together."""
    day = Story().steady(0, 10, 2, a=COOL, b=COOL, c=COOL).measure(10, a=41.0, b=41.0).until(12)
    assert first(day, Level.CRITICAL) == pytest.approx(10, abs=0.3)


def test_a_measurement_of_yesterday_announces_nothing() -> None:
    """A glitch after a day without measurements is not the warm room of the day before getting hot."""
    only = PolicySettings(sensors=("a",))
    story = Story(only).steady(0, 10, 2, a=31.0).measure(1450, a=41.0)
    assert Level.CRITICAL not in levels(story.until(1470))
    assert first(story.measure(1452, a=41.5).until(1470), Level.CRITICAL) == pytest.approx(1452, abs=0.3)


def test_an_unannounced_critical_value_waits_for_its_next_distinct_measurement() -> None:
    """From 22 to 41 in one step is believed when it is measured again, not when it is polled again."""
    story = Story(PolicySettings(sensors=("a",))).steady(0, 20, 10, a=22.0).measure(20, a=41.0)
    assert Level.CRITICAL not in levels(story.until(31.9))
    assert first(story.measure(32, a=40.5).until(35), Level.CRITICAL) == pytest.approx(32, abs=0.3)


@pytest.mark.parametrize("settings", [
    PolicySettings(sensors=("a",)), PolicySettings(sensors=("a", "b")), three(), three(votes=1), three(degrade_to=1),
    PolicySettings(),
])
def test_a_single_wild_spike_never_trips(settings: PolicySettings) -> None:
    """22, 85, 22: in every set-up a sensor's glitch is not an alarm."""
    names = settings.sensors or ("a", "b", "c")
    story = Story(settings).steady(0, 30, 5, **dict.fromkeys(names, 22.0)).measure(30, a=85.0)
    story.steady(35, 60, 5, **dict.fromkeys(names, 22.0))
    if len(names) > 1:
        story.measure(30, **dict.fromkeys(names[1:], 22.0))
    assert not levels(story.until(60)) & set(ALARM)


def test_the_first_measurement_ever_is_no_alarm_alone() -> None:
    """A sensor that is switched on and says 85 has no measurement before: it is asked for another."""
    day = Story().steady(0, 30, 2, b=22.0, c=22.0).measure(10, a=85.0).until(30)
    assert not levels(day) & set(ALARM)


def test_critical_trips_while_otherwise_blind() -> None:
    """One fresh sensor of three, warm before and critical now, is an alarm although the votes are too few."""
    story = Story().steady(0, 10, 2, b=COOL, c=COOL).steady(0, 40, 2, a=32.0).steady(40, 50, 2, a=40.5)
    day = story.until(50)
    assert levels(day, 20, 39.9) == {Level.BLIND}
    assert levels(day, 40.3, 50) == {Level.CRITICAL}


def test_a_stale_critical_reading_is_nothing() -> None:
    """A sensor that keeps its last value for ever neither trips nor agrees."""
    settings = three(max_age_s=600.0)
    ancient = (
        Reading("a", 45.0, STARTS_AT - 90_000.0, STARTS_AT, 90_000.0),
        Reading("b", 44.0, STARTS_AT - 80_000.0, STARTS_AT, 80_000.0),
    )
    room = seen(Room(STARTS_AT), Poll(STARTS_AT, ancient), settings)
    assert assess(room, settings, STARTS_AT)[1].level is Level.BLIND


# --- freshness ---


@pytest.mark.parametrize(("cadence_s", "max_age_s"), [
    (30, 300), (120, 300), (121, 302.5), (300, 750), (600, 1500), (1080, 2700), (1200, 2700), (7200, 2700),
])
def test_stale_is_two_and_a_half_cadences_within_5_and_45_minutes(cadence_s: float, max_age_s: float) -> None:
    """SENSOR_MAX_AGE by default follows the measured cadence."""
    settings = PolicySettings(sensors=("a",))
    readings = [Reading("a", COOL, i * cadence_s, i * cadence_s, 0.0) for i in range(6)]
    room = seen(remembered(Room(0.0), readings, settings), Poll(5 * cadence_s), settings)
    last = 5 * cadence_s
    for age_s, expected in ((max_age_s, True), (max_age_s + 0.1, False)):
        _, assessment = assess(room, settings, last + age_s)
        assert assessment.sensors[0].is_fresh is expected


def test_the_setting_overrides_the_cadence() -> None:
    """SENSOR_MAX_AGE is taken as it stands."""
    settings = PolicySettings(sensors=("a",), max_age_s=90.0)
    room = remembered(Room(0.0), [Reading("a", COOL, i * 60.0, i * 60.0, 0.0) for i in range(6)], settings)
    fresh = [assess(room, settings, 300.0 + age_s)[1].sensors[0].is_fresh for age_s in (90.0, 91.0)]
    assert fresh == [True, False]


def test_a_duplicate_stamp_changes_nothing() -> None:
    """The same stamp with another value, or an older one, is no new measurement."""
    settings = three()
    room = remembered(Room(0.0), [Reading("a", COOL, 100.0, 100.0, 0.0)], settings)
    again = remembered(room, [Reading("a", 90.0, 100.0, 160.0, 60.0), Reading("a", 90.0, 40.0, 160.0, 120.0)], settings)
    assert again.tracks["a"].recent == room.tracks["a"].recent


def test_a_reading_kept_by_a_clock_that_was_ahead_is_not_fresh() -> None:
    """After the NAS clock is set back, what was kept lies in the future: unknown, until it is measured again (S2)."""
    settings = PolicySettings(sensors=("a",))
    ahead = [Reading("a", COOL, STARTS_AT + 60.0 * i, STARTS_AT + 7200 + 60.0 * i, 0.0) for i in range(5)]
    room = remembered(Room(STARTS_AT + 300), ahead, settings)
    now = STARTS_AT + 300.0
    room, assessment = assess(seen(room, Poll(now), settings), settings, now)
    assert assessment.level is Level.BLIND
    served_again = Poll(now + 60, (Reading("a", COOL, STARTS_AT + 240.0, now + 60, 120.0),))
    _, assessment = assess(seen(room, served_again, settings), settings, now + 60)
    assert assessment.level is Level.LOW, "the same measurement, its age judged by the right clock"


def test_a_frozen_answer_grows_old() -> None:
    """A cache that serves one answer for ever with one age makes no reading younger than when it was first seen."""
    settings = PolicySettings(sensors=("a",))
    room = Room(STARTS_AT)
    for minute in range(60):
        now = STARTS_AT + 60.0 * minute
        room = seen(room, Poll(now, (Reading("a", COOL, STARTS_AT, now, 5.0),)), settings)
        room, assessment = assess(room, settings, now)
    assert assessment.level is Level.BLIND


# --- BLIND ---


@pytest.mark.parametrize("poll_s", [1.0, 15.0, 60.0, 99.0, 100.0, 179.0, 200.0, 299.0, 300.0])
def test_blind_is_told_within_ten_minutes_of_the_last_successful_poll(poll_s: float) -> None:
    """For every poll interval that the settings allow, with sensors whose readings would still count for 45 min."""
    story = Story(three(poll_interval_s=poll_s)).steady(0, 200, 20, a=COOL, b=COOL, c=COOL).silent(61, 200)
    day = story.until(120)
    last_poll_min = (61 * 60 - 1) // poll_s * poll_s / 60
    blind_at = first(day, Level.BLIND)
    assert blind_at is not None
    assert last_poll_min < blind_at <= last_poll_min + 10
    assert levels(day, blind_at, 120) == {Level.BLIND}


@pytest.mark.parametrize("poll_s", [1.0, 60.0, 150.0, 300.0])
def test_answered_polls_alone_never_blind(poll_s: float) -> None:
    """Between two polls of any allowed interval nothing is missing."""
    day = Story(three(poll_interval_s=poll_s)).steady(0, 200, 20, a=COOL, b=COOL, c=COOL).until(180)
    assert levels(day) == {Level.LOW}


def test_one_lost_poll_is_not_blindness() -> None:
    """A hiccup of the WAN wakes nobody."""
    day = Story().steady(0, 60, 5, a=COOL, b=COOL, c=COOL).silent(20, 24).until(60)
    assert Level.BLIND not in levels(day)


def test_a_source_that_never_answers_is_told_too() -> None:
    """From the start on: ten minutes without a first answer is blindness, not waiting."""
    day = Story().silent(0, 60).until(60)
    blind_at = first(day, Level.BLIND)
    assert blind_at is not None
    assert blind_at <= 10
    assert levels(day, 0, blind_at - 0.3) == {None}


def test_blind_tells_the_hottest_reading() -> None:
    """Whoever is woken wants to know how hot it was: too few fresh sensors, the hottest of them in the reasons."""
    settings = PolicySettings(sensors=tuple("abcde"), votes=3)
    cool = dict.fromkeys("abcde", COOL)
    day = Story(settings).steady(0, 10, 2, **cool).steady(10, 40, 2, a=33.3).until(40)
    last = day[-1].assessment
    assert last.level is Level.BLIND
    assert any("33.3 degC at a" in reason for reason in last.reasons)
    silent = Story(three()).steady(0, 10, 2, a=COOL, b=34.5, c=COOL).silent(10, 40).until(17)[-1].assessment
    assert silent.level is Level.BLIND
    assert any("34.5" in reason for reason in silent.reasons)


def test_rejected_values_are_neither_cool_nor_hot() -> None:
    """Nonsense leaves a sensor with its last measurement once; the second time in a row it counts no more."""
    story = Story().steady(0, 120, 2, a=COOL, b=COOL, c=COOL).rejected(20, 120, "a").rejected(20, 120, "b")
    day = story.until(60)
    assert levels(day, 0, 20.9) == {Level.LOW}
    assert levels(day, 21.3, 60) == {Level.BLIND}
    assert {s.why for s in day[-1].assessment.sensors} == {"no number", "fresh"}


def test_blind_never_permits_power_on() -> None:
    """Nor does a room that nobody has looked at yet."""
    day = Story().steady(0, 10, 2, a=COOL, b=COOL, c=COOL).silent(10, 60).until(60)
    blind = [m.assessment for m in day if m.assessment.level is Level.BLIND]
    assert blind
    assert not any(a.permits_power_on or a.is_recovered or a.is_alarm for a in blind)


@pytest.mark.parametrize("trouble", ["hot", "blind"])
def test_the_band_permits_nothing_after_trouble(trouble: str) -> None:
    """Sighted again at 32 degC the cooling may be dead: power-on waits until the room has been LOW once more (S3)."""
    story = Story().steady(0, 30, 2, a=COOL, b=COOL, c=COOL).steady(30, 120, 2, a=BAND, b=BAND, c=BAND)
    story = story.silent(40, 60) if trouble == "blind" else story.steady(40, 60, 2, a=HOT, b=HOT, c=HOT)
    day = story.steady(120, 140, 2, a=COOL, b=COOL, c=COOL).steady(140, 160, 2, a=BAND, b=BAND, c=BAND).until(160)
    told = {m.minute: m.assessment for m in day}
    assert all(a.permits_power_on for minute, a in told.items() if 0.3 <= minute < 40), "what a restart heats goes on"
    assert not any(a.permits_power_on for minute, a in told.items() if 50 <= minute < 119)
    assert told[90].level is Level.BAND
    assert any("not yet at or below LOW" in reason for reason in told[90].reasons)
    assert all(a.permits_power_on for minute, a in told.items() if minute > 123)


def test_the_band_permits_nothing_after_a_start() -> None:
    """What the room was before the guard started it does not know: it waits."""
    day = Story().steady(0, 60, 2, a=COOL, b=COOL, c=COOL).steady(10, 60, 2, a=BAND, b=BAND).restart(20).until(40)
    assert all(m.assessment.permits_power_on for m in day if 0.3 <= m.minute < 20)
    assert not any(m.assessment.permits_power_on for m in day if m.minute >= 20)


# --- reasons ---


def test_every_level_has_its_reasons_in_words() -> None:
    """Nobody should have to guess why."""
    story = Story().silent(0, 2).steady(0, 30, 2, a=COOL, b=COOL, c=COOL).steady(30, 60, 2, a=BAND, b=COOL, c=COOL)
    story.steady(60, 90, 2, a=HOT, b=HOT, c=COOL).steady(90, 120, 2, a=42.0, b=HOT, c=COOL).silent(120, 150)
    day = story.until(150)
    assert levels(day) == {None, *Level} - {Level.PROJECTED}
    assert all(m.assessment.reasons and all(m.assessment.reasons) for m in day)
