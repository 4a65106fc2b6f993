"""Hosts of the virtual cluster: maintenance mode, going down, coming up, and what heat does to them."""

import uuid
from dataclasses import replace

import pytest

from sim.on_site import OnSite
from thermo_guard.core.commands import Verb
from thermo_guard.core.plant import Power
from thermo_guard.ports import Refused, Transient
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plans import office, vcenter_outside


async def in_maintenance(on: OnSite, host: str) -> None:
    await on.empty(host)
    await on.act(Verb.ENTER_MAINTENANCE, host, via=host)
    await on.until(lambda: on.host(host).in_maintenance, within_s=30)


async def test_maintenance_mode_waits_for_the_last_vm() -> None:
    """Entering it completes when no VM is on, and never switches one off itself."""
    on = OnSite()
    await on.disarm()
    await on.act(Verb.ENTER_MAINTENANCE, "esx1")
    await on.wait(120.0)
    assert not on.host("esx1").in_maintenance
    assert on.is_on("erp-db")
    await on.empty("esx1")
    await on.until(lambda: on.host("esx1").in_maintenance, within_s=30)
    assert (await on.host_seen("esx1")).in_maintenance


async def test_maintenance_mode_gives_up_at_its_timeout() -> None:
    """With a VM left it fails at the server's own bound, and the next look says so once."""
    on = OnSite()
    await on.disarm()
    await on.act(Verb.ENTER_MAINTENANCE, "esx1", timeout_s=120.0)
    with pytest.raises(Transient, match="already"):
        await on.act(Verb.ENTER_MAINTENANCE, "esx1", timeout_s=120.0)
    await on.wait(121.0)
    failure, = (await on.site.hypervisor.observe()).failures
    assert (failure.verb, failure.target) == (Verb.ENTER_MAINTENANCE, "esx1")
    assert "erp-db" in failure.text
    assert (await on.site.hypervisor.observe()).failures == ()
    await on.empty("esx1")
    await on.wait(30.0)
    assert not on.host("esx1").in_maintenance


async def test_drs_left_armed_moves_vms_about() -> None:
    """Maintenance mode under full automation is a storm of moves; disarmed there is none."""
    on = OnSite()
    await on.act(Verb.DISARM_HA, "Office")
    await on.act(Verb.ENTER_MAINTENANCE, "esx1")
    await on.until(lambda: on.host("esx1").in_maintenance, within_s=300)
    assert "vm.moved" in on.kinds("erp-db")
    assert on.is_on("erp-db")


async def test_a_host_shuts_down_from_maintenance_mode_only() -> None:
    """Outside maintenance mode it refuses, unless it is forced, which takes its VMs down with it."""
    on = OnSite()
    await on.disarm()
    with pytest.raises(Refused, match="not in maintenance"):
        await on.act(Verb.SHUT_DOWN_HOST, "esx1")
    await on.act(Verb.SHUT_DOWN_HOST, "esx1", force=True)
    assert not on.is_on("erp-db")
    await on.until(lambda: on.host("esx1").stage is Stage.OFF, within_s=90)


async def test_going_down_is_seen_by_bmc_direct_look_and_vcenter() -> None:
    """Direct connections end at once, vCenter's picture lags by a heartbeat, the BMC says Off only when it is."""
    on = OnSite()
    await on.disarm()
    await in_maintenance(on, "esx1")
    await on.act(Verb.SHUT_DOWN_HOST, "esx1")
    assert (await on.host_seen("esx1")).is_connected
    assert (await on.bmc_seen("esx1")).power is Power.ON
    with pytest.raises(Transient):
        await on.site.hypervisor.look_at_host("esx1", on.host("esx1").address)
    await on.wait(30.0)
    seen = await on.host_seen("esx1")
    assert not seen.is_connected
    assert seen.power is Power.UNKNOWN
    await on.until(lambda: on.host("esx1").stage is Stage.OFF, within_s=90)
    assert (await on.bmc_seen("esx1")).power is Power.OFF


