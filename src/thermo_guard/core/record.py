"""The record: everything that the journal's events add up to. A crash loses nothing that is not in it.

An incident has legs: each time its goal turns, intents and give-ups of the leg before no longer bind, but what was
asked to stop may still be stopping; that is kept as `stopping`.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from . import events as ev
from .commands import Command, Outcome, Verb
from .events import Entry, Goal, Phase
from .plant import Power
from .policy import Level
from .wishes import Order, Wish

Way = tuple[ev.TargetKind, str, Goal]
"""A VM or host, and where it goes."""
POWER_ON_WINDOW_S = 24 * 3600.0
KEPT_MEASUREMENTS = 3
"""Of each VM and host, each way."""
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
class Rehearsal:
    """What a rehearsal stops and starts."""

    kind: Literal["vm", "host"]
    target: str
    name: str


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
    is_interrupted: bool = False
    """There was a pause: the phase in which it goes on begins anew."""
    is_doubted: bool = False
    """The guard was away for long in the midst of the way down: nothing more is stopped without heat or an order."""
    intents: Mapping[tuple[Verb, str], Intent] = field(default_factory=dict)
    stopping: Mapping[str, float] = field(default_factory=dict)
    """Target to the time it was last asked to stop in an earlier leg, until it is seen off."""
    observed: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    """Target to (power, when) as last journaled in this leg."""
    abandoned: Mapping[str, ev.Abandoned] = field(default_factory=dict)
    took: Mapping[Way, ev.Took] = field(default_factory=dict)
    """What has been measured in it and is not among the record's durations yet."""
    is_powered_on: bool = False
    """Hosts have been powered on in this leg: it has been counted."""
    is_held: bool = False
    """It has been said in this leg that a person must power on."""
    wished_by: str = ""
    """The person who set the goal of this leg; empty: the policy did."""
    despite_unseen: bool = False
    """That person has seen for himself that the room is cool."""
    rehearsal: Rehearsal | None = None
    """It stops and starts this one target only."""
    follows_rehearsal: bool = False
    """The alarm came in the midst of one: what that one did to its target is not how the target stood."""
    is_shed: bool = False
    """It stops what may be shed, and nothing else."""
    was_shed: bool = False
    """It began so, and was widened to the whole cluster."""
    waits_since: float | None = None
    """Since when only the site's own rules hold the way back."""
    waits_for: str = ""
    """Which, in words."""
    haste: float = 1.0
    """The share of its time that everyone gets on this way down."""

    @property
    def is_limited(self) -> bool:
        """It touches a part of the cluster only, which goes on running: nothing is forced, nor cut off."""
        return self.is_shed or self.rehearsal is not None


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
    armed: tuple[float, ev.GuardArmed] | None = None
    """When the guard took hold, and by whose word."""
    wish: int = 0
    """Number of the last order that was taken up or declined."""
    by_hand: tuple[float, Wish] | None = None
    """The last order to power on, and when, where it opened no incident: what is off is not on record as running."""
    paused_until: float | None = None
    """Nothing is commanded before; infinite: until RESUME."""
    is_shelved: bool = False
    """The alarm that stood at an ABORT trips nothing until the room has been below HIGH."""
    sheds_nothing: bool = False
    """A person has ended an incident or had it brought back: nothing is shed until the room has been LOW."""
    acknowledged: tuple[float, str] | None = None
    """When a person said last that he knows, and who."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """IP addresses by host name, as they were resolved in quiet time."""
    refused: Mapping[tuple[str, str], ev.LoginRefused] = field(default_factory=dict)
    """By endpoint and user, until a login works there again."""
    confirmed: ev.HostsConfirmed | None = None
    """What the guard may stop; None: nobody has confirmed anything yet, and nothing is left out."""
    started_at: float | None = None
    """When the guard's present life began: what came about before it was not seen as it happened."""
    took: Mapping[Way, tuple[ev.Took, ...]] = field(default_factory=dict)
    """How long each took in earlier incidents; the newest last."""


def fold(record: Record, entries: Iterable[Entry]) -> Record:
    """The record after these entries, in order."""
    for entry in entries:
        record = replace(_after(record, entry), seq=entry.seq)
    return record


