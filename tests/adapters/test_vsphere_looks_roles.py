"""Whose a VM is, what it waits for and whether it is there at all, as a look shows it."""

from collections.abc import Callable
from xml.etree.ElementTree import fromstring

import pytest
from pyVmomi import vim
from structlog.testing import capture_logs

from peers.vsphere import VirtualVsphere
from peers.vsphere_person import at_vcenter
from thermo_guard.adapters.vsphere import Vsphere
from thermo_guard.adapters.vsphere.questions import question_of
from thermo_guard.core.plant import ClusterSeen, Power, Role, Vm

from .conftest import HandClock

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


def by_name(seen: ClusterSeen) -> dict[str, Vm]:
    return {vm.name: vm for vm in seen.vms}


async def test_whose_a_vm_is_goes_by_its_markers(
    start_plant: StartPlant, open_vsphere: OpenVsphere, vsphere_ca_file: str
) -> None:
    """VCLS, agents and FT secondaries are known by their markers; who only owns a VM leaves it a workload."""
    plant = start_plant(hosts=2, vms=10)
    names = plant.vms
    managers = {
        names[1]: ("com.vmware.vim.eam", "cluster-agent"), names[2]: ("VirtualCenter", "vcls-entity"),
        names[3]: ("com.vmware.vim.eam", "agent"), names[4]: ("com.vmware.vsan.health", "fsvm"),
        names[5]: ("com.vmware.vcDr", "placeholderVm"), names[6]: ("com.vmware.vcloud", "vm"),
    }
    with at_vcenter(plant, vsphere_ca_file) as person:
        person.mark_vm(names[0], HDCS__agent="true", other="true")
        person.mark_vm(names[9], vCLSCRX__agent="true")
        for name, (key, kind) in managers.items():
            person.change_vm(name, managedBy=vim.ext.ManagedByInfo(extensionKey=key, type=kind))
        person.set_property(names[7], "config.ftInfo.role", 2)
        person.set_property(names[8], "config.ftInfo.role", 1)
        person.mark_vm(names[8], HDCS__agent="false")
    seen = by_name(await open_vsphere(plant).observe())
    assert [seen[name].role for name in names] == [
        *[Role.VCLS] * 3, *[Role.AGENT] * 2, *[Role.WORKLOAD] * 2, Role.FT_SECONDARY, Role.WORKLOAD, Role.VCLS,
    ]
    assert [seen[name].managed_by for name in names[2:6]] == ["", "com.vmware.vim.eam", "com.vmware.vsan.health", ""]
    assert {vm.guest_os for vm in seen.values()} == {"otherGuest"}


async def test_a_name_like_vcls_marks_nothing(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A VM that someone named like a cluster service is a workload: it would never be stopped otherwise."""
    plant = start_plant(hosts=1, vms=1, vcenter_vm="vCLS-4c4c4544")
    (vm,) = (await open_vsphere(plant).observe()).vms
    assert (vm.name, vm.role) == ("vCLS-4c4c4544", Role.WORKLOAD)


async def test_a_failover_changes_the_secondary_at_once(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A secondary whose primary's host died is the primary with the next look, not five minutes later."""
    plant = start_plant(hosts=1, vms=2)
    adapter = open_vsphere(plant)
    for role, secondary in (("primary", plant.vms[1]), ("secondary", plant.vms[0])):
        plant.change_vm(plant.vms[0], ft=role, pair=plant.vms[1])
        seen = by_name(await adapter.observe())
        assert {name for name, vm in seen.items() if vm.role is Role.FT_SECONDARY} == {secondary}


@pytest.mark.parametrize("state", ["inaccessible", "orphaned", "invalid"])
async def test_a_vm_without_files_is_lost_and_stays_who_it_was(
    start_plant: StartPlant, open_vsphere: OpenVsphere, vsphere_ca_file: str, hand_clock: HandClock, state: str
) -> None:
    """A VM that lost its storage shows no configuration: it is lost, under its old identity, also when all is read."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    (before,) = (await adapter.observe()).vms
    with at_vcenter(plant, vsphere_ca_file) as person:
        person.set_property(before.name, "config.instanceUuid", "")
        person.set_property(before.name, "runtime.connectionState", state)
    hand_clock.ahead_s += 301
    (after,) = (await adapter.observe()).vms
    assert (after.is_lost, after.is_reachable, after.id, after.path) == (True, False, before.id, before.path)


async def test_a_vm_of_a_silent_host_is_not_lost(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A VM that is only out of vCenter's reach is not lost: its own host can still be asked."""
    plant = start_plant(hosts=1, vms=1)
    plant.change_host(plant.hosts[0].name, isolated=True)
    (vm,) = (await open_vsphere(plant).observe()).vms
    assert (vm.is_reachable, vm.is_lost) == (False, False)


async def test_a_question_is_shown_and_told_once(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """What a VM waits for is shown with its choices by vCenter and its host, and told once however often it is seen."""
    plant = start_plant(hosts=1, vms=2)
    plant.change_vm(plant.vms[0], question="msg.disk.full:There is no more space for the disk. Retry?")
    adapter = open_vsphere(plant)
    with capture_logs() as told:
        for _ in range(2):
            vms = by_name(await adapter.observe())
        host = plant.hosts[0]
        direct = {vm.name: vm for vm in (await adapter.look_at_host(host.name, host.address)).vms}
    for vm in (vms[plant.vms[0]], direct[plant.vms[0]]):
        assert vm.question is not None
        assert vm.question.text.startswith("msg.disk.full:There is no more space")
        assert vm.question.default in dict(vm.question.choices)
    assert vms[plant.vms[1]].question is None
    lines = [line for line in told if line["event"] == "vm.question_pending"]
    assert [(line["vm"], "no more space" in line["question"]) for line in lines] == [(plant.vms[0], True)]


def test_moved_is_the_default_of_moved_or_copied() -> None:
    """Whoever answers whether a VM was moved or copied by the default says moved: 'copied' makes another VM of it.

    Of every other question the default is the server's own.
    """
    for text, default in (("msg.uuid.altered:It might have been moved or copied.", "1"), ("msg.disk.full:Retry?", "2")):
        choices = "".join(
            f"<choiceInfo><label>{label}</label><summary>{label}</summary><key>{key}</key></choiceInfo>"
            for key, label in enumerate(("button.uuid.cancel", "button.uuid.movedTheVM", "button.uuid.copiedTheVM"))
        )
        pending = fromstring(f'<val xmlns="urn:vim25"><id>7</id><text>{text}</text><choice>{choices}'
                             "<defaultIndex>2</defaultIndex></choice></val>")
        question = question_of(pending)
        assert question is not None
        assert (question.id, question.default, len(question.choices)) == ("7", default, 3)


async def test_a_path_that_a_server_does_not_take_costs_a_marker_and_no_look(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A server that refuses the path of one entry is asked without it; any other refused path is told."""
    plant = start_plant(hosts=1, vms=1)
    adapter, host = open_vsphere(plant), plant.hosts[0]
    await adapter.look_at_host(host.name, host.address)
    plant.fault("RetrievePropertiesEx", "fault", fault="InvalidProperty", face=host.name, count=1)
    (vm,) = (await adapter.look_at_host(host.name, host.address)).vms
    assert (vm.power, vm.role) == (Power.ON, Role.WORKLOAD)
