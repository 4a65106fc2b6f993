"""What the vSphere adapter does to a cluster, verified by what the plant then is."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim

from peers.vsphere import PASSWORD, USER, VirtualVsphere
from thermo_guard.adapters.vsphere import Vsphere
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import ClusterSeen, ClusterSettings, Host, Power, Vm
from thermo_guard.ports import Ambiguous, Refused, Transient, Unauthorized

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


def of_vm(verb: Verb, vm: Vm, via: str = VCENTER, **more: Any) -> Command:
    return Command(verb, vm.id, vm.name, via, **more)


def of_host(verb: Verb, host: Host, via: str = VCENTER, **more: Any) -> Command:
    return Command(verb, host.name, host.name, via, **more)


def of_cluster(verb: Verb, seen: ClusterSeen, settings: ClusterSettings | None = None) -> Command:
    return Command(verb, seen.name, seen.name, VCENTER, settings=settings)


def all_off(state: dict[str, Any]) -> bool:
    return all(vm["power"] == "poweredOff" for vm in state["vms"])


async def reach(plant: VirtualVsphere, what: Callable[[dict[str, Any]], bool]) -> None:
    await asyncio.to_thread(plant.wait, what)


async def test_down_and_back_through_vcenter(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Guests, maintenance mode, host shutdown, and all of it back, each asked through vCenter and then seen."""
    plant = start_plant(hosts=2, vms=4)
    adapter = open_vsphere(plant)
    seen = await adapter.observe()
    await asyncio.gather(*(adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm)) for vm in seen.vms))
    await reach(plant, all_off)
    assert all(vm["clean_off"] for vm in plant.state()["vms"])
    assert all(vm.power is Power.OFF for vm in (await adapter.observe()).vms)
    for host in seen.hosts:
        await adapter.execute(of_host(Verb.ENTER_MAINTENANCE, host, timeout_s=30))
    await reach(plant, lambda s: all(h["maintenance"] for h in s["hosts"]))
    for host in seen.hosts:
        await adapter.execute(of_host(Verb.SHUT_DOWN_HOST, host))
    await reach(plant, lambda s: not any(h["on"] for h in s["hosts"]))
    assert all(h.power is Power.UNKNOWN and not h.is_connected for h in (await adapter.observe()).hosts)
    for host in seen.hosts:
        plant.change_host(host.name, on=True)
    await reach(plant, lambda s: all(h["connection"] == "connected" for h in s["hosts"]))
    for host in seen.hosts:
        await adapter.execute(of_host(Verb.EXIT_MAINTENANCE, host))
    await reach(plant, lambda s: not any(h["maintenance"] for h in s["hosts"]))
    for vm in seen.vms:
        await adapter.execute(of_vm(Verb.POWER_ON_VM, vm))
    await reach(plant, lambda s: all(vm["power"] == "poweredOn" and vm["tools"] for vm in s["vms"]))
    after = await adapter.observe()
    assert [(vm.id, vm.host, vm.power) for vm in after.vms] == [(vm.id, vm.host, vm.power) for vm in seen.vms]
    assert after.failures == ()


