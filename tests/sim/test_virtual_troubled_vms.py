"""VMs of the virtual cluster that make trouble: they ask, lie, hang, are lost, or belong to somebody else."""

from dataclasses import replace

import pytest

from sim.on_site import OnSite
from thermo_guard.core.commands import Verb
from thermo_guard.core.plant import Power, Question, Role
from thermo_guard.ports import Refused
from thermo_guard.sim.plans import office
from thermo_guard.sim.plants import troubled_vms


async def test_a_guest_that_asks_goes_on_when_it_is_answered() -> None:
    """Told to shut down it asks and stands still; with the answer it shuts down, and with none it never does."""
    on = OnSite(troubled_vms())
    await on.vm(Verb.SHUT_DOWN_GUEST, "asks")
    await on.wait(3600.0)
    question = (await on.vm_seen("asks")).question
    assert question is not None
    assert (question.text, question.default) == ("A disk of this VM is full.", "0")
    assert not (await on.vm_seen("asks")).can_shut_down_guest
    with pytest.raises(Refused, match="waits for an answer"):
        await on.vm(Verb.SHUT_DOWN_GUEST, "asks")
    with pytest.raises(Refused, match="no such answer"):
        await on.vm(Verb.ANSWER_VM, "asks", answer=(question.id, "7"))
    await on.vm(Verb.ANSWER_VM, "asks", answer=(question.id, "0"))
    await on.until(lambda: not on.is_on("asks"), within_s=40)
    assert (await on.vm_seen("asks")).question is None


async def test_a_question_ends_with_the_power() -> None:
    """Power-off works on a VM that waits for an answer, and the question is gone with it."""
    on = OnSite(troubled_vms())
    await on.vm(Verb.SHUT_DOWN_GUEST, "asks-back")
    await on.vm(Verb.POWER_OFF_VM, "asks-back")
    await on.until(lambda: not on.is_on("asks-back"), within_s=10)
    assert (await on.vm_seen("asks-back")).question is None


async def test_a_question_in_mid_shutdown_stops_it() -> None:
    """A guest on its way down that begins to ask stands still, and takes its way again when it is answered."""
    on = OnSite()
    await on.vm(Verb.SHUT_DOWN_GUEST, "erp-db")
    await on.wait(10.0)
    on.world.ask_of_vm("erp-db", Question("q", "Really?", choices=(("y", "Yes"),)))
    await on.wait(600.0)
    assert on.is_on("erp-db")
    await on.vm(Verb.ANSWER_VM, "erp-db", via="esx1", answer=("q", "y"))
    await on.until(lambda: not on.is_on("erp-db"), within_s=100)


async def test_a_power_off_may_hang_so_that_only_its_process_can_be_killed() -> None:
    """Neither guest nor power-off ends it; terminating it does."""
    on = OnSite(troubled_vms())
    await on.vm(Verb.SHUT_DOWN_GUEST, "hard-to-kill")
    await on.vm(Verb.POWER_OFF_VM, "hard-to-kill")
    await on.wait(600.0)
    assert on.is_on("hard-to-kill")
    await on.vm(Verb.TERMINATE_VM, "hard-to-kill")
    await on.until(lambda: not on.is_on("hard-to-kill"), within_s=10)


async def test_a_stuck_vm_survives_everything() -> None:
    """Each order is taken and fails, and the next look says so."""
    plan = office()
    on = OnSite(replace(plan, vms=tuple(replace(vm, is_stuck=vm.name == "mail") for vm in plan.vms)))
    await on.vm(Verb.TERMINATE_VM, "mail")
    await on.wait(60.0)
    assert on.is_on("mail")
    failure, = (await on.site.hypervisor.observe()).failures
    assert failure.verb is Verb.TERMINATE_VM


async def test_a_lost_vm_takes_no_order() -> None:
    """Without its files it is shown lost and out of reach, and nobody can start, stop or adopt it."""
    on = OnSite(troubled_vms())
    on.world.lose_vm("no-tools")
    for name, power in (("inaccessible", Power.OFF), ("no-tools", Power.ON)):
        seen = await on.vm_seen(name)
        assert (seen.is_lost, seen.is_reachable, seen.power) == (True, False, power)
    for name, verb in (("inaccessible", Verb.POWER_ON_VM), ("no-tools", Verb.POWER_OFF_VM)):
        with pytest.raises(Refused, match="not accessible"):
            await on.vm(verb, name)
    path = (await on.vm_seen("no-tools")).path
    on.world.cut_power("esx1")
    with pytest.raises(Refused, match="not accessible"):
        await on.vm(Verb.ADOPT_VM, "no-tools", via="esx3", path=path)


