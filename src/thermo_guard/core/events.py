"""The journal's vocabulary. What is not among these never happened; the record is their fold and nothing else.

Each has a `kind`, so that a stored event is read back as what it was. Events are only ever added to: an old journal
must stay readable.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from .commands import Command, Outcome, Verb


class Goal(StrEnum):
    ON = "on"
    OFF = "off"


class Phase(StrEnum):
    """Where an incident is. Derived at each tick from what is seen; journaled as an edge for people."""

    DISARM = "disarm"
    GUESTS = "guests"
    HOSTS = "hosts"
    VCENTER = "vcenter"
    LAST_HOST = "last_host"
    ALL_OFF = "all_off"
    FIRST_HOST = "first_host"
    WATCH = "watch"
    OTHER_HOSTS = "other_hosts"
    START_VCENTER = "start_vcenter"
    RESTORE = "restore"
    START_GUESTS = "start_guests"
    HELD = "held"
    """Power-on is not permitted now: the room is hot, unseen, or was powered on too often."""
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class GuardStarted:
    owner: str
    version: str
    kind: Literal["guard.started"] = "guard.started"


@dataclass(frozen=True, slots=True)
class GuardStopped:
    owner: str
    kind: Literal["guard.stopped"] = "guard.stopped"


@dataclass(frozen=True, slots=True)
class SensorsLearned:
    """The voting sensors, where the settings do not name them: all that the network has ever shown."""

    sensors: tuple[str, ...]
    kind: Literal["sensors.learned"] = "sensors.learned"


@dataclass(frozen=True, slots=True)
class BmcsMatched:
    """Which BMC is built into which host: (host, BMC address) pairs."""

    pairs: tuple[tuple[str, str], ...]
    kind: Literal["bmcs.matched"] = "bmcs.matched"


@dataclass(frozen=True, slots=True)
class LevelChanged:
    level: str
    before: str
    reasons: tuple[str, ...]
    kind: Literal["level.changed"] = "level.changed"


@dataclass(frozen=True, slots=True)
class AlarmObserved:
    """A confirmed alarm while the guard only observes: nothing is done about it."""

    level: str
    reasons: tuple[str, ...]
    kind: Literal["alarm.observed"] = "alarm.observed"


@dataclass(frozen=True, slots=True)
class AlarmTripped:
    """A confirmed alarm: an incident begins and its goal is OFF."""

    incident: str
    level: str
    reasons: tuple[str, ...]
    kind: Literal["alarm.tripped"] = "alarm.tripped"


@dataclass(frozen=True, slots=True)
class SnapshotClosed:
    """From here the snapshot is not rewritten until the incident ends."""

    incident: str
    kind: Literal["snapshot.closed"] = "snapshot.closed"


@dataclass(frozen=True, slots=True)
class RoomRecovered:
    """The goal turns to ON."""

    incident: str
    reasons: tuple[str, ...]
    kind: Literal["room.recovered"] = "room.recovered"


@dataclass(frozen=True, slots=True)
class HeatReturned:
    """The goal turns back to OFF; the snapshot stays."""

    incident: str
    level: str
    reasons: tuple[str, ...]
    kind: Literal["heat.returned"] = "heat.returned"


@dataclass(frozen=True, slots=True)
class PhaseBegun:
    incident: str
    phase: Phase
    tier: int | None = None
    kind: Literal["phase.begun"] = "phase.begun"


@dataclass(frozen=True, slots=True)
class Intended:
    """Durable before the commands are sent."""

    commands: tuple[Command, ...]
    kind: Literal["commands.intended"] = "commands.intended"


@dataclass(frozen=True, slots=True)
class Answer:
    verb: Verb
    target: str
    outcome: Outcome
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """How the calls returned; never taken for the deed."""

    answers: tuple[Answer, ...]
    kind: Literal["commands.answered"] = "commands.answered"


@dataclass(frozen=True, slots=True)
class Sighting:
    """The power that a VM or host was seen to have taken."""

    target_kind: Literal["vm", "host"]
    target: str
    name: str
    power: str
    by: str
    """How it is known: 'bmc', 'silence', 'vcenter', 'direct', or the host that a VM is on."""
    took_s: float | None = None
    """From the first command that asked for it, where there was one."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Changes of power, as one tick saw them: the outcome of commands, and what happened without any."""

    sightings: tuple[Sighting, ...]
    kind: Literal["targets.observed"] = "targets.observed"


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A target that did not get there by its deadline; the rest goes on without it, and a person is told."""

    target_kind: Literal["vm", "host", "cluster"]
    target: str
    name: str
    phase: Phase
    reason: str
    kind: Literal["target.abandoned"] = "target.abandoned"


@dataclass(frozen=True, slots=True)
class PowerOnHeld:
    """The site has been powered on too often: from here a person decides."""

    reason: str
    kind: Literal["power_on.held"] = "power_on.held"


@dataclass(frozen=True, slots=True)
class SitePoweredOn:
    """The guard begins to power hosts on: counted against the limit of 24 hours."""

    incident: str
    kind: Literal["site.powered_on"] = "site.powered_on"


@dataclass(frozen=True, slots=True)
class IncidentClosed:
    incident: str
    differences: tuple[str, ...]
    """Each way in which the plant is not as it was; empty when all is."""
    kind: Literal["incident.closed"] = "incident.closed"


Event = (
    GuardStarted | GuardStopped | SensorsLearned | BmcsMatched | LevelChanged | AlarmObserved | AlarmTripped
    | SnapshotClosed | RoomRecovered | HeatReturned | PhaseBegun | Intended | Answered | Observed | Abandoned
    | PowerOnHeld | SitePoweredOn | IncidentClosed
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in its place in the journal."""

    seq: int
    at: float
    """Seconds since 1970 UTC, on the guard's line."""
    event: Event
