"""When the goal turns: a confirmed alarm trips it to OFF, recovery turns it to ON, heat on the way back turns it again.

The alarm is latched: between the thresholds the goal stays as it is.
"""

from datetime import UTC, datetime
from enum import StrEnum

from .events import AlarmTripped, Event, Goal, HeatReturned, RoomRecovered
from .policy import Assessment
from .record import Record


class Mode(StrEnum):
    ARMED = "armed"
    OBSERVE = "observe"


def turn(record: Record, assessment: Assessment, mode: Mode, now: float) -> Event | None:
    """The event with which the goal turns now, if it does."""
    incident = record.incident
    if mode is Mode.OBSERVE:
        return None
    if incident is None:
        if assessment.is_alarm:
            return AlarmTripped(incident_id(now), str(assessment.level), assessment.reasons)
        return None
    if incident.goal is Goal.ON and assessment.is_alarm:
        return HeatReturned(incident.id, str(assessment.level), assessment.reasons)
    if incident.goal is Goal.OFF and assessment.is_recovered and assessment.permits_power_on:
        return RoomRecovered(incident.id, assessment.reasons)
    return None


def incident_id(now: float) -> str:
    """The incident's name: when it began, UTC."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
