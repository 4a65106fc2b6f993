"""What vCenter's services do of their own accord on the virtual cluster: vCLS, DRS, DPM, HA's admission control."""

from dataclasses import replace

import pytest

from sim.on_site import STARTS_AT, OnSite
from thermo_guard.core.commands import Verb
from thermo_guard.core.plant import Power, Role, Vcls
from thermo_guard.ports import Refused, Transient
from thermo_guard.sim.blueprint import SETTINGS, Blueprint
from thermo_guard.sim.plants import (
    HostTrouble,
    VclsKind,
    standalone,
    strict_ha,
    troubled_hosts,
    troubled_vcenter,
    troubled_vms,
    vcenter_inside,
    vcls,
    vsan,
)
from thermo_guard.sim.world import World


def services(on: OnSite) -> set[str]:
    """Ids of the cluster services' VMs that are on."""
    return {vm.id for vm in on.world.cluster.vms.values() if vm.role is Role.VCLS and vm.is_on}


@pytest.mark.parametrize("plan", [
    strict_ha(), vsan(), troubled_vms(), troubled_hosts(), troubled_vcenter(), standalone(1), standalone(),
    *(vcls(kind) for kind in VclsKind),
])
def test_plants_are_quiet_until_something_fails(plan: Blueprint) -> None:
    """With the cooling whole nothing happens in any of them for a day."""
    world = World(5, plan, STARTS_AT)
    world.advance(STARTS_AT + 24 * 3600.0)
    assert world.log == []
    assert world.air_c < 28


async def test_cluster_services_come_back_as_new_vms() -> None:
    """Whatever stops one, half a minute later another runs in its place under another id."""
    on = OnSite(vcls(VclsKind.DEPLOYED))
    before = services(on)
    await on.vm(Verb.POWER_OFF_VM, "vCLS-1")
    await on.wait(10.0)
    assert len(services(on)) == 2
    await on.wait(30.0)
    assert len(services(on)) == 3
    assert len(services(on) & before) == 2
    assert len({vm.id for vm in on.world.cluster.vms.values() if vm.role is Role.VCLS}) == 3


async def test_cluster_services_keep_a_host_out_of_maintenance_mode() -> None:
    """While one runs on it a host never enters, and comes in when retreat mode has taken them all away."""
    on = OnSite(vcls(VclsKind.DEPLOYED))
    await on.disarm()
    for vm in on.world.cluster.vms_on("esx2"):
        if vm.role is Role.WORKLOAD:
            await on.vm(Verb.POWER_OFF_VM, vm.name)
    await on.act(Verb.ENTER_MAINTENANCE, "esx2")
    await on.wait(120.0)
    assert not on.host("esx2").in_maintenance
    await on.act(Verb.RETREAT_VCLS, "Plant")
    assert (await on.site.hypervisor.observe()).settings.vcls is Vcls.RETREAT
    took_s = await on.until(lambda: not services(on), within_s=60)
    assert took_s > 30
    await on.until(lambda: on.host("esx2").in_maintenance, within_s=10)


async def test_cluster_services_return_from_retreat() -> None:
    """Restored, as many run again as before, on hosts that take VMs, and the whole counts as it was."""
    on = OnSite(vcls(VclsKind.EMBEDDED))
    before = on.world.running()
    await on.act(Verb.RETREAT_VCLS, "Plant")
    await on.wait(60.0)
    assert before.differences(on.world.running())
    await on.act(Verb.RESTORE_VCLS, "Plant")
    await on.until(lambda: len(services(on)) == 2, within_s=60)
    assert before.differences(on.world.running()) == ()


async def test_cluster_services_stay_when_vcenter_has_gone() -> None:
    """It is vCenter that removes them: where it stops before that, they stay."""
    on = OnSite(vcls(VclsKind.DEPLOYED))
    await on.act(Verb.RETREAT_VCLS, "Plant")
    on.world.turn_vm("vcenter", is_on=False)
    await on.wait(600.0)
    assert len(services(on)) == 3


async def test_without_cluster_services_there_is_no_retreat() -> None:
    """From vSphere 9 on both orders are refused, and no VM has the role."""
    on = OnSite(vcls(VclsKind.NONE))
    assert not services(on)
    for verb in (Verb.RETREAT_VCLS, Verb.RESTORE_VCLS):
        with pytest.raises(Refused, match="no cluster services"):
            await on.act(verb, "Plant")


async def test_drs_honours_a_vms_own_level() -> None:
    """With the cluster on manual the VM that is automated by itself moves, until overrides are off too."""
    for overrides, moves in ((True, ["app-2"]), (False, [])):
        by_hand = replace(SETTINGS, ha_enabled=False, drs_behavior="manual", drs_overrides=overrides)
        on = OnSite(replace(strict_ha(), settings=by_hand))
        await on.act(Verb.ENTER_MAINTENANCE, "esx1")
        await on.wait(100.0)
        assert [h.object for h in on.world.log if h.kind == "vm.moved"] == moves


