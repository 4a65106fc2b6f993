"""The plan before it runs: the planner itself, run forward against a model of the plant, and how long each act takes.

The model is as simple as it can be: each command is taken at once and done after a typical time. What differs from it
in life (a stuck guest, a lost answer) the planner meets then, not here.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from . import events as ev
from .commands import VCENTER, Command, Outcome, Verb
from .planner import next_step
from .plant import BmcSeen, ClusterSeen, ClusterSettings, Host, HostSeen, Power, Sight, Unseen, Vm
from .policy import Watch
from .record import Incident, Record, fold
from .runbook import Runbook
from .snapshot import KeptVm, Snapshot
from .step import Situation, Step, Timing, told
from .view import PlantNow, plant_now

_STEP_S = 1.0
_LOOK_S = 30.0
"""The planner is asked at least this often, for what it only waits for: the stagger, the watch."""
_MOST_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Durations:
    """What each act typically takes, in seconds, where nothing better has been measured."""

    guest_shutdown_s: float = 60.0
    vcenter_shutdown_s: float = 180.0
    power_off_s: float = 5.0
    maintenance_s: float = 20.0
    host_shutdown_s: float = 120.0
    host_boot_s: float = 420.0
    vcenter_start_s: float = 600.0
    guest_start_s: float = 60.0
    settings_s: float = 5.0


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


@dataclass(frozen=True, slots=True)
class Forecast:
    """One leg as the planner would run it now."""

    goal: ev.Goal
    acts: tuple[Act, ...]
    takes_s: float
    needs_person: tuple[str, ...]
    """What it would end without, in words."""


def forecast(
    snapshot: Snapshot, bmc_of: Mapping[str, str], timing: Timing, runbook: Runbook,
    *, has_direct_logins: bool, watch_s: float, durations: Durations | None = None,
) -> tuple[Forecast, Forecast]:
    """The way down as it would run now, and the way back from there."""
    model = _Model(snapshot, bmc_of, durations or Durations(), has_direct_logins=has_direct_logins)
    opening = (ev.AlarmTripped("plan", "high", ()), ev.SnapshotClosed("plan"))
    model.recorded(*opening)
    down = _run(model, ev.Goal.OFF, timing, runbook, watch_s)
    model.recorded(ev.RoomRecovered("plan", ()))
    return down, _run(model, ev.Goal.ON, timing, runbook, watch_s)


class _Model:
    """A plant on which everything works."""

    def __init__(
        self, snapshot: Snapshot, bmc_of: Mapping[str, str], durations: Durations, *, has_direct_logins: bool
    ) -> None:
        self.now = 0.0
        self.snapshot = snapshot
        self.bmc_of = bmc_of
        self.durations = durations
        self.has_direct_logins = has_direct_logins
        self.record = Record(bmc_of=bmc_of)
        self.seq = 0
        self.up = {host.name: host.is_on for host in snapshot.hosts}
        self.maintenance = {host.name: host.in_maintenance for host in snapshot.hosts}
        self.vms = {vm.id: _vm(vm, is_on=vm.is_on) for vm in snapshot.vms}
        self.settings = snapshot.settings
        self.is_vcenter_up = True
        self.due: list[tuple[float, int, Callable[[], None]]] = []
        self.under_way: dict[tuple[Verb, str], int] = {}
        """Its number by command, so that one that was cut short never ends."""
        self.taken = 0
        self.kept_vms = {vm.id: vm for vm in snapshot.vms}
        self.vms_on = {h.name: [vm for vm in snapshot.vms if vm.host == h.name] for h in snapshot.hosts}
        self.vcenter_hosts = {vm.host for vm in snapshot.vcenter_vms}
        self._plant: PlantNow | None = None

    def recorded(self, *events: ev.Event) -> None:
        for event in events:
            self.seq += 1
            self.record = fold(self.record, [ev.Entry(self.seq, self.now, event)])

    @property
    def incident(self) -> Incident:
        if self.record.incident is None:
            raise RuntimeError("the plan's incident is opened first")
        return self.record.incident

    def plant(self) -> PlantNow:
        """The join of all looks; the same until something has happened."""
        if self._plant is None:
            self._plant = plant_now(self._sight(), self.snapshot, self.bmc_of)
        return self._plant

    def _sight(self) -> Sight:
        hosts = tuple(
            Host(h.name, h.address, h.uuid, is_connected=self.up[h.name], in_maintenance=self.maintenance[h.name])
            for h in self.snapshot.hosts
        )
        cluster = ClusterSeen(self.now, self.snapshot.cluster, hosts, self._vms(self.snapshot.vms), self.settings)
        refused = Unseen(0.0, "no direct login is configured", is_refused=True)
        direct = {
            h.name: HostSeen(self.now, h.name, h.uuid, self.maintenance[h.name], self._vms(self.vms_on[h.name]))
            if self.has_direct_logins else refused
            for h in self.snapshot.hosts if self.up[h.name] and (h.name in self.vcenter_hosts or not self.is_vcenter_up)
        }
        bmcs = {
            bmc: BmcSeen(self.now, bmc, Power.ON if self.up.get(host) else Power.OFF)
            for host, bmc in self.bmc_of.items()
        }
        return Sight(cluster if self.is_vcenter_up else Unseen(self.now, "its VM is off"), direct, bmcs)

    def _vms(self, kept: Iterable[KeptVm]) -> tuple[Vm, ...]:
        return tuple(self.vms[vm.id] for vm in kept)

    def take(self, command: Command) -> float:
        """Take a command and return how long it will be under way."""
        took_s, then = self._effect(command)
        if command.verb is Verb.POWER_OFF_VM:  # cuts short what its guest was still about
            self.under_way.pop((Verb.SHUT_DOWN_GUEST, command.target), None)
        self.taken += 1
        taken = self.under_way[command.key] = self.taken

        def done() -> None:
            if self.under_way.get(command.key) == taken:
                del self.under_way[command.key]
                then()

        heapq.heappush(self.due, (self.now + took_s, self.taken, done))
        return took_s

    def _effect(self, command: Command) -> tuple[float, Callable[[], None]]:
        d, target = self.durations, command.target
        is_vcenter = target in self.kept_vms and self.kept_vms[target].is_vcenter
        match command.verb:
            case Verb.SHUT_DOWN_GUEST:
                took_s = d.vcenter_shutdown_s if is_vcenter else d.guest_shutdown_s
                return took_s, lambda: self._vm(target, is_on=False)
            case Verb.POWER_OFF_VM:
                return d.power_off_s, lambda: self._vm(target, is_on=False)
            case Verb.POWER_ON_VM:
                return (d.vcenter_start_s if is_vcenter else d.guest_start_s), lambda: self._vm(target, is_on=True)
            case Verb.ENTER_MAINTENANCE:
                return d.maintenance_s, lambda: self.maintenance.__setitem__(target, True)
            case Verb.EXIT_MAINTENANCE:
                return d.settings_s, lambda: self.maintenance.__setitem__(target, False)
            case Verb.SHUT_DOWN_HOST:
                return d.host_shutdown_s, lambda: self.up.__setitem__(target, False)
            case Verb.POWER_ON_HOST:
                return d.host_boot_s, lambda: self.up.__setitem__(target, True)
            case _:
                return d.settings_s, lambda: self._set(_changed(self.settings, self.snapshot.settings, command.verb))

    def _vm(self, vm_id: str, *, is_on: bool) -> None:
        kept = self.kept_vms[vm_id]
        self.vms[vm_id] = _vm(kept, is_on=is_on)
        if kept.is_vcenter:
            self.is_vcenter_up = is_on

    def _set(self, settings: ClusterSettings) -> None:
        self.settings = settings

    def advance(self) -> None:
        """On to the next thing that happens, or a step where nothing is under way."""
        self.now += max(_STEP_S, min(_LOOK_S, self.due[0][0] - self.now)) if self.due else _STEP_S
        while self.due and self.due[0][0] <= self.now:
            heapq.heappop(self.due)[2]()
            self._plant = None


def _vm(kept: KeptVm, *, is_on: bool) -> Vm:
    has_tools = is_on and kept.has_tools
    return Vm(kept.id, kept.name, kept.host, Power.ON if is_on else Power.OFF, can_shut_down_guest=has_tools,
              is_tools_running=has_tools, tier=kept.tier, path=kept.path)


def _changed(now: ClusterSettings, kept: ClusterSettings, verb: Verb) -> ClusterSettings:
    match verb:
        case Verb.DISARM_HA:
            return replace(now, ha_enabled=False)
        case Verb.DISARM_DRS:
            return replace(now, drs_behavior="manual", drs_overrides=False, dpm_enabled=False)
        case Verb.RESTORE_HA:
            return replace(now, ha_enabled=True, ha_host_monitoring=kept.ha_host_monitoring, ha_admission_control=False)
        case Verb.RESTORE_DRS:
            return replace(now, drs_behavior=kept.drs_behavior, drs_overrides=kept.drs_overrides,
                           dpm_enabled=kept.dpm_enabled)
        case _:
            return replace(now, ha_admission_control=kept.ha_admission_control)


@dataclass(slots=True)
class _Leg:
    began: float
    acts: list[Act] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)

    def cut_short(self, vm_id: str, at_s: float) -> bool:
        """End the shutdown of a guest that is powered off now; whether there was one."""
        for place, act in enumerate(self.acts):
            if act.verb is Verb.SHUT_DOWN_GUEST and act.target == vm_id:
                self.acts[place] = replace(act, ends_s=min(act.ends_s, at_s))
                return True
        return False


def _run(model: _Model, goal: ev.Goal, timing: Timing, runbook: Runbook, watch_s: float) -> Forecast:
    leg = _Leg(model.now)
    while model.now - leg.began < _MOST_S:
        step = _plan(model, timing, runbook, watch_s)
        _carry_out(model, step, leg)
        if step.is_done and not step.commands:
            break
        model.advance()
    return Forecast(goal, tuple(leg.acts), model.now - leg.began, tuple(leg.given_up))


def _plan(model: _Model, timing: Timing, runbook: Runbook, watch_s: float) -> Step:
    def watch(since: float) -> Watch:
        return Watch(is_clear=model.now - since >= watch_s, why="watching the room")

    return next_step(Situation(
        now=model.now, incident=model.incident, snapshot=model.snapshot,
        plant=model.plant(), timing=timing, runbook=runbook,
        is_permitted=True, why_not_permitted="", watch=watch,
    ))


def _carry_out(model: _Model, step: Step, leg: _Leg) -> None:
    commands = [command for command in step.commands if command.key not in model.under_way]
    model.recorded(*told(step, model.incident, commands))
    leg.given_up.extend(f"{event.target_kind} {event.name}: {event.reason}" for event in step.abandoned)
    if commands:
        model.recorded(ev.Answered(tuple(ev.Answer(c.verb, c.target, Outcome.ACCEPTED) for c in commands)))
    for command in commands:
        starts_s = model.now - leg.began
        is_overdue = command.verb is Verb.POWER_OFF_VM and leg.cut_short(command.target, starts_s)
        leg.acts.append(Act(step.phase, step.tier, command.verb, command.target, command.name,
                            "vCenter" if command.via == VCENTER else command.via, starts_s,
                            starts_s + model.take(command), is_overdue=is_overdue))