async def test_a_secondary_follows_its_primary_both_ways() -> None:
    """It takes no order of its own; it goes off and on with its primary."""
    on = OnSite(troubled_vms())
    assert (await on.vm_seen("ft-app-secondary")).role is Role.FT_SECONDARY
    with pytest.raises(Refused, match="only ft-app takes orders"):
        await on.vm(Verb.SHUT_DOWN_GUEST, "ft-app-secondary")
    await on.vm(Verb.POWER_OFF_VM, "ft-app")
    await on.until(lambda: not on.is_on("ft-app-secondary"), within_s=10)
    await on.vm(Verb.POWER_ON_VM, "ft-app")
    assert on.is_on("ft-app-secondary")


async def test_a_secondary_starts_when_its_host_takes_vms_again() -> None:
    """Where its primary came first, it follows when its host is out of maintenance mode."""
    on = OnSite(troubled_vms())
    await on.disarm()
    on.world.cut_power("esx2")
    assert on.is_on("ft-app")
    assert not on.is_on("ft-app-secondary")
    on.world.press_power("esx2")
    await on.until(lambda: on.is_on("ft-app-secondary"), within_s=300)


async def test_an_agent_is_stopped_and_started_with_its_host() -> None:
    """Its manager lets the host into maintenance mode by stopping it, and starts it when the host is back."""
    on = OnSite(troubled_vms())
    await on.disarm()
    for vm in on.world.cluster.vms_on("esx3"):
        if vm.name != "filter-agent":
            on.world.turn_vm(vm.name, is_on=False)
    await on.act(Verb.ENTER_MAINTENANCE, "esx3")
    await on.until(lambda: on.host("esx3").in_maintenance, within_s=30)
    assert not on.is_on("filter-agent")
    await on.act(Verb.EXIT_MAINTENANCE, "esx3")
    await on.until(lambda: on.is_on("filter-agent"), within_s=60)


async def test_an_agents_manager_brings_it_back() -> None:
    """Whoever else stops an agent sees it run again."""
    on = OnSite(troubled_vms())
    seen = await on.vm_seen("filter-agent")
    assert (seen.role, seen.managed_by) == (Role.AGENT, "com.vmware.vim.eam")
    await on.vm(Verb.POWER_OFF_VM, "filter-agent")
    await on.until(lambda: not on.is_on("filter-agent"), within_s=10)
    await on.until(lambda: on.is_on("filter-agent"), within_s=30)


async def test_vms_are_moved_and_switched_on_by_people() -> None:
    """In the middle of a shutdown too; where a host takes none, the scenario is wrong."""
    on = OnSite()
    await on.disarm()
    await on.vm(Verb.SHUT_DOWN_GUEST, "erp-db")
    on.world.move_vm("erp-db", "esx3")
    assert (await on.vm_seen("erp-db")).host == "esx3"
    await on.until(lambda: not on.is_on("erp-db"), within_s=100)
    on.world.turn_vm("erp-db", is_on=True)
    assert on.is_on("erp-db")
    on.world.cut_power("esx1")
    with pytest.raises(ValueError, match="takes no VM"):
        on.world.move_vm("erp-db", "esx1")


async def test_a_port_answers_when_its_vm_is_ready() -> None:
    """Some time after power-on, until the guest is told to stop; no other port and no other address ever does."""
    plan = office()
    on = OnSite(replace(plan, vms=tuple(
        replace(vm, addresses=("192.0.2.30",), ports=(5432,), ready_s=90.0) if vm.name == "erp-db" else vm
        for vm in plan.vms
    )))
    ports = on.site.ports
    assert await ports.is_open("192.0.2.30", 5432)
    assert not await ports.is_open("192.0.2.30", 22)
    assert not await ports.is_open("192.0.2.31", 5432)
    on.world.turn_vm("erp-db", is_on=False)
    assert not await ports.is_open("192.0.2.30", 5432)
    on.world.turn_vm("erp-db", is_on=True)
    await on.wait(60.0)
    assert not await ports.is_open("192.0.2.30", 5432)
    await on.wait(30.0)
    assert await ports.is_open("192.0.2.30", 5432)
    await on.vm(Verb.SHUT_DOWN_GUEST, "erp-db")
    assert not await ports.is_open("192.0.2.30", 5432)
