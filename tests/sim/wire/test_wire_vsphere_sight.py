"""The virtual site shows the guard's adapter, over the wire, the same plant as it shows within one process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sim.on_site import OnSite
from sim.wire.vsphere_bench import SEED, bench
from thermo_guard.core.plant import ClusterSeen, Host
from thermo_guard.sim import plans, plants

pytestmark = pytest.mark.peer

PLANTS = {
    "vcenter_inside": plants.vcenter_inside(),
    "strict_ha": plants.strict_ha(),
    **{f"vcls_{kind}": plants.vcls(kind) for kind in plants.VclsKind},
    "vsan": plants.vsan(),
    "troubled_vms": plants.troubled_vms(),
    "troubled_hosts": plants.troubled_hosts(),
    "standalone": plants.standalone(),
    "vcenter_outside": plans.vcenter_outside(),
}


@pytest.mark.parametrize("name", PLANTS)
async def test_the_wire_shows_the_plant_that_one_process_shows(name: str, tmp_path: Path) -> None:
    """Whichever way a guard is rehearsed, it begins with the same hosts, VMs, tiers, roles and settings."""
    plan = PLANTS[name]
    async with bench(plan, tmp_path) as site:
        labels = {address: label for label, address in site.face.host_addresses.items()}
        shown = await site.look()
    expected = await OnSite(plan, SEED).site.hypervisor.observe()
    assert _of_cluster(shown) == _of_cluster(expected)
    names = {host.name: labels[host.address] for host in shown.hosts}
    assert {names[host.name]: _of_host(host) for host in shown.hosts} == {
        host.name: _of_host(host) for host in expected.hosts
    }
    serials = {names[host.name]: host.serials for host in shown.hosts}
    assert all(set(host.serials) <= set(serials[host.name]) for host in expected.hosts)
    assert _of_vms(shown, names) == _of_vms(expected, {host.name: host.name for host in expected.hosts})


def _of_cluster(seen: ClusterSeen) -> tuple[Any, ...]:
    return seen.settings, seen.has_vsan, seen.is_standalone, () if seen.is_standalone else seen.name


def _of_host(host: Host) -> tuple[Any, ...]:
    return host.uuid, host.is_connected, host.in_maintenance, host.power, host.in_lockdown, host.is_let_go


def _of_vms(seen: ClusterSeen, names: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
    return {
        vm.id: (
            vm.name, names[vm.host], vm.power, vm.can_shut_down_guest, vm.is_tools_running, vm.is_template,
            vm.is_reachable, vm.tier, vm.role, vm.managed_by, vm.is_lost, vm.question,
        ) for vm in seen.vms
    }