def _after(record: Record, entry: Entry) -> Record:
    event, at = entry.event, entry.at
    match event:
        case ev.SensorsLearned() | ev.BmcsMatched() | ev.NamesResolved() | ev.HostsConfirmed():
            return _informed(record, event)
        case ev.LevelChanged():
            return _levelled(record, event)
        case ev.GuardStarted():
            return replace(record, started_at=at)
        case ev.GuardArmed():
            return replace(record, armed=record.armed or (at, event))
        case ev.WishTaken():
            return _wished(record, event, at)
        case ev.LoginRefused() | ev.LoginAccepted():
            return replace(record, refused=_refused(record.refused, event))
        case ev.AlarmTripped() | ev.ShutdownWished() | ev.PowerOnWished() | ev.RehearsalWished() | ev.ShedBegun():
            in_rehearsal = record.incident is not None and record.incident.rehearsal is not None
            return replace(record, incident=replace(_opened(event, at), follows_rehearsal=in_rehearsal), by_hand=None)
        case ev.SitePoweredOn():
            lately = tuple(t for t in record.power_ons if at - t < POWER_ON_WINDOW_S)
            record = replace(record, power_ons=(*lately, at))
        case ev.IncidentClosed():
            return replace(record, incident=None, closed=(at, event), by_hand=None)
        case ev.DurationsLearned():
            took = {(one.target_kind, one.target, one.goal): one.took for one in event.measured}
            incident = None if record.incident is None else replace(record.incident, took={})
            return replace(record, took=took, incident=incident)
        case _:
            pass
    if record.incident is None:
        return record
    return replace(record, incident=_incident_after(record.incident, entry))


def _levelled(record: Record, event: ev.LevelChanged) -> Record:
    incident, is_hot = record.incident, event.level not in {Level.LOW, Level.BAND, Level.BLIND}
    if incident is not None and is_hot and incident.waits_since is not None:
        incident = replace(incident, waits_since=None, waits_for="")
    # What was only projected is over when the room is cool: it may have been below HIGH all the time.
    is_over = event.level == Level.LOW or (event.level == Level.BAND and record.level != Level.PROJECTED)
    return replace(
        record, level=event.level, is_shelved=record.is_shelved and not is_over,
        sheds_nothing=record.sheds_nothing and event.level != Level.LOW, incident=incident,
    )


def _informed(
    record: Record, event: ev.SensorsLearned | ev.BmcsMatched | ev.NamesResolved | ev.HostsConfirmed
) -> Record:
    match event:
        case ev.SensorsLearned():
            return replace(record, sensors=event.sensors)
        case ev.BmcsMatched():
            return replace(record, bmc_of=dict(event.pairs))
        case ev.NamesResolved():
            return replace(record, names=dict(event.names))
        case ev.HostsConfirmed():  # pragma: no branch - there is no other
            return replace(record, confirmed=event)


def _refused(
    refused: Mapping[tuple[str, str], ev.LoginRefused], event: ev.LoginRefused | ev.LoginAccepted
) -> Mapping[tuple[str, str], ev.LoginRefused]:
    its = (event.endpoint, event.user)
    others = {key: kept for key, kept in refused.items() if key != its}
    return others if isinstance(event, ev.LoginAccepted) else {**others, its: event}


def durations(record: Record, targets: Collection[str]) -> ev.DurationsLearned | None:
    """What the open incident has taught of these VMs and hosts, with what was known; None where nothing is new."""
    incident = record.incident
    if incident is None or not incident.took:
        return None
    took = {way: known for way, known in record.took.items() if way[1] in targets}
    for way, measured in incident.took.items():
        took[way] = (*took.get(way, ()), measured)[-KEPT_MEASUREMENTS:]
    return ev.DurationsLearned(tuple(ev.Measured(*way, known) for way, known in sorted(took.items())))


def _wished(record: Record, event: ev.WishTaken, at: float) -> Record:
    wish = event.wish
    record = replace(record, wish=max(record.wish, wish.number))
    if event.declined:
        return record
    match wish.order:
        case Order.PAUSE:
            until = math.inf if wish.for_s is None else at + wish.for_s
            incident = None if record.incident is None else _interrupted(record.incident)
            return replace(record, paused_until=until, incident=incident)
        case Order.RESUME:
            incident = None if record.incident is None else replace(record.incident, is_doubted=False)
            return replace(record, paused_until=None, refused={}, incident=incident)
        case Order.POWER_ON:
            by_hand = (at, wish) if record.incident is None else record.by_hand
            return replace(record, by_hand=by_hand, sheds_nothing=record.level != Level.LOW)
        case Order.ABORT:
            is_shelved = record.level not in {Level.LOW, Level.BAND}
            return replace(record, by_hand=None, is_shelved=is_shelved, sheds_nothing=record.level != Level.LOW)
        case Order.ACKNOWLEDGE:
            return replace(record, acknowledged=(at, wish.by))
        case _:
            return record


