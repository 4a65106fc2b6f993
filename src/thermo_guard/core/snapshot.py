"""What ran, where, and how HA and DRS stood: taken in quiet time, closed at the trip, the measure of the way back.

The heat itself takes hosts (their firmware switches off at about 42 degC) and the VMs on them, and it may do so before
the guard acts. So an absence is believed at once only while the room is cool; otherwise only after it has lasted for
an hour, which is a person's doing and not the heat's. A host that merely does not answer is not off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .plant import BmcSeen, ClusterSeen, ClusterSettings, Host, Power, Unseen, Vm
from .tiers import Tiers

OFF_IS_MEANT_S = 3600.0
"""In a room that is not cool, what has been off for this long was switched off by someone."""


@dataclass(frozen=True, slots=True)
class KeptHost:
    """A host as the snapshot keeps it."""

    name: str
    address: str
    uuid: str
    serials: tuple[str, ...]
    is_on: bool
    in_maintenance: bool
    thumbprint: str | None = None
    off_since: float | None = None
    """Since when it has been seen off while it is still kept as on."""


@dataclass(frozen=True, slots=True)
class KeptVm:
    """A VM as the snapshot keeps it."""

    id: str
    name: str
    host: str
    is_on: bool
    tier: int
    """Resolved: 1 stops first and starts last."""
    path: str | None = None
    is_vcenter: bool = False
    has_tools: bool = True
    off_since: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster at one time, with what the heat has taken since still in it."""

    at: float
    cluster: str
    hosts: tuple[KeptHost, ...]
    vms: tuple[KeptVm, ...]
    settings: ClusterSettings

    @property
    def vcenter_vms(self) -> tuple[KeptVm, ...]:
        return tuple(vm for vm in self.vms if vm.is_vcenter)


def take(
    seen: ClusterSeen,
    prior: Snapshot | None,
    bmc_of: Mapping[str, BmcSeen | Unseen],
    *,
    tiers: Tiers,
    vcenter_vms: Iterable[str],
    is_cool: bool,
) -> Snapshot:
    """The snapshot after a look at the cluster.

    :param bmc_of: by host name, the last look at the BMC that is built into it.
    :param is_cool: every fresh sensor stands at or below LOW.
    """
    before_hosts = {host.name: host for host in prior.hosts} if prior else {}
    before_vms = {vm.id: vm for vm in prior.vms} if prior else {}
    hosts = {
        host.name: _kept_host(host, before_hosts.get(host.name), bmc_of.get(host.name), seen.at, is_cool=is_cool)
        for host in seen.hosts
    }
    lost = {host.name for host in seen.hosts if not host.is_connected and hosts[host.name].is_on}
    candidates = set(vcenter_vms)
    vms = {
        vm.id: _kept_vm(vm, before_vms.get(vm.id), tiers.of(vm), seen.at, is_cool=is_cool, is_lost=vm.host in lost,
                        is_vcenter=vm.id in candidates)
        for vm in seen.vms if not vm.is_template
    }
    if not is_cool:  # what has left the inventory in a hot room is kept, a lost host's above all
        hosts |= {name: host for name, host in before_hosts.items() if name not in hosts}
        vms |= {vm_id: vm for vm_id, vm in before_vms.items() if vm_id not in vms and vm.is_on}
    return Snapshot(
        seen.at, seen.name, tuple(sorted(hosts.values(), key=lambda host: host.name)),
        tuple(sorted(vms.values(), key=lambda vm: vm.name)), seen.settings,
    )


def _kept_host(
    host: Host, before: KeptHost | None, bmc: BmcSeen | Unseen | None, at: float, *, is_cool: bool
) -> KeptHost:
    is_on = host.is_connected and host.power is not Power.OFF
    kept = KeptHost(host.name, host.address, host.uuid, host.serials, is_on, host.in_maintenance, host.thumbprint)
    if is_on or before is None or not before.is_on:
        return kept
    is_surely_off = host.power is Power.OFF or (isinstance(bmc, BmcSeen) and bmc.power is Power.OFF)
    stays, off_since = _stays_on(before.off_since, at, is_surely_off=is_surely_off, is_cool=is_cool)
    in_maintenance = before.in_maintenance if stays else host.in_maintenance
    return replace(kept, is_on=stays, in_maintenance=in_maintenance, off_since=off_since)


def _kept_vm(
    vm: Vm, before: KeptVm | None, tier: int, at: float, *, is_cool: bool, is_lost: bool, is_vcenter: bool
) -> KeptVm:
    is_on = vm.power is Power.ON
    kept = KeptVm(vm.id, vm.name, vm.host, is_on, tier, vm.path, is_vcenter, vm.is_tools_running)
    if before is None or not before.is_on or (is_on and not is_lost):
        return kept
    if is_on:
        return replace(kept, has_tools=before.has_tools)
    stays, off_since = _stays_on(
        before.off_since, at, is_surely_off=vm.power is Power.OFF and not is_lost, is_cool=is_cool
    )
    return replace(kept, is_on=stays, has_tools=before.has_tools if stays else kept.has_tools, off_since=off_since)


def _stays_on(off_since: float | None, at: float, *, is_surely_off: bool, is_cool: bool) -> tuple[bool, float | None]:
    """Whether something that was on is still kept so, and since when it has been seen off."""
    if not is_surely_off:
        return True, None
    since = at if off_since is None else off_since
    if is_cool or at - since >= OFF_IS_MEANT_S:
        return False, None
    return True, since
