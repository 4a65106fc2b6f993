"""DRS of the virtual cluster: it moves VMs off a host that enters maintenance mode, now and then in quiet time, and its
DPM puts an empty host to sleep.
"""

import math

from thermo_guard.core.commands import VCENTER
from thermo_guard.core.plant import Role

from .cluster import VirtualCluster
from .machines import HostState, VmState
from .watcher import Watcher

MIGRATION_S = 15.0
"""What a move takes, two at a time."""
SLEEP_S = 300.0
"""From a host's last VM going off until DPM puts it into standby."""


class Drs(Watcher):
    def __init__(self, cluster: VirtualCluster) -> None:
        self._cluster = cluster
        self._roams_every_s = cluster.plan.vcenter.moves_every_s
        if self._roams_every_s < math.inf:
            cluster.timeline.after(self._roams_every_s, self._roam)

    # ---- moves ----

    def host_enters(self, host: HostState) -> None:
        """What it does when it is left in full automation: it moves every VM into the heat.

        With HA's admission control on, it does not where no second host would be left.
        """
        settings = self._cluster.settings
        if host.entered_via != VCENTER or not self._cluster.vcenter_answers:
            return
        if settings.dpm_enabled:
            self._wake_one(host)
        others = self._takers(host)
        needed = 2 if settings.ha_enabled and settings.ha_admission_control else 1
        if not settings.drs_enabled or len(others) < needed:
            return
        attempt = host.attempt
        leaving = [vm for vm in self._cluster.vms_on(host.name) if vm.is_on and self._moves(vm)]
        for number, vm in enumerate(leaving):
            goes_to = others[number % len(others)]
            self._cluster.timeline.after(
                MIGRATION_S * (number // 2 + 1),
                lambda vm=vm, goes_to=goes_to: self._migrate(vm, host, goes_to, attempt),  # type: ignore[misc]
            )

    def _moves(self, vm: VmState) -> bool:
        """By the VM's own automation level, where those are honoured, else by the cluster's."""
        settings = self._cluster.settings
        has_own = bool(settings.drs_overrides) and vm.plan.drs_automated
        return (has_own or settings.drs_behavior == "fullyAutomated") and vm.role is Role.WORKLOAD and not vm.is_lost

    def _migrate(self, vm: VmState, host: HostState, goes_to: HostState, attempt: tuple[int, int]) -> None:
        is_wanted = host.attempt == attempt and host.entering_until is not None
        is_movable = vm.is_on and not vm.is_stopping and vm.question is None and vm.host == host.name
        if is_wanted and is_movable and goes_to.takes_vms:
            self._cluster.move(vm, goes_to.name, "migrated")

    def _roam(self) -> None:
        """Balance the load by vCenter's own VM."""
        cluster, settings = self._cluster, self._cluster.settings
        cluster.timeline.after(self._roams_every_s, self._roam)
        vm = cluster.vcenter_vm
        if vm is None or vm.is_stopping or not cluster.vcenter_answers or not settings.drs_enabled:
            return
        host = cluster.hosts[vm.host]
        others = self._takers(host)
        if others and host.takes_vms and self._moves(vm):
            later = [other for other in others if other.name > host.name]
            cluster.hands.move(vm, (later or others)[0].name, "by DRS")

    def _takers(self, host: HostState) -> list[HostState]:
        return [other for other in self._cluster.peers(host) if other.takes_vms]

    # ---- DPM ----

    def vm_off(self, vm: VmState) -> None:
        if self._cluster.settings.dpm_enabled:
            host = self._cluster.hosts[vm.host]
            epoch = host.epoch
            self._cluster.timeline.after(SLEEP_S, lambda: self._sleep_if_empty(host, epoch))

    def _sleep_if_empty(self, host: HostState, epoch: int) -> None:
        cluster = self._cluster
        is_wanted = cluster.settings.dpm_enabled and cluster.vcenter_answers and cluster.is_connected(host)
        if not is_wanted or host.epoch != epoch or not host.takes_vms or not self._takers(host):
            return
        if not any(vm.is_on for vm in cluster.vms_on(host.name)):
            host.is_standby = True
            cluster.shut_down(host, "into standby by DPM")

    def _wake_one(self, host: HostState) -> None:
        """Have another in the place of one that leaves."""
        asleep = next((other for other in self._cluster.peers(host) if other.is_standby), None)
        if asleep is not None:
            self._cluster.start(asleep, "by DPM")
