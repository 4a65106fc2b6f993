"""ESXi hosts without vCenter as one site, asked of the simulated hosts' own faces over verified TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim

from peers.vsphere import ESXI_USER, PASSWORD, USER, HostFace, VirtualVsphere
from thermo_guard.adapters.vsphere import Limits, TlsTrust, Vsphere
from thermo_guard.adapters.vsphere.standalone import Standalone, VcenterOrHost
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import ClusterSeen, Power, Vm
from thermo_guard.core.policy import Level
from thermo_guard.core.runbook import Runbook
from thermo_guard.core.snapshot import take
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Clock, Refused, Transient, Unauthorized

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenStandalone = Callable[..., Standalone]


@pytest.fixture
async def open_standalone(vsphere_ca_file: str, hand_clock: Clock) -> AsyncIterator[OpenStandalone]:
    """Make adapters on the hosts of a plant, with TLS verified by the plant's CA."""
    opened: list[Standalone] = []

    def make(plant: VirtualVsphere, *more: str, **options: Any) -> Standalone:
        options = {
            "logins": RefusedLogins(hand_clock), "tls": TlsTrust(ca_file=vsphere_ca_file), "user": ESXI_USER,
            "password": PASSWORD, "limits": Limits(connect_s=3, answer_s=5), **options,
        }
        adapter = Standalone([*(host.address for host in plant.hosts), *more], hand_clock, **options)
        opened.append(adapter)
        return adapter

    yield make
    for adapter in opened:
        await adapter.aclose()


def of_vm(verb: Verb, vm: Vm, via: str = VCENTER) -> Command:
    return Command(verb, vm.id, vm.name, via)


def of_host(verb: Verb, name: str, via: str = VCENTER, **more: Any) -> Command:
    return Command(verb, name, name, via, **more)


async def reach(plant: VirtualVsphere, what: Callable[[dict[str, Any]], bool]) -> None:
    await asyncio.to_thread(plant.wait, what)


async def test_all_hosts_are_one_site(start_plant: StartPlant, open_standalone: OpenStandalone) -> None:
    """Every host and every VM is shown with its identity, under the names of the settings, without a vCenter."""
    plant = start_plant(hosts=2, vms=5, standalone=True)
    adapter = open_standalone(plant)
    seen = await adapter.observe()
    assert seen.is_standalone
    assert (seen.addresses, seen.settings.ha_enabled, seen.settings.drs_enabled) == ((), False, False)
    assert {(h.name, h.address, h.uuid, h.is_connected, h.power) for h in seen.hosts} == {
        (h.address, h.address, h.uuid, True, Power.ON) for h in plant.hosts}
    assert all(real.serial in next(h for h in seen.hosts if h.uuid == real.uuid).serials for real in plant.hosts)
    homes = {host.name: host.address for host in plant.hosts}
    assert {(vm.id, vm.name, vm.host, vm.path, vm.power) for vm in seen.vms} == {
        (vm["instance_uuid"], vm["name"], homes[vm["host"]], vm["path"], Power.ON) for vm in plant.state()["vms"]}
    assert all(vm.addresses and vm.can_shut_down_guest for vm in seen.vms)  # by them the guard's own VM is known
    assert plant.count("vcenter") == {}
    look = await adapter.look_at_host(plant.hosts[0].address, plant.hosts[0].address)
    assert look.managed_by == ""


