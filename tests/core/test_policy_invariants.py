"""What must hold of the room's level whatever the sensors say: no data is neither cool nor hot, order means nothing.

That votes, blindness and recovery follow the rules is held by the state machine in test_policy_machine.py.
"""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.timeline import STARTS_AT
from thermo_guard.core.policy import Assessment, Level, PolicySettings, Room, assess, remembered, seen
from thermo_guard.core.readings import Poll, Reading, Rejected

NAMES = ("a", "b", "c", "d", "e")
unhurried = hypothesis_settings(deadline=None)
"""A busy machine is no fault of the policy."""
ALARM = {Level.HIGH, Level.CRITICAL}

degrees = st.integers(-400, 1000).map(lambda tenths: tenths / 10)
gaps_s = st.sampled_from([1.0, 20.0, 60.0, 120.0, 299.0, 300.0, 301.0, 1200.0, 2700.0, 2701.0, 9000.0])


@st.composite
def policies(draw: st.DrawFn) -> PolicySettings:
    """Any settings that config.py lets through."""
    names = draw(st.none() | st.integers(1, 5).map(lambda count: NAMES[:count]))
    votes = draw(st.none() | st.integers(1, 5 if names is None else len(names)))
    return PolicySettings(
        sensors=names, votes=votes, degrade_to=draw(st.sampled_from([1, 2])),
        on_delay_s=draw(st.sampled_from([0.0, 60.0, 600.0])),
        max_age_s=draw(st.none() | st.sampled_from([60.0, 900.0, 2700.0])),
        recovery_hold_s=draw(st.sampled_from([0.0, 60.0, 900.0])),
        poll_interval_s=draw(st.sampled_from([1.0, 60.0, 300.0])),
    )


@st.composite
def histories(draw: st.DrawFn, values: st.SearchStrategy[float] = degrees) -> list[Poll]:
    """Polls in order, each with what some sensors had measured by then; some stamps again, some out of order."""
    now, polls = STARTS_AT, []
    for _ in range(draw(st.integers(0, 12))):
        now += draw(gaps_s)
        readings, rejected = [], []
        for sensor in draw(st.lists(st.sampled_from(NAMES), unique=True)):
            if draw(st.integers(0, 9)) == 0:
                rejected.append(Rejected(sensor, "no number"))
                continue
            age_s = draw(st.sampled_from([0.0, 5.0, 60.0, 1000.0, 100_000.0]))
            readings.append(Reading(sensor, draw(values), now - age_s, now, age_s))
        polls.append(Poll(now, tuple(readings), tuple(rejected)))
    return polls


def judged(polls: list[Poll], settings: PolicySettings, after_s: float = 0.0) -> list[Assessment]:
    """The room at each poll, and some time after the last."""
    room, told = Room(STARTS_AT), []
    now = STARTS_AT
    for poll in polls:
        now = poll.at
        room, assessment = assess(seen(room, poll, settings), settings, now)
        told.append(assessment)
    told.append(assess(room, settings, now + after_s)[1])
    return told


@unhurried
@given(policies(), histories(degrees.filter(lambda c: c < 35.0)), st.floats(0, 10_000))
def test_readings_below_high_never_make_an_alarm(
    settings: PolicySettings, polls: list[Poll], after_s: float
) -> None:
    """No gap, restart, duplicate or silence turns what is below HIGH into heat (S2)."""
    assert not {a.level for a in judged(polls, settings, after_s)} & ALARM


@unhurried
@given(policies(), st.lists(gaps_s, max_size=12))
def test_no_data_is_neither_hot_nor_cool(settings: PolicySettings, gaps: list[float]) -> None:
    """A source that answers and shows nothing leaves the room BLIND: no alarm, no recovery, no power-on (S2, S3)."""
    now, polls = STARTS_AT, []
    for gap_s in gaps:
        now += gap_s
        polls.append(Poll(now, (), (Rejected("a", "missing"),)))
    for assessment in judged(polls, settings):
        assert assessment.level in {Level.BLIND, None}
        assert not any((assessment.permits_power_on, assessment.is_recovered, assessment.is_alarm))


@unhurried
@given(policies(), histories(), st.randoms(use_true_random=False))
def test_the_order_of_sensors_does_not_matter(
    settings: PolicySettings, polls: list[Poll], chance: random.Random
) -> None:
    """Neither the order in an answer nor that in MERAKI_SENSORS."""
    shuffled = [replace(poll, readings=tuple(chance.sample(poll.readings, len(poll.readings)))) for poll in polls]
    other = settings
    if settings.sensors is not None:
        other = replace(settings, sensors=tuple(chance.sample(settings.sensors, len(settings.sensors))))
    for one, two in zip(judged(polls, settings), judged(shuffled, other), strict=True):
        assert (one.level, one.votes, one.demand, one.hottest_c, one.is_recovered) == (
            two.level, two.votes, two.demand, two.hottest_c, two.is_recovered)
        assert set(one.sensors) == set(two.sensors)


@unhurried
@given(policies(), histories())
def test_the_same_readings_again_change_nothing(settings: PolicySettings, polls: list[Poll]) -> None:
    """A measurement counts once, however often it is served or remembered."""
    room = Room(STARTS_AT)
    for poll in polls:
        room = seen(room, poll, settings)
        assert seen(room, poll, settings) == room
        assert remembered(room, poll.readings, settings) == room


@unhurried
@given(policies(), histories(), st.data())
def test_a_restart_knows_what_was_known(settings: PolicySettings, polls: list[Poll], data: st.DataObject) -> None:
    """The room rebuilt from kept readings votes as the one that was killed: no alarm is lost or made by a restart."""
    if not polls:
        return
    polls = [replace(poll, rejected=()) for poll in polls]  # that a sensor sent nonsense is not kept
    cut = data.draw(st.integers(0, len(polls) - 1))
    room = Room(STARTS_AT)
    kept: dict[tuple[str, float], Reading] = {}
    for poll in polls:
        room = seen(room, poll, settings)
        for reading in poll.readings:
            kept.setdefault((reading.sensor, reading.stamp), reading)
        if poll is polls[cut]:
            readings = sorted(kept.values(), key=lambda r: r.seen_at)
            room = remembered(Room(poll.at, sensors=room.sensors), readings, settings)
            room = seen(room, poll, settings)
        room, restarted = assess(room, settings, poll.at)
    straight = judged(polls, settings)[-2]
    assert (restarted.level, restarted.votes, restarted.demand) == (straight.level, straight.votes, straight.demand)


@unhurried
@given(policies(), histories())
def test_one_spike_is_no_alarm(settings: PolicySettings, polls: list[Poll]) -> None:
    """One single reading at or above HIGH, among any others that are cool, trips nothing."""
    settings = replace(settings, on_delay_s=max(settings.on_delay_s, 60.0))
    has_spiked, cool = False, []
    for poll in polls:
        readings = []
        for reading in poll.readings:
            celsius = min(reading.celsius, settings.low_c)
            if not has_spiked and reading.celsius >= settings.critical_c:
                has_spiked, celsius = True, reading.celsius
            readings.append(replace(reading, celsius=celsius))
        cool.append(replace(poll, readings=tuple(readings)))
    assert not {a.level for a in judged(cool, settings, 1.0)} & ALARM
