"""Acts on machines that make trouble: questions, guests and power-offs that hang, pairs, hosts let go, adoption."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from peers.vsphere import VirtualVsphere
from thermo_guard.adapters.vsphere import Vsphere
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import Host, Power, Role, Vm
from thermo_guard.ports import Ambiguous, Refused

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


def of_vm(verb: Verb, vm: Vm, via: str = VCENTER, **more: Any) -> Command:
    return Command(verb, vm.id, vm.name, via, **more)


def of_host(verb: Verb, host: Host, via: str = VCENTER, **more: Any) -> Command:
    return Command(verb, host.name, host.name, via, **more)


def answer(vm: Vm, via: str = VCENTER) -> Command:
    assert vm.question is not None
    assert vm.question.default is not None
    return of_vm(Verb.ANSWER_VM, vm, via, answer=(vm.question.id, vm.question.default))


async def reach(plant: VirtualVsphere, what: Callable[[dict[str, Any]], bool]) -> None:
    await asyncio.to_thread(plant.wait, what)


@pytest.mark.parametrize("directly", [False, True], ids=["vcenter", "host"])
async def test_a_question_is_answered(start_plant: StartPlant, open_vsphere: OpenVsphere, directly: bool) -> None:
    """A VM that stands still gets the answer that the plan chose, by vCenter or its host, and asks no more."""
    plant = start_plant(hosts=1, vms=1)
    plant.change_vm(plant.vms[0], question="msg.disk.full:Retry or cancel?")
    adapter, host = open_vsphere(plant), plant.hosts[0]
    if directly:
        (vm,) = (await adapter.look_at_host(host.name, host.address)).vms
        await adapter.execute(answer(vm, host.name), host.address)
    else:
        (vm,) = (await adapter.observe()).vms
        await adapter.execute(answer(vm))
    assert not plant.vm(vm.name).get("question")
    assert (await adapter.observe()).vms[0].question is None


async def test_an_answer_by_someone_else_counts(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A question that someone else is answering at the same time is as good as answered; an unknown one is refused."""
    plant = start_plant(hosts=1, vms=1)
    plant.change_vm(plant.vms[0], question="msg.disk.full:Retry or cancel?")
    adapter = open_vsphere(plant)
    (vm,) = (await adapter.observe()).vms
    plant.fault("AnswerVM", "fault", fault="ConcurrentAccess", count=1)
    await adapter.execute(answer(vm))
    with pytest.raises(Refused, match=vm.name):
        await adapter.execute(of_vm(Verb.ANSWER_VM, vm, answer=("another", "0")))
    with pytest.raises(ValueError, match="choices"):
        await adapter.execute(of_vm(Verb.ANSWER_VM, vm))


