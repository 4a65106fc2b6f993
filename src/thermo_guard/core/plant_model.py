"""A plant in which each command is taken at once and done after the time that it takes: what the estimate runs on.

What differs from it in life (a stuck guest, a lost answer) the planner meets then, not here. But what has taken longer
already than it should is taken to hang: the planner then gives it its whole time and forces it.
"""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import replace

from . import events as ev
from .commands import Command, Verb
from .durations import Duration, Durations
from .plant import BmcSeen, ClusterSeen, ClusterSettings, Host, HostSeen, Power, Role, Sight, Unseen, Vcls, Vm
from .record import Incident, Record, fold
from .snapshot import KeptVm, Snapshot
from .step import Step
from .view import PlantNow, plant_now

_LEAST_S = 1.0
_VMS_A_SECOND = 1000.0
"""The larger the cluster, the longer a look takes, in life too; here it bounds what the estimate costs."""
_COMMANDS_A_SECOND = 300.0
"""That vCenter takes, 16 at once."""
_STEPS_A_LOOK = 5
"""The planner is asked at least this often while it waits for something without a bound, as the room's watch."""
_ON_S = 5.0
"""From a power-on to a VM that is on, with nothing of its guest up."""
_VM_STOPS = (Verb.POWER_OFF_VM, Verb.TERMINATE_VM)
_GUEST_ACTS = {Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM, Verb.TERMINATE_VM, Verb.POWER_ON_VM}


