"""The record: everything that the journal's events add up to. A crash loses nothing that is not in it.

An incident has legs: each time its goal turns, intents and give-ups of the leg before no longer bind, but what was
asked to stop may still be stopping; that is kept as `stopping`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from . import events as ev
from .commands import Command, Outcome, Verb
from .events import Entry, Goal, Phase
from .plant import Power

POWER_ON_WINDOW_S = 24 * 3600.0
_STOPS = {Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM, Verb.SHUT_DOWN_HOST}
_NOT_TAKEN = {Outcome.REFUSED, Outcome.UNAUTHORIZED}


@dataclass(frozen=True, slots=True)
class Intent:
    """What has been asked of one target in this leg, and how the last try was answered."""

    command: Command
    first_at: float
    at: float
    tries: int = 1
    outcome: Outcome | None = None
    """None: no answer is on record; the process may have ended before it was even sent."""
    text: str = ""
    before: "Intent | None" = None
    """The try before this one, which counts again if this one turns out never to have been sent."""


@dataclass(frozen=True, slots=True)
class Incident:
    """From a trip to the closing report."""

    id: str
    opened_at: float
    goal: Goal
    goal_since: float
    reasons: tuple[str, ...]
    is_snapshot_closed: bool = False
    phase: Phase | None = None
    tier: int | None = None
    phase_since: float = 0.0
    intents: Mapping[tuple[Verb, str], Intent] = field(default_factory=dict)
    stopping: Mapping[str, float] = field(default_factory=dict)
    """Target to the time it was last asked to stop in an earlier leg, until it is seen off."""
    observed: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    """Target to (power, when) as last journaled in this leg."""
    abandoned: Mapping[str, ev.Abandoned] = field(default_factory=dict)
    is_powered_on: bool = False
    """Hosts have been powered on in this leg: it has been counted."""
    is_held: bool = False
    """It has been said in this leg that a person must power on."""


@dataclass(frozen=True, slots=True)
class Record:
    seq: int = 0
    sensors: tuple[str, ...] = ()
    bmc_of: Mapping[str, str] = field(default_factory=dict)
    """Host name to BMC address."""
    level: str | None = None
    incident: Incident | None = None
    power_ons: tuple[float, ...] = ()
    """When the site was powered on, lately."""
    closed: tuple[float, ev.IncidentClosed] | None = None
    """The last incident that ended."""


def fold(record: Record, entries: Iterable[Entry]) -> Record:
    """The record after these entries, in order."""
    for entry in entries:
        record = replace(_after(record, entry), seq=entry.seq)
    return record


def _after(record: Record, entry: Entry) -> Record:
    event, at = entry.event, entry.at
    match event:
        case ev.SensorsLearned():
            return replace(record, sensors=event.sensors)
        case ev.BmcsMatched():
            return replace(record, bmc_of=dict(event.pairs))
        case ev.LevelChanged():
            return replace(record, level=event.level)
        case ev.AlarmTripped():
            return replace(record, incident=Incident(event.incident, at, Goal.OFF, at, event.reasons))
        case ev.SitePoweredOn():
            lately = tuple(t for t in record.power_ons if at - t < POWER_ON_WINDOW_S)
            record = replace(record, power_ons=(*lately, at))
        case ev.IncidentClosed():
            return replace(record, incident=None, closed=(at, event))
        case _:
            pass
    if record.incident is None:
        return record
    return replace(record, incident=_incident_after(record.incident, entry))


def _incident_after(incident: Incident, entry: Entry) -> Incident:
    event, at = entry.event, entry.at
    match event:
        case ev.SnapshotClosed():
            return replace(incident, is_snapshot_closed=True)
        case ev.RoomRecovered():
            return _turned(incident, Goal.ON, at, event.reasons)
        case ev.HeatReturned():
            return _turned(incident, Goal.OFF, at, event.reasons)
        case ev.PhaseBegun():
            return replace(incident, phase=event.phase, tier=event.tier, phase_since=at)
        case ev.Intended():
            return replace(incident, intents=_intended(incident.intents, event, at))
        case ev.Answered():
            return replace(incident, intents=_answered(incident.intents, event))
        case ev.Observed():
            return _observed(incident, event.sightings, at)
        case ev.Abandoned():
            return replace(incident, abandoned={**incident.abandoned, event.target: event})
        case ev.SitePoweredOn():
            return replace(incident, is_powered_on=True)
        case ev.PowerOnHeld():
            return replace(incident, is_held=True)
        case _:
            return incident


def _turned(incident: Incident, goal: Goal, at: float, reasons: tuple[str, ...]) -> Incident:
    stopping = dict(incident.stopping)
    for (verb, target), intent in incident.intents.items():
        if verb in _STOPS and intent.outcome not in _NOT_TAKEN:
            stopping[target] = intent.at
    return Incident(
        incident.id, incident.opened_at, goal, at, reasons, incident.is_snapshot_closed, stopping=stopping
    )


def _intended(
    intents: Mapping[tuple[Verb, str], Intent], event: ev.Intended, at: float
) -> Mapping[tuple[Verb, str], Intent]:
    after = dict(intents)
    for command in event.commands:
        before = after.get(command.key)
        after[command.key] = (
            Intent(command, at, at) if before is None
            else Intent(command, before.first_at, at, before.tries + 1, before=replace(before, before=None))
        )
    return after


def _answered(intents: Mapping[tuple[Verb, str], Intent], event: ev.Answered) -> Mapping[tuple[Verb, str], Intent]:
    after = dict(intents)
    for answer in event.answers:
        key = (answer.verb, answer.target)
        if (intent := after.get(key)) is None:
            continue
        if answer.outcome is not Outcome.UNSENT:
            after[key] = replace(intent, outcome=answer.outcome, text=answer.text)
        elif intent.before is not None:
            after[key] = intent.before
        else:
            del after[key]  # a grace begins when its target has been asked
    return after


def _observed(incident: Incident, sightings: Iterable[ev.Sighting], at: float) -> Incident:
    """What is seen off has stopped: whatever comes on again under its name is asked anew."""
    now = {sighting.target: (sighting.power, at) for sighting in sightings}
    off = {target for target, (power, _) in now.items() if power == Power.OFF}
    intents = incident.intents
    if incident.goal is Goal.OFF:
        intents = {key: intent for key, intent in intents.items() if key[1] not in off}
    wanted = Power.OFF if incident.goal is Goal.OFF else Power.ON
    return replace(
        incident, intents=intents, observed={**incident.observed, **now},
        abandoned={
            target: given_up for target, given_up in incident.abandoned.items()
            if now.get(target, ("", 0.0))[0] != wanted
        },
        stopping={target: since for target, since in incident.stopping.items() if target not in off},
    )
