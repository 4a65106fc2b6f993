"""Hosts and BMCs of the virtual cluster that make trouble, and hosts that no vCenter holds together."""

from dataclasses import replace

import pytest

from sim.on_site import OnSite
from thermo_guard.core.commands import Command, Verb
from thermo_guard.core.plant import Power
from thermo_guard.ports import Refused, Transient, Unauthorized
from thermo_guard.sim.blueprint import SETTINGS
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plants import HostTrouble, standalone, troubled_hosts


def with_host(trouble: HostTrouble) -> OnSite:
    """A site with one host of this trouble, HA and DRS disarmed."""
    return OnSite(replace(troubled_hosts(trouble), settings=replace(SETTINGS, ha_enabled=False, drs_behavior="manual")))


async def test_a_host_may_decline_maintenance_mode() -> None:
    """Neither vCenter nor a direct order brings it there; a forced shutdown works."""
    on = with_host(HostTrouble.REFUSES_MAINTENANCE)
    for via in ("vcenter", "refuses-maintenance"):
        with pytest.raises(Refused, match="declines maintenance"):
            await on.act(Verb.ENTER_MAINTENANCE, "refuses-maintenance", via=via)
    await on.act(Verb.SHUT_DOWN_HOST, "refuses-maintenance", force=True)
    await on.until(lambda: on.host("refuses-maintenance").stage is Stage.OFF, within_s=90)


async def test_a_host_may_obey_directly_only() -> None:
    """What it declines from vCenter it does when it is asked itself."""
    on = with_host(HostTrouble.REFUSES_VCENTER)
    name = "refuses-vcenter"
    await on.vm(Verb.POWER_OFF_VM, f"app-{name}")
    with pytest.raises(Refused, match="declines what vCenter"):
        await on.act(Verb.ENTER_MAINTENANCE, name)
    await on.act(Verb.ENTER_MAINTENANCE, name, via=name)
    await on.until(lambda: on.host(name).in_maintenance, within_s=30)


async def test_a_host_may_hang_in_its_shutdown() -> None:
    """It falls silent and keeps its power until the BMC cuts it; then it can be started."""
    on = with_host(HostTrouble.HANGS_DOWN)
    await on.act(Verb.SHUT_DOWN_HOST, "hangs-down", force=True)
    await on.wait(3600.0)
    with pytest.raises(Transient):
        await on.site.hypervisor.look_at_host("hangs-down", on.host("hangs-down").address)
    assert (await on.bmc_seen("hangs-down")).power is Power.ON
    await next(bmc for bmc in on.site.bmcs if "hangs-down" in bmc.address).force_off()
    assert (await on.bmc_seen("hangs-down")).power is Power.OFF
    await on.power_on("hangs-down")
    await on.until(lambda: on.host("hangs-down").stage is Stage.UP, within_s=300)


async def test_a_host_that_vcenter_let_go_comes_back_only_when_asked() -> None:
    """Its picture stands still, orders through vCenter fail, a restart changes nothing; direct orders work."""
    on = with_host(HostTrouble.LET_GO)
    seen = await on.host_seen("let-go")
    assert (seen.is_let_go, seen.is_connected, seen.power) == (True, False, Power.UNKNOWN)
    with pytest.raises(Transient, match="not connected"):
        await on.vm(Verb.SHUT_DOWN_GUEST, "app-let-go")
    await on.vm(Verb.POWER_OFF_VM, "app-let-go", via="let-go")
    await on.wait(60.0)
    vm = await on.vm_seen("app-let-go")
    assert (vm.power, vm.is_reachable) == (Power.ON, False)
    on.world.cut_power("let-go")
    with pytest.raises(Transient, match="does not answer"):
        await on.act(Verb.RECONNECT_HOST, "let-go")
    on.world.press_power("let-go")
    await on.wait(600.0)
    assert (await on.host_seen("let-go")).is_let_go
    await on.act(Verb.RECONNECT_HOST, "let-go")
    await on.wait(20.0)
    seen = await on.host_seen("let-go")
    assert (seen.is_let_go, seen.is_connected) == (False, True)
    assert (await on.vm_seen("app-let-go")).power is Power.OFF


async def test_vcenter_lets_a_host_go_when_a_person_says_so() -> None:
    """From then on it is as one that was planned so; one that merely does not respond is not."""
    on = OnSite()
    on.world.let_go("esx1")
    assert (await on.host_seen("esx1")).is_let_go
    assert not (await on.vm_seen("erp-db")).is_reachable
    on.world.cut_power("esx3")
    await on.wait(31.0)
    seen = await on.host_seen("esx3")
    assert (seen.is_let_go, seen.is_connected) == (False, False)


