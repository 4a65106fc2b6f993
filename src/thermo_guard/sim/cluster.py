"""The virtual cluster: hosts, VMs and settings, and how each changes in time.

Every act here is the thing itself; who may ask for it, and over which way, is decided in `orders`. What takes time is
put on the timeline, and void when the machine has changed its state since (its `epoch` tells).
"""

import random
import uuid
from dataclasses import dataclass
from ipaddress import IPv4Address

from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.plant import CommandFailure, Power

from .blueprint import Blueprint, HostPlan
from .machines import BmcState, HostState, Stage, VmState
from .timeline import Timeline

HOST_NET = IPv4Address("198.18.0.0")
BMC_NET = IPv4Address("198.19.0.0")
POWER_OFF_S = 2.0
ENTER_S = 4.0
"""What entering maintenance mode takes when nothing runs on the host."""
EXIT_S = 3.0
HA_RESTART_S = 60.0
"""From a host's death until HA starts its VMs elsewhere."""
MIGRATION_S = 15.0
"""A VM moved by DRS, two at a time."""
CRITICAL_OVER_K = 5.0
"""So much above its orderly shutdown, a host's hardware cuts the power."""


@dataclass(frozen=True, slots=True)
class Running:
    """What runs, for a comparison of before and after."""

    vms: tuple[tuple[str, str], ...]
    """(VM, host) of each that is on, by name."""
    hosts: tuple[str, ...]
    in_maintenance: tuple[str, ...]
    settings: str

    def differences(self, after: "Running") -> tuple[str, ...]:
        """Each way in which `after` is not as this, in words; where a VM runs is not among them."""
        was, now = {vm for vm, _ in self.vms}, {vm for vm, _ in after.vms}
        found = [f"{vm} does not run" for vm in sorted(was - now)]
        found += [f"{vm} runs and did not before" for vm in sorted(now - was)]
        found += [f"{host} is off" for host in self.hosts if host not in after.hosts]
        found += [f"{host} is on and was not before" for host in after.hosts if host not in self.hosts]
        if self.in_maintenance != after.in_maintenance:
            found.append(f"in maintenance: {after.in_maintenance or 'none'}, before {self.in_maintenance or 'none'}")
        if self.settings != after.settings:
            found.append(f"settings are {after.settings}, before {self.settings}")
        return tuple(found)


