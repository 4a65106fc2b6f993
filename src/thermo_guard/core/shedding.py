"""What may be shed: the running VMs that the runbook marks, and the hosts that run nothing else.

The rest of the cluster goes on, with HA, DRS and DPM as they are: what is shed must be missed by nobody. So a host is
shed only where its BMC can start it again, and never so many that what still runs has nowhere to go.
"""

from collections.abc import Collection, Mapping

from .plant import Role
from .snapshot import KeptVm, Snapshot

_LEFT_ON_HOSTS = {Role.VCLS, Role.AGENT}
"""They go with their host: vCenter and their managers see to it when it enters maintenance mode."""


def shed_vms(snapshot: Snapshot, confirmed: Collection[str] | None) -> frozenset[str]:
    """Ids of the VMs that are shed.

    :param confirmed: hosts that are the guard's; None: all.
    """
    return frozenset(vm.id for vm in snapshot.vms if _is_shed(vm) and (confirmed is None or vm.host in confirmed))


def shed_hosts(snapshot: Snapshot, confirmed: Collection[str] | None, bmc_of: Mapping[str, str]) -> frozenset[str]:
    """Names of the hosts that are shed once they are empty; two stay up where HA restarts what a dead host ran."""
    if snapshot.has_vsan:
        return frozenset()
    vms = shed_vms(snapshot, confirmed)
    up = [host.name for host in snapshot.hosts if host.is_on and not host.in_maintenance]
    shed = {vm.host for vm in snapshot.vms if vm.id in vms}
    needed = {vm.host for vm in snapshot.vms if vm.is_on and vm.id not in vms and vm.role not in _LEFT_ON_HOSTS}
    needed |= {vm.host for vm in (*snapshot.vcenter_vms, *snapshot.guard_vms)}
    may_go = [name for name in sorted(up) if name in shed - needed and name in bmc_of]
    return frozenset(may_go[:max(0, len(up) - must_stay(snapshot))])


def must_stay(snapshot: Snapshot) -> int:
    """So many hosts stay up."""
    return 2 if snapshot.settings.ha_enabled else 1


def _is_shed(vm: KeptVm) -> bool:
    is_spared = vm.is_vcenter or vm.is_guard or vm.is_untouched
    return vm.is_on and vm.is_sheddable and vm.role is Role.WORKLOAD and not is_spared