async def test_a_host_in_standby_has_no_power_and_vcenter_says_so() -> None:
    """It is off for vCenter and for its BMC, and wakes when that switches it on."""
    on = with_host(HostTrouble.STANDBY)
    seen = await on.host_seen("standby")
    assert (seen.power, seen.is_connected) == (Power.OFF, False)
    assert (await on.bmc_seen("standby")).power is Power.OFF
    await on.power_on("standby")
    await on.wait(300.0)
    assert (await on.host_seen("standby")).power is Power.ON


async def test_lockdown_mode_takes_no_direct_login() -> None:
    """Orders through vCenter, which shows the mode, work; a direct look is refused, until the mode is left."""
    on = with_host(HostTrouble.LOCKDOWN)
    assert (await on.host_seen("lockdown")).in_lockdown
    address = on.host("lockdown").address
    with pytest.raises(Unauthorized, match="lockdown"):
        await on.site.hypervisor.look_at_host("lockdown", address)
    await on.vm(Verb.POWER_OFF_VM, "app-lockdown")
    on.world.lock_down("lockdown", is_on=False)
    await on.site.hypervisor.look_at_host("lockdown", address)
    on.world.lock_down("lockdown")
    with pytest.raises(Unauthorized, match="lockdown"):
        await on.site.hypervisor.look_at_host("lockdown", address)


async def test_a_bmc_may_say_off_while_its_server_runs() -> None:
    """What it says is no proof: ESXi answers."""
    on = with_host(HostTrouble.BMC_SAYS_OFF)
    assert (await on.bmc_seen("bmc-says-off")).power is Power.OFF
    await on.site.hypervisor.look_at_host("bmc-says-off", on.host("bmc-says-off").address)


async def test_a_bmc_may_be_dead() -> None:
    """It answers nothing, neither a look nor an order, and its host goes on."""
    on = with_host(HostTrouble.BMC_DEAD)
    with pytest.raises(Transient):
        await on.bmc_seen("bmc-dead")
    with pytest.raises(Transient):
        await on.power_on("bmc-dead")
    assert (await on.host_seen("bmc-dead")).is_connected


async def test_hosts_without_vcenter_are_shown_together() -> None:
    """Their looks make one, without settings; one that falls silent stays in it as it was, out of reach."""
    on = OnSite(standalone(3))
    seen = await on.site.hypervisor.observe()
    assert (seen.is_standalone, len(seen.hosts), seen.settings.ha_enabled) == (True, 3, False)
    on.world.cut_power("esx2")
    seen = await on.site.hypervisor.observe()
    host = next(host for host in seen.hosts if host.name == "esx2")
    assert (host.is_connected, host.power) == (False, Power.UNKNOWN)
    vms = {(vm.name, vm.power, vm.is_reachable) for vm in seen.vms if vm.host == "esx2"}
    assert vms == {("web-2", Power.ON, False), ("files", Power.ON, False)}
    on.site.begin_process()
    assert {host.name for host in (await on.site.hypervisor.observe()).hosts} == {"esx1", "esx3"}


async def test_when_no_host_answers_there_is_no_look() -> None:
    """A single host's silence is the silence of the whole."""
    on = OnSite(standalone(1))
    on.world.cut_power("esx1")
    with pytest.raises(Transient):
        await on.site.hypervisor.observe()


async def test_orders_of_a_site_without_vcenter_go_to_the_host() -> None:
    """What is asked of vCenter is asked of the host it is for; what only a vCenter has is refused."""
    on = OnSite(standalone(1))
    await on.empty("esx1")
    await on.vm(Verb.POWER_ON_VM, "web-1")
    await on.vm(Verb.POWER_OFF_VM, "web-1")
    await on.act(Verb.ENTER_MAINTENANCE, "esx1")
    await on.until(lambda: on.host("esx1").in_maintenance, within_s=30)
    await on.act(Verb.SHUT_DOWN_HOST, "esx1")
    with pytest.raises(Refused, match="no vCenter"):
        await on.site.hypervisor.execute(Command(Verb.DISARM_HA, "Plant", "Plant", "vcenter"))


async def test_a_standalone_host_fails_alone() -> None:
    """No HA starts its VMs elsewhere."""
    on = OnSite(standalone(3))
    on.world.cut_power("esx1")
    await on.wait(300.0)
    assert "vm.moved" not in {happening.kind for happening in on.world.log}
