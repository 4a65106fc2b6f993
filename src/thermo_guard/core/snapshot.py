"""What ran, where, and how HA and DRS stood: taken in quiet time, closed at the trip, the measure of the way back.

The heat itself takes hosts (their firmware switches off at about 42 degC) and the VMs on them, and it may do so before
the guard acts. So an absence is believed only once the room's sensors have measured after it and found the room cool
(LOW may stand on an old reading: many sensors measure every 20 minutes), and below HIGH after it has lasted for an
hour, which is a person's doing; in a room that is hot or unseen it never is. A host that merely does not answer is not
off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from .plant import BmcSeen, ClusterSeen, ClusterSettings, Host, Power, Role, Unseen, Vm
from .policy import Level
from .runbook import Place, Runbook

OFF_IS_MEANT_S = 3600.0
"""In a room below HIGH, what has been off for this long was switched off by someone."""


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
    is_let_go: bool = False
    """vCenter had let go of it: it is not reconnected either."""


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
    is_guard: bool = False
    """The guard itself runs in it."""
    why: str = ""
    """Where the tier is from, in words."""
    grace_s: float | None = None
    """For its guest's own shutdown; None: as the setting says."""
    after: tuple[str, ...] = ()
    """Ids of the VMs of its tier that must be ready before it starts; they are stopped only once it is off."""
    port: int | None = None
    """TCP port that must answer before it counts as ready."""
    waits_for_tools: bool = True
    """Its tools must run before it counts as ready, where they did before."""
    addresses: tuple[str, ...] = ()
    """Kept where there is a port."""
    is_untouched: bool = False
    """The runbook says that it is neither stopped nor started."""
    role: Role = Role.WORKLOAD
    guest_os: str | None = None
    is_sheddable: bool = False
    """The runbook says that it may be stopped alone, before the rest."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster at one time, with what the heat has taken since still in it."""

    at: float
    cluster: str
    hosts: tuple[KeptHost, ...]
    vms: tuple[KeptVm, ...]
    settings: ClusterSettings
    has_vsan: bool = False
    is_standalone: bool = False
    """There is no vCenter."""

    @property
    def vcenter_vms(self) -> tuple[KeptVm, ...]:
        return tuple(vm for vm in self.vms if vm.is_vcenter)

    @property
    def guard_vms(self) -> tuple[KeptVm, ...]:
        return tuple(vm for vm in self.vms if vm.is_guard)


Kept = TypeVar("Kept", KeptHost, KeptVm)


@dataclass(frozen=True, slots=True)
class _Look:
    """When the cluster was looked at, and what was known of the room then."""

    at: float
    level: Level | None
    cool_as_of: float | None


def take(
    seen: ClusterSeen,
    prior: Snapshot | None,
    bmc_of: Mapping[str, BmcSeen | Unseen],
    *,
    runbook: Runbook,
    vcenter_vms: Iterable[str],
    guard_vms: Iterable[str] = (),
    level: Level | None,
    cool_as_of: float | None,
) -> Snapshot:
    """The snapshot after a look at the cluster.

    :param bmc_of: by host name, the last look at the BMC that is built into it.
    :param level: of the room at the look.
    :param cool_as_of: the time as of which enough sensors say that the room is LOW; None where they do not.
    """
    look = _Look(seen.at, level, cool_as_of)
    before_hosts = {host.name: host for host in prior.hosts} if prior else {}
    before_vms = {vm.id: vm for vm in prior.vms} if prior else {}
    hosts = {
        host.name: _kept_host(host, before_hosts.get(host.name), bmc_of.get(host.name), look)
        for host in seen.hosts
    }
    lost = {host.name for host in seen.hosts if not host.is_connected and hosts[host.name].is_on}
    candidates, guards = set(vcenter_vms), set(guard_vms)
    after, _ = runbook.orderings(seen.vms)
    vms = {
        vm.id: _kept_vm(
            vm, before_vms.get(vm.id), runbook.place_of(vm), look, is_lost=vm.host in lost,
            is_vcenter=vm.id in candidates, is_guard=vm.id in guards, after=after.get(vm.id, ()),
        )
        for vm in seen.vms if not vm.is_template
    }
    for name, host in before_hosts.items():
        if name not in hosts and (missing := _still_kept(host, look)) is not None:
            hosts[name] = missing
    listed = {vm.id for vm in seen.vms}
    for vm_id, vm in before_vms.items():
        if vm_id not in listed and (gone := _still_kept(vm, look)) is not None:
            vms[vm_id] = gone
    return Snapshot(
        seen.at, seen.name, tuple(sorted(hosts.values(), key=lambda host: host.name)),
        tuple(sorted(vms.values(), key=lambda vm: vm.name)), seen.settings,
        has_vsan=seen.has_vsan, is_standalone=seen.is_standalone,
    )


