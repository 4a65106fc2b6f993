"""The cluster services (vCLS): how they stand, retreat mode and the way back, by both of vSphere's switches."""

import asyncio
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import pytest
from pyVmomi import vim
from structlog.testing import capture_logs

from peers.vsphere import VirtualVsphere
from peers.vsphere_person import at_vcenter
from thermo_guard.adapters.vsphere import Vsphere
from thermo_guard.adapters.vsphere.page import NS
from thermo_guard.adapters.vsphere.vcls import state
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import ClusterSeen, Role, Vcls
from thermo_guard.ports import Ambiguous, Unauthorized

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


async def reach(plant: VirtualVsphere, what: Callable[[dict[str, Any]], bool]) -> None:
    await asyncio.to_thread(plant.wait, what)


def of_cluster(verb: Verb, seen: ClusterSeen) -> Command:
    return Command(verb, seen.name, seen.name, VCENTER, settings=seen.settings)


def configuration(mode: str | None) -> Element:
    root = Element("val")
    if mode is not None:
        SubElement(SubElement(root, f"{NS}systemVMsConfig"), f"{NS}deploymentMode").text = mode
    return root


@pytest.mark.parametrize(
    ("api", "switch", "mode", "has_vms", "wanted"),
    [
        ((6, 7, 3), None, None, False, Vcls.NONE),
        ((7, 0, 0, 2), None, None, False, Vcls.NONE),
        ((7, 0, 1, 0), None, None, False, Vcls.ON),
        ((7, 0, 3, 2), "true", None, True, Vcls.ON),
        ((7, 0, 3, 2), "false", None, True, Vcls.RETREAT),
        ((8, 0, 3, 0), None, "SYSTEM_MANAGED", True, Vcls.ON),
        ((8, 0, 3, 0), "true", "ABSENT", False, Vcls.RETREAT),
        ((8, 0, 3, 0), "false", "SYSTEM_MANAGED", False, Vcls.RETREAT),
        ((9, 0, 0, 0), None, None, False, Vcls.NONE),
        ((9, 0, 0, 0), None, "SYSTEM_MANAGED", False, Vcls.NONE),
        ((9, 0, 0, 0), None, None, True, Vcls.ON),
        ((9, 0, 0, 0), "false", None, False, Vcls.RETREAT),
        ((), None, None, False, Vcls.NONE),
    ],
)
def test_how_the_services_stand(
    api: tuple[int, ...], switch: str | None, mode: str | None, has_vms: bool, wanted: Vcls
) -> None:
    """Unset means on wherever the version has them; either switch takes them away; 9 has those that are still seen."""
    assert state(api, switch, configuration(mode), has_vms=has_vms) is wanted


async def test_retreat_and_back_by_the_advanced_setting(
    start_plant: StartPlant, open_vsphere: OpenVsphere, vsphere_ca_file: str
) -> None:
    """Retreat mode is set and undone by the setting that every version has, for this cluster, as often as asked."""
    plant = start_plant(hosts=1, vms=1, other_cluster_vms=1)
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    assert before.settings.vcls is Vcls.ON
    with at_vcenter(plant, vsphere_ca_file) as person:
        for verb, value, shown in (
            (Verb.RETREAT_VCLS, "false", Vcls.RETREAT), (Verb.RETREAT_VCLS, "false", Vcls.RETREAT),
            (Verb.RESTORE_VCLS, "true", Vcls.ON), (Verb.RESTORE_VCLS, "true", Vcls.ON),
        ):
            await adapter.execute(of_cluster(verb, before))
            assert person.option(person.services_key) == value
            assert (await adapter.observe()).settings.vcls is shown
    assert plant.calls("UpdateOptions") == 3
    assert plant.calls("ReconfigureComputeResource_Task") == 0