async def test_down_and_back_without_vcenter(start_plant: StartPlant, open_standalone: OpenStandalone) -> None:
    """What is asked by way of vCenter goes to the target's own host: guests, maintenance mode, off, and all back."""
    plant = start_plant(hosts=2, vms=4, standalone=True)
    adapter = open_standalone(plant)
    seen = await adapter.observe()
    await asyncio.gather(*(adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm)) for vm in seen.vms))
    await reach(plant, lambda s: all(vm["power"] == "poweredOff" for vm in s["vms"]))
    for host in seen.hosts:
        await adapter.execute(of_host(Verb.ENTER_MAINTENANCE, host.name, timeout_s=30))
    await reach(plant, lambda s: all(h["maintenance"] for h in s["hosts"]))
    assert all(host.in_maintenance for host in (await adapter.observe()).hosts)
    first, second = seen.hosts
    await adapter.execute(of_host(Verb.SHUT_DOWN_HOST, first.name))
    await adapter.execute(of_host(Verb.SHUT_DOWN_HOST, second.name, second.name), second.address)
    await reach(plant, lambda s: not any(h["on"] for h in s["hosts"]))
    with pytest.raises(Transient, match="none of the 2 hosts answers"):
        await adapter.observe()
    for face in plant.hosts:
        plant.change_host(face.name, on=True)
    await reach(plant, lambda s: all(h["on"] and not h["booting"] for h in s["hosts"]))
    for host in seen.hosts:
        await adapter.execute(of_host(Verb.EXIT_MAINTENANCE, host.name))
    await reach(plant, lambda s: not any(h["maintenance"] for h in s["hosts"]))
    for vm in seen.vms:
        await adapter.execute(of_vm(Verb.POWER_ON_VM, vm))
    await reach(plant, lambda s: all(vm["tools"] for vm in s["vms"]))
    after = await adapter.observe()
    assert [(vm.id, vm.host, vm.power) for vm in after.vms] == [(vm.id, vm.host, vm.power) for vm in seen.vms]
    assert plant.count("vcenter") == {}


async def test_a_host_that_has_died_keeps_its_identity_and_holds_up_no_other(
    start_plant: StartPlant, open_standalone: OpenStandalone
) -> None:
    """It is shown not connected with what was last known of it, and so are its VMs, which are not reachable."""
    plant = start_plant(hosts=2, vms=4)
    adapter = open_standalone(plant)
    before = await adapter.observe()
    dead, alive = before.hosts
    plant.change_host(next(h.name for h in plant.hosts if h.address == dead.name), on=False)
    seen = await adapter.observe()
    assert seen.hosts == (replace(dead, is_connected=False, power=Power.UNKNOWN), alive)
    assert [(vm.id, vm.host) for vm in seen.vms] == [(vm.id, vm.host) for vm in before.vms]
    assert all(vm.is_reachable == (vm.host == alive.name) for vm in seen.vms)
    await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, next(vm for vm in seen.vms if vm.host == alive.name)))


async def test_a_slow_host_holds_up_no_other(
    start_plant: StartPlant, open_standalone: OpenStandalone
) -> None:
    """Once each host has been seen, one that hangs in its answer is waited for a few seconds only."""
    plant = start_plant(hosts=2, vms=2)
    adapter = open_standalone(plant, limits=Limits(connect_s=3, answer_s=60))
    before = await adapter.observe()
    plant.fault("RetrievePropertiesEx", "timeout", face=plant.hosts[0].name)
    seen = await asyncio.wait_for(adapter.observe(), 15)
    assert [h.name for h in seen.hosts] == [h.name for h in before.hosts]
    assert next(h for h in seen.hosts if h.name == plant.hosts[1].address).is_connected


async def test_a_host_that_was_never_seen_is_not_lost(
    start_plant: StartPlant, open_standalone: OpenStandalone
) -> None:
    """From the first look on it is listed as not connected; asked by itself it says why."""
    plant = start_plant(hosts=1, vms=1)
    silent = "127.0.0.9:9"
    adapter = open_standalone(plant, silent)
    seen = await adapter.observe()
    host = next(h for h in seen.hosts if h.name == silent)
    assert (host.is_connected, host.power, host.uuid, host.address) == (False, Power.UNKNOWN, "", silent)
    with pytest.raises(Transient, match="cannot be reached"):
        await adapter.look_at_host(silent, silent)


def give_uuid(host: HostFace, vm: str, uuid: str, ca_file: str) -> None:
    """A person has copied a VM's files with its UUID, and registered the copy."""
    address, _, port = host.address.partition(":")
    service = SmartConnect(host=address, port=int(port), user=ESXI_USER, pwd=PASSWORD,
                           sslContext=ssl.create_default_context(cafile=ca_file))
    content = service.RetrieveContent()
    vms = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True).view
    setting = vim.option.OptionValue(key="SET.config.instanceUuid", value=uuid)
    next(one for one in vms if one.name == vm).ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=[setting]))
    Disconnect(service)


