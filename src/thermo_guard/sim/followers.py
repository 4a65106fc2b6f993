"""VMs of the virtual cluster that go on and off with something else: with their primary, with their host."""

from thermo_guard.core.plant import Role

from .cluster import VirtualCluster
from .machines import HostState, VmState
from .watcher import Watcher

AGENT_STOPS_S = 10.0
"""From its host beginning to enter maintenance mode until its manager has switched an agent off."""
AGENT_STARTS_S = 20.0
"""From its host taking VMs, or from somebody switching it off, until its manager has switched it on."""


class FaultTolerance(Watcher):
    """The secondary of each pair runs while its primary runs and its host takes VMs."""

    def __init__(self, cluster: VirtualCluster) -> None:
        """:raises ValueError: a primary is named that there is not."""
        self._cluster = cluster
        by_name = {vm.name: vm for vm in cluster.vms.values()}
        pairs = [(vm, vm.plan.ft_primary) for vm in cluster.vms.values() if vm.plan.ft_primary is not None]
        if missing := [name for _, name in pairs if name not in by_name]:
            raise ValueError(f"no VM is named {', '.join(missing)}, which is to be a primary")
        self._secondaries = {by_name[name].id: secondary for secondary, name in pairs}

    def vm_off(self, vm: VmState) -> None:
        if vm.id in self._secondaries:
            self._cluster.switch_off(self._secondaries[vm.id], "with its primary")

    def vm_on(self, vm: VmState) -> None:
        secondary = self._secondaries.get(vm.id)
        if secondary is not None and not secondary.is_on and self._cluster.hosts[secondary.host].takes_vms:
            self._cluster.power_on(secondary, "with its primary")

    def host_ready(self, host: HostState) -> None:
        for primary, secondary in self._secondaries.items():
            if secondary.host == host.name and self._cluster.vms[primary].is_on:
                self.vm_on(self._cluster.vms[primary])


class Agents(Watcher):
    """Another solution's: it stops them when their host enters maintenance mode, and keeps them on otherwise."""

    def __init__(self, cluster: VirtualCluster) -> None:
        self._cluster = cluster
        self._agents = [vm for vm in cluster.vms.values() if vm.role is Role.AGENT and vm.is_on]

    def host_enters(self, host: HostState) -> None:
        attempt = host.attempt

        def stops() -> None:
            if host.attempt == attempt and not host.takes_vms:
                for vm in self._on(host):
                    self._cluster.switch_off(vm, "by its manager")

        self._cluster.timeline.after(AGENT_STOPS_S, stops)

    def host_ready(self, host: HostState) -> None:
        self._cluster.timeline.after(AGENT_STARTS_S, lambda: self._start(host))

    def vm_off(self, vm: VmState) -> None:
        if vm.role is Role.AGENT:
            self.host_ready(self._cluster.hosts[vm.host])

    def _start(self, host: HostState) -> None:
        for vm in self._agents:
            if vm.host == host.name and not vm.is_on and host.takes_vms:
                self._cluster.power_on(vm, "by its manager")

    def _on(self, host: HostState) -> list[VmState]:
        return [vm for vm in self._agents if vm.host == host.name and vm.is_on]
