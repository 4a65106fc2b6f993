"""What people are told of an event, and how urgent it is: one message a change, nothing while nothing changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from . import events as ev
from .commands import Verb
from .plant import Power
from .policy import Level
from .record import Incident
from .rehearsal import is_rehearsal
from .runbook import KEPT_LAST
from .wishes import Order

_PHASES = {
    ev.Phase.DISARM: "HA off, DRS manual",
    ev.Phase.GUESTS: "VMs shutting down",
    ev.Phase.CLUSTER_SERVICES: "waiting for the cluster services (vCLS) to be gone",
    ev.Phase.HOSTS: "hosts into maintenance mode and off",
    ev.Phase.VCENTER: "shutting down vCenter's VM on its own host",
    ev.Phase.LAST_HOST: "bringing vCenter's host into maintenance mode and off",
    ev.Phase.FORCE_OFF: "the BMCs cut the power of what would not go off",
    ev.Phase.ALL_OFF: "everything is off that could be stopped",
    ev.Phase.HELD: "power-on is on hold",
    ev.Phase.FIRST_HOST: "the first host is powered on",
    ev.Phase.WATCH: "watching the room before the other hosts",
    ev.Phase.OTHER_HOSTS: "the other hosts are powered on",
    ev.Phase.START_VCENTER: "waiting for vCenter",
    ev.Phase.RESTORE: "leaving maintenance mode, restoring HA and DRS",
    ev.Phase.START_GUESTS: "VMs starting",
    ev.Phase.VERIFY: "comparing with the snapshot",
}

_REHEARSED = {
    ev.Phase.DISARM: "about to stop it",
    ev.Phase.GUESTS: "the VM shutting down",
    ev.Phase.HOSTS: "the host into maintenance mode and off",
    ev.Phase.ALL_OFF: "it is off",
    ev.Phase.FIRST_HOST: "the host is powered on",
    ev.Phase.OTHER_HOSTS: "the host is powered on",
    ev.Phase.RESTORE: "leaving maintenance mode",
    ev.Phase.START_GUESTS: "the VM starting",
}
"""Where a rehearsal's phase is less than the one of a whole way: it touches neither HA nor DRS."""

_SHED = {
    ev.Phase.GUESTS: "the sheddable VMs shutting down",
    ev.Phase.HOSTS: "emptied hosts into maintenance mode and off",
    ev.Phase.ALL_OFF: "what can be shed is off, the rest runs",
    ev.Phase.RESTORE: "leaving maintenance mode",
}
"""Where the phase of a shed is less than the one of a whole way."""

_FORCED = {Verb.POWER_OFF_VM, Verb.FORCE_OFF_HOST}


@dataclass(frozen=True, slots=True)
class Message:
    title: str
    body: str
    is_urgent: bool = False


def described(phase: ev.Phase, tier: int | None = None, of: Incident | None = None) -> str:
    """A phase in words, as it is of the incident."""
    own = {} if of is None else _REHEARSED if of.rehearsal is not None else _SHED if of.is_shed else {}
    words = own.get(phase, _PHASES[phase])
    return words + ("" if tier is None else ", those kept to the last" if tier == KEPT_LAST else f", tier {tier}")


def message(event: ev.Event, incident: Incident | None, at: float) -> Message | None:
    """What is told of an event; None for what only the journal keeps.

    :param incident: as it stood before the event.
    :param at: when it happened.
    """
    match event:
        case ev.Intended() if forced := _first_forced(event, incident):
            return Message(f"Powered off by force: {', '.join(_named(forced))}",
                           "Its time was over, and it had not shut down by itself.", is_urgent=True)
        case ev.Observed() if incident is not None and (done := _no_longer_given_up(event, incident)):
            return Message("No longer needs a person", _lines(done))
        case ev.LevelChanged(level=Level.BLIND):
            return Message("BLIND: the room's temperature is not known", _lines(event.reasons), is_urgent=True)
        case ev.LevelChanged(before=Level.BLIND):
            return Message(f"Sighted again: the room is {event.level.upper()}", _lines(event.reasons))
        case ev.AlarmObserved():
            return Message(f"{_alarm(event.level)}, and {event.why}: NOTHING is being done",
                           _lines(event.reasons), is_urgent=True)
        case ev.PhaseBegun():
            words = described(event.phase, event.tier, _if_shed(incident))
            return Message(words[0].upper() + words[1:], _ended(incident, at) or f"incident {event.incident}")
        case ev.Abandoned():
            words = described(event.phase, of=_if_shed(incident))
            return Message(f"Needs a person: {event.target_kind} {event.name}",
                           f"Given up while {words}: {event.reason}", is_urgent=True)
        case ev.PowerOnHeld():
            return Message("Needs a person: power-on is held", event.reason, is_urgent=True)
        case ev.IncidentClosed():
            return _closing(event)
        case _:
            return _of_turn(event, incident) or _of_guard(event)