async def test_copies_with_one_uuid_are_two_vms(
    start_plant: StartPlant, open_standalone: OpenStandalone, vsphere_ca_file: str
) -> None:
    """Without vCenter a copied VM keeps its UUID: on one host or on two, each copy has its own id, and is stopped."""
    plant = start_plant(hosts=2, vms=6)
    first, second = plant.hosts
    one, elsewhere, other, _, beside, _ = plant.vms
    adapter = open_standalone(plant)
    before = {vm.name: vm.id for vm in (await adapter.observe()).vms}
    await asyncio.to_thread(give_uuid, second, elsewhere, before[one], vsphere_ca_file)
    copies = [vm for vm in (await adapter.observe()).vms if vm.name in {one, elsewhere}]
    assert {vm.id for vm in copies} == {f"{before[one]}@{first.address}", f"{before[one]}@{second.address}"}
    direct = await adapter.look_at_host(second.address, second.address)
    assert f"{before[one]}@{second.address}" in {vm.id for vm in direct.vms}
    await asyncio.to_thread(give_uuid, first, beside, before[other], vsphere_ca_file)
    seen = await adapter.observe()
    copies += [vm for vm in seen.vms if vm.name in {other, beside}]
    assert {vm.id for vm in copies[2:]} == {f"{before[other]}/{vm.path}" for vm in copies[2:]}
    assert sum(vm.id in before.values() for vm in seen.vms) == 2  # all others stay who they are
    for vm in copies:
        await adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm))
    off = {one, elsewhere, other, beside}
    await reach(plant, lambda s: all((vm["power"] == "poweredOff") == (vm["name"] in off) for vm in s["vms"]))


async def test_only_a_vcenter_disarms_and_takes_over(
    start_plant: StartPlant, open_standalone: OpenStandalone
) -> None:
    """What needs a vCenter or storage that the hosts share is refused in words, not sent to some host."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_standalone(plant)
    seen = await adapter.observe()
    for verb in (Verb.DISARM_HA, Verb.RETREAT_VCLS, Verb.RECONNECT_HOST, Verb.ADOPT_VM):
        with pytest.raises(Refused, match="no vCenter"):
            await adapter.execute(of_host(verb, seen.hosts[0].name))
    with pytest.raises(Refused, match="no host shows it"):
        await adapter.execute(Command(Verb.POWER_ON_VM, "gone", "gone", VCENTER))


async def test_a_vm_that_its_host_has_started_already_is_as_wanted(
    start_plant: StartPlant, open_standalone: OpenStandalone
) -> None:
    """ESXi's own autostart may be quicker: a VM that is on already is no failure."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_standalone(plant)
    (vm,) = (await adapter.observe()).vms
    await adapter.execute(of_vm(Verb.POWER_ON_VM, vm))
    assert (await adapter.observe()).failures == ()


async def test_a_wrong_password_is_tried_once_at_each_host(
    start_plant: StartPlant, open_standalone: OpenStandalone
) -> None:
    """A refused login is remembered: further looks ask no host again, and the refusal is told as one."""
    plant = start_plant(hosts=2, vms=1)
    adapter = open_standalone(plant, password="wrong")
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await adapter.observe()
    assert plant.count()["Login"] == 2


async def test_missing_rights_are_asked_of_each_host(
    start_plant: StartPlant, open_standalone: OpenStandalone
) -> None:
    """Each host answers for itself and its VMs; what only vCenter knows is not asked for."""
    plant = start_plant(hosts=2, vms=2)
    adapter = open_standalone(plant)
    assert await adapter.missing_privileges() == ()
    plant.post("/deny", privilege="VirtualMachine.Interact.PowerOff", entity=plant.vms[1], face="esxi")
    plant.post("/deny", privilege="Host.Config.Connection", entity="*", face="esxi")
    (lacking,) = await adapter.missing_privileges()
    assert (lacking.entity_kind, lacking.entity, lacking.privilege) == (
        "vm", plant.vms[1], "VirtualMachine.Interact.PowerOff")


