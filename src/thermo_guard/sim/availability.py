"""HA of the virtual cluster: a dead host's VMs are started on the others, with or without vCenter."""

from thermo_guard.core.plant import Role

from .cluster import VirtualCluster
from .machines import HostState, VmState
from .watcher import Watcher

RESTART_S = 60.0
"""From a host's death until its VMs are started elsewhere."""


class HighAvailability(Watcher):
    def __init__(self, cluster: VirtualCluster) -> None:
        self._cluster = cluster

    def vms_lost(self, host: HostState, vms: list[VmState]) -> None:
        settings = self._cluster.settings
        lost = [vm for vm in vms if vm.role is Role.WORKLOAD]
        if lost and not host.is_let_go and settings.ha_enabled and settings.ha_host_monitoring == "enabled":
            self._cluster.timeline.after(RESTART_S, lambda: self._restart_elsewhere(host, lost))

    def _restart_elsewhere(self, host: HostState, lost: list[VmState]) -> None:
        others = [other for other in self._cluster.peers(host) if other.takes_vms]
        if not others or not self._cluster.settings.ha_enabled:
            return
        for number, vm in enumerate(lost):
            if not vm.is_on and vm.host == host.name:
                self._cluster.move(vm, others[number % len(others)].name, "by HA")
                self._cluster.power_on(vm, "restarted by HA")
