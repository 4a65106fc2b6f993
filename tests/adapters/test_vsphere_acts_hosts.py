"""Hosts with vSAN or in lockdown mode: what a look shows of them, and what they are asked."""

from collections.abc import Callable
from xml.etree.ElementTree import fromstring

import pytest

from peers.vsphere import VirtualVsphere
from thermo_guard.adapters.vsphere import Vsphere, inventory
from thermo_guard.core.commands import VCENTER, Command, Verb

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


def wanted_of_vsan(plant: VirtualVsphere) -> list[tuple[str, str | None]]:
    """Way and vSAN's decommission mode of each call for maintenance mode."""
    calls = [entry for entry in plant.log() if entry.get("method") == "EnterMaintenanceMode_Task"]
    return [("vcenter" if call["face"] == "vcenter" else "host", call.get("detail")) for call in calls]


@pytest.mark.parametrize("vsan", [True, False], ids=["vsan", "no-vsan"])
async def test_maintenance_mode_moves_no_data(start_plant: StartPlant, open_vsphere: OpenVsphere, vsan: bool) -> None:
    """With vSAN every way into maintenance mode says noAction, as its default would move data in a hot room."""
    plant = start_plant(hosts=2, vms=2, vsan=vsan)
    adapter = open_vsphere(plant)
    seen = await adapter.observe()
    assert seen.has_vsan is vsan
    for vm in seen.vms:
        plant.change_vm(vm.name, power="off")
    by_vcenter, directly = seen.hosts
    await adapter.execute(Command(Verb.ENTER_MAINTENANCE, by_vcenter.name, by_vcenter.name, VCENTER, timeout_s=30.0))
    await adapter.execute(
        Command(Verb.ENTER_MAINTENANCE, directly.name, directly.name, directly.name, timeout_s=30.0), directly.address
    )
    mode = "noAction" if vsan else None
    assert wanted_of_vsan(plant) == [("vcenter", mode), ("host", mode)]


def test_vsan_is_known_by_the_cluster_or_any_of_its_hosts() -> None:
    """Where the cluster does not say so, one host that has vSAN is enough: without vCenter that is all there is."""
    on, off = ({inventory.HOST_VSAN: enabled} for enabled in (True, False))
    said = '<val xmlns="urn:vim25"><vsanConfigInfo><enabled>{}</enabled></vsanConfigInfo></val>'
    assert inventory.has_vsan(fromstring(said.format("true")))
    assert inventory.has_vsan(fromstring(said.format("false")), [off, on])
    assert not inventory.has_vsan(fromstring(said.format("false")), [off, {}])
    assert not inventory.has_vsan(None)


@pytest.mark.parametrize("mode", ["normal", "strict"])
async def test_lockdown_is_shown(start_plant: StartPlant, open_vsphere: OpenVsphere, mode: str) -> None:
    """A host that lets nobody log in directly shows so while vCenter can still be asked, not in the emergency."""
    plant = start_plant(hosts=2, vms=1)
    plant.change_host(plant.hosts[1].name, lockdown=mode)
    assert [host.in_lockdown for host in (await open_vsphere(plant).observe()).hosts] == [False, True]