class PlantModel:
    """The plant, its clock and what is under way in it."""

    def __init__(
        self, snapshot: Snapshot, bmc_of: Mapping[str, str], durations: Durations, *, record: Record, now: float,
    ) -> None:
        self.now = now
        self.snapshot = snapshot
        self.bmc_of = bmc_of
        self.durations = durations
        self.record = record
        self.is_up = {host.name: host.is_on for host in snapshot.hosts}
        self.is_connected = dict.fromkeys(self.is_up, True)
        self.in_maintenance = {host.name: host.in_maintenance for host in snapshot.hosts}
        self.silent: dict[str, Unseen] = {}
        """Hosts that do not answer over their own API, though they have power."""
        self.dark_bmcs: set[str] = set()
        """Hosts whose BMC does not answer."""
        self.vms = {vm.id: _vm(vm) for vm in snapshot.vms}
        self.settings = snapshot.settings
        self.is_vcenter_up = True
        self.under_way: dict[tuple[Verb, str], int] = {}
        """Its number by command, so that one that was cut short never ends."""
        self._due: list[tuple[float, int, bool, Callable[[], None]]] = []
        """When, in which order, whether only the last of its kind matters to the planner, and what happens then."""
        self._taken = 0
        self._kept = {vm.id: vm for vm in snapshot.vms}
        self._awaited = {vm_id for vm in snapshot.vms if vm.after for vm_id in (vm.id, *vm.after)}
        self._ports = [vm.id for vm in snapshot.vms if vm.port is not None]
        self._has_secondaries = any(vm.role is Role.FT_SECONDARY for vm in snapshot.vms)
        self._step_s = max(_LEAST_S, len(snapshot.vms) / _VMS_A_SECOND)
        self._plant: PlantNow | None = None

    @classmethod
    def from_now(
        cls, incident: Incident, snapshot: Snapshot, plant: PlantNow, bmc_of: Mapping[str, str], durations: Durations,
        now: float,
    ) -> "PlantModel":
        """As it is in the midst of an incident, with what has been asked still under way."""
        model = cls(snapshot, bmc_of, durations, record=Record(bmc_of=bmc_of, incident=incident), now=now)
        model.vms = dict(plant.vms)
        model.is_vcenter_up = plant.settings is not None
        model.settings = plant.settings or snapshot.settings
        for host in plant.hosts.values():
            model.is_up[host.name] = host.power is not Power.OFF
            model.in_maintenance[host.name] = host.in_maintenance
            model.is_connected[host.name] = host.power is Power.ON and not host.is_let_go
            if host.is_login_refused or (host.power is not Power.OFF and host.route is None):
                since = now if host.silent_since is None else host.silent_since
                model.silent[host.name] = Unseen(since, host.why_not_direct, is_refused=host.is_login_refused)
            if host.bmc is not None and host.bmc_power is Power.UNKNOWN:
                model.dark_bmcs.add(host.name)
        for intent in incident.intents.values():
            model._resume(intent.command, now - intent.first_at)
        model._plant = plant
        return model

    def recorded(self, *events: ev.Event) -> None:
        self.record = fold(self.record, [ev.Entry(self.record.seq + 1, self.now, event) for event in events])

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
        kept = {host.name: host for host in self.snapshot.hosts}
        own = {vm.host for vm in self.snapshot.vcenter_vms}
        hosts, direct, vms_on = [], {}, self._vms_by_host()
        for name, is_up in self.is_up.items():
            address, uuid = (kept[name].address, kept[name].uuid) if name in kept else ("", "")
            is_connected = is_up and self.is_connected[name]
            hosts.append(Host(name, address, uuid, is_connected=is_connected, in_maintenance=self.in_maintenance[name],
                              power=Power.ON if is_up else Power.UNKNOWN))
            if not is_up or (self.is_vcenter_up and is_connected and name not in own):
                continue
            direct[name] = self.silent.get(name) or HostSeen(
                self.now, name, uuid, self.in_maintenance[name], tuple(vms_on.get(name, ())))
        bmcs = {
            bmc: BmcSeen(self.now, bmc, Power.ON if self.is_up.get(host) else Power.OFF)
            for host, bmc in self.bmc_of.items() if host not in self.dark_bmcs
        }
        cluster: ClusterSeen | Unseen = Unseen(self.now, "its VM is off")
        if self.is_vcenter_up:
            vms = tuple(self.vms.values())
            cluster = ClusterSeen(self.now, self.snapshot.cluster, tuple(hosts), vms, self.settings)
        ready = frozenset(vm_id for vm_id in self._ports if vm_id in self.vms and self.vms[vm_id].is_tools_running)
        return Sight(cluster, direct, bmcs, ready)

    def _vms_by_host(self) -> Mapping[str, list[Vm]]:
        found: dict[str, list[Vm]] = {}
        for vm in self.vms.values():
            found.setdefault(vm.host, []).append(vm)
        return found

    def duration(self, command: Command) -> Duration:
        return self.durations.of(command, self._kept.get(command.target))

    def take(self, command: Command) -> Duration:
        """Take a command and return how long it will be under way."""
        duration = self.duration(command)
        if command.verb in _VM_STOPS:  # cuts short what its guest was still about
            self.under_way.pop((Verb.SHUT_DOWN_GUEST, command.target), None)
        self._put(command, duration.seconds)
        return duration

    def _resume(self, command: Command, for_s: float) -> None:
        """What was asked before is under way since then, unless it is done already or hangs."""
        if command.verb in {Verb.SHUT_DOWN_GUEST, *_VM_STOPS}:
            vm = self.vms.get(command.target)
            if vm is None or vm.power is not Power.ON:
                return
        left_s = self.duration(command).seconds - for_s
        if left_s > 0.0:
            self._put(command, left_s)
        else:
            self.under_way[command.key] = 0

    def _put(self, command: Command, seconds: float) -> None:
        """Have it done after so many seconds; a VM is on before its guest is up."""
        self._taken += 1
        number = self.under_way[command.key] = self._taken
        is_one_of_many = command.verb in _GUEST_ACTS and command.target not in self._awaited

        def is_on() -> None:
            if self.under_way.get(command.key) == number:
                self._switched(command.target, is_on=True, is_booted=False)

        def done() -> None:
            if self.under_way.get(command.key) == number:
                del self.under_way[command.key]
                self._done(command)

        if command.verb is Verb.POWER_ON_VM and seconds > _ON_S:
            heapq.heappush(self._due, (self.now + _ON_S, -number, is_one_of_many, is_on))
        heapq.heappush(self._due, (self.now + seconds, number, is_one_of_many, done))

    def _done(self, command: Command) -> None:
        target = command.target
        match command.verb:
            case Verb.SHUT_DOWN_GUEST | Verb.POWER_OFF_VM | Verb.TERMINATE_VM:
                self._switched(target, is_on=False)
            case Verb.POWER_ON_VM:
                self._switched(target, is_on=True)
            case Verb.ANSWER_VM:
                self.vms[target] = replace(self.vms[target], question=None)
            case Verb.ADOPT_VM:
                self.vms[target] = replace(self.vms[target], host=command.via)
            case Verb.ENTER_MAINTENANCE:
                self._enter_maintenance(target)
            case Verb.EXIT_MAINTENANCE:
                self.in_maintenance[target] = False
                self._follow(target, Role.AGENT, is_on=True)
            case Verb.SHUT_DOWN_HOST | Verb.FORCE_OFF_HOST:
                self.is_up[target] = False
                self.silent.pop(target, None)
                self._follow(target, None, is_on=False)
            case Verb.POWER_ON_HOST:
                self.is_up[target] = self.is_connected[target] = True
            case Verb.RECONNECT_HOST:
                self.is_connected[target] = True
            case verb:
                self._set(verb)

    def _enter_maintenance(self, host: str) -> None:
        """It comes only on a host without a running VM but agents, which leave with it; else it never ends."""
        running = {vm.role for vm in self.vms.values() if vm.host == host and vm.power is Power.ON}
        if not running - {Role.AGENT}:
            self.in_maintenance[host] = True
            self._follow(host, Role.AGENT, is_on=False)

    def _follow(self, host: str, role: Role | None, *, is_on: bool) -> None:
        """What goes with its host; None: whatever is on it."""
        for vm in [vm for vm in self.vms.values() if vm.host == host]:
            kept = self._kept.get(vm.id)
            may = (kept is not None and kept.is_on) if is_on else vm.power is not Power.OFF
            if (role is None or vm.role is role) and may:
                self._switched(vm.id, is_on=is_on)

    def _switched(self, vm_id: str, *, is_on: bool, is_booted: bool = True) -> None:
        vm, kept = self.vms[vm_id], self._kept.get(vm_id)
        has_tools = is_on and is_booted and (kept is None or kept.has_tools)
        self.vms[vm_id] = replace(vm, power=Power.ON if is_on else Power.OFF, can_shut_down_guest=has_tools,
                                  is_tools_running=has_tools, question=None)
        for other in self._secondaries_of(vm):
            self.vms[other.id] = replace(other, power=self.vms[vm_id].power)
        if kept is not None and kept.is_vcenter and (is_booted or not is_on):
            self.is_vcenter_up = is_on

    def _secondaries_of(self, vm: Vm) -> list[Vm]:
        """A pair has one name in vCenter."""
        if not self._has_secondaries or vm.role is not Role.WORKLOAD:
            return []
        return [other for other in self.vms.values() if other.role is Role.FT_SECONDARY and other.name == vm.name]

    def _set(self, verb: Verb) -> None:
        self.settings = _changed(self.settings, self.snapshot.settings, verb)
        if verb is Verb.RETREAT_VCLS:
            self.vms = {vm.id: vm for vm in self.vms.values() if vm.role is not Role.VCLS}
        elif verb is Verb.RESTORE_VCLS:
            self.vms |= {vm.id: _vm(vm) for vm in self.snapshot.vms if vm.role is Role.VCLS}

    def advance(self, step: Step) -> None:
        """On to when the planner may have something new to say: an end, or a bound of what it waits for.

        Of the guests of a tier, each of which is waited for, only the last end matters, unless another waits for one.
        """
        soon = self.now + max(_LEAST_S, len(step.commands) / _COMMANDS_A_SECOND)
        if not (step.commands or step.abandoned):  # else there may be more than went into one step
            soon = max(self.now + self._step_s, self._until(step))
        self.now = soon
        while self._due and self._due[0][0] <= self.now:
            heapq.heappop(self._due)[3]()
            self._plant = None

    def _until(self, step: Step) -> float:
        bounds = [wait.until for wait in step.waits if wait.until is not None and wait.until > self.now]
        ends = [at for at, _, is_one_of_many, _ in self._due if not is_one_of_many]
        guests = max((at for at, _, is_one_of_many, _ in self._due if is_one_of_many), default=None)
        if guests is not None:
            ends.append(guests)
        if self.incident.goal is ev.Goal.ON or not (bounds or ends) or any(wait.until is None for wait in step.waits):
            bounds.append(self.now + _STEPS_A_LOOK * self._step_s)
        return min([*bounds, *ends])


