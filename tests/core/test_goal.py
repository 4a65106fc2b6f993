"""When the goal turns: latched, and only by an alarm, by recovery, or by heat on the way back."""

import pytest

from core.plants import incident
from core.timeline import STARTS_AT, Moment, Story
from thermo_guard.core.events import AlarmTripped, Goal, HeatReturned, RoomRecovered
from thermo_guard.core.goal import Mode, turn
from thermo_guard.core.policy import Level
from thermo_guard.core.record import Record

NO_INCIDENT = Record()
DOWN, BACK = Record(incident=incident(Goal.OFF)), Record(incident=incident(Goal.ON))


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


@pytest.mark.parametrize("record", [NO_INCIDENT, DOWN, BACK])
def test_observing_turns_nothing(record: Record) -> None:
    """S1: not ARMED, no act, nor the goal of one."""
    assert set().union(*turns(record, Mode.OBSERVE).values()) == {"NoneType"}


def test_a_trip_carries_its_reasons_and_its_time_in_its_name() -> None:
    """The incident is named after when it began, UTC."""
    hot = next(m for m in day() if m.assessment.level is Level.HIGH)
    event = turn(NO_INCIDENT, hot.assessment, Mode.ARMED, 1_767_340_800.0)
    assert isinstance(event, AlarmTripped)
    assert event.incident == "20260102T080000Z"
    assert event.reasons == hot.assessment.reasons