def _of_turn(event: ev.Event, incident: Incident | None) -> Message | None:
    """Of the policy's own turns."""
    match event:
        case ev.AlarmTripped():
            return Message(f"{_alarm(event.level)}: the cluster is being shut down",
                           _lines(event.reasons), is_urgent=True)
        case ev.HeatReturned() if incident is not None and incident.goal is ev.Goal.OFF:
            return Message(f"{_alarm(event.level)}: the shutdown goes on", _lines(event.reasons),
                           is_urgent=True)
        case ev.HeatReturned():
            return Message(f"{_alarm(event.level)} again: the restart is turned back",
                           _lines(event.reasons), is_urgent=True)
        case ev.RoomRecovered():
            return Message("The room has recovered: the cluster is being brought back", _lines(event.reasons))
        case ev.RestartHeld():
            return Message("The room has recovered, and the way back waits",
                           f"For {event.why}. `thermo-guard power-on` does not wait.")
        case ev.ShedBegun():
            return Message("The room nears HIGH: what may be shed is being shut down, the rest runs on",
                           _lines(event.reasons), is_urgent=True)
        case ev.ShedEnded():
            return Message("The room has fallen back: what was shed is being brought back", _lines(event.reasons))
        case ev.ShedResumed():
            return Message("The room nears HIGH again: what was shed is turned back",
                           _lines(event.reasons), is_urgent=True)
        case ev.ShedWidened():
            return Message(f"{event.level.upper()} temperature: after what was shed, the whole cluster is being shut "
                           "down", _lines(event.reasons), is_urgent=True)
        case _:
            return None


def _alarm(level: str) -> str:
    return "It will be CRITICAL before all is off" if level == Level.PROJECTED else f"{level.upper()} temperature"


def _closing(event: ev.IncidentClosed) -> Message:
    if event.aborted_by:
        return Message(f"The incident was ended where it stood, by {event.aborted_by}: nothing more is commanded",
                       _lines(event.differences) or "Everything is as it was.", is_urgent=True)
    if is_rehearsal(event.incident):
        how = "with differences" if event.differences else "well: it is back as it was"
        return Message(f"The rehearsal ended {how}", _lines(event.differences) or f"incident {event.incident}",
                       is_urgent=bool(event.differences))
    if not event.differences:
        return Message("Everything is back as it was", f"incident {event.incident} is closed")
    return Message(f"Incident closed with {len(event.differences)} differences", _lines(event.differences),
                   is_urgent=True)


def _of_guard(event: ev.Event) -> Message | None:
    """Of the guard itself and of what people order."""
    match event:
        case ev.Noticed():
            return _of_news(event)
        case ev.GuardAway():
            return Message(
                f"Needs a person: the guard was away for {event.for_s / 3600:.1f} hours in the middle of an incident",
                "People may have gone on without it, so that nothing more is stopped unless the room is hot. To go on: "
                "`thermo-guard resume`; to end it where it stands: `thermo-guard abort`; to have back what ran: "
                "`thermo-guard power-on`.", is_urgent=True,
            )
        case ev.GuardArmed():
            who = f"by {event.by}" if event.by else "all that a shutdown needs has been seen to work"
            return Message(f"ARMED: {who}",
                           _lines(event.lacking) or "From now a confirmed alarm shuts the cluster down.")
        case ev.WishTaken():
            return _of_wish(event)
        case ev.ShutdownWished():
            return Message(f"The cluster is being shut down, as {event.by} asked", event.reason, is_urgent=True)
        case ev.PowerOnWished():
            return Message(f"The cluster is being brought back, as {event.by} asked", event.reason, is_urgent=True)
        case ev.GracesCompressed():
            return Message(f"In haste: everyone gets {event.factor:.0%} of his time", event.reason, is_urgent=True)
        case ev.RehearsalWished():
            return Message(f"Rehearsal: {event.target_kind} {event.name} is stopped and started, as {event.by} asked",
                           "Nothing else is touched.")
        case ev.GoalWished() if is_rehearsal(event.incident):
            return None
        case ev.GoalWished():
            what = "shut down" if event.goal is ev.Goal.OFF else "brought back"
            return Message(f"The cluster is being {what}, as {event.by} asked", event.reason, is_urgent=True)
        case ev.LoginRefused():
            return Message(f"Login refused: {event.user} at {event.endpoint}",
                           f"{event.why}\nIt is not tried again for 20 minutes, so as not to lock the account. Once it "
                           "is mended, `thermo-guard resume` tries at once.", is_urgent=True)
        case ev.LoginAccepted():
            return Message(f"Login works again: {event.user} at {event.endpoint}", "")
        case _:
            return None