async def test_the_services_go_and_come_back(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """VCLS of each kind is known by its marker; in retreat mode it goes, and it comes back with another identity."""
    plant = start_plant(hosts=3, vms=1, vcls=3, vcls_ms=20)
    adapter = open_vsphere(plant)

    async def services() -> list[str]:
        return [vm.id for vm in (await adapter.observe()).vms if vm.role is Role.VCLS]

    before = await adapter.observe()
    first = await services()
    assert len(first) == 3
    await adapter.execute(of_cluster(Verb.RETREAT_VCLS, before))
    await reach(plant, lambda s: len(s["vms"]) == 1)
    assert await services() == []
    await adapter.execute(of_cluster(Verb.RESTORE_VCLS, before))
    await reach(plant, lambda s: len(s["vms"]) == 4)
    assert len(again := await services()) == 3
    assert not set(again) & set(first)


@pytest.mark.parametrize("refusal", ["InvalidName", "NotSupported", "NoPermission"])
async def test_retreat_by_the_clusters_mode_where_the_setting_is_refused(
    start_plant: StartPlant, open_vsphere: OpenVsphere, refusal: str
) -> None:
    """Where the setting does not exist or may not be written, the cluster's own deployment mode is tried."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    if refusal == "NoPermission":
        plant.post("/deny", privilege="Global.Settings", entity="*")
    else:
        plant.fault("UpdateOptions", "fault", fault=refusal)
    await adapter.execute(of_cluster(Verb.RETREAT_VCLS, before))
    assert plant.calls("ReconfigureComputeResource_Task") == 1
    assert (await adapter.observe()).failures == ()


async def test_retreat_and_back_by_the_clusters_own_mode(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A cluster that shows a deployment mode is switched by it, without the right to vCenter's settings."""
    plant = start_plant(hosts=2, vms=1, vcls=2, vcls_mode="system", vcls_ms=20)
    plant.post("/deny", privilege="Global.Settings", entity="*")
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    await adapter.execute(of_cluster(Verb.RETREAT_VCLS, before))
    await reach(plant, lambda s: len(s["vms"]) == 1)
    assert (await adapter.observe()).settings.vcls is Vcls.RETREAT
    await adapter.execute(of_cluster(Verb.RESTORE_VCLS, before))
    await reach(plant, lambda s: len(s["vms"]) == 3)
    after = await adapter.observe()
    assert (after.settings, after.failures) == (before.settings, ())
    assert plant.calls("UpdateOptions") == 0


async def test_whatever_keeps_the_services_away_is_undone(
    start_plant: StartPlant, open_vsphere: OpenVsphere, vsphere_ca_file: str
) -> None:
    """Both switches may say retreat, each set by someone else: the restore undoes both."""
    plant = start_plant(hosts=1, vms=1, vcls_mode="system")
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    with at_vcenter(plant, vsphere_ca_file) as person:
        person.set_option(person.services_key, "False")
        person.change_cluster(systemVMsConfig=vim.cluster.SystemVMsConfigSpec(deploymentMode="ABSENT"))
        assert (await adapter.observe()).settings.vcls is Vcls.RETREAT
        await adapter.execute(of_cluster(Verb.RESTORE_VCLS, before))
        assert (await adapter.observe()).settings.vcls is Vcls.ON


async def test_no_switch_at_all_is_nothing_to_do(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Where a server has neither switch there is nothing to retreat: the act is taken, and the shutdown goes on."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    for method in ("UpdateOptions", "ReconfigureComputeResource_Task"):
        plant.fault(method, "fault", fault="NotSupported")
    await adapter.execute(of_cluster(Verb.RETREAT_VCLS, before))
    await adapter.execute(of_cluster(Verb.RESTORE_VCLS, before))
    assert (await adapter.observe()).failures == ()


async def test_neither_switch_allowed_is_told_by_its_privilege(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """An account that may use neither switch gets the name of the right that it lacks."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    for privilege in ("Global.Settings", "Host.Inventory.EditCluster"):
        plant.post("/deny", privilege=privilege, entity="*")
    with pytest.raises(Unauthorized, match=r"Host\.Inventory\.EditCluster"):
        await adapter.execute(of_cluster(Verb.RETREAT_VCLS, before))


async def test_an_unreadable_switch_spoils_no_look(
    start_plant: StartPlant, open_vsphere: OpenVsphere, vsphere_ca_file: str
) -> None:
    """A look is whole where the setting cannot be read: what was read last stands, and it is told once."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    with at_vcenter(plant, vsphere_ca_file) as person:
        person.set_option(person.services_key, "false")
    await adapter.observe()
    plant.fault("QueryOptions", "drop")
    with capture_logs() as told:
        for _ in range(2):
            seen = await adapter.observe()
            assert (len(seen.vms), seen.settings.vcls) == (1, Vcls.RETREAT)
    assert [line["event"] for line in told if line["log_level"] == "warning"] == ["vsphere.vcls_unread"]


async def test_a_lost_answer_to_the_retreat_is_no_reason_for_the_other_switch(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """Only a refusal leads to the second switch: after a lost answer the first may have been taken."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    plant.fault("UpdateOptions", "drop", count=1)
    with pytest.raises(Ambiguous):
        await adapter.execute(of_cluster(Verb.RETREAT_VCLS, before))
    assert plant.calls("ReconfigureComputeResource_Task") == 0
    assert (await adapter.observe()).settings.vcls is Vcls.RETREAT
