"""The virtual cluster: hosts, VMs and settings, and how each changes in time.

Every act here is the thing itself; who may ask for it, and over which way, is decided in `orders`. What takes time is
put on the timeline, and void when the machine has changed its state since (its `epoch` tells). What vCenter and other
solutions do of their own accord is for the watchers, which this module does not know.
"""

import random
import uuid
from ipaddress import IPv4Address

from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.plant import ClusterSettings, CommandFailure, Power, Question, Role

from .blueprint import NO_SETTINGS, Blueprint, HostPlan, VmPlan
from .hands import Hands
from .machines import BmcState, HostState, Stage, VmState
from .running import Running
from .timeline import Timeline
from .watcher import Watcher

HOST_NET = IPv4Address("198.18.0.0")
BMC_NET = IPv4Address("198.19.0.0")
POWER_OFF_S = 2.0
ENTER_S = 4.0
"""What entering maintenance mode takes when nothing runs on the host."""
EXIT_S = 3.0
RECONNECT_S = 10.0
"""From the order to take a host back until vCenter has it."""


class VirtualCluster:
    def __init__(self, plan: Blueprint, seed: int, timeline: Timeline) -> None:
        self.plan = plan
        self.timeline = timeline
        self.settings = NO_SETTINGS if plan.is_standalone else plan.settings
        self.watchers: list[Watcher] = []
        self.hands: Hands = self
        self._seed = seed
        self.hosts = {host.name: self._host(host, number) for number, host in enumerate(plan.hosts, start=1)}
        vms = [self._vm(vm) for vm in plan.vms]
        self.vms = {vm.id: vm for vm in vms}
        for vm in vms:
            vm.was_on = vm.is_on and self.hosts[vm.host].is_let_go
        self._vms_on = {host.name: [vm for vm in plan.vms if vm.host == host.name and vm.is_on] for host in plan.hosts}
        self.bmcs = {
            bmc.address: BmcState(bmc, *self._identity(bmc.host, bmc.address), ip=str(BMC_NET + number))
            for number, bmc in enumerate(plan.bmcs, start=1)
        }
        self.vcenter_vm = next((vm for vm in self.vms.values() if vm.name == plan.vcenter.vm), None)
        if plan.vcenter.vm is not None and self.vcenter_vm is None:
            raise ValueError(f"no VM is named {plan.vcenter.vm}, which is to run vCenter")
        self.failures: dict[str, list[CommandFailure]] = {}
        """Tasks that failed, by the way they were asked; each is shown by one look."""
        self.is_vcenter_broken = False
        """It does not answer though its VM runs."""
        self._load_kw: float | None = None

    def _vm(self, plan: VmPlan) -> VmState:
        return VmState(plan, self._uuid(f"vm/{plan.name}"), plan.host, plan.is_on, is_lost=plan.is_lost)

    def _host(self, plan: HostPlan, number: int) -> HostState:
        stage = Stage.UP if plan.is_on and not plan.is_standby else Stage.OFF
        identity, _ = self._identity(plan.name, plan.name)
        address = plan.address or str(HOST_NET + number)
        return HostState(
            plan, identity, f"{address}:443", stage, plan.in_maintenance, ip=str(HOST_NET + number),
            is_standby=plan.is_standby, is_let_go=plan.is_let_go, in_lockdown=plan.in_lockdown,
        )

    def _identity(self, host: str | None, address: str) -> tuple[str, tuple[str, ...]]:
        """UUID and serials of a server, the same whether its host or its BMC is asked."""
        if host is None:
            return self._uuid(f"server/{address}"), (f"FOREIGN-{address}",)
        plan = next(plan for plan in self.plan.hosts if plan.name == host)
        return self._uuid(f"host/{host}"), plan.serials or (f"SN-{host}",)

    def _uuid(self, what: str) -> str:
        return str(uuid.UUID(int=random.Random(f"{self._seed}/{what}").getrandbits(128), version=4))  # noqa: S311 - repeatable

    def _varied(self, seconds: float, what: str) -> float:
        """A duration as it turns out this time: within 15 % of the plan."""
        return seconds * random.Random(f"{self._seed}/{what}").uniform(0.85, 1.15)  # noqa: S311 - repeatable

    # ---- what can be seen ----

    @property
    def load_kw(self) -> float:
        """Heat of all servers, whosever they are."""
        if self._load_kw is None:
            on: dict[str, int] = dict.fromkeys(self.hosts, 0)
            for vm in self.vms.values():
                on[vm.host] += vm.is_on
            self._load_kw = sum(
                host.load_kw(on[name] / max(1, len(self._vms_on[name]))) for name, host in self.hosts.items()
            )
        return self._load_kw

    @property
    def vcenter_answers(self) -> bool:
        vm = self.vcenter_vm
        if vm is None:
            return True
        is_up = vm.is_on and not vm.is_stopping
        return is_up and not self.is_vcenter_broken and self.timeline.now >= vm.on_since + self.plan.vcenter.start_s

    def is_connected(self, host: HostState) -> bool:
        """As vCenter shows it."""
        vcenter = self.plan.vcenter
        return host.is_seen_connected(self.timeline.now, vcenter.heartbeat_s, vcenter.rejoin_s)

    def vms_on(self, host: str) -> list[VmState]:
        return [vm for vm in self.vms.values() if vm.host == host]

    def running(self) -> Running:
        return Running(
            tuple(sorted((vm.name, vm.host) for vm in self.vms.values() if vm.is_on and vm.role is not Role.VCLS)),
            tuple(sorted(host.name for host in self.hosts.values() if host.stage is Stage.UP)),
            tuple(sorted(host.name for host in self.hosts.values() if host.in_maintenance)), str(self.settings),
            sum(vm.is_on for vm in self.vms.values() if vm.role is Role.VCLS),
        )

    def bmc_power(self, bmc: BmcState) -> Power:
        return Power.ON if bmc.plan.host is None else self.hosts[bmc.plan.host].bmc_power(self.timeline.now)

    def fail_task(self, via: str, verb: Verb, name: str, target: str, text: str) -> None:
        """Let a task that was taken fail; the next look by the same way shows it."""
        self.failures.setdefault(via, []).append(CommandFailure(verb, target, text))
        self.timeline.note("task.failed", name, f"{verb.value}: {text}")

    # ---- VMs ----

    def shut_down_guest(self, vm: VmState) -> None:
        if vm.is_stopping:
            return
        vm.is_stopping = True
        if vm.plan.asks is not None:
            self.ask(vm, vm.plan.asks)
        else:
            self._go_down(vm)

    def _go_down(self, vm: VmState) -> None:
        if vm.plan.hangs or vm.plan.is_stuck:
            return
        epoch = vm.epoch
        takes_s = self._varied(vm.plan.shut_s, f"{vm.name}/shut/{epoch}")
        self.timeline.after(takes_s, lambda: self._end_guest(vm, epoch))

    def _end_guest(self, vm: VmState, epoch: int) -> None:
        if vm.question is None:
            self._off_if(vm, epoch, "shut down")

    def ask(self, vm: VmState, question: Question) -> None:
        """Let it stand still until it is answered, or loses its power."""
        vm.question = question
        self.timeline.note("vm.asked", vm.name, question.text)

    def answer(self, vm: VmState) -> None:
        vm.question = None
        self.timeline.note("vm.answered", vm.name)
        if vm.is_stopping:
            self._go_down(vm)

    def power_off(self, vm: VmState, via: str) -> None:
        if vm.plan.is_stuck:
            self.fail_task(via, Verb.POWER_OFF_VM, vm.name, vm.id, "the VM does not react")
        elif not vm.plan.hangs_power_off:
            self._off_soon(vm, "powered off")

    def terminate(self, vm: VmState, via: str) -> None:
        """Kill the process that runs it."""
        if vm.plan.is_stuck:
            self.fail_task(via, Verb.TERMINATE_VM, vm.name, vm.id, "the VM does not react")
        else:
            self._off_soon(vm, "killed")

    def _off_soon(self, vm: VmState, how: str) -> None:
        epoch = vm.epoch
        self.timeline.after(POWER_OFF_S, lambda: self._off_if(vm, epoch, how))

    def switch_off(self, vm: VmState, how: str = "by hand") -> None:
        """Take its power at once."""
        self._off_if(vm, vm.epoch, how)

    def _off_if(self, vm: VmState, epoch: int, how: str) -> None:
        if vm.is_on and vm.epoch == epoch:
            self._turn_off(vm, how)
            self._settle_maintenance(self.hosts[vm.host])

    def _turn_off(self, vm: VmState, how: str) -> None:
        vm.is_on = vm.is_stopping = False
        vm.question = None
        vm.epoch += 1
        self._load_kw = None
        self.timeline.note("vm.off", vm.name, f"{how} on {vm.host}")
        if vm is self.vcenter_vm:
            self.failures.pop(VCENTER, None)
            self.is_vcenter_broken = self.is_vcenter_broken or self.plan.vcenter.never_returns
        for watcher in self.watchers:
            watcher.vm_off(vm)

    def power_on(self, vm: VmState, why: str = "powered on") -> None:
        vm.is_on, vm.is_stopping = True, False
        vm.epoch += 1
        vm.on_since = self.timeline.now
        self._load_kw = None
        self.timeline.note("vm.on", vm.name, f"{why} on {vm.host}")
        for watcher in self.watchers:
            watcher.vm_on(vm)

    def move(self, vm: VmState, host: str, why: str) -> None:
        before, vm.host = vm.host, host
        vm.was_on = False
        self._load_kw = None
        self.timeline.note("vm.moved", vm.name, f"{before} to {host}, {why}")
        self._settle_maintenance(self.hosts[before])

    def lose(self, vm: VmState) -> None:
        vm.is_lost = True

    def add(self, plan: VmPlan, why: str) -> None:
        """Make a new VM."""
        vm = self._vm(plan)
        self.vms[vm.id] = vm
        self.power_on(vm, why)

    def delete(self, vm: VmState) -> None:
        """Take a VM that is off out of the inventory."""
        del self.vms[vm.id]
        self._load_kw = None

    # ---- hosts ----

    def enter_maintenance(self, host: HostState, via: str, timeout_s: float) -> None:
        host.entering += 1
        host.entered_via = via
        attempt = host.attempt
        host.entering_until = self.timeline.now + timeout_s if timeout_s > 0 else float("inf")
        self.timeline.after(ENTER_S, lambda: self._enter_if_empty(host, attempt))
        if timeout_s > 0:
            self.timeline.after(timeout_s, lambda: self._give_up_entering(host, attempt))
        for watcher in self.watchers:
            watcher.host_enters(host)

    def _enter_if_empty(self, host: HostState, attempt: tuple[int, int]) -> None:
        if host.attempt != attempt or host.entering_until is None:
            return
        if any(vm.is_on for vm in self.vms_on(host.name)) or self._is_held_by_admission(host):
            return
        host.entering_until = None
        host.in_maintenance = True
        self.timeline.note("host.maintenance_entered", host.name)

    def _give_up_entering(self, host: HostState, attempt: tuple[int, int]) -> None:
        if host.attempt != attempt or host.entering_until is None:
            return
        host.entering_until = None
        still = sorted(vm.name for vm in self.vms_on(host.name) if vm.is_on)
        self.fail_task(
            host.entered_via, Verb.ENTER_MAINTENANCE, host.name, host.name, f"timed out, still on: {', '.join(still)}"
        )
        self._is_ready(host)

    def _is_held_by_admission(self, host: HostState) -> bool:
        """VCenter ends no entering that leaves HA's strict admission control without a second host for what runs."""
        settings = self.settings
        if not (settings.ha_enabled and settings.ha_admission_control) or host.entered_via != VCENTER:
            return False
        peers = {peer.name: peer for peer in self.peers(host)}
        is_short = sum(peer.takes_vms for peer in peers.values()) < 2
        return is_short and any(vm.is_on and vm.host in peers for vm in self.vms.values())

    def _is_ready(self, host: HostState) -> None:
        if host.takes_vms:
            for watcher in self.watchers:
                watcher.host_ready(host)

    def _settle_maintenance(self, host: HostState) -> None:
        if host.entering_until is not None:
            attempt = host.attempt
            self.timeline.after(ENTER_S, lambda: self._enter_if_empty(host, attempt))

    def peers(self, host: HostState) -> list[HostState]:
        return [other for other in self.hosts.values() if other is not host and other.plan.cluster == host.plan.cluster]

    def exit_maintenance(self, host: HostState) -> None:
        epoch = host.epoch

        def leaves() -> None:
            if host.epoch == epoch and host.in_maintenance:
                host.in_maintenance = False
                self.timeline.note("host.maintenance_left", host.name)
            self._is_ready(host)

        host.entering_until = None
        self.timeline.after(EXIT_S, leaves)

    def shut_down(self, host: HostState, why: str = "shut down") -> None:
        """Let ESXi go down in good order. What still runs on it goes with it, at once and without order."""
        self.to_stage(host, Stage.STOPPING)
        host.silent_since = self.timeline.now
        self.timeline.note("host.stopping", host.name, why)
        self._lose_vms(host)
        if host.plan.hangs_down:
            return
        epoch = host.epoch
        takes_s = self._varied(host.plan.shut_s, f"{host.name}/shut/{epoch}")
        self.timeline.after(takes_s, lambda: self._without_power(host, epoch, why))

    def cut_power(self, host: HostState, why: str = "power cut") -> None:
        if host.stage is Stage.OFF:
            return
        if host.stage is Stage.UP:
            host.silent_since = self.timeline.now
        self._lose_vms(host)
        self._without_power(host, host.epoch, why)

    def _without_power(self, host: HostState, epoch: int, why: str) -> None:
        if host.epoch == epoch:
            self.to_stage(host, Stage.OFF)
            self.timeline.note("host.off", host.name, why)

    def start(self, host: HostState, by: str) -> None:
        """Give it power, as its BMC or a person at the button does."""
        if host.stage is not Stage.OFF:
            return
        host.is_standby = False
        self.to_stage(host, Stage.BOOTING)
        self.timeline.note("host.power_on", host.name, by)
        epoch = host.epoch
        takes_s = self._varied(host.plan.boot_s, f"{host.name}/boot/{epoch}")
        self.timeline.after(takes_s, lambda: self._up(host, epoch))

    def _up(self, host: HostState, epoch: int) -> None:
        if host.epoch != epoch or host.is_broken:
            return
        self.to_stage(host, Stage.UP)
        if not host.is_let_go:
            self._forget(host)
        self.timeline.note("host.on", host.name, "in maintenance mode" if host.in_maintenance else "")
        self._is_ready(host)

    def _forget(self, host: HostState) -> None:
        """VCenter sees its VMs as they are, no longer as they were."""
        for vm in self.vms_on(host.name):
            vm.was_on = False

    def let_go(self, host: HostState) -> None:
        """Let vCenter disconnect it: its picture of it stands still."""
        host.is_let_go = True
        for vm in self.vms_on(host.name):
            vm.was_on = vm.is_on
        self.timeline.note("host.let_go", host.name)

    def lock_down(self, host: HostState, *, is_on: bool) -> None:
        host.in_lockdown = is_on

    def reconnect(self, host: HostState) -> None:
        epoch = host.epoch

        def joins() -> None:
            if host.epoch == epoch and host.is_let_go:
                host.is_let_go = False
                self._forget(host)
                self.timeline.note("host.reconnected", host.name)

        self.timeline.after(RECONNECT_S, joins)

    def to_stage(self, host: HostState, stage: Stage) -> None:
        host.stage = stage
        host.stage_since = self.timeline.now
        host.epoch += 1
        host.entering_until = None
        self._load_kw = None

    def _lose_vms(self, host: HostState) -> None:
        lost = [vm for vm in self.vms_on(host.name) if vm.is_on]
        for vm in lost:
            vm.was_on = True
            self._turn_off(vm, "lost")
        for watcher in self.watchers:
            watcher.vms_lost(host, lost)

    # ---- the whole ----

    def break_vcenter(self, *, is_broken: bool) -> None:
        self.is_vcenter_broken = is_broken

    def change_settings(self, settings: ClusterSettings) -> None:
        self.settings = settings
        for host in self.hosts.values():
            self._settle_maintenance(host)
        for watcher in self.watchers:
            watcher.settings_changed()