async def test_vcenters_own_vm_and_host_directly(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """With vCenter gone, its VM, its host's maintenance mode and shutdown, and the way back go over that host."""
    plant = start_plant(hosts=2, vms=3, vcenter_vm="vcsa")
    adapter = open_vsphere(plant)
    seen = await adapter.observe()
    vcsa = next(vm for vm in seen.vms if vm.name == "vcsa")
    host = next(h for h in seen.hosts if h.name == vcsa.host)
    on_it = [vm for vm in seen.vms if vm.host == host.name]
    for vm in on_it:
        await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm, host.name), host.address)
    await reach(plant, lambda s: not s["vcenter"]["up"] and all(
        vm["power"] == "poweredOff" for vm in s["vms"] if vm["host"] == host.name))
    with pytest.raises(Transient):
        await adapter.observe()
    direct = await adapter.look_at_host(host.name, host.address)
    assert all(vm.power is Power.OFF for vm in direct.vms)
    await adapter.execute(of_host(Verb.ENTER_MAINTENANCE, host, host.name, timeout_s=30), host.address)
    await reach(plant, lambda _: bool(plant.host(host.name)["maintenance"]))
    await adapter.execute(of_host(Verb.SHUT_DOWN_HOST, host, host.name), host.address)
    await reach(plant, lambda _: not plant.host(host.name)["on"])
    with pytest.raises(Transient):
        await adapter.look_at_host(host.name, host.address)
    plant.change_host(host.name, on=True)
    await reach(plant, lambda _: plant.host(host.name)["on"] and not plant.host(host.name)["booting"])
    assert (await adapter.look_at_host(host.name, host.address)).in_maintenance
    await adapter.execute(of_host(Verb.EXIT_MAINTENANCE, host, host.name), host.address)
    await reach(plant, lambda _: not plant.host(host.name)["maintenance"])
    await adapter.execute(of_vm(Verb.POWER_ON_VM, vcsa, host.name), host.address)
    await reach(plant, lambda s: bool(s["vcenter"]["up"]))
    assert next(vm for vm in (await adapter.observe()).vms if vm.id == vcsa.id).power is Power.ON


async def test_ha_and_drs_are_disarmed_and_restored(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """HA goes off and DRS manual, never off; what was saved comes back, admission control last and by itself."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    saved = before.settings
    assert (saved.ha_enabled, saved.drs_enabled) == (True, True)
    saved = replace(saved, ha_host_monitoring="enabled", ha_admission_control=True, drs_behavior="partiallyAutomated",
                    drs_overrides=True, dpm_enabled=True)
    await adapter.execute(of_cluster(Verb.RESTORE_DRS, before, saved))
    await adapter.execute(of_cluster(Verb.DISARM_HA, before))
    await adapter.execute(of_cluster(Verb.DISARM_DRS, before))
    off = (await adapter.observe()).settings
    assert not off.ha_enabled
    assert (off.drs_enabled, off.drs_behavior, off.drs_overrides, off.dpm_enabled) == (True, "manual", False, False)
    await adapter.execute(of_cluster(Verb.RESTORE_HA, before, saved))
    half = (await adapter.observe()).settings
    assert (half.ha_enabled, half.ha_host_monitoring, half.ha_admission_control) == (True, "enabled", False)
    await adapter.execute(of_cluster(Verb.RESTORE_DRS, before, saved))
    await adapter.execute(of_cluster(Verb.RESTORE_ADMISSION, before, saved))
    assert (await adapter.observe()).settings == saved


def drs_off(plant: VirtualVsphere, ca_file: str) -> None:
    """A person switches DRS off."""
    host, _, port = plant.vcenter.partition(":")
    service = SmartConnect(host=host, port=int(port), user=USER, pwd=PASSWORD,
                           sslContext=ssl.create_default_context(cafile=ca_file))
    content = service.RetrieveContent()
    clusters = content.viewManager.CreateContainerView(content.rootFolder, [vim.ClusterComputeResource], True).view
    cluster = next(one for one in clusters if one.name == plant.cluster)
    cluster.ReconfigureEx(vim.cluster.ConfigSpecEx(drsConfig=vim.cluster.DrsConfigInfo(enabled=False)), modify=True)
    Disconnect(service)


async def test_dpm_is_switched_off_where_drs_is_off(
    start_plant: StartPlant, open_vsphere: OpenVsphere, vsphere_ca_file: str
) -> None:
    """DPM stops hosts by itself and has a switch of its own: it goes off and comes back, DRS stays as it is."""
    plant = start_plant(hosts=1, vms=1)
    await asyncio.to_thread(drs_off, plant, vsphere_ca_file)
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    assert not before.settings.drs_enabled
    for dpm_enabled in (True, False, True):
        saved = replace(before.settings, drs_behavior="manual", dpm_enabled=dpm_enabled)
        await adapter.execute(of_cluster(Verb.RESTORE_DRS, before, saved))
        assert (await adapter.observe()).settings == replace(before.settings, dpm_enabled=dpm_enabled)
    await adapter.execute(of_cluster(Verb.DISARM_DRS, before))
    assert (await adapter.observe()).settings == replace(before.settings, dpm_enabled=False)


async def test_a_lost_answer_is_ambiguous_and_not_sent_again(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A connection that is cut after the command was sent gives Ambiguous, and the command arrived exactly once."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm = (await adapter.observe()).vms[0]
    plant.fault("ShutdownGuest", "drop", count=1)
    with pytest.raises(Ambiguous, match=vm.name):
        await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm))
    await reach(plant, all_off)
    assert plant.calls("ShutdownGuest") == 1
    plant.fault("RetrievePropertiesEx", "drop", count=1)
    with pytest.raises(Transient):
        await adapter.observe()
    assert (await adapter.observe()).vms[0].power is Power.OFF


async def test_a_kept_connection_that_was_closed_is_not_ambiguous(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A connection that the server closed while it was idle is noticed before anything is sent on it."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm = (await adapter.observe()).vms[0]
    plant.post("/vcenter", up=False)
    plant.post("/vcenter", up=True)
    await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm))
    await reach(plant, all_off)


async def test_nothing_listening_is_transient(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """An act that could not be sent is Transient: it certainly has not happened."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm = (await adapter.observe()).vms[0]
    plant.post("/vcenter", up=False)
    with pytest.raises(Transient):
        await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm))
    assert plant.calls("ShutdownGuest") == 0


