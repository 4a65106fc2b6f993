"""What becomes of an operator's wish: the events that carry it out, or why it is declined. Pure."""

from dataclasses import dataclass

from . import events as ev
from .goal import incident_id, is_paused, permits_power_on
from .policy import Assessment
from .record import Incident, Record
from .wishes import STALE_S, Order, Wish

_ACTS = {Order.SHUT_DOWN, Order.POWER_ON, Order.ABORT, Order.REHEARSE}


@dataclass(frozen=True, slots=True)
class Grounds:
    """What an order is judged by besides the record."""

    missing: tuple[str, ...] = ()
    """What the snapshot shows as running and does not run now."""
    leftovers: tuple[str, ...] = ()
    """Addresses of the BMCs that say OFF, for a power-on of what is not on record."""
    report: tuple[str, ...] = ()
    """How the plant differs from the snapshot, for an abort."""
    begun: ev.RehearsalWished | str = ""
    """What begins a rehearsal, or why it cannot be."""
    confirmed: ev.HostsConfirmed | None = None
    """That the cluster as it is now belongs to the plan, for who arms; None where nothing is known of it."""


_NOTHING = Grounds()


def taken(
    wish: Wish, record: Record, assessment: Assessment, now: float, grounds: Grounds = _NOTHING
) -> tuple[ev.Event, ...]:
    """The events of taking the wish up; the first says whether it was."""
    begun, confirmed = grounds.begun, grounds.confirmed
    why = _why_declined(wish, record, assessment, now, grounds)
    if why:
        return (ev.WishTaken(wish, why),)
    events = (ev.WishTaken(wish),)
    incident = _standing(record, wish)
    match wish.order:
        case Order.ARM:
            armed = () if record.armed is not None else (ev.GuardArmed(wish.by),)
            return (*events, *armed, *(() if confirmed is None else (confirmed,)))
        case Order.REHEARSE if not isinstance(begun, str):
            return (*events, begun)
        case Order.SHUT_DOWN if incident is None:
            return (*events, ev.ShutdownWished(incident_id(now), wish.by, wish.reason))
        case Order.SHUT_DOWN if incident is not None:
            return (*events, ev.GoalWished(incident.id, ev.Goal.OFF, wish.by, wish.reason))
        case Order.POWER_ON if incident is not None:
            return (*events, _turned_on(incident, wish))
        case Order.POWER_ON if grounds.missing:
            return (*events, ev.PowerOnWished(incident_id(now), wish.by, wish.reason, wish.despite_unseen))
        case Order.ABORT if incident is not None:
            return (*events, ev.IncidentClosed(incident.id, grounds.report, aborted_by=wish.by))
        case _:
            return events


def _standing(record: Record, wish: Wish) -> Incident | None:
    """The open incident; a shutdown takes the place of a rehearsal."""
    incident = record.incident
    is_over = incident is not None and incident.rehearsal is not None and wish.order is Order.SHUT_DOWN
    return None if is_over else incident


def _turned_on(incident: Incident, wish: Wish) -> ev.GoalWished:
    return ev.GoalWished(incident.id, ev.Goal.ON, wish.by, wish.reason, wish.despite_unseen)


def _why_declined(
    wish: Wish, record: Record, assessment: Assessment, now: float, grounds: Grounds
) -> str:
    incident = _standing(record, wish)
    only_stops = wish.order in {Order.ABORT, Order.PAUSE} and incident is not None and wish.at >= incident.opened_at
    if now - wish.at > STALE_S and not only_stops:  # who wanted this incident ended still does
        return f"it is {(now - wish.at) / 60:.0f} minutes old: no guard took it up in time. Say it again if it stands"
    if wish.order in _ACTS and is_paused(record, now):
        return "the guard is paused: `thermo-guard resume` first"
    match wish.order:
        case Order.ARM if record.armed is not None and _is_same(grounds.confirmed, record.confirmed):
            return "it is armed already, and nothing has changed in the cluster since it was confirmed"
        case Order.SHUT_DOWN if incident is not None and _is_under_way(incident):
            return f"a shutdown is under way already, as {incident.wished_by} asked"
        case Order.ABORT if incident is None and record.by_hand is None:
            return "no incident is open"
        case Order.RESUME if not _holds_back(record):
            return "it is not paused, and no login is being held back"
        case Order.POWER_ON:
            return _why_not_on(wish, record, assessment, grounds)
        case Order.REHEARSE if isinstance(grounds.begun, str):
            return grounds.begun
        case _:
            return ""


def _is_same(now: ev.HostsConfirmed | None, before: ev.HostsConfirmed | None) -> bool:
    return now is None or (before is not None and set(now.hosts) == set(before.hosts))


def _is_under_way(incident: Incident) -> bool:
    return incident.goal is ev.Goal.OFF and bool(incident.wished_by) and not incident.is_doubted


def _holds_back(record: Record) -> bool:
    """Something waits for RESUME."""
    is_doubted = record.incident is not None and record.incident.is_doubted
    return is_doubted or record.paused_until is not None or bool(record.refused)


def _why_not_on(wish: Wish, record: Record, assessment: Assessment, grounds: Grounds) -> str:
    if assessment.is_alarm:
        return f"the room is {assessment.level}: nothing is powered on into the heat"
    if not permits_power_on(assessment, despite_unseen=wish.despite_unseen):
        state = "not known yet" if assessment.level is None else f"{assessment.level}, not yet cool"
        return f"the room is {state}; if you stand in it and have read that it is cool, say --despite-unseen"
    if record.incident is None and not grounds.missing and not grounds.leftovers:
        return ("all that is on record as running runs. Machines that are off and not on record are powered on with "
                "--unrecorded only")
    return ""
