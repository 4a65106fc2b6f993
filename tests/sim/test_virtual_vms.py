"""VMs of the virtual cluster: how they stop, start, and refuse to."""

import pytest

from sim.on_site import OnSite
from thermo_guard.core.commands import Verb
from thermo_guard.core.plant import Power
from thermo_guard.ports import Refused, Transient
from thermo_guard.sim.plans import vcenter_outside


async def test_a_guest_takes_its_time_to_shut_down() -> None:
    """ShutdownGuest returns at once; the VM is off only when its guest is done."""
    on = OnSite()
    await on.vm(Verb.SHUT_DOWN_GUEST, "erp-db")
    assert (await on.vm_seen("erp-db")).power is Power.ON
    took_s = await on.until(lambda: not on.is_on("erp-db"), within_s=120)
    assert 70 * 0.85 - 2 <= took_s <= 70 * 1.15 + 2
    assert (await on.vm_seen("erp-db")).power is Power.OFF


async def test_a_hanging_guest_needs_force() -> None:
    """A guest may take the shutdown and never end it; power-off ends it."""
    on = OnSite()
    await on.vm(Verb.SHUT_DOWN_GUEST, "legacy-fax")
    await on.wait(3600.0)
    assert on.is_on("legacy-fax")
    await on.vm(Verb.POWER_OFF_VM, "legacy-fax")
    await on.until(lambda: not on.is_on("legacy-fax"), within_s=10)


async def test_shutdown_is_refused_without_tools() -> None:
    """Tools run some time after power-on and not before; until then a guest cannot be asked."""
    on = OnSite()
    await on.vm(Verb.POWER_ON_VM, "sandbox")
    seen = await on.vm_seen("sandbox")
    assert seen.power is Power.ON
    assert not seen.can_shut_down_guest
    with pytest.raises(Refused, match="tools"):
        await on.vm(Verb.SHUT_DOWN_GUEST, "sandbox")
    await on.wait(41.0)
    assert (await on.vm_seen("sandbox")).is_tools_running
    await on.vm(Verb.SHUT_DOWN_GUEST, "sandbox")


async def test_what_is_as_wanted_is_taken() -> None:
    """Switching off what is off, or on what is on, is no error and changes nothing."""
    on = OnSite()
    await on.vm(Verb.POWER_ON_VM, "mail")
    await on.vm(Verb.POWER_OFF_VM, "sandbox")
    await on.wait(60.0)
    assert on.kinds("mail") == []
    assert on.kinds("sandbox") == []


async def test_templates_and_suspended_vms_are_off() -> None:
    """Both are shown as off, the template as such."""
    on = OnSite()
    assert (await on.vm_seen("windows-template")).is_template
    assert (await on.vm_seen("archive")).power is Power.OFF
    with pytest.raises(Refused, match="template"):
        await on.vm(Verb.POWER_ON_VM, "windows-template")


async def test_power_on_is_refused_on_a_host_in_maintenance() -> None:
    """A host in maintenance mode starts no VM."""
    on = OnSite()
    await on.disarm()
    await on.empty("esx1")
    await on.act(Verb.ENTER_MAINTENANCE, "esx1")
    await on.until(lambda: on.host("esx1").in_maintenance, within_s=30)
    with pytest.raises(Refused, match="maintenance"):
        await on.vm(Verb.POWER_ON_VM, "build-1")


async def test_a_vm_of_a_dead_host_is_adopted_by_another() -> None:
    """Registered anew it starts elsewhere, and is one VM with its identity kept."""
    on = OnSite()
    await on.disarm()
    path = (await on.vm_seen("erp-db")).path
    with pytest.raises(Refused, match="lives"):
        await on.vm(Verb.ADOPT_VM, "erp-db", via="esx3", path=path)
    on.world.cut_power("esx1")
    with pytest.raises(Transient):
        await on.vm(Verb.POWER_ON_VM, "erp-db")
    await on.vm(Verb.ADOPT_VM, "erp-db", via="esx3", path=path)
    await on.vm(Verb.POWER_ON_VM, "erp-db", via="esx3")
    seen = await on.vm_seen("erp-db")
    assert (seen.host, seen.power, seen.is_reachable) == ("esx3", Power.ON, True)
    assert seen.id == on.id("erp-db")


async def test_adopting_needs_the_right_file() -> None:
    """A path that is none is refused."""
    on = OnSite()
    on.world.cut_power("esx1")
    with pytest.raises(Refused, match="no file"):
        await on.vm(Verb.ADOPT_VM, "erp-db", via="esx3", path="[virtual] nothing/here.vmx")


async def test_another_clusters_vms_are_not_shown() -> None:
    """The cluster's look shows its own hosts and VMs only, while the others run and heat the room."""
    on = OnSite(vcenter_outside())
    seen = await on.site.hypervisor.observe()
    assert {host.name for host in seen.hosts} == {"esx1", "esx2", "esx3"}
    assert not {vm.name for vm in seen.vms} & {"other-app", "other-db"}
    assert ("other-db", "other1") in on.world.running().vms


async def test_admission_control_keeps_vms_off_while_hosts_are_missing() -> None:
    """With HA armed and one host left, a VM is refused; without admission control it starts."""
    on = OnSite()
    on.world.cut_power("esx1")
    on.world.cut_power("esx3")
    on.world.turn_vm("mail", is_on=False)
    with pytest.raises(Refused, match="admission"):
        await on.vm(Verb.POWER_ON_VM, "mail")
    await on.act(Verb.DISARM_HA, "Office")
    await on.vm(Verb.POWER_ON_VM, "mail")
    assert on.is_on("mail")
