"""ports.Hypervisor of the virtual cluster, and of hosts that no vCenter holds together."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from thermo_guard.core.commands import VCENTER, Command
from thermo_guard.core.plant import ClusterSeen, CommandFailure, Host, HostSeen, Power, Vm
from thermo_guard.ports import Fault, MissingPrivilege, Refused

from .blueprint import NO_SETTINGS
from .doors import Door
from .edges import Edges, Peer
from .machines import HostState, Stage, VmState
from .orders import carry_out

HOST_USER = "root"


class SiteHypervisor:
    """ports.Hypervisor of the virtual cluster."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._world = edges.world
        self._cluster = edges.world.cluster

    async def observe(self) -> ClusterSeen:
        await self._reach_vcenter()
        now, plan = self._world.now, self._world.plan
        states = [state for state in self._cluster.hosts.values() if state.plan.cluster == plan.cluster]
        reachable = {state.name: self._cluster.is_connected(state) for state in states}
        vms = tuple(
            vm.seen(now, is_reachable=reachable[vm.host], is_known=self._knows(vm.host))
            for vm in self._cluster.vms.values() if vm.host in reachable
        )
        return ClusterSeen(
            at=now, name=plan.cluster, hosts=tuple(self._host(state, is_connected=reachable[state.name])
                                                   for state in states),
            vms=vms, settings=self._cluster.settings, addresses=(plan.vcenter.address, plan.vcenter.ip),
            failures=self._failures(VCENTER), has_vsan=plan.has_vsan,
        )

    async def look_at_host(self, name: str, address: str, thumbprint: str | None = None) -> HostSeen:
        host = await self._reach_host(name, address)
        if thumbprint is not None and host.plan.thumbprint is not None and thumbprint != host.plan.thumbprint:
            raise Refused(f"{name} shows another certificate than vCenter showed for it")
        now = self._world.now
        return HostSeen(
            at=now, name=name, uuid=host.uuid, in_maintenance=host.in_maintenance,
            vms=_by_themselves(self._cluster.vms_on(name), now), failures=self._failures(name),
        )

    async def missing_privileges(self) -> tuple[MissingPrivilege, ...]:
        await self._reach_vcenter()
        return self._world.denied

    async def execute(self, command: Command, address: str | None = None) -> None:
        if command.via == VCENTER:
            await self._reach_vcenter()
        else:
            await self._reach_host(command.via, address)
        await self._edges.act(command, lambda: carry_out(self._cluster, command))

    async def aclose(self) -> None:
        return

    def forget(self) -> None:
        """The guard's process has ended."""

    async def _reach_vcenter(self) -> None:
        plan, cluster = self._world.plan.vcenter, self._cluster
        await self._edges.reach(Peer(
            VCENTER, "vCenter", plan.address, plan.ip, lambda: cluster.vcenter_answers,
            Door("vCenter", f"{plan.address}:443".lower(), plan.user, plan.idle_s),
            lambda: 0 if cluster.vcenter_vm is None else cluster.vcenter_vm.epoch,
            lambda: "" if self._world.network.domain_answers
            else f"refuses the user name or the password of {plan.user}",
            plan.latency_s,
        ))

    async def _reach_host(self, name: str, address: str | None) -> HostState:
        host = self._cluster.hosts.get(name)
        at, _, port = (address or "").rpartition(":")
        label = f"{name} ({address})"
        await self._edges.reach(Peer(
            name, label, at or name, None if host is None or port != "443" else host.ip,
            lambda: host is not None and host.stage is Stage.UP,
            Door(f"ESXi host {label}", f"{address}".lower(), HOST_USER),
            lambda: None if host is None else (host.epoch, host.in_lockdown),
            lambda: "is in lockdown mode and takes no direct login" if host is not None and host.in_lockdown else "",
        ))
        return self._cluster.hosts[name]

    def _host(self, state: HostState, *, is_connected: bool) -> Host:
        return Host(
            name=state.name, address=state.address, uuid=state.uuid,
            serials=state.plan.serials or (f"SN-{state.name}",),
            is_connected=is_connected, in_maintenance=state.in_maintenance,
            power=Power.ON if is_connected else Power.OFF if state.is_standby else Power.UNKNOWN,
            thumbprint=state.plan.thumbprint, in_lockdown=state.in_lockdown, is_let_go=state.is_let_go,
        )

    def _knows(self, host: str) -> bool:
        """Whether vCenter sees what is on it as it is, not as it was."""
        state = self._cluster.hosts[host]
        return state.stage is Stage.UP and not state.is_let_go

    def _failures(self, via: str) -> tuple[CommandFailure, ...]:
        return tuple(self._cluster.failures.pop(via, ()))


class StandaloneHosts(SiteHypervisor):
    """Each host is asked by itself, and what they show is put together."""

    def __init__(self, edges: Edges) -> None:
        super().__init__(edges)
        self._last: dict[str, tuple[Host, tuple[Vm, ...]]] = {}
        """What each host showed when it last answered."""

    async def observe(self) -> ClusterSeen:
        """:raises Fault: no host answers."""
        plan = self._world.plan
        states = [state for state in self._cluster.hosts.values() if state.plan.cluster == plan.cluster]
        seen = await asyncio.gather(*(self._look(state) for state in states))
        faults = [fault for fault in seen if fault is not None]
        if len(faults) == len(states):
            raise faults[0]
        known = [self._last[state.name] for state in states if state.name in self._last]
        return ClusterSeen(
            at=self._world.now, name=plan.cluster, hosts=tuple(host for host, _ in known),
            vms=tuple(vm for _, vms in known for vm in vms), settings=NO_SETTINGS,
            failures=tuple(failure for state in states for failure in self._failures(state.name)),
            has_vsan=plan.has_vsan, is_standalone=True,
        )

    async def _look(self, state: HostState) -> Fault | None:
        """Take in what it shows, or mark what it showed; what it raised."""
        try:
            await self._reach_host(state.name, state.address)
        except Fault as fault:
            if state.name in self._last:
                host, vms = self._last[state.name]
                self._last[state.name] = (
                    replace(host, is_connected=False, power=Power.UNKNOWN), tuple(_out_of_reach(vm) for vm in vms)
                )
            return fault
        now = self._world.now
        vms = _by_themselves(self._cluster.vms_on(state.name), now)
        self._last[state.name] = (self._host(state, is_connected=True), vms)
        return None

    async def missing_privileges(self) -> tuple[MissingPrivilege, ...]:
        return self._world.denied

    async def execute(self, command: Command, address: str | None = None) -> None:
        """What would go through vCenter goes to the host that it is for."""
        if command.via != VCENTER:
            return await super().execute(command, address)
        vm = self._cluster.vms.get(command.target)
        host = self._cluster.hosts.get(command.target if vm is None else vm.host)
        if host is None:
            raise Refused(f"there is no vCenter, and no host that {command.name} could be asked of")
        return await super().execute(replace(command, via=host.name), host.address)

    def forget(self) -> None:
        """The guard's process has ended, and what it remembered with it."""
        self._last.clear()


def _by_themselves(vms: Iterable[VmState], now: float) -> tuple[Vm, ...]:
    """As their host shows them: tags and custom attributes are vCenter's, so it knows of no tier."""
    return tuple(replace(vm.seen(now), tier=None, tier_by="") for vm in vms)


def _out_of_reach(vm: Vm) -> Vm:
    return replace(
        vm, is_reachable=False, can_shut_down_guest=False, is_tools_running=False, addresses=(), guest_name=None,
        question=None,
    )
