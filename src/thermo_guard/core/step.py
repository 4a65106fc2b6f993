"""What the planner is asked and what it answers: the situation, the step, and when a command is due again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from .commands import Command, Outcome, Verb
from .events import Abandoned, Event, Goal, Intended, Observed, Phase, PhaseBegun, PowerOnHeld, Sighting, SitePoweredOn
from .plant import Power, Vm
from .policy import Watch
from .record import Incident, Intent
from .runbook import Runbook
from .scope import Scope
from .snapshot import Snapshot
from .view import PlantNow

UNANSWERED_S = 10.0
"""An intent without an answer on record is looked at for this long before it is sent again."""
REFUSED_S = 30.0
UNAUTHORIZED_S = 60.0
TRANSIENT_S = (5.0, 60.0)
GIVE_UP_S = 120.0
"""What has been forced and still stands after this long is abandoned."""
DISARM_S = 60.0
RESTORE_S = 300.0
TERMINATE_S = 60.0
"""A forced power-off that has not shown after this long is followed by killing the VM's process."""
MOST_AT_ONCE = 1000
"""So many commands, and so many give-ups, in one step; what is left follows at the next. More could not be sent before
the next step anyway: at 16 at once, vCenter takes some 300 a second."""
LEAST_GRACE_S = 15.0
"""However great the haste, a guest that is asked to shut down has this long."""
LEAST_HOST_S = 180.0
"""However great the haste, a host has this long for its shutdown before its BMC cuts the power."""
DIRECT_S = 180.0
"""The time in which vCenter's host must have answered directly, before it is left up and a person is told."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds of the runbook in seconds, as the settings of the same names say."""

    vm_shutdown_s: float = 300.0
    host_shutdown_s: float = 600.0
    maintenance_s: float = 120.0
    vcenter_shutdown_s: float = 600.0
    host_boot_s: float = 1800.0
    host_stagger_s: float = 30.0
    vcenter_start_s: float = 1800.0
    vm_start_s: float = 300.0
    power_on_limit: int = 2
    """In 24 hours."""
    force_bmc_off: bool = False
    """What does not go off by its deadline is forced off by its BMC."""
    answers_questions: bool = False
    """A VM's question is answered as vSphere proposes; else it is powered off at the end of its grace."""

    def in_haste(self, factor: float) -> "Timing":
        """The same with this share of the time for everything that stops, but never less than LEAST_GRACE_S."""
        if factor >= 1.0:
            return self
        return replace(
            self, vm_shutdown_s=shortened(self.vm_shutdown_s, factor),
            host_shutdown_s=self._host_shutdown_in_haste_s(factor),
            maintenance_s=shortened(self.maintenance_s, factor),
            vcenter_shutdown_s=shortened(self.vcenter_shutdown_s, factor),
        )

    def _host_shutdown_in_haste_s(self, factor: float) -> float:
        """A host that goes off in order is not faster for being given up: only its BMC could make it so."""
        if not self.force_bmc_off:
            return self.host_shutdown_s
        return max(min(self.host_shutdown_s, LEAST_HOST_S), self.host_shutdown_s * factor)

    def patience_s(self, verb: Verb) -> float:
        """How long an accepted command is waited for before it is asked again."""
        match verb:
            case Verb.SHUT_DOWN_GUEST:
                return max(self.vm_shutdown_s / 2, 60.0)
            case Verb.ENTER_MAINTENANCE:
                return self.maintenance_s + 30.0
            case Verb.EXIT_MAINTENANCE | Verb.SHUT_DOWN_HOST | Verb.POWER_ON_HOST:
                return 120.0
            case Verb.POWER_ON_VM | Verb.ADOPT_VM:
                return 60.0
            case _:
                return 30.0


