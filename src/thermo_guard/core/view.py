"""The plant as one picture: what vCenter, the hosts themselves and the BMCs showed, joined.

What answers is ON, whatever a BMC says; OFF needs the BMC and silence together; everything else is MOVING or UNKNOWN
and counts as neither. vCenter's own flag of a host lags its death by a minute, so a direct look outweighs it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from .commands import VCENTER
from .matching import is_another_machine
from .plant import BmcSeen, ClusterSeen, ClusterSettings, Host, HostSeen, Power, Role, Sight, Unseen, Vm
from .snapshot import KeptHost, KeptVm, Snapshot

_UNLIT = {Power.OFF, Power.UNKNOWN}
SILENT_S = 60.0
"""A host without a BMC that was told to stop counts as off after this long without any answer."""


@dataclass(frozen=True, slots=True)
class HostNow:
    name: str
    power: Power
    by: str
    """How that is known: 'vcenter', 'direct', 'bmc', 'silence', 'nothing'."""
    in_maintenance: bool
    route: str | None
    """The way to command it: VCENTER, its own name, or None."""
    is_direct: bool
    """It was just looked at over its own API."""
    why_not_direct: str
    is_login_refused: bool
    silent_since: float | None
    bmc: str | None
    bmc_power: Power
    address: str
    is_let_go: bool = False
    """vCenter has let go of it and would have to be asked to take it back."""


@dataclass(frozen=True, slots=True)
class PlantNow:
    hosts: Mapping[str, HostNow]
    vms: Mapping[str, Vm]
    """Power as far as it is known: a VM on a host that is OFF is OFF, on one that does not answer UNKNOWN."""
    settings: ClusterSettings | None
    """None while vCenter does not answer."""
    cluster: str
    ready: frozenset[str] = frozenset()
    """VMs whose TCP port answers, of those that are waited for."""
    is_vcenter_refused: bool = False
    """It refuses the login, or did so a while ago: it will not be asked for some minutes."""

    def route_to(self, vm: Vm) -> str | None:
        host = self.hosts.get(vm.host)
        return host.route if host is not None else None


def plant_now(sight: Sight, snapshot: Snapshot | None, bmc_of: Mapping[str, str]) -> PlantNow:
    """Join the last looks; the snapshot adds what none of them shows."""
    cluster = sight.cluster if isinstance(sight.cluster, ClusterSeen) else None
    kept = {host.name: host for host in snapshot.hosts} if snapshot else {}
    listed: dict[str, Host | KeptHost] = {**kept}
    if cluster is not None:
        listed |= {host.name: host for host in cluster.hosts}
    hosts = {name: _host_now(host, sight, bmc_of.get(name)) for name, host in listed.items()}
    vms = {vm.id: _powered(vm, hosts) for vm in _listed_vms(sight, snapshot).values()}
    name = cluster.name if cluster else snapshot.cluster if snapshot else ""
    is_refused = isinstance(sight.cluster, Unseen) and sight.cluster.is_refused
    return PlantNow(hosts, vms, cluster.settings if cluster else None, name, sight.ready, is_vcenter_refused=is_refused)


def _host_now(host: Host | KeptHost, sight: Sight, bmc_address: str | None) -> HostNow:
    through_vcenter = host if isinstance(host, Host) else None
    direct = sight.direct.get(host.name)
    bmc = sight.bmcs.get(bmc_address) if bmc_address else None
    if isinstance(bmc, BmcSeen) and is_another_machine(host.uuid, host.serials, bmc):
        bmc, bmc_address = None, None  # whatever stands at that address now is none of ours
    bmc_power = bmc.power if isinstance(bmc, BmcSeen) else Power.UNKNOWN
    answers_directly = isinstance(direct, HostSeen)
    is_connected = through_vcenter is not None and through_vcenter.is_connected
    in_standby = through_vcenter is not None and through_vcenter.power is Power.OFF
    if answers_directly:
        power, by = Power.ON, "direct"
    elif in_standby and bmc_power in _UNLIT:
        power, by = Power.OFF, "vcenter"
    elif is_connected and not in_standby and bmc_power is not Power.OFF:
        power, by = Power.ON, "vcenter"
    elif bmc_power is Power.OFF:
        lags = is_connected and not (isinstance(direct, Unseen) and not direct.is_refused)
        power, by = (Power.MOVING if lags else Power.OFF), "bmc"
    elif bmc_power in {Power.ON, Power.MOVING}:
        power, by = Power.MOVING, "bmc"
    else:
        power, by = Power.UNKNOWN, "nothing"
    is_on = power is Power.ON
    in_maintenance = (
        direct.in_maintenance if isinstance(direct, HostSeen) and not is_connected else host.in_maintenance
    )
    return HostNow(
        name=host.name, power=power, by=by, in_maintenance=in_maintenance,
        route=VCENTER if is_on and is_connected else host.name if answers_directly else None,
        is_direct=answers_directly,
        why_not_direct=direct.reason if isinstance(direct, Unseen) else "",
        is_login_refused=isinstance(direct, Unseen) and direct.is_refused,
        silent_since=None if is_on else direct.since if isinstance(direct, Unseen) else None,
        bmc=bmc_address, bmc_power=bmc_power, address=host.address,
        is_let_go=through_vcenter is not None and through_vcenter.is_let_go,
    )


def _listed_vms(sight: Sight, snapshot: Snapshot | None) -> Mapping[str, Vm]:
    """Every VM as the best look shows it: vCenter, then its host itself, then the snapshot, which knows no power."""
    listed: dict[str, Vm] = {}
    connected: set[str] = set()
    if isinstance(sight.cluster, ClusterSeen):
        listed = {vm.id: vm for vm in sight.cluster.vms}
        connected = {host.name for host in sight.cluster.hosts if host.is_connected}
    kept = {vm.id: vm for vm in snapshot.vms} if snapshot else {}
    for name, look in sight.direct.items():
        if not isinstance(look, HostSeen) or name in connected:
            continue
        for vm in look.vms:
            before = listed.get(vm.id)
            if before is not None and before.host in connected and before.host != name:
                continue  # it lives elsewhere by now; this registration is a leftover
            listed[vm.id] = _of_its_host(vm, name, kept.get(vm.id))
    for vm_id, kept_vm in kept.items():
        if vm_id not in listed:
            listed[vm_id] = _unseen(kept_vm)
    return listed


# Thousands of VMs look at each tick as they did at the one before: what was made of them is kept.


@lru_cache(maxsize=20_000)
def _unseen(kept: KeptVm) -> Vm:
    """A VM that only the snapshot knows of."""
    return Vm(
        kept.id, kept.name, kept.host, Power.UNKNOWN, can_shut_down_guest=False, is_tools_running=False,
        tier=kept.tier, path=kept.path, role=kept.role,
    )


@lru_cache(maxsize=20_000)
def _of_its_host(vm: Vm, host: str, kept: KeptVm | None) -> Vm:
    """What vCenter alone knows of a VM is as it was when that last answered."""
    if kept is None:
        return replace(vm, host=host)
    tier = kept.tier if vm.tier is None else vm.tier
    return replace(vm, host=host, tier=tier, role=kept.role if vm.role is Role.WORKLOAD else vm.role)


def _powered(vm: Vm, hosts: Mapping[str, HostNow]) -> Vm:
    host = hosts.get(vm.host)
    if host is None or host.power is Power.ON:
        return vm
    power = Power.OFF if host.power is Power.OFF else Power.UNKNOWN
    return vm if vm.power is power else _dark(vm, power)


@lru_cache(maxsize=20_000)
def _dark(vm: Vm, power: Power) -> Vm:
    """A VM of a host that does not run it now; the same at each look while the host is off."""
    return replace(vm, power=power, is_tools_running=False, can_shut_down_guest=False)