class VirtualCluster:
    def __init__(self, plan: Blueprint, seed: int, timeline: Timeline) -> None:
        self.plan = plan
        self.timeline = timeline
        self.settings = plan.settings
        self._seed = seed
        self.hosts = {host.name: self._host(host, number) for number, host in enumerate(plan.hosts, start=1)}
        vms = [VmState(vm, self._uuid(f"vm/{vm.name}"), vm.host, vm.is_on) for vm in plan.vms]
        self.vms = {vm.id: vm for vm in vms}
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
        self._load_kw: float | None = None

    def _host(self, plan: HostPlan, number: int) -> HostState:
        stage = Stage.UP if plan.is_on else Stage.OFF
        identity, _ = self._identity(plan.name, plan.name)
        address = plan.address or str(HOST_NET + number)
        return HostState(plan, identity, f"{address}:443", stage, plan.in_maintenance, ip=str(HOST_NET + number))

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
        return is_up and self.timeline.now >= vm.on_since + self.plan.vcenter.start_s

    def is_connected(self, host: HostState) -> bool:
        """As vCenter shows it."""
        vcenter = self.plan.vcenter
        return host.is_seen_connected(self.timeline.now, vcenter.heartbeat_s, vcenter.rejoin_s)

    def vms_on(self, host: str) -> list[VmState]:
        return [vm for vm in self.vms.values() if vm.host == host]

    def running(self) -> Running:
        return Running(
            tuple(sorted((vm.name, vm.host) for vm in self.vms.values() if vm.is_on)),
            tuple(sorted(host.name for host in self.hosts.values() if host.stage is Stage.UP)),
            tuple(sorted(host.name for host in self.hosts.values() if host.in_maintenance)), str(self.settings),
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
        if vm.plan.hangs or vm.plan.is_stuck:
            return
        epoch = vm.epoch
        takes_s = self._varied(vm.plan.shut_s, f"{vm.name}/shut/{epoch}")
        self.timeline.after(takes_s, lambda: self._off_if(vm, epoch, "shut down"))

    def power_off(self, vm: VmState, via: str) -> None:
        if vm.plan.is_stuck:
            self.fail_task(via, Verb.POWER_OFF_VM, vm.name, vm.id, "the VM does not react")
            return
        epoch = vm.epoch
        self.timeline.after(POWER_OFF_S, lambda: self._off_if(vm, epoch, "powered off"))

    def stop_by_hand(self, vm: VmState) -> None:
        """A person switches it off at once."""
        self._off_if(vm, vm.epoch, "by hand")

    def _off_if(self, vm: VmState, epoch: int, how: str) -> None:
        if vm.is_on and vm.epoch == epoch:
            self._turn_off(vm, how)
            self._settle_maintenance(self.hosts[vm.host])

    def _turn_off(self, vm: VmState, how: str) -> None:
        vm.is_on = vm.is_stopping = False
        vm.epoch += 1
        self._load_kw = None
        self.timeline.note("vm.off", vm.name, f"{how} on {vm.host}")
        if vm is self.vcenter_vm:
            self.failures.pop(VCENTER, None)

    def power_on(self, vm: VmState, why: str = "powered on") -> None:
        vm.is_on, vm.is_stopping = True, False
        vm.epoch += 1
        vm.on_since = self.timeline.now
        self._load_kw = None
        self.timeline.note("vm.on", vm.name, f"{why} on {vm.host}")

    def move(self, vm: VmState, host: str, why: str) -> None:
        before, vm.host = vm.host, host
        vm.was_on = False
        self._load_kw = None
        self.timeline.note("vm.moved", vm.name, f"{before} to {host}, {why}")

    # ---- hosts ----

    def enter_maintenance(self, host: HostState, via: str, timeout_s: float) -> None:
        host.entering += 1
        host.entered_via = via
        attempt = (host.epoch, host.entering)
        host.entering_until = self.timeline.now + timeout_s if timeout_s > 0 else float("inf")
        self.timeline.after(ENTER_S, lambda: self._enter_if_empty(host, attempt))
        if timeout_s > 0:
            self.timeline.after(timeout_s, lambda: self._give_up_entering(host, attempt))
        self._evacuate(host, attempt)

    def _enter_if_empty(self, host: HostState, attempt: tuple[int, int]) -> None:
        if (host.epoch, host.entering) != attempt or host.entering_until is None:
            return
        if any(vm.is_on for vm in self.vms_on(host.name)):
            return
        host.entering_until = None
        host.in_maintenance = True
        self.timeline.note("host.maintenance_entered", host.name)

    def _give_up_entering(self, host: HostState, attempt: tuple[int, int]) -> None:
        if (host.epoch, host.entering) != attempt or host.entering_until is None:
            return
        host.entering_until = None
        still = sorted(vm.name for vm in self.vms_on(host.name) if vm.is_on)
        self.fail_task(
            host.entered_via, Verb.ENTER_MAINTENANCE, host.name, host.name, f"timed out, still on: {', '.join(still)}"
        )

    def _settle_maintenance(self, host: HostState) -> None:
        if host.entering_until is not None:
            attempt = (host.epoch, host.entering)
            self.timeline.after(ENTER_S, lambda: self._enter_if_empty(host, attempt))

    def _evacuate(self, host: HostState, attempt: tuple[int, int]) -> None:
        """What DRS does of its own accord when it is left in full automation: it moves every VM into the heat.

        With HA's admission control on, it does not where no second host would be left.
        """
        settings = self.settings
        others = [other for other in self._peers(host) if other.takes_vms]
        needed = 2 if settings.ha_enabled and settings.ha_admission_control else 1
        if not (settings.drs_enabled and settings.drs_behavior == "fullyAutomated") or len(others) < needed:
            return
        for number, vm in enumerate(vm for vm in self.vms_on(host.name) if vm.is_on):
            goes_to = others[number % len(others)]
            self.timeline.after(
                MIGRATION_S * (number // 2 + 1),
                lambda vm=vm, goes_to=goes_to: self._migrate(vm, host, goes_to, attempt),  # type: ignore[misc]
            )

    def _migrate(self, vm: VmState, host: HostState, goes_to: HostState, attempt: tuple[int, int]) -> None:
        is_wanted = (host.epoch, host.entering) == attempt and host.entering_until is not None
        if is_wanted and vm.is_on and not vm.is_stopping and vm.host == host.name and goes_to.takes_vms:
            self.move(vm, goes_to.name, "migrated")
            self._settle_maintenance(host)

    def _peers(self, host: HostState) -> list[HostState]:
        return [other for other in self.hosts.values() if other is not host and other.plan.cluster == host.plan.cluster]

    def exit_maintenance(self, host: HostState) -> None:
        epoch = host.epoch

        def leaves() -> None:
            if host.epoch == epoch and host.in_maintenance:
                host.in_maintenance = False
                self.timeline.note("host.maintenance_left", host.name)

        host.entering_until = None
        self.timeline.after(EXIT_S, leaves)

    def shut_down(self, host: HostState, why: str = "shut down") -> None:
        """Let ESXi go down in good order. What still runs on it goes with it, at once and without order."""
        self._to(host, Stage.STOPPING)
        host.silent_since = self.timeline.now
        self.timeline.note("host.stopping", host.name, why)
        self._lose_vms(host)
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
            self._to(host, Stage.OFF)
            self.timeline.note("host.off", host.name, why)

    def start(self, host: HostState, by: str) -> None:
        """Give it power, as its BMC or a person at the button does."""
        if host.stage is not Stage.OFF:
            return
        self._to(host, Stage.BOOTING)
        self.timeline.note("host.power_on", host.name, by)
        epoch = host.epoch
        takes_s = self._varied(host.plan.boot_s, f"{host.name}/boot/{epoch}")
        self.timeline.after(takes_s, lambda: self._up(host, epoch))

    def _up(self, host: HostState, epoch: int) -> None:
        if host.epoch != epoch or host.is_broken:
            return
        self._to(host, Stage.UP)
        for vm in self.vms_on(host.name):
            vm.was_on = False
        self.timeline.note("host.on", host.name, "in maintenance mode" if host.in_maintenance else "")

    def _to(self, host: HostState, stage: Stage) -> None:
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
        if lost and self.settings.ha_enabled and self.settings.ha_host_monitoring == "enabled":
            self.timeline.after(HA_RESTART_S, lambda: self._restart_elsewhere(host, lost))

    def _restart_elsewhere(self, host: HostState, lost: list[VmState]) -> None:
        """HA starts a dead host's VMs on the others, with or without vCenter."""
        others = [other for other in self._peers(host) if other.takes_vms]
        if not others or not self.settings.ha_enabled:
            return
        for number, vm in enumerate(lost):
            if not vm.is_on and vm.host == host.name:
                self.move(vm, others[number % len(others)].name, "by HA")
                self.power_on(vm, "restarted by HA")

    def protect_from(self, air_c: float) -> None:
        """What each host's firmware does of its own accord at this temperature of the air."""
        for host in self.hosts.values():
            inlet_c = air_c + host.plan.inlet_offset_k
            if inlet_c < host.plan.protects_at_c:
                continue
            if inlet_c >= host.plan.protects_at_c + CRITICAL_OVER_K:
                self.cut_power(host, f"cut by its hardware at {inlet_c:.1f} degC inlet")
            elif host.stage is Stage.UP:
                self.shut_down(host, f"shut down by its firmware at {inlet_c:.1f} degC inlet")