@pytest.fixture
async def open_by_address(vsphere_ca_file: str, hand_clock: Clock) -> AsyncIterator[Callable[..., Vsphere]]:
    """Make adapters for a server of which nobody has said what it is."""
    opened: list[Vsphere] = []

    def make(address: str, user: str, **options: str) -> Vsphere:
        logins, tls, limits = RefusedLogins(hand_clock), TlsTrust(ca_file=vsphere_ca_file), Limits(3, 5)
        alone = Standalone([address], hand_clock, logins=logins, tls=tls, user=user, password=PASSWORD, limits=limits)
        adapter = VcenterOrHost(alone, address, user, PASSWORD, hand_clock, logins=logins, tls=tls, limits=limits,
                                **options)
        opened.append(adapter)
        return adapter

    yield make
    for adapter in opened:
        await adapter.aclose()


async def test_an_esxi_host_in_the_place_of_vcenter(
    start_plant: StartPlant, open_by_address: Callable[..., Vsphere]
) -> None:
    """VCENTER_HOST that names an ESXi host is worked with as one host without vCenter, by the word of its login."""
    plant = start_plant(hosts=2, vms=4)
    own = plant.hosts[0]
    adapter = open_by_address(own.address, ESXI_USER)
    seen = await adapter.observe()
    assert isinstance(seen, ClusterSeen)
    assert (seen.is_standalone, seen.name, [h.name for h in seen.hosts]) == (True, own.address, [own.address])
    assert await adapter.missing_privileges() == ()
    look = await adapter.look_at_host(own.address, own.address)
    assert look.managed_by == "192.0.2.2"  # by which `check` refuses it
    await asyncio.gather(*(adapter.execute(of_vm(Verb.SHUT_DOWN_GUEST, vm)) for vm in seen.vms))
    await reach(plant, lambda s: all(
        (vm["power"] == "poweredOff") == (vm["host"] == own.name) for vm in s["vms"]))
    plant.change_host(own.name, on=False)
    with pytest.raises(Transient):
        await adapter.observe()
    assert plant.count("vcenter") == {}


async def test_a_vcenter_in_its_own_place(
    start_plant: StartPlant, open_by_address: Callable[..., Vsphere]
) -> None:
    """VCENTER_HOST that names a vCenter is worked with as before, its hosts directly with ESXI_USER."""
    plant = start_plant(hosts=1, vms=2)
    adapter = open_by_address(plant.vcenter, USER, esxi_user=ESXI_USER, esxi_password=PASSWORD)
    seen = await adapter.observe()
    assert (seen.is_standalone, seen.name) == (False, plant.cluster)
    direct = await adapter.look_at_host(seen.hosts[0].name, seen.hosts[0].address)
    assert len(direct.vms) == 2


async def test_a_silent_server_is_asked_directly_by_its_address(
    start_plant: StartPlant, open_by_address: Callable[..., Vsphere]
) -> None:
    """After a restart in mid-incident nobody knows what VCENTER_HOST is: its own login is taken for a direct look."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_by_address(plant.hosts[0].address, ESXI_USER)
    seen = await adapter.look_at_host(plant.hosts[0].address, plant.hosts[0].address)
    assert len(seen.vms) == 1


async def test_after_a_restart_a_silent_host_is_who_it_was(
    start_plant: StartPlant, open_standalone: OpenStandalone
) -> None:
    """The journal's snapshot stands for a host that has been off since: by its identity its BMC is found."""
    plant = start_plant(hosts=2, vms=4)
    before = await open_standalone(plant).observe()
    kept = take(before, None, {}, runbook=Runbook(), vcenter_vms=(), level=None, cool_as_of=None)
    dead = before.hosts[0]
    plant.change_host(next(h.name for h in plant.hosts if h.address == dead.name), on=False)
    seen = await open_standalone(plant, known=kept).observe()
    assert (seen.hosts[0].uuid, seen.hosts[0].serials, seen.hosts[0].is_connected) == (dead.uuid, dead.serials, False)
    assert {(vm.id, vm.host, vm.power) for vm in seen.vms} == {(vm.id, vm.host, vm.power) for vm in before.vms}
    assert take(seen, kept, {}, runbook=Runbook(), vcenter_vms=(), level=Level.LOW, cool_as_of=seen.at).vms == kept.vms