async def test_drs_moves_vcenters_vm_until_it_is_disarmed() -> None:
    """In quiet time vCenter is now on this host and now on that; on manual it stays where it is."""
    on = OnSite(vcenter_inside(moves_every_s=600.0))
    places = []
    for _ in range(4):
        places.append((await on.vm_seen("vcenter")).host)
        await on.wait(600.0)
    assert set(places) == {"esx1", "esx2", "esx3"}
    await on.disarm()
    moves = on.kinds("vcenter")
    await on.wait(3600.0)
    assert on.kinds("vcenter") == moves


async def test_strict_admission_control_holds_maintenance_mode() -> None:
    """Where HA would be left with one host it never ends, though the host is empty, until HA is off."""
    on = OnSite(strict_ha())
    await on.act(Verb.DISARM_DRS, "Plant")
    for host in ("esx2", "esx3"):
        await on.empty(host)
        await on.act(Verb.ENTER_MAINTENANCE, host)
    await on.wait(300.0)
    assert [on.host(host).in_maintenance for host in ("esx2", "esx3")] == [False, False]
    await on.act(Verb.DISARM_HA, "Plant")
    await on.until(lambda: on.host("esx2").in_maintenance and on.host("esx3").in_maintenance, within_s=10)


async def test_dpm_puts_an_empty_host_to_sleep_unless_it_is_disarmed() -> None:
    """Minutes after its last VM has stopped, vCenter itself takes the host down, and shows it in standby."""
    left, disarmed = OnSite(strict_ha()), OnSite(strict_ha())
    for on in (left, disarmed):
        await on.empty("esx2")
        if on is disarmed:
            await on.act(Verb.DISARM_DRS, "Plant")
        await on.wait(600.0)
    seen = await left.host_seen("esx2")
    assert (seen.power, seen.is_connected) == (Power.OFF, False)
    assert (await left.bmc_seen("esx2")).power is Power.OFF
    assert (await disarmed.host_seen("esx2")).power is Power.ON


async def test_dpm_wakes_a_host_in_the_place_of_one_that_leaves() -> None:
    """A host that enters maintenance mode under DPM lets another be powered on, into the heat."""
    on = OnSite(strict_ha())
    assert (await on.host_seen("esx4")).power is Power.OFF
    await on.act(Verb.ENTER_MAINTENANCE, "esx1")
    assert "host.power_on" in on.kinds("esx4")


async def test_vsan_is_shown() -> None:
    """The look at the cluster says that its disks are its hosts'."""
    assert (await OnSite(vsan()).site.hypervisor.observe()).has_vsan
    assert not (await OnSite().site.hypervisor.observe()).has_vsan


async def test_vcenter_is_slow_and_stays_away() -> None:
    """Each answer takes its time, a session ends early, and once its VM was off only a person brings it back."""
    on = OnSite(troubled_vcenter(latency_s=4.0, idle_s=120.0))
    began = on.clock.now()
    await on.site.hypervisor.observe()
    assert on.clock.now() - began >= 4.0
    await on.wait(200.0)
    await on.site.hypervisor.observe()
    assert [entry.is_accepted for entry in on.site.doors.tries] == [True, True]
    on.world.turn_vm("vcenter", is_on=False)
    on.world.turn_vm("vcenter", is_on=True)
    await on.wait(3600.0)
    with pytest.raises(Transient):
        await on.site.hypervisor.observe()
    on.world.mend_vcenter()
    await on.site.hypervisor.observe()


async def test_an_edge_can_be_slow_for_a_while() -> None:
    """The calls to one machine take longer, those to others do not."""
    on = OnSite()
    on.site.faults.slow("esx1", 3.0, for_s=60.0)
    for host, took_s in (("esx1", 3.05), ("esx2", 0.05)):
        began = on.clock.now()
        await on.site.hypervisor.look_at_host(host, on.host(host).address)
        assert on.clock.now() - began == pytest.approx(took_s)
    on.site.faults.mend("esx1")
    began = on.clock.now()
    await on.site.hypervisor.look_at_host("esx1", on.host("esx1").address)
    assert on.clock.now() - began == pytest.approx(0.05)


def test_troubles_are_all_in_the_plant() -> None:
    """One host for each trouble, named after it."""
    assert {host.name for host in troubled_hosts().hosts} == {"esx1", "esx2", *HostTrouble}
    assert {host.name for host in troubled_hosts(HostTrouble.LOCKDOWN).hosts} == {"esx1", "esx2", "lockdown"}