async def test_power_on_moves_then_boots_and_keeps_maintenance_mode() -> None:
    """The BMC shows MOVING, then ON long before ESXi answers; maintenance mode and dead VMs are as they were."""
    on = OnSite()
    await on.disarm()
    await in_maintenance(on, "esx1")
    await on.act(Verb.SHUT_DOWN_HOST, "esx1")
    await on.until(lambda: on.host("esx1").stage is Stage.OFF, within_s=90)
    await on.power_on("esx1")
    assert (await on.bmc_seen("esx1")).power is Power.MOVING
    await on.wait(20.0)
    assert (await on.bmc_seen("esx1")).power is Power.ON
    with pytest.raises(Transient):
        await on.site.hypervisor.look_at_host("esx1", on.host("esx1").address)
    took_s = await on.until(lambda: on.host("esx1").stage is Stage.UP, within_s=300)
    assert took_s > 90
    assert (await on.site.hypervisor.look_at_host("esx1", on.host("esx1").address)).in_maintenance
    await on.wait(10.0)
    assert (await on.host_seen("esx1")).is_connected
    assert not on.is_on("erp-db")
    await on.act(Verb.EXIT_MAINTENANCE, "esx1")
    await on.until(lambda: not on.host("esx1").in_maintenance, within_s=10)
    await on.vm(Verb.POWER_ON_VM, "erp-db")
    assert on.is_on("erp-db")


async def test_power_on_of_what_is_on_changes_nothing() -> None:
    """It is no button: a second On neither restarts nor stops a host."""
    on = OnSite()
    await on.power_on("esx1")
    await on.wait(600.0)
    assert on.kinds("esx1") == []


async def test_a_dead_hosts_vms_are_shown_as_last_known() -> None:
    """Unreachable, they are still shown on; they are off when the host is back."""
    on = OnSite()
    await on.disarm()
    on.world.cut_power("esx1")
    await on.wait(31.0)
    seen = await on.vm_seen("erp-db")
    assert (seen.power, seen.is_reachable) == (Power.ON, False)
    on.world.press_power("esx1")
    await on.until(lambda: on.host("esx1").stage is Stage.UP, within_s=300)
    await on.wait(15.0)
    seen = await on.vm_seen("erp-db")
    assert (seen.power, seen.is_reachable) == (Power.OFF, True)


async def test_ha_restarts_what_a_host_lost_unless_disarmed() -> None:
    """Armed HA brings a dead host's VMs up on the others within minutes; disarmed it leaves them."""
    armed, disarmed = OnSite(), OnSite()
    await disarmed.disarm()
    for on in (armed, disarmed):
        on.world.cut_power("esx1")
        await on.wait(120.0)
    assert armed.is_on("erp-db")
    assert not disarmed.is_on("erp-db")


async def test_firmware_protects_a_host_from_heat() -> None:
    """At 42 degC inlet each host shuts itself down, the warmest place first; without the protection none does."""
    on = OnSite()
    on.world.fail_cooling(4 * 3600.0)
    await on.wait(3 * 3600.0)
    stopped = [h.object for h in on.world.log if h.kind == "host.stopping"]
    assert stopped[0] == "esx3"
    assert "firmware" in next(h.detail for h in on.world.log if h.kind == "host.stopping")
    plan = office()
    on = OnSite(replace(plan, hosts=tuple(replace(host, protects_at_c=99.0) for host in plan.hosts)))
    on.world.fail_cooling(4 * 3600.0)
    await on.wait(3 * 3600.0)
    assert on.kinds("esx3") == []
    assert on.world.air_c > 42


async def test_a_broken_host_has_power_and_never_answers() -> None:
    """Its BMC says On, ESXi does not come up."""
    on = OnSite()
    on.world.cut_power("esx1")
    on.world.break_host("esx1")
    await on.power_on("esx1")
    await on.wait(3600.0)
    assert (await on.bmc_seen("esx1")).power is Power.ON
    assert on.host("esx1").stage is Stage.BOOTING


async def test_bmcs_identify_the_servers_they_are_built_into() -> None:
    """The UUID is the host's, in either byte order; a foreign BMC's is nobody's; serials match where it is hidden."""
    on = OnSite()
    hosts = {host.name: host for host in (await on.site.hypervisor.observe()).hosts}
    assert (await on.bmc_seen("esx1")).uuid == hosts["esx1"].uuid
    swapped = (await on.bmc_seen("esx2")).uuid
    assert swapped != hosts["esx2"].uuid
    assert swapped is not None
    assert str(uuid.UUID(bytes_le=uuid.UUID(swapped).bytes)) == hosts["esx2"].uuid
    foreign = next(bmc for bmc in on.site.bmcs if bmc.address == "ilo-x.virtual.invalid")
    assert (await foreign.observe()).uuid not in {host.uuid for host in hosts.values()}
    hidden = await OnSite(vcenter_outside()).bmc_seen("esx1")
    assert hidden.uuid is None
    assert hidden.serials == hosts["esx1"].serials
