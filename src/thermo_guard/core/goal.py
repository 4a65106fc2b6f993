"""When the goal turns, and whether anything is done about it.

A confirmed alarm trips the goal to OFF, recovery turns it to ON, heat on the way back turns it again; the alarm is
latched: between the thresholds the goal stays as it is. What a person has turned, only a person turns back, but for
heat, which turns every way back.
"""

import math
from datetime import UTC, datetime
from enum import StrEnum

from .events import AlarmTripped, Event, Goal, HeatReturned, RoomRecovered
from .policy import Assessment
from .record import Record


class Mode(StrEnum):
    ARMED = "armed"
    OBSERVE = "observe"


NOT_ARMED = "NOT ARMED"
PAUSED = "PAUSED"


def standing_by(record: Record, mode: Mode, now: float) -> str | None:
    """Why a confirmed alarm would do nothing now, in words; None when it would trip."""
    if mode is Mode.OBSERVE:
        return "MODE=observe"
    if is_paused(record, now):
        return f"{PAUSED} {_until(record.paused_until)}"
    return NOT_ARMED if record.armed is None else None


def is_paused(record: Record, now: float) -> bool:
    """A person has said that nothing shall be commanded."""
    return record.paused_until is not None and now < record.paused_until


def _until(at: float | None) -> str:
    if at is None or math.isinf(at):
        return "until `thermo-guard resume`"
    return f"until {datetime.fromtimestamp(at, UTC).strftime('%Y-%m-%d %H:%M UTC')}"


def may_act(record: Record, mode: Mode, now: float) -> bool:
    """Whether the open incident is worked on: a person's in any mode, the policy's only when armed.

    None is in a pause, nor in doubt, until heat, recovery or an order turns it or RESUME says that it stands.
    """
    incident = record.incident
    if incident is None or incident.is_doubted or is_paused(record, now):
        return False
    return bool(incident.wished_by) or standing_by(record, mode, now) is None


def permits_power_on(assessment: Assessment, *, despite_unseen: bool) -> bool:
    """The room is cool now, or a person answers for it; nobody does for a hot one."""
    return assessment.permits_power_on or (despite_unseen and not assessment.is_alarm)


def turn(record: Record, assessment: Assessment, mode: Mode, now: float) -> Event | None:
    """The event with which the goal turns now, if it does."""
    incident = record.incident
    if standing_by(record, mode, now) is not None:
        return None
    if incident is None or incident.rehearsal is not None:
        if assessment.is_alarm and not record.is_shelved:
            return AlarmTripped(incident_id(now), str(assessment.level), assessment.reasons)
        return None
    if assessment.is_alarm and (incident.goal is Goal.ON or incident.is_doubted):
        return HeatReturned(incident.id, str(assessment.level), assessment.reasons)
    is_ours = incident.goal is Goal.OFF and not incident.wished_by
    if is_ours and assessment.is_recovered and assessment.permits_power_on:
        return RoomRecovered(incident.id, assessment.reasons)
    return None


def incident_id(now: float) -> str:
    """The incident's name: when it began, UTC."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
