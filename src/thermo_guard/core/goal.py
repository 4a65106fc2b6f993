"""When the goal turns, and whether anything is done about it.

A confirmed alarm trips the goal to OFF, recovery turns it to ON, heat on the way back turns it again; the alarm is
latched: between the thresholds the goal stays as it is. Before an alarm, what may be shed is stopped while the room
nears it, and an alarm widens that to all. What a person has turned, only a person turns back, but for
heat, which turns every way back.
"""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from .events import (
    AlarmTripped,
    Event,
    Goal,
    HeatReturned,
    RestartHeld,
    RoomRecovered,
    ShedBegun,
    ShedEnded,
    ShedResumed,
    ShedWidened,
)
from .policy import Assessment, Level
from .record import Incident, Record


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


@dataclass(frozen=True, slots=True)
class House:
    """What the site itself says of a turn."""

    can_shed: bool = False
    """Something that runs may be shed."""
    waits_for: str = ""
    """By which of its rules the way back waits although the room permits it; empty: by none."""


_ANY_HOUSE = House()
_Turned = AlarmTripped | HeatReturned | RoomRecovered | ShedBegun | ShedEnded | ShedResumed | ShedWidened


def turn(
    record: Record, assessment: Assessment, mode: Mode, now: float, house: House = _ANY_HOUSE
) -> Event | None:
    """The event with which the goal turns now, if it does, with its grounds; or that its way back is held."""
    turned = _turned(record, assessment, mode, now, house)
    if turned is None or isinstance(turned, RestartHeld):
        return turned
    return replace(turned, grounds=assessment.grounds)


def _turned(
    record: Record, assessment: Assessment, mode: Mode, now: float, house: House
) -> _Turned | RestartHeld | None:
    incident = record.incident
    if standing_by(record, mode, now) is not None:
        return None
    if incident is None or incident.rehearsal is not None:
        if assessment.is_alarm and not record.is_shelved:
            return AlarmTripped(incident_id(now), str(assessment.level), assessment.reasons)
        is_shed = is_to_shed(assessment) and house.can_shed and not record.sheds_nothing and incident is None
        return ShedBegun(incident_id(now), _warmth(assessment)) if is_shed else None
    if incident.is_shed:
        return _turn_of_shed(incident, assessment)
    if assessment.is_alarm and (incident.goal is Goal.ON or incident.is_doubted):
        return HeatReturned(incident.id, str(assessment.level), assessment.reasons)
    if not is_recovered(incident, assessment):
        return None
    if house.waits_for:
        return None if house.waits_for == incident.waits_for else RestartHeld(incident.id, house.waits_for)
    return RoomRecovered(incident.id, assessment.reasons)


def is_to_shed(assessment: Assessment) -> bool:
    """The room is seen to be as warm as that; a stage outlasts blindness and, for its delay, the warmth itself."""
    return assessment.sheds and assessment.level is Level.BAND


def is_recovered(incident: Incident, assessment: Assessment) -> bool:
    """The room permits the way back from what the policy has stopped."""
    is_ours = incident.goal is Goal.OFF and not incident.wished_by and not incident.is_shed
    return is_ours and assessment.is_recovered and assessment.permits_power_on


def is_acknowledged(record: Record) -> bool:
    """A person has said that he knows, since the alarm that the open incident is about."""
    known, incident = record.acknowledged, record.incident
    return known is not None and incident is not None and known[0] >= incident.goal_since


def _turn_of_shed(incident: Incident, assessment: Assessment) -> _Turned | None:
    """An alarm takes the whole cluster, whoever has turned it; the rest goes with the stage."""
    if assessment.is_alarm:
        return ShedWidened(incident.id, str(assessment.level), assessment.reasons)
    if incident.wished_by:
        return None
    if assessment.sheds:
        is_back = is_to_shed(assessment) and incident.goal is Goal.ON
        return ShedResumed(incident.id, _warmth(assessment)) if is_back else None
    is_over = incident.goal is Goal.OFF and assessment.permits_power_on
    return ShedEnded(incident.id, _warmth(assessment)) if is_over else None


def _warmth(assessment: Assessment) -> tuple[str, ...]:
    hottest_c = assessment.hottest_c
    return assessment.reasons if hottest_c is None else (f"{hottest_c:.1f} degC at the hottest", *assessment.reasons)


def incident_id(now: float) -> str:
    """The incident's name: when it began, UTC."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