def shortened(seconds: float, factor: float) -> float:
    """That share of the time, but never less than LEAST_GRACE_S where there was so much."""
    return max(min(seconds, LEAST_GRACE_S), seconds * factor)


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a step is decided from."""

    now: float
    incident: Incident
    snapshot: Snapshot
    plant: PlantNow
    timing: Timing
    runbook: Runbook
    is_permitted: bool
    """Power-on: the room has recovered and is neither hot nor unseen now."""
    why_not_permitted: str
    watch: Callable[[float], Watch]
    """The room's watch since a time."""
    power_ons: tuple[float, ...] = ()
    """Of the site in the last 24 hours, this leg's own among them."""
    scope: Scope = field(default_factory=Scope)
    started_at: float | None = None
    """When the guard's present life began."""


class Wait(NamedTuple):
    """What is waited for, and until when (on the guard's line; None: without a bound)."""

    target: str
    what: str
    until: float | None


@dataclass(slots=True)
class Step:
    """What is due now. Built up by the planner, read by the engine."""

    phase: Phase
    tier: int | None = None
    commands: list[Command] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    ports: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)
    """TCP ports that are waited for: IP addresses and port, by the VM's id."""
    abandoned: list[Abandoned] = field(default_factory=list)
    observed: list[Sighting] = field(default_factory=list)
    needs_person: str | None = None
    is_done: bool = False


class Leg:
    """One planning of one leg: the step being built, with the questions that each phase asks of the record."""

    def __init__(self, situation: Situation, phase: Phase) -> None:
        self.s = situation
        self.now = situation.now
        self.timing = situation.timing.in_haste(situation.incident.haste)
        self.kept = {vm.id: vm for vm in situation.snapshot.vms}
        self.kept_hosts = {host.name: host for host in situation.snapshot.hosts}
        self.step = Step(phase)
        self.since = self._since()
        """When the phase that is being planned began; now, if it only begins."""
        self.asked: set[tuple[Verb, str]] = set()
        """Keys of the commands that are in the step."""
        self.given_up: set[str] = set()
        """Targets that are abandoned in this very step."""
        self.loads: dict[str, int] | None = None
        """VMs by host that could take one more; counted once, where it is first asked for."""

    def _since(self) -> float:
        incident = self.s.incident
        return incident.phase_since if is_in(incident, self.step) else self.now

    def begin(self, phase: Phase, tier: int | None = None) -> None:
        self.step.phase, self.step.tier = phase, tier
        self.since = self._since()

    def intent(self, verb: Verb, target: str) -> Intent | None:
        return self.s.incident.intents.get((verb, target))

    def first_asked(self, target: str, *verbs: Verb) -> float | None:
        """When the target was first asked for any of these in this leg."""
        intents, first = self.s.incident.intents, None
        for verb in verbs:
            intent = intents.get((verb, target))
            if intent is not None and (first is None or intent.first_at < first):
                first = intent.first_at
        return first

    def is_abandoned(self, target: str) -> bool:
        return target in self.s.incident.abandoned

    def was_seen(self, target: str, power: Power) -> bool:
        """It is on record in this leg that this was its power when it was last known."""
        return self.s.incident.observed.get(target, ("", 0.0))[0] == power

    def is_settled(self, target: str) -> bool:
        """It is not waited for any more: abandoned, in this step or before."""
        return target in self.given_up or self.is_abandoned(target)

    def ask(self, command: Command) -> bool:
        """Put the command into the step, if it is due and not in it yet; whether it was."""
        if self.is_full or not self._may_ask(command.verb, command.target, command.via):
            return False
        self.asked.add(command.key)
        self.step.commands.append(command)
        return True

    @property
    def is_full(self) -> bool:
        """No more commands in this step."""
        return len(self.step.commands) >= MOST_AT_ONCE

    def ask_vm(self, verb: Verb, vm: Vm, route: str) -> None:
        """The same for a VM: 10,000 of them may have been asked just now."""
        if not self.is_full and self._may_ask(verb, vm.id, route):
            self.ask(Command(verb, vm.id, vm.name, route))

    def _may_ask(self, verb: Verb, target: str, via: str) -> bool:
        incident, key = self.s.incident, (verb, target)
        intent = incident.intents.get(key)
        if key in self.asked or not (is_due(intent, self.timing, self.now) or _is_other_way(intent, via)):
            return False
        given_up = incident.abandoned.get(target)
        return given_up is None or not given_up.is_set_aside

    def note(
        self, kind: Literal["vm", "host"], target: str, name: str, power: Power, by: str, *verbs: Verb
    ) -> None:
        """Note a power that this leg has not noted of the target yet; on the way down ON goes without saying at first.

        :param verbs: those that would have brought it about, for how long that took, in seconds. What a start of the
            guard lies in between of is not measured: nobody saw when it came about.
        """
        is_down = self.s.incident.goal is Goal.OFF
        seen = self.s.incident.observed.get(target)
        known = seen[0] if seen is not None else Power.ON if is_down else ""
        if power == known or (power is not Power.ON and power is not Power.OFF):
            return
        is_wanted = (power is Power.OFF) is is_down
        asked = self.first_asked(target, *verbs) if is_wanted else None
        was_watched = asked is not None and (self.s.started_at is None or asked >= self.s.started_at)
        took_s = self.now - asked if asked is not None and was_watched else None
        self.step.observed.append(Sighting(kind, target, name, power, by, took_s))

    def wait(self, target: str, what: str, until: float | None) -> None:
        self.step.waits.append(Wait(target, what, until))

    def may_abandon(self, target: str) -> bool:
        """It has not been given up yet, and there is room for one more in this step."""
        return not self.is_abandoned(target) and len(self.step.abandoned) < MOST_AT_ONCE

    def abandon(self, event: Abandoned) -> None:
        if self.may_abandon(event.target):
            self.step.abandoned.append(event)
            self.given_up.add(event.target)


