"""What becomes of an operator's wish: the events that carry it out, or why it is declined. Pure."""

from . import events as ev
from .goal import incident_id, is_paused, permits_power_on
from .policy import Assessment
from .record import Incident, Record
from .wishes import STALE_S, Order, Wish

_ACTS = {Order.SHUT_DOWN, Order.POWER_ON, Order.ABORT}


def taken(
    wish: Wish, record: Record, assessment: Assessment, now: float,
    *, missing: tuple[str, ...] = (), leftovers: tuple[str, ...] = (), report: tuple[str, ...] = (),
) -> tuple[ev.Event, ...]:
    """The events of taking the wish up; the first says whether it was.

    :param missing: what the snapshot shows as running and does not run now.
    :param leftovers: addresses of the BMCs that say OFF, for a power-on of what is not on record.
    :param report: how the plant differs from the snapshot, for an abort.
    """
    why = _why_declined(wish, record, assessment, now, is_nothing_to_start=not missing and not leftovers)
    if why:
        return (ev.WishTaken(wish, why),)
    events = (ev.WishTaken(wish),)
    incident = record.incident
    match wish.order:
        case Order.ARM:
            return (*events, ev.GuardArmed(wish.by))
        case Order.SHUT_DOWN if incident is None:
            return (*events, ev.ShutdownWished(incident_id(now), wish.by, wish.reason))
        case Order.SHUT_DOWN if incident is not None:
            return (*events, ev.GoalWished(incident.id, ev.Goal.OFF, wish.by, wish.reason))
        case Order.POWER_ON if incident is not None:
            return (*events, _turned_on(incident, wish))
        case Order.POWER_ON if missing:
            return (*events, ev.PowerOnWished(incident_id(now), wish.by, wish.reason, wish.despite_unseen))
        case Order.ABORT if incident is not None:
            return (*events, ev.IncidentClosed(incident.id, report, aborted_by=wish.by))
        case _:
            return events


def _turned_on(incident: Incident, wish: Wish) -> ev.GoalWished:
    return ev.GoalWished(incident.id, ev.Goal.ON, wish.by, wish.reason, wish.despite_unseen)


def _why_declined(
    wish: Wish, record: Record, assessment: Assessment, now: float, *, is_nothing_to_start: bool
) -> str:
    incident = record.incident
    only_stops = wish.order in {Order.ABORT, Order.PAUSE} and incident is not None and wish.at >= incident.opened_at
    if now - wish.at > STALE_S and not only_stops:  # who wanted this incident ended still does
        return f"it is {(now - wish.at) / 60:.0f} minutes old: no guard took it up in time. Say it again if it stands"
    if wish.order in _ACTS and is_paused(record, now):
        return "the guard is paused: `thermo-guard resume` first"
    match wish.order:
        case Order.ARM if record.armed is not None:
            return "it is armed already"
        case Order.SHUT_DOWN if incident is not None and _is_under_way(incident):
            return f"a shutdown is under way already, as {incident.wished_by} asked"
        case Order.ABORT if incident is None and record.by_hand is None:
            return "no incident is open"
        case Order.RESUME if not _holds_back(record):
            return "it is not paused, and no login is being held back"
        case Order.POWER_ON:
            return _why_not_on(wish, record, assessment, is_nothing_to_start=is_nothing_to_start)
        case _:
            return ""


def _is_under_way(incident: Incident) -> bool:
    return incident.goal is ev.Goal.OFF and bool(incident.wished_by) and not incident.is_doubted


def _holds_back(record: Record) -> bool:
    """Something waits for RESUME."""
    is_doubted = record.incident is not None and record.incident.is_doubted
    return is_doubted or record.paused_until is not None or bool(record.refused)


def _why_not_on(wish: Wish, record: Record, assessment: Assessment, *, is_nothing_to_start: bool) -> str:
    if assessment.is_alarm:
        return f"the room is {assessment.level}: nothing is powered on into the heat"
    if not permits_power_on(assessment, despite_unseen=wish.despite_unseen):
        state = "not known yet" if assessment.level is None else f"{assessment.level}, not yet cool"
        return f"the room is {state}; if you stand in it and have read that it is cool, say --despite-unseen"
    if record.incident is None and is_nothing_to_start:
        return ("all that is on record as running runs. Machines that are off and not on record are powered on with "
                "--unrecorded only")
    return ""
