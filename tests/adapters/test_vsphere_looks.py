"""What the vSphere adapter shows of a cluster, asked of VMware's simulator over verified TLS."""

import asyncio
import os
import signal
import time
from collections.abc import Callable

import pytest

from peers.vsphere import PASSWORD, USER, VirtualVsphere
from thermo_guard.adapters.vsphere import Limits, Login, TlsTrust, Vsphere
from thermo_guard.adapters.vsphere.cluster import ClusterView
from thermo_guard.adapters.vsphere.session import Endpoint, Outside
from thermo_guard.core.plant import Power
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Clock, Refused, Transient, Unauthorized

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


async def test_inventory_is_the_plants_own(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Hosts, VMs and settings are shown as they are: identities, addresses, power, tools, paths."""
    plant = start_plant(hosts=2, vms=4)
    plant.change_vm(plant.vms[0], power="off")
    plant.change_vm(plant.vms[1], power="suspended")
    plant.change_vm(plant.vms[2], tools=False)
    plant.change_vm(plant.vms[3], template=True)
    seen = await open_vsphere(plant).observe()
    assert seen.name == plant.cluster
    assert {(h.name, h.address, h.uuid) for h in seen.hosts} == {(h.name, h.address, h.uuid) for h in plant.hosts}
    for host in plant.hosts:
        shown = next(h for h in seen.hosts if h.name == host.name)
        assert host.serial in shown.serials
        assert (shown.is_connected, shown.in_maintenance, shown.power) == (True, False, Power.ON)
        assert shown.thumbprint is not None
        assert len(shown.thumbprint) == 64
    real = {vm["instance_uuid"]: vm for vm in plant.state()["vms"]}
    assert {vm.id for vm in seen.vms} == set(real)
    for vm in seen.vms:
        assert (vm.name, vm.host, vm.path) == (real[vm.id]["name"], real[vm.id]["host"], real[vm.id]["path"])
        assert vm.is_reachable
    by_name = {vm.name: vm for vm in seen.vms}
    assert by_name[plant.vms[0]].power is Power.OFF
    assert by_name[plant.vms[1]].power is Power.OFF
    assert by_name[plant.vms[2]].power is Power.ON
    assert not by_name[plant.vms[2]].can_shut_down_guest
    assert not by_name[plant.vms[2]].is_tools_running
    assert by_name[plant.vms[3]].is_template


async def test_where_vcenter_is_reached_is_shown_with_its_vm(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A look says at which addresses vCenter answers: by them its own VM is known, whatever its product says."""
    plant = start_plant(vms=3, vcenter_vm="vcsa")
    seen = await open_vsphere(plant).observe()
    assert seen.addresses == ("127.0.0.2",)
    (own,) = [vm.name for vm in seen.vms if set(vm.addresses) & set(seen.addresses)]
    assert own == "vcsa"


async def test_one_property_call_for_each_kind(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A look costs one property-collector call each for cluster, hosts and VMs, however many there are, and beside
    them one for the switch of the cluster services.
    """
    plant = start_plant(vms=20)
    adapter = open_vsphere(plant)
    await adapter.observe()
    plant.clear_count()
    await adapter.observe()
    assert plant.count("vcenter") == {"RetrievePropertiesEx": 3, "QueryOptions": 1}


async def test_every_page_is_read(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """An answer that comes in pages is read to its last page."""
    plant = start_plant(hosts=3, vms=10)
    seen = await open_vsphere(plant, limits=Limits(connect_s=3, answer_s=5, page=2)).observe()
    assert len(seen.hosts) == 3
    assert len(seen.vms) == 10
    assert plant.count("vcenter")["ContinueRetrievePropertiesEx"] >= 5


async def test_other_clusters_are_not_seen(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """VMs of another cluster of the same vCenter are never shown, so that they can never be stopped."""
    plant = start_plant(vms=3, other_cluster_vms=4)
    seen = await open_vsphere(plant).observe()
    assert {vm.name for vm in seen.vms} == set(plant.vms)
    assert not {vm.name for vm in seen.vms} & set(plant.other_vms)


async def test_several_clusters_and_none_named(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """With several clusters the one to guard must be named: the refusal lists them and nothing is guessed."""
    plant = start_plant(vms=1, other_cluster_vms=1)
    with pytest.raises(Refused, match=f"2 clusters.*{plant.cluster}"):
        await open_vsphere(plant, cluster=None).observe()
    with pytest.raises(Refused, match="no cluster 'Lab'"):
        await open_vsphere(plant, cluster="Lab").observe()


async def test_the_only_cluster_needs_no_name(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Where vCenter has one cluster it is found without a setting."""
    plant = start_plant(vms=1)
    assert (await open_vsphere(plant, cluster=None).observe()).name == plant.cluster


async def test_tiers_from_attributes_and_tags(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A tier comes from the tag or the custom attribute, and says from which; the tag wins, nonsense is no tier."""
    plant = start_plant(vms=4)
    plant.post("/tier", vm=plant.vms[0], how="tag", value="2")
    plant.post("/tier", vm=plant.vms[1], how="attribute", value="1")
    plant.post("/tier", vm=plant.vms[2], how="tag", value="3")
    plant.post("/tier", vm=plant.vms[2], how="attribute", value=" 4 ")
    plant.post("/tier", vm=plant.vms[3], how="attribute", value="last")
    adapter = open_vsphere(plant)
    for _ in range(2):
        tiers = {vm.name: (vm.tier, vm.tier_by) for vm in (await adapter.observe()).vms}
        assert tiers == {plant.vms[0]: (2, "tag"), plant.vms[1]: (1, "attribute"), plant.vms[2]: (3, "tag"),
                         plant.vms[3]: (None, "")}


async def test_who_waits_for_a_look_at_a_frozen_vcenter_shares_its_failure(
    start_plant: StartPlant, vsphere_ca_file: str, hand_clock: Clock
) -> None:
    """Commands that need to find their VMs first end together when vCenter is frozen, not one look after another."""
    plant = start_plant(hosts=1, vms=1)
    endpoint = Endpoint(
        "vCenter", plant.vcenter, Login(USER, PASSWORD), TlsTrust(ca_file=vsphere_ca_file),
        Outside(RefusedLogins(hand_clock)), calls_at_once=16, limits=Limits(connect_s=1, answer_s=1),
    )
    view = ClusterView(endpoint, hand_clock, plant.cluster, "tier")
    await endpoint.session()
    os.kill(plant.process_id, signal.SIGSTOP)
    try:
        began = time.monotonic()
        found = await asyncio.gather(*(view.vm(f"vm-{n}") for n in range(8)), return_exceptions=True)
        assert {type(fault) for fault in found} == {Transient}
        assert time.monotonic() - began < 3
    finally:
        os.kill(plant.process_id, signal.SIGCONT)
    with pytest.raises(Refused, match="shows no VM"):
        await view.vm("vm-0")
    await endpoint.aclose()


async def test_a_silent_host_is_unknown_not_off(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A host without a heartbeat is UNKNOWN, and its VMs are not reachable; neither is ever taken for off."""
    plant = start_plant(hosts=2, vms=4)
    adapter = open_vsphere(plant)
    await adapter.observe()
    gone = plant.hosts[0].name
    plant.change_host(gone, on=False)
    seen = await adapter.observe()
    host = next(h for h in seen.hosts if h.name == gone)
    assert (host.is_connected, host.power) == (False, Power.UNKNOWN)
    assert all(vm.is_reachable == (vm.host != gone) for vm in seen.vms)
    assert any(vm.host == gone for vm in seen.vms)


async def test_a_new_vm_is_shown_whole(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A VM that moved since the last complete look is shown on its new host with its identity."""
    plant = start_plant(hosts=2, vms=2)
    adapter = open_vsphere(plant)
    before = next(vm for vm in (await adapter.observe()).vms if vm.name == plant.vms[0])
    there = next(h.name for h in plant.hosts if h.name != before.host)
    plant.post("/move", vm=before.name, host=there)
    after = next(vm for vm in (await adapter.observe()).vms if vm.name == before.name)
    assert (after.id, after.host, after.path) == (before.id, there, before.path)


async def test_a_host_looked_at_directly(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A host's own API shows it under the name that was asked for, with the same UUIDs as vCenter does."""
    plant = start_plant(hosts=2, vms=6)
    host = plant.hosts[0]
    adapter = open_vsphere(plant)
    through_vcenter = await adapter.observe()
    seen = await adapter.look_at_host(host.name, host.address)
    assert (seen.name, seen.uuid, seen.in_maintenance) == (host.name, host.uuid, False)
    assert {vm.id for vm in seen.vms} == {vm.id for vm in through_vcenter.vms if vm.host == host.name}
    assert all(vm.host == host.name and vm.power is Power.ON for vm in seen.vms)


async def test_a_host_without_a_login_is_named(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Without a login for ESXi the refusal says which settings are missing."""
    plant = start_plant(hosts=1, vms=1)
    with pytest.raises(Unauthorized, match="ESXI_USER"):
        await open_vsphere(plant, esxi_user=None).look_at_host(plant.hosts[0].name, plant.hosts[0].address)


async def test_missing_privileges_are_named_by_entity(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A right that one VM or one host withholds is found, with both names, and no other."""
    plant = start_plant(hosts=2, vms=4)
    adapter = open_vsphere(plant)
    assert await adapter.missing_privileges() == ()
    plant.post("/deny", privilege="VirtualMachine.Interact.PowerOff", entity=plant.vms[2])
    plant.post("/deny", privilege="Host.Config.Maintenance", entity=plant.hosts[1].name)
    lacking = {(m.entity_kind, m.entity, m.privilege) for m in await adapter.missing_privileges()}
    assert lacking == {
        ("vm", plant.vms[2], "VirtualMachine.Interact.PowerOff"),
        ("host", plant.hosts[1].name, "Host.Config.Maintenance"),
    }