def _of_news(event: ev.Noticed) -> Message | None:
    """What the level does not say; the stages' own acts have events of theirs."""
    match event.what:
        case "still_blind":
            return Message("Still BLIND, and the room was rising", event.reason, is_urgent=True)
        case "warned":
            return Message(f"Warning: {_degrees(event.celsius)} in the room", event.reason, is_urgent=True)
        case "warning_ended":
            return Message(f"The warning is over: {_degrees(event.celsius)} in the room", event.reason)
        case "degraded":
            return Message("DEGRADED: fewer sensors decide", event.reason, is_urgent=True)
        case "whole":
            return Message("All sensors decide again", "")
        case "sensor_suspect":
            return Message(f"Suspect, and without a vote: sensor {event.sensor}", event.reason)
        case "sensor_restored":
            return Message(f"Believed again: sensor {event.sensor}", event.reason)
        case _:
            return None


def _degrees(celsius: float | None) -> str:
    return "unknown" if celsius is None else f"{celsius:.1f} degC"


def _of_wish(event: ev.WishTaken) -> Message | None:
    """Orders whose effect is an event of its own are told by that one."""
    wish = event.wish
    if event.declined:
        return Message(f"Declined: {wish.order}, asked by {wish.by}", event.declined)
    match wish.order:
        case Order.PAUSE:
            how_long = "until `thermo-guard resume`" if wish.for_s is None else _for(wish.for_s)
            return Message(f"PAUSED by {wish.by}: nothing is commanded {how_long}", wish.reason, is_urgent=True)
        case Order.RESUME:
            return Message(f"Resumed by {wish.by}", wish.reason)
        case Order.ACKNOWLEDGE:
            return Message(f"Acknowledged by {wish.by}", wish.reason)
        case _:
            return None


def _for(seconds: float) -> str:
    return f"for {seconds / 60:.0f} minutes" if seconds >= 120 else f"for {seconds:.0f} s"


def _if_shed(incident: Incident | None) -> Incident | None:
    """What people are told of a rehearsal has the words of the way that it proves."""
    return incident if incident is not None and incident.is_shed else None


def _ended(incident: Incident | None, at: float) -> str:
    """How the phase before ended, in words."""
    if incident is None or incident.phase is None:
        return ""
    return f"After {at - incident.phase_since:.0f} s of: {described(incident.phase, incident.tier, _if_shed(incident))}"


def _first_forced(event: ev.Intended, incident: Incident | None) -> list[str]:
    """VMs and hosts that are powered off by force for the first time in this leg."""
    before = incident.intents if incident is not None else {}
    return [c.name for c in event.commands if c.verb in _FORCED and c.key not in before]


def _no_longer_given_up(event: ev.Observed, incident: Incident) -> list[str]:
    wanted = Power.OFF if incident.goal is ev.Goal.OFF else Power.ON
    return [
        f"{sighting.target_kind} {sighting.name} is {sighting.power} after all" for sighting in event.sightings
        if sighting.target in incident.abandoned and sighting.power == wanted
    ]


def facts(event: ev.Event, names: Mapping[str, str]) -> Mapping[str, object]:
    """An event's fields as the log shows them; `names` are for people, by target."""
    match event:
        case ev.Intended():
            return {"commands": _named(f"{c.verb} {c.name} via {c.via}" for c in event.commands)}
        case ev.Answered():
            return {"answers": _named(
                f"{a.verb} {names.get(a.target, a.target)}: {a.outcome}{f' ({a.text})' if a.text else ''}"
                for a in event.answers
            )}
        case ev.Observed():
            return {"seen": _named(f"{s.target_kind} {s.name} {s.power} ({s.by})" for s in event.sightings)}
        case ev.PhaseBegun():
            words = described(event.phase, event.tier)
            return {"incident": event.incident, "phase": event.phase, "tier": event.tier, "what": words}
        case ev.WishTaken():
            return {"order": event.wish.order, "by": event.wish.by, "reason": event.wish.reason,
                    "declined": event.declined}
        case ev.LevelChanged():
            return {"room": event.level, "before": event.before, "reasons": event.reasons}
        case _:
            return {name: getattr(event, name) for name in event.__slots__ if name not in {"kind", "level", "grounds"}}


def _named(items: Iterable[str], most: int = 8) -> list[str]:
    listed = list(items)
    return listed if len(listed) <= most else [*listed[:most], f"and {len(listed) - most} more"]


def _lines(reasons: Iterable[str]) -> str:
    return "\n".join(reasons)