def undisturbed(snapshot: Snapshot, before: Snapshot) -> Snapshot:
    """With HA, DRS and maintenance mode as they were before an incident that a person has ended half-way."""
    kept = {host.name: host.in_maintenance for host in before.hosts}
    hosts = (replace(host, in_maintenance=kept.get(host.name, host.in_maintenance)) for host in snapshot.hosts)
    return replace(snapshot, hosts=tuple(hosts), settings=before.settings)


def _kept_host(
    host: Host, before: KeptHost | None, bmc: BmcSeen | Unseen | None, look: _Look
) -> KeptHost:
    has_power = isinstance(bmc, BmcSeen) and bmc.power is Power.ON
    is_on = (host.is_connected or has_power) and host.power is not Power.OFF
    kept = KeptHost(host.name, host.address, host.uuid, host.serials, is_on, host.in_maintenance, host.thumbprint,
                    is_let_go=host.is_let_go)
    if is_on or before is None or not before.is_on:
        return kept
    is_surely_off = host.power is Power.OFF or (isinstance(bmc, BmcSeen) and bmc.power is Power.OFF)
    stays, off_since = _stays_on(before.off_since, look, is_surely_off=is_surely_off)
    in_maintenance = before.in_maintenance if stays else host.in_maintenance
    return replace(kept, is_on=stays, in_maintenance=in_maintenance, off_since=off_since)


def _kept_vm(
    vm: Vm, before: KeptVm | None, place: Place, look: _Look, *, is_lost: bool, is_vcenter: bool, is_guard: bool,
    after: tuple[str, ...],
) -> KeptVm:
    is_on = vm.power is Power.ON
    has_port = place.ready.port is not None
    known = before.addresses if before is not None else ()
    kept = KeptVm(
        vm.id, vm.name, vm.host, is_on, place.tier, vm.path, is_vcenter, vm.is_tools_running, is_guard=is_guard,
        why=place.why, grace_s=place.grace_s, after=after, port=place.ready.port, waits_for_tools=place.ready.tools,
        addresses=(vm.addresses or known) if has_port else (), is_untouched=place.is_untouched, role=vm.role,
        guest_os=vm.guest_os, is_sheddable=place.is_sheddable,
    )
    if before is None or not before.is_on or (is_on and not is_lost):
        return kept
    if is_on:
        return replace(kept, has_tools=before.has_tools)
    stays, off_since = _stays_on(before.off_since, look, is_surely_off=vm.power is Power.OFF and not is_lost)
    return replace(kept, is_on=stays, has_tools=before.has_tools if stays else kept.has_tools, off_since=off_since)


def _still_kept(before: Kept, look: _Look) -> Kept | None:
    """What has left the inventory is forgotten as what is off is: only what ran is worth a memory, and for how long."""
    stays, off_since = _stays_on(before.off_since, look, is_surely_off=True)
    return replace(before, off_since=off_since) if before.is_on and stays else None


def _stays_on(off_since: float | None, look: _Look, *, is_surely_off: bool) -> tuple[bool, float | None]:
    """Whether something that was on is still kept so, and since when it has been seen off below HIGH."""
    if look.level not in {Level.LOW, Level.BAND} or not is_surely_off:
        return True, None
    since = look.at if off_since is None else off_since
    is_cool_since = look.level is Level.LOW and look.cool_as_of is not None and look.cool_as_of > since
    return (False, None) if is_cool_since or look.at - since >= OFF_IS_MEANT_S else (True, since)
