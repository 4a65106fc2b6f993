"""When the goal turns: latched, and only by an alarm, by recovery, or by heat on the way back."""

import math
from dataclasses import replace

import pytest

from core.plants import incident
from core.timeline import STARTS_AT, Moment, Story
from thermo_guard.core.events import AlarmTripped, Goal, GuardArmed, HeatReturned, RoomRecovered
from thermo_guard.core.goal import NOT_ARMED, Mode, is_paused, may_act, permits_power_on, standing_by, turn
from thermo_guard.core.policy import Level
from thermo_guard.core.record import Record

ARMED = (STARTS_AT - 3600.0, GuardArmed(""))
NO_INCIDENT = Record(armed=ARMED)
DOWN = Record(armed=ARMED, incident=incident(Goal.OFF))
BACK = Record(armed=ARMED, incident=incident(Goal.ON))
WISHED_DOWN = Record(armed=ARMED, incident=incident(Goal.OFF, wished_by="ada@nas"))
WISHED_BACK = Record(armed=ARMED, incident=incident(Goal.ON, wished_by="ada@nas"))
EVERY = [NO_INCIDENT, DOWN, BACK, WISHED_DOWN, WISHED_BACK]
NOTHING = {"NoneType"}


def day() -> list[Moment]:
    """LOW, BAND, HIGH, CRITICAL, BLIND, LOW for long enough to recover."""
    story = Story().steady(0, 10, 2, a=24.0, b=24.0, c=24.0).steady(10, 20, 2, a=32.0, b=32.0, c=32.0)
    story.steady(20, 30, 2, a=36.0, b=36.0, c=36.0).steady(30, 40, 2, a=41.0, b=41.0, c=41.0).silent(40, 60)
    return story.steady(60, 90, 2, a=24.0, b=24.0, c=24.0).until(90)


def turns(record: Record, mode: Mode = Mode.ARMED) -> dict[str, set[str]]:
    """What the goal would do, by level, over the whole day."""
    found: dict[str, set[str]] = {}
    for moment in day():
        event = turn(record, moment.assessment, mode, STARTS_AT)
        found.setdefault(str(moment.assessment.level), set()).add(type(event).__name__)
    return found


def test_only_an_alarm_trips() -> None:
    """HIGH and CRITICAL; never BLIND, never BAND."""
    assert turns(NO_INCIDENT) == {
        "low": {"NoneType"}, "band": {"NoneType"}, "blind": {"NoneType"},
        "high": {"AlarmTripped"}, "critical": {"AlarmTripped"},
    }


def test_the_alarm_is_latched_until_the_room_has_recovered() -> None:
    """Neither the band nor blindness nor LOW before its hold turns it round."""
    found = turns(DOWN)
    assert {level for level, events in found.items() if "RoomRecovered" in events} == {"low"}
    assert found["band"] == found["blind"] == found["high"] == {"NoneType"}
    recovered = [m for m in day() if isinstance(turn(DOWN, m.assessment, Mode.ARMED, STARTS_AT), RoomRecovered)]
    assert recovered[0].minute >= 60 + 15


def test_heat_on_the_way_back_turns_it_again() -> None:
    """The same incident: its snapshot stays."""
    found = turns(BACK)
    assert found["high"] == found["critical"] == {"HeatReturned"}
    assert found["blind"] == found["band"] == {"NoneType"}
    hot = next(m for m in day() if m.assessment.level is Level.HIGH)
    event = turn(BACK, hot.assessment, Mode.ARMED, STARTS_AT)
    assert isinstance(event, HeatReturned)
    assert BACK.incident is not None
    assert event.incident == BACK.incident.id
    assert event.reasons


@pytest.mark.parametrize("record", EVERY)
def test_observing_turns_nothing(record: Record) -> None:
    """S1: the policy neither acts in observe mode nor turns a goal."""
    assert set().union(*turns(record, Mode.OBSERVE).values()) == NOTHING


@pytest.mark.parametrize("record", EVERY)
def test_a_guard_that_has_not_taken_hold_turns_nothing(record: Record) -> None:
    """In a new folder an alarm is told and nothing else, whatever the mode says."""
    assert set().union(*turns(replace(record, armed=None)).values()) == NOTHING
    assert standing_by(replace(record, armed=None), Mode.ARMED, STARTS_AT) == NOT_ARMED


