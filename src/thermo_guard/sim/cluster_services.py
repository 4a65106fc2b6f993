"""vCLS of the virtual cluster: small VMs that vCenter makes anew whenever they are stopped, until retreat mode."""

from dataclasses import replace

from thermo_guard.core.plant import Role, Vcls

from .cluster import VirtualCluster
from .machines import VmState
from .watcher import Watcher

RESPAWN_S = 30.0
"""From the end of one until another runs in its place, and between tries while no host takes one."""
RETREAT_S = 45.0
"""From the setting until they are gone."""


class ClusterServices(Watcher):
    def __init__(self, cluster: VirtualCluster) -> None:
        self._cluster = cluster
        self._mode = cluster.settings.vcls
        plans = [vm.plan for vm in cluster.vms.values() if vm.role is Role.VCLS]
        self._plan = plans[0] if plans else None
        self._wanted = self._made = len(plans)
        self._is_due = False

    def vm_off(self, vm: VmState) -> None:
        if vm.role is Role.VCLS:
            self._look_in(RESPAWN_S)

    def settings_changed(self) -> None:
        mode = self._cluster.settings.vcls
        if mode is not self._mode:
            self._mode = mode
            self._look_in(RETREAT_S if mode is Vcls.RETREAT else RESPAWN_S)

    def _look_in(self, seconds: float) -> None:
        if not self._is_due:
            self._is_due = True
            self._cluster.timeline.after(seconds, self._tend)

    def _tend(self) -> None:
        """Bring about what the setting says; vCenter does it, and again until it is so."""
        self._is_due = False
        if not self._cluster.vcenter_answers or not self._is_done():
            self._look_in(RESPAWN_S)

    def _is_done(self) -> bool:
        cluster = self._cluster
        ours = [vm for vm in cluster.vms.values() if vm.role is Role.VCLS]
        for vm in ours:
            if not vm.is_on:
                cluster.delete(vm)
        running = [vm for vm in ours if vm.is_on]
        return self._has_removed(running) if self._mode is Vcls.RETREAT else self._has_made(running)

    def _has_removed(self, running: list[VmState]) -> bool:
        self._is_due = True  # what it switches off itself it does not miss
        reached = [vm for vm in running if self._cluster.is_connected(self._cluster.hosts[vm.host])]
        for vm in reached:
            self._cluster.switch_off(vm, "removed by retreat mode")
            self._cluster.delete(vm)
        self._is_due = False
        return len(reached) == len(running)

    def _has_made(self, running: list[VmState]) -> bool:
        cluster = self._cluster
        if self._plan is None:
            return True
        count = {host.name: 0 for host in cluster.hosts.values() if host.plan.cluster == cluster.plan.cluster
                 and host.takes_vms and cluster.is_connected(host)}
        for vm in running:
            if vm.host in count:
                count[vm.host] += 1
        for _ in range(self._wanted - len(running) if count else 0):
            host = min(count, key=lambda name: (count[name], name))
            count[host] += 1
            self._made += 1
            cluster.add(replace(self._plan, name=f"vCLS-{self._made}", host=host), "made anew")
        return bool(count) or len(running) >= self._wanted