async def test_moved_is_answered_by_itself_and_never_shown_as_pending(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A VM that the guard starts and that asks moved or copied is told moved; the plan never sees that question."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    (vm,) = (await adapter.observe()).vms
    plant.change_vm(vm.name, power="off", asks_moved=True)
    with capture_logs() as told:
        await adapter.execute(of_vm(Verb.POWER_ON_VM, vm))
        await reach(plant, lambda _: bool(plant.vm(vm.name).get("question")))
        assert (await adapter.observe()).vms[0].question is None
        await reach(plant, lambda s: bool(s["vms"][0]["power"] == "poweredOn"))
    assert (await adapter.observe()).failures == ()
    events = [line["event"] for line in told]
    assert ("vsphere.question_answered" in events, "vm.question_pending" in events) == (True, False)


@pytest.mark.parametrize("directly", [False, True], ids=["vcenter", "host"])
async def test_a_hanging_power_off_ends_by_terminate(
    start_plant: StartPlant, open_vsphere: OpenVsphere, directly: bool
) -> None:
    """Where a power-off hangs the VM's process is killed, by either way; one that is off already is no fault."""
    plant = start_plant(hosts=1, vms=1)
    adapter, host = open_vsphere(plant), plant.hosts[0]
    (vm,) = (await adapter.observe()).vms
    plant.change_vm(vm.name, hang=True, power_hang=True)
    way: tuple[str, str | None] = (host.name, host.address) if directly else (VCENTER, None)
    await adapter.execute(of_vm(Verb.POWER_OFF_VM, vm, way[0]), way[1])
    assert plant.vm(vm.name)["power"] == "poweredOn"
    for _ in range(2):
        await adapter.execute(of_vm(Verb.TERMINATE_VM, vm, way[0]), way[1])
    assert (await adapter.observe()).vms[0].power is Power.OFF


async def test_a_secondary_is_left_to_its_primary(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """No act reaches the secondary of a fault-tolerant pair; it follows its primary, which is started as any VM."""
    plant = start_plant(hosts=1, vms=2)
    plant.change_vm(plant.vms[0], ft="primary", pair=plant.vms[1])
    plant.change_vm(plant.vms[0], power="off")
    adapter = open_vsphere(plant)
    primary, secondary = (await adapter.observe()).vms
    assert secondary.role is Role.FT_SECONDARY
    for verb in (Verb.POWER_ON_VM, Verb.POWER_OFF_VM, Verb.SHUT_DOWN_GUEST):
        with pytest.raises(Refused, match="primary"):
            await adapter.execute(of_vm(verb, secondary))
    await adapter.execute(of_vm(Verb.POWER_ON_VM, primary))
    await reach(plant, lambda s: all(vm["power"] == "poweredOn" for vm in s["vms"]))
    assert plant.calls("PowerOnVM_Task", primary.name) == 1
    touching = ("PowerOnVM_Task", "PowerOffVM_Task", "ShutdownGuest")
    assert not any(plant.calls(method, secondary.name) for method in touching)


async def test_an_adoption_whose_answer_is_lost_is_ambiguous_and_safe_to_repeat(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A lost answer to a registration is not taken for a refusal, and asking again finds it done."""
    plant = start_plant(hosts=2, vms=2)
    adapter = open_vsphere(plant)
    vm = next(vm for vm in (await adapter.observe()).vms if vm.host == plant.hosts[0].name)
    taker = plant.hosts[1]
    plant.change_host(vm.host, on=False)
    adopt = of_vm(Verb.ADOPT_VM, vm, taker.name, path=vm.path)
    plant.fault("RegisterVM_Task", "drop", count=1)
    with pytest.raises(Ambiguous, match=vm.name):
        await adapter.execute(adopt, taker.address)
    await adapter.execute(adopt, taker.address)
    there = await adapter.look_at_host(taker.name, taker.address)
    assert [seen.id for seen in there.vms].count(vm.id) == 1


async def test_a_registration_that_fails_or_stays_open_is_told(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A registration that fails is refused in the host's words; a VM that runs elsewhere is not taken away."""
    plant = start_plant(hosts=2, vms=2)
    adapter = open_vsphere(plant)
    vm = next(vm for vm in (await adapter.observe()).vms if vm.host == plant.hosts[0].name)
    taker = plant.hosts[1]
    adopt = of_vm(Verb.ADOPT_VM, vm, taker.name, path=vm.path)
    plant.fault("RegisterVM_Task", "task", fault="FileLocked", count=1)
    with pytest.raises(Refused, match="FileLocked"):
        await adapter.execute(adopt, taker.address)
    with pytest.raises(ValueError, match="host"):
        await adapter.execute(of_vm(Verb.ADOPT_VM, vm, path=vm.path))
    assert plant.vm(vm.name)["host"] == vm.host


async def test_a_host_that_vcenter_has_let_go_is_taken_back(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A disconnected host is told from one that merely does not respond, and comes back when vCenter is asked to."""
    plant = start_plant(hosts=3, vms=3)
    plant.change_host(plant.hosts[2].name, isolated=True)
    plant.change_host(plant.hosts[0].name, connection="disconnected")
    adapter = open_vsphere(plant)
    let_go, _, silent = (await adapter.observe()).hosts
    assert (let_go.is_let_go, let_go.is_connected, let_go.power) == (True, False, Power.UNKNOWN)
    assert (silent.is_let_go, silent.is_connected) == (False, False)
    await adapter.execute(of_host(Verb.RECONNECT_HOST, let_go))
    await reach(plant, lambda s: bool(s["hosts"][0]["connection"] == "connected"))
    after = await adapter.observe()
    assert (after.hosts[0].is_connected, after.hosts[0].is_let_go, after.failures) == (True, False, ())


async def test_only_vcenter_takes_a_host_back(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A host is reconnected by vCenter and switched by its BMC: another way is a mistake of the program."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    (host,) = (await adapter.observe()).hosts
    with pytest.raises(ValueError, match="vCenter"):
        await adapter.execute(of_host(Verb.RECONNECT_HOST, host, host.name), host.address)
    with pytest.raises(ValueError, match="BMC"):
        await adapter.execute(of_host(Verb.FORCE_OFF_HOST, host, "10.0.0.1"))