async def test_as_wanted_already_is_success(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A VM that is already as it was asked to be is no fault, whether the call or its task says so."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm = (await adapter.observe()).vms[0]
    await adapter.execute(of_vm(Verb.POWER_ON_VM, vm))
    await adapter.execute(of_vm(Verb.POWER_OFF_VM, vm))
    await reach(plant, all_off)
    await adapter.execute(of_vm(Verb.POWER_OFF_VM, vm))
    await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm))
    assert (await adapter.observe()).failures == ()


async def test_no_tools_is_refused(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A guest without tools refuses a shutdown, and the text says so in vSphere's word."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm = (await adapter.observe()).vms[0]
    plant.change_vm(vm.name, tools=False)
    with pytest.raises(Refused, match="ToolsUnavailable"):
        await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm))


async def test_a_host_with_running_vms_is_not_shut_down(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Without force a host outside maintenance mode stays up; that is told at once or with the next look."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    host = (await adapter.observe()).hosts[0]
    told = ""
    try:
        await adapter.execute(of_host(Verb.SHUT_DOWN_HOST, host))
    except Refused as refused:
        told = str(refused)
    else:
        told = (await adapter.observe()).failures[0].text
    assert "InvalidState" in told
    assert plant.host(host.name)["on"]


async def test_a_denied_privilege_is_named(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A call that the account may not make is Unauthorized, with the privilege and the VM in the text."""
    plant = start_plant(hosts=1, vms=2)
    adapter = open_vsphere(plant)
    vm, other = (await adapter.observe()).vms
    plant.post("/deny", privilege="VirtualMachine.Interact.PowerOff", entity=vm.name)
    with pytest.raises(Unauthorized, match=rf"{vm.name}.*VirtualMachine\.Interact\.PowerOff"):
        await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm))
    await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, other))


async def test_a_failed_task_is_told_once(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A command that was accepted and whose task then failed is told with the next look, once."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    host = (await adapter.observe()).hosts[0]
    plant.fault("EnterMaintenanceMode_Task", "task", fault="Timedout", count=1)
    await adapter.execute(of_host(Verb.ENTER_MAINTENANCE, host, timeout_s=30))
    failures = (await adapter.observe()).failures
    assert [(f.verb, f.target) for f in failures] == [(Verb.ENTER_MAINTENANCE, host.name)]
    assert "Timedout" in failures[0].text
    assert (await adapter.observe()).failures == ()
    plant.fault("EnterMaintenanceMode_Task", "task", fault="HostInDomain", count=1)
    await adapter.execute(of_host(Verb.ENTER_MAINTENANCE, host, host.name, timeout_s=30), host.address)
    assert len((await adapter.look_at_host(host.name, host.address)).failures) == 1


async def test_a_busy_object_is_transient(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Faults that pass are Transient; those that would come again are Refused."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm = (await adapter.observe()).vms[0]
    for fault, kind in (("ResourceInUse", Transient), ("HostNotConnected", Transient), ("NotSupported", Refused)):
        plant.fault("PowerOffVM_Task", "fault", fault=fault, count=1)
        with pytest.raises(kind, match=fault):
            await adapter.execute(of_vm(Verb.POWER_OFF_VM, vm))


async def test_an_answer_that_nobody_understands_is_ambiguous(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """An answer with a type that the library does not know (here a reference without one) may hide that it was done."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm = (await adapter.observe()).vms[0]
    plant.fault("PowerOffVM_Task", "fault", fault="TaskInProgress", count=1)
    with pytest.raises(Ambiguous):
        await adapter.execute(of_vm(Verb.POWER_OFF_VM, vm))


async def test_a_vm_of_a_dead_host_is_adopted(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """The VM of vCenter is registered on another host from its files, answered 'moved', and brings vCenter back."""
    plant = start_plant(hosts=2, vms=3, vcenter_vm="vcsa")
    adapter = open_vsphere(plant)
    seen = await adapter.observe()
    vcsa = next(vm for vm in seen.vms if vm.name == "vcsa")
    taker = next(h for h in seen.hosts if h.name != vcsa.host)
    plant.change_vm("vcsa", asks_moved=True)
    plant.change_host(vcsa.host, on=False)
    await reach(plant, lambda s: not s["vcenter"]["up"])
    adopt = of_vm(Verb.ADOPT_VM, vcsa, taker.name, path=vcsa.path)
    await adapter.execute(adopt, taker.address)
    there = await adapter.look_at_host(taker.name, taker.address)
    assert next(vm for vm in there.vms if vm.id == vcsa.id).power is Power.OFF
    await adapter.execute(adopt, taker.address)
    await adapter.execute(of_vm(Verb.POWER_ON_VM, vcsa, taker.name), taker.address)
    await reach(plant, lambda _: bool(plant.vm("vcsa")["question"]))
    await adapter.look_at_host(taker.name, taker.address)
    await reach(plant, lambda s: bool(s["vcenter"]["up"]))
    back = await adapter.observe()
    assert next(vm for vm in back.vms if vm.id == vcsa.id).host == taker.name


async def test_files_that_are_not_there_are_refused(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A VM whose files the host cannot read is refused within the wait for its registration."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm, host = (await adapter.observe()).vms[0], plant.hosts[0]
    with pytest.raises(Refused, match=vm.name):
        await adapter.execute(of_vm(Verb.ADOPT_VM, vm, host.name, path="[nowhere] a/a.vmx"), host.address)


async def test_an_unknown_target_is_refused(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A VM that the cluster does not have, another cluster's included, is refused and never searched elsewhere."""
    plant = start_plant(hosts=1, vms=1, other_cluster_vms=1)
    adapter = open_vsphere(plant)
    other = plant.vm(plant.other_vms[0])
    with pytest.raises(Refused):
        await adapter.execute(Command(Verb.POWER_OFF_VM, other["instance_uuid"], other["name"], VCENTER))
    assert plant.vm(other["name"])["power"] == "poweredOn"


async def test_a_bmcs_command_is_a_mistake(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """POWER_ON_HOST has no business here: that is a mistake of the program, not a fault of the plant."""
    plant = start_plant(hosts=1, vms=1)
    host = plant.hosts[0]
    with pytest.raises(ValueError, match="BMC"):
        await open_vsphere(plant).execute(Command(Verb.POWER_ON_HOST, host.name, host.name, "10.0.0.1"))
