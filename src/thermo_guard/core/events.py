"""The journal's vocabulary. What is not among these never happened; the record is their fold and nothing else.

Each has a `kind`, so that a stored event is read back as what it was. Events are only ever added to: an old journal
must stay readable.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from .assessment import Grounds
from .commands import Command, Outcome, Verb
from .noticed import Noticed as Noticed  # noqa: PLC0414 - the journal's words are taken from here
from .turns import HeatReturned as HeatReturned  # noqa: PLC0414 - the journal's words are taken from here
from .turns import RestartHeld as RestartHeld  # noqa: PLC0414
from .turns import RoomRecovered as RoomRecovered  # noqa: PLC0414
from .turns import ShedBegun as ShedBegun  # noqa: PLC0414
from .turns import ShedEnded as ShedEnded  # noqa: PLC0414
from .turns import ShedResumed as ShedResumed  # noqa: PLC0414
from .turns import ShedWidened as ShedWidened  # noqa: PLC0414
from .wishes import Wish

TargetKind = Literal["vm", "host"]


class Goal(StrEnum):
    ON = "on"
    OFF = "off"


class Phase(StrEnum):
    """Where an incident is. Derived at each tick from what is seen; journaled as an edge for people."""

    DISARM = "disarm"
    GUESTS = "guests"
    CLUSTER_SERVICES = "cluster_services"
    """Waiting for vSphere's own cluster services to be gone."""
    HOSTS = "hosts"
    VCENTER = "vcenter"
    LAST_HOST = "last_host"
    FORCE_OFF = "force_off"
    """The BMCs cut the power of what would not go off."""
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
class GuardArmed:
    """From here a confirmed alarm trips. Never withdrawn."""

    by: str
    """Who armed it; empty: it has proved itself."""
    lacking: tuple[str, ...] = ()
    """What stands in the way of a complete way down or back all the same, each with what mends it."""
    kind: Literal["guard.armed"] = "guard.armed"


@dataclass(frozen=True, slots=True)
class WishTaken:
    """An operator's order was taken up, or declined."""

    wish: Wish
    declined: str = ""
    """Why; empty: it was taken up."""
    kind: Literal["wish.taken"] = "wish.taken"


@dataclass(frozen=True, slots=True)
class NamesResolved:
    """The addresses that the names of the site stood for in quiet time; used when resolution fails."""

    names: tuple[tuple[str, tuple[str, ...]], ...]
    """All that are known: (host name, IP addresses), lower case."""
    kind: Literal["names.resolved"] = "names.resolved"


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """A server refused an account: it is not tried there again before `until`, so as not to lock it."""

    endpoint: str
    """host:port, lower case."""
    user: str
    until: float
    why: str
    kind: Literal["login.refused"] = "login.refused"


@dataclass(frozen=True, slots=True)
class LoginAccepted:
    """The first login that worked after a refused one."""

    endpoint: str
    user: str
    kind: Literal["login.accepted"] = "login.accepted"


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
    why: str = "MODE=observe"
    """Why nothing is done."""
    kind: Literal["alarm.observed"] = "alarm.observed"


@dataclass(frozen=True, slots=True)
class AlarmTripped:
    """A confirmed alarm: an incident begins and its goal is OFF."""

    incident: str
    level: str
    reasons: tuple[str, ...]
    grounds: Grounds | None = field(default=None, compare=False)
    """None in what was written before there were any."""
    kind: Literal["alarm.tripped"] = "alarm.tripped"


@dataclass(frozen=True, slots=True)
class ShutdownWished:
    """A person's order opens an incident with goal OFF; only a person's order turns it."""

    incident: str
    by: str
    reason: str
    kind: Literal["shutdown.wished"] = "shutdown.wished"


@dataclass(frozen=True, slots=True)
class PowerOnWished:
    """A person's order opens an incident with goal ON: what the last snapshot shows as running is brought back."""

    incident: str
    by: str
    reason: str
    despite_unseen: bool = False
    kind: Literal["power_on.wished"] = "power_on.wished"


@dataclass(frozen=True, slots=True)
class GoalWished:
    """A person turns the goal of the open incident, or confirms it."""

    incident: str
    goal: Goal
    by: str
    reason: str
    despite_unseen: bool = False
    kind: Literal["goal.wished"] = "goal.wished"


@dataclass(frozen=True, slots=True)
class HostsConfirmed:
    """These hosts, with every VM on them, are what the guard may stop: a passing check or a person says so."""

    hosts: tuple[str, ...]
    vms: int
    """How many VMs the cluster had then."""
    by: str = ""
    """Who confirmed it; empty: a passing check."""
    kind: Literal["hosts.confirmed"] = "hosts.confirmed"


@dataclass(frozen=True, slots=True)
class Took:
    """One measured stop or start."""

    at: float
    seconds: float
    """From the first command that asked for it until it was seen."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How long one VM or host took lately, one way; the newest last."""

    target_kind: TargetKind
    target: str
    goal: Goal
    took: tuple[Took, ...]


@dataclass(frozen=True, slots=True)
class DurationsLearned:
    """All that is known of how long things take; it replaces what was known before."""

    measured: tuple[Measured, ...]
    kind: Literal["durations.learned"] = "durations.learned"


@dataclass(frozen=True, slots=True)
class RehearsalWished:
    """A person has one VM, or one empty host, stopped and started for real: an incident with nothing else in it."""

    incident: str
    by: str
    target_kind: TargetKind
    target: str
    """Instance UUID of the VM, or name of the host."""
    name: str
    kind: Literal["rehearsal.wished"] = "rehearsal.wished"


@dataclass(frozen=True, slots=True)
class GracesCompressed:
    """The room will be critical before the plan is through: from here everyone gets this share of his time."""

    incident: str
    factor: float
    """Of the times that the settings give, 0 to 1."""
    reason: str
    kind: Literal["graces.compressed"] = "graces.compressed"


@dataclass(frozen=True, slots=True)
class GuardAway:
    """The guard was started again in an incident after so long that people may have gone on without it."""

    incident: str
    for_s: float
    kind: Literal["guard.away"] = "guard.away"


@dataclass(frozen=True, slots=True)
class SnapshotClosed:
    """From here the snapshot is not rewritten until the incident ends."""

    incident: str
    kind: Literal["snapshot.closed"] = "snapshot.closed"


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

    target_kind: TargetKind
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
    is_set_aside: bool = False
    """Nothing is asked of it any more in this leg: asking was what the guard did not survive."""
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
    aborted_by: str = ""
    """Who ended it where it stood; empty: it ran to its end."""
    kind: Literal["incident.closed"] = "incident.closed"


Event = (
    GuardStarted | GuardStopped | GuardArmed | HostsConfirmed | WishTaken | NamesResolved | LoginRefused
    | LoginAccepted | SensorsLearned | BmcsMatched | LevelChanged | AlarmObserved | AlarmTripped
    | ShutdownWished | DurationsLearned | PowerOnWished | GoalWished | RehearsalWished | GracesCompressed
    | GuardAway | SnapshotClosed | RoomRecovered | HeatReturned | PhaseBegun | Intended | Answered | Observed
    | Abandoned | PowerOnHeld | SitePoweredOn | IncidentClosed | ShedBegun | ShedEnded | ShedResumed | ShedWidened
    | RestartHeld | Noticed
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in its place in the journal."""

    seq: int
    at: float
    """Seconds since 1970 UTC, on the guard's line."""
    event: Event