@pytest.mark.parametrize("record", EVERY)
def test_a_pause_turns_nothing_until_its_time_is_over(record: Record) -> None:
    """PAUSED means no trip and no recovery either; the second in which it ends it is over."""
    paused = replace(record, paused_until=STARTS_AT + 1)
    assert set().union(*turns(paused).values()) == NOTHING
    assert turns(replace(record, paused_until=STARTS_AT)) == turns(record)
    assert is_paused(replace(record, paused_until=math.inf), STARTS_AT + 1e9)


def test_what_a_person_has_switched_off_no_cool_room_brings_back() -> None:
    """Only a person turns it back, since only he knows why it is off."""
    assert set().union(*turns(WISHED_DOWN).values()) == NOTHING


def test_heat_turns_a_person_s_way_back_too() -> None:
    """Nobody's word powers on into the heat."""
    assert turns(WISHED_BACK)["high"] == turns(WISHED_BACK)["critical"] == {"HeatReturned"}


def test_an_alarm_that_a_person_has_aborted_trips_nothing() -> None:
    """The same heat would only undo the abort; the record ends it when the room has been below HIGH."""
    assert set().union(*turns(replace(NO_INCIDENT, is_shelved=True)).values()) == NOTHING
    assert turns(replace(BACK, is_shelved=True))["high"] == {"HeatReturned"}


@pytest.mark.parametrize(("record", "mode", "words"), [
    (NO_INCIDENT, Mode.OBSERVE, "MODE=observe"),
    (Record(), Mode.ARMED, "NOT ARMED"),
    (replace(NO_INCIDENT, paused_until=STARTS_AT + 7200), Mode.ARMED, "PAUSED until 2026-01-02 10:00 UTC"),
    (replace(NO_INCIDENT, paused_until=math.inf), Mode.ARMED, "PAUSED until `thermo-guard resume`"),
])
def test_why_nothing_would_be_done_is_said_in_words(record: Record, mode: Mode, words: str) -> None:
    """Who reads it knows what to do about it, and until when it lasts."""
    assert standing_by(record, mode, STARTS_AT) == words


@pytest.mark.parametrize(("record", "mode", "acts"), [
    (NO_INCIDENT, Mode.ARMED, False), (DOWN, Mode.ARMED, True), (DOWN, Mode.OBSERVE, False),
    (replace(DOWN, armed=None), Mode.ARMED, False), (replace(DOWN, paused_until=math.inf), Mode.ARMED, False),
    (WISHED_DOWN, Mode.OBSERVE, True), (replace(WISHED_DOWN, armed=None), Mode.ARMED, True),
    (replace(WISHED_BACK, armed=None), Mode.OBSERVE, True),
    (replace(WISHED_DOWN, paused_until=math.inf), Mode.ARMED, False),
])
def test_a_person_s_order_is_carried_out_in_any_mode(record: Record, mode: Mode, *, acts: bool) -> None:
    """Observed or not armed, a confirmed order acts; the policy does not; in a pause nobody."""
    assert may_act(record, mode, STARTS_AT) is acts


def test_a_person_answers_for_a_room_that_is_unseen_never_for_a_hot_one() -> None:
    """--despite-unseen permits power-on in every room that is not in alarm, for his own order only (S3)."""
    for moment in day():
        level = moment.assessment.level
        assert permits_power_on(moment.assessment, despite_unseen=True) is (level not in {Level.HIGH, Level.CRITICAL})
        if level in {Level.HIGH, Level.CRITICAL, Level.BLIND}:
            assert not permits_power_on(moment.assessment, despite_unseen=False)


def test_a_trip_carries_its_reasons_and_its_time_in_its_name() -> None:
    """The incident is named after when it began, UTC."""
    hot = next(m for m in day() if m.assessment.level is Level.HIGH)
    event = turn(NO_INCIDENT, hot.assessment, Mode.ARMED, 1_767_340_800.0)
    assert isinstance(event, AlarmTripped)
    assert event.incident == "20260102T080000Z"
    assert event.reasons == hot.assessment.reasons
