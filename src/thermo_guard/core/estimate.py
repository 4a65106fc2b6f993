"""The plan before it runs: the planner itself, run forward against a model of the plant, and how long it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import events as ev
from .commands import VCENTER, Command, Outcome, Verb
from .durations import Durations
from .planner import next_step
from .plant_model import PlantModel, without_logins
from .policy import Watch
from .record import Incident, Record
from .runbook import Runbook
from .scope import Scope
from .snapshot import Snapshot
from .step import Situation, Step, Timing, told
from .view import PlantNow

_MOST_S = 24 * 3600.0
_FORCED = {Verb.POWER_OFF_VM, Verb.TERMINATE_VM}


@dataclass(frozen=True, slots=True)
class Act:
    """One command of the plan; times are seconds from the start of its leg."""

    phase: ev.Phase
    tier: int | None
    verb: Verb
    target: str
    name: str
    via: str
    starts_s: float
    ends_s: float
    is_overdue: bool = False
    """POWER_OFF_VM: its guest was asked to shut down and has had its time."""
    why: str = ""
    """Where the time that it takes is from, for people."""
    waited_for: str = ""
    """What a VM that cannot be asked was given before it, for people."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One leg as the planner would run it now."""

    goal: ev.Goal
    acts: tuple[Act, ...]
    takes_s: float
    needs_person: tuple[str, ...]
    """What it would end without, in words."""


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the planner is told beside the plant and the record."""

    timing: Timing
    runbook: Runbook
    scope: Scope
    watch_s: float = 0.0


def forecast(
    snapshot: Snapshot, bmc_of: Mapping[str, str], timing: Timing, runbook: Runbook,
    *, has_direct_logins: bool, watch_s: float, durations: Durations | None = None, scope: Scope | None = None,
) -> tuple[Forecast, Forecast]:
    """The way down as it would run now, and the way back from there."""
    terms = _Terms(timing, runbook, scope or Scope(), watch_s)
    model = _tripped(snapshot, bmc_of, durations, has_direct_logins=has_direct_logins)
    down = _run(model, ev.Goal.OFF, terms)
    model.recorded(ev.RoomRecovered("plan", ()))
    return down, _run(model, ev.Goal.ON, terms)


def stop_s(
    snapshot: Snapshot, bmc_of: Mapping[str, str], timing: Timing, runbook: Runbook,
    *, has_direct_logins: bool, durations: Durations | None = None, scope: Scope | None = None,
) -> float:
    """What it takes to stop everything, from the trip to the last host's end, in seconds: the way down alone."""
    model = _tripped(snapshot, bmc_of, durations, has_direct_logins=has_direct_logins)
    return _run(model, ev.Goal.OFF, _Terms(timing, runbook, scope or Scope())).takes_s


def _tripped(
    snapshot: Snapshot, bmc_of: Mapping[str, str], durations: Durations | None, *, has_direct_logins: bool
) -> PlantModel:
    model = PlantModel(snapshot, bmc_of, durations or Durations(), record=Record(bmc_of=bmc_of), now=0.0)
    if not has_direct_logins:
        model.silent = without_logins(snapshot)
    model.recorded(ev.AlarmTripped("plan", "high", ()), ev.SnapshotClosed("plan"))
    return model


def remaining_s(  # noqa: PLR0913 - what a situation is made of
    incident: Incident, snapshot: Snapshot, plant: PlantNow, bmc_of: Mapping[str, str], timing: Timing,
    runbook: Runbook, durations: Durations, now: float, *, scope: Scope | None = None,
) -> float:
    """How long the way down would still take from here, in seconds; 0 where the planner has nothing left to do.

    :param now: on the line of the incident's own times.

    What is off already is off, what has been asked is under way since then, and what hangs gets its whole time. Pure
    and slow: about a second for 10,000 VMs.
    """
    model = PlantModel.from_now(incident, snapshot, plant, bmc_of, durations, now)
    return _run(model, ev.Goal.OFF, _Terms(timing, runbook, scope or Scope())).takes_s


@dataclass(slots=True)
class _Leg:
    began: float
    acts: list[Act] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    """Place among the acts of the last shutdown of each guest."""
    given_up: list[str] = field(default_factory=list)

    def cut_short(self, vm_id: str, at_s: float) -> bool:
        """End the shutdown of a guest that is powered off now; whether there was one."""
        if (place := self.asked.get(vm_id)) is None:
            return False
        act = self.acts[place]
        if at_s < act.ends_s:
            self.acts[place] = replace(act, ends_s=at_s, why=f"all its grace: {act.why}")
        return True


def _run(model: PlantModel, goal: ev.Goal, terms: _Terms) -> Forecast:
    leg = _Leg(model.now)
    while model.now - leg.began < _MOST_S:
        step = _plan(model, terms)
        _carry_out(model, step, leg)
        if step.is_done and not step.commands:
            break
        model.advance(step)
    return Forecast(goal, tuple(leg.acts), model.now - leg.began, tuple(leg.given_up))


def _plan(model: PlantModel, terms: _Terms) -> Step:
    def watch(since: float) -> Watch:
        return Watch(is_clear=model.now - since >= terms.watch_s, why="watching the room")

    return next_step(Situation(
        now=model.now, incident=model.incident, snapshot=model.snapshot, plant=model.plant(), timing=terms.timing,
        runbook=terms.runbook, is_permitted=True, why_not_permitted="", watch=watch, scope=terms.scope,
    ))


def _carry_out(model: PlantModel, step: Step, leg: _Leg) -> None:
    commands = [command for command in step.commands if command.key not in model.under_way]
    model.recorded(*told(step, model.incident, step.commands))
    leg.given_up.extend(f"{event.target_kind} {event.name}: {event.reason}" for event in step.abandoned)
    if step.commands:
        model.recorded(ev.Answered(tuple(ev.Answer(c.verb, c.target, Outcome.ACCEPTED) for c in step.commands)))
    _act(model, step, leg, commands)


def _act(model: PlantModel, step: Step, leg: _Leg, commands: Sequence[Command]) -> None:
    starts_s = model.now - leg.began
    since_s = model.incident.phase_since - leg.began
    for command in commands:
        is_forced = command.verb in _FORCED
        is_overdue = is_forced and leg.cut_short(command.target, starts_s)
        has_waited = is_forced and not is_overdue and since_s < starts_s
        waited_for = "no tools: its grace, then power-off" if has_waited else ""
        duration = model.take(command)
        if command.verb is Verb.SHUT_DOWN_GUEST:
            leg.asked[command.target] = len(leg.acts)
        leg.acts.append(Act(
            step.phase, step.tier, command.verb, command.target, command.name,
            "vCenter" if command.via == VCENTER else command.via, starts_s, starts_s + duration.seconds,
            is_overdue=is_overdue, why=duration.why, waited_for=waited_for,
        ))