def _vm(kept: KeptVm) -> Vm:
    has_tools = kept.is_on and kept.has_tools
    return Vm(kept.id, kept.name, kept.host, Power.ON if kept.is_on else Power.OFF, can_shut_down_guest=has_tools,
              is_tools_running=has_tools, tier=kept.tier, path=kept.path, role=kept.role, guest_os=kept.guest_os)


def _changed(now: ClusterSettings, kept: ClusterSettings, verb: Verb) -> ClusterSettings:
    match verb:
        case Verb.DISARM_HA:
            return replace(now, ha_enabled=False)
        case Verb.DISARM_DRS:
            return replace(now, drs_behavior="manual", drs_overrides=False, dpm_enabled=False)
        case Verb.RETREAT_VCLS:
            return replace(now, vcls=Vcls.RETREAT)
        case Verb.RESTORE_VCLS:
            return replace(now, vcls=kept.vcls)
        case Verb.RESTORE_HA:
            return replace(now, ha_enabled=True, ha_host_monitoring=kept.ha_host_monitoring, ha_admission_control=False)
        case Verb.RESTORE_DRS:
            return replace(now, drs_behavior=kept.drs_behavior, drs_overrides=kept.drs_overrides,
                           dpm_enabled=kept.dpm_enabled)
        case _:
            return replace(now, ha_admission_control=kept.ha_admission_control)


def without_logins(snapshot: Snapshot) -> dict[str, Unseen]:
    """Every host, where no direct login is configured."""
    return {host.name: Unseen(0.0, "no direct login is configured", is_refused=True) for host in snapshot.hosts}