def _is_other_way(intent: Intent | None, via: str) -> bool:
    """It was refused by one way, and this is another."""
    return (intent is not None and intent.command.via != via
            and intent.outcome in {Outcome.REFUSED, Outcome.UNAUTHORIZED})


def is_in(incident: Incident, step: Step) -> bool:
    """The incident has been in the step's phase without a break until now."""
    return (incident.phase, incident.tier) == (step.phase, step.tier) and not incident.is_interrupted


def is_due(intent: Intent | None, timing: Timing, now: float) -> bool:
    """Whether a command whose target still does not stand where it is wanted is to be sent (again) now."""
    if intent is None:
        return True
    passed_s = now - intent.at
    match intent.outcome:
        case Outcome.UNSENT:
            return True
        case None | Outcome.AMBIGUOUS:
            return passed_s >= UNANSWERED_S
        case Outcome.TRANSIENT:
            first, most = TRANSIENT_S
            return passed_s >= min(most, first * intent.tries)
        case Outcome.REFUSED:
            return passed_s >= REFUSED_S
        case Outcome.UNAUTHORIZED:
            return passed_s >= UNAUTHORIZED_S
        case Outcome.ACCEPTED:  # pragma: no branch - there is no other
            return passed_s >= timing.patience_s(intent.command.verb)


def last_answer(intents: Mapping[tuple[Verb, str], Intent], target: str, *verbs: Verb) -> str:
    """The last words that came back for a target, for the message to a person."""
    texts = [intent.text for verb in verbs if (intent := intents.get((verb, target))) and intent.text]
    return f": {texts[-1]}" if texts else ""


def told(step: Step, incident: Incident, commands: Sequence[Command]) -> tuple[Event, ...]:
    """What the journal is told of a step before anything of it is done.

    :param commands: those of the step that will be sent now.
    """
    events: list[Event] = []
    if not is_in(incident, step):
        events.append(PhaseBegun(incident.id, step.phase, step.tier))
    if step.observed:
        events.append(Observed(tuple(step.observed)))
    events.extend(step.abandoned)
    if step.needs_person is not None and not incident.is_held:
        events.append(PowerOnHeld(step.needs_person))
    is_counted = not incident.is_powered_on and incident.rehearsal is None
    counted = {Verb.POWER_ON_HOST, Verb.POWER_ON_VM} if incident.is_shed else {Verb.POWER_ON_HOST}
    if is_counted and any(command.verb in counted for command in commands):
        events.append(SitePoweredOn(incident.id))
    if commands:
        events.append(Intended(tuple(commands)))
    return tuple(events)