def _opened(
    event: ev.AlarmTripped | ev.ShutdownWished | ev.PowerOnWished | ev.RehearsalWished | ev.ShedBegun, at: float
) -> Incident:
    match event:
        case ev.ShedBegun():
            return Incident(event.incident, at, Goal.OFF, at, event.reasons, is_shed=True)
        case ev.RehearsalWished():
            tried = Rehearsal(event.target_kind, event.target, event.name)
            return Incident(event.incident, at, Goal.OFF, at, (f"rehearsal of {event.name}",), wished_by=event.by,
                            rehearsal=tried)
        case ev.AlarmTripped():
            return Incident(event.incident, at, Goal.OFF, at, event.reasons)
        case ev.ShutdownWished():
            return Incident(event.incident, at, Goal.OFF, at, (event.reason,), wished_by=event.by)
        case ev.PowerOnWished():  # pragma: no branch - there is no other
            return Incident(event.incident, at, Goal.ON, at, (event.reason,), is_snapshot_closed=True,
                            wished_by=event.by, despite_unseen=event.despite_unseen)


def _incident_after(incident: Incident, entry: Entry) -> Incident:
    event, at = entry.event, entry.at
    match event:
        case ev.SnapshotClosed():
            return replace(incident, is_snapshot_closed=True)
        case ev.GracesCompressed():
            return replace(incident, haste=event.factor)
        case ev.GuardAway():
            return replace(_interrupted(incident), is_doubted=incident.goal is Goal.OFF)
        case ev.PhaseBegun():
            return replace(incident, phase=event.phase, tier=event.tier, phase_since=at, is_interrupted=False)
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
            return _after_turn(incident, event, at)


def _after_turn(incident: Incident, event: ev.Event, at: float) -> Incident:
    match event:
        case ev.RoomRecovered() | ev.ShedEnded():
            return _turned(incident, Goal.ON, at, event.reasons)
        case ev.HeatReturned() | ev.ShedResumed():
            return _turned(incident, Goal.OFF, at, event.reasons)
        case ev.ShedWidened():
            return _widened(incident, at, event.reasons)
        case ev.RestartHeld():
            since = at if incident.waits_since is None else incident.waits_since
            return replace(incident, waits_since=since, waits_for=event.why)
        case ev.GoalWished():
            return _wished_to(incident, event, at)
        case _:
            return incident


def _wished_to(incident: Incident, event: ev.GoalWished, at: float) -> Incident:
    """A shutdown that is under way already goes on as it is; only who may end it changes."""
    reasons = (event.reason,)
    if event.goal is Goal.OFF and incident.is_shed:
        turned = _widened(incident, at, reasons)
    else:
        is_same = event.goal is incident.goal is Goal.OFF
        turned = incident if is_same else _turned(incident, event.goal, at, reasons)
    return replace(turned, wished_by=event.by, despite_unseen=event.despite_unseen, is_doubted=False)


def _widened(incident: Incident, at: float, reasons: tuple[str, ...]) -> Incident:
    """What was shed goes on stopping as it was asked; the snapshot is closed anew, since others may run by now."""
    leg = incident if incident.goal is Goal.OFF else _turned(incident, Goal.OFF, at, reasons)
    return replace(
        leg, goal_since=at, reasons=reasons, is_snapshot_closed=False, phase=None, tier=None, phase_since=at,
        is_doubted=False, is_shed=False, was_shed=True, wished_by="", despite_unseen=False,
    )


def _turned(incident: Incident, goal: Goal, at: float, reasons: tuple[str, ...]) -> Incident:
    stopping = dict(incident.stopping)
    for (verb, target), intent in incident.intents.items():
        if verb in _STOPS and intent.outcome not in _NOT_TAKEN:
            stopping[target] = intent.at
    return Incident(
        incident.id, incident.opened_at, goal, at, reasons, incident.is_snapshot_closed, stopping=stopping,
        took=incident.took, rehearsal=incident.rehearsal, follows_rehearsal=incident.follows_rehearsal,
        is_shed=incident.is_shed, was_shed=incident.was_shed,
    )


def _interrupted(incident: Incident) -> Incident:
    """A pause or an absence: what is left of the leg begins anew, since no deadline may run while nobody commands."""
    anew = _turned(incident, incident.goal, incident.goal_since, incident.reasons)
    return replace(incident, is_interrupted=True, intents={}, abandoned={}, stopping=anew.stopping)


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
    took = {(s.target_kind, s.target, incident.goal): ev.Took(at, s.took_s) for s in sightings if s.took_s is not None}
    return replace(
        incident, intents=intents, observed={**incident.observed, **now}, took={**incident.took, **took},
        abandoned={
            target: given_up for target, given_up in incident.abandoned.items()
            if now.get(target, ("", 0.0))[0] != wanted
        },
        stopping={target: since for target, since in incident.stopping.items() if target not in off},
    )
