"""vCenter of the virtual cluster: as a VM of it, and elsewhere; and the cluster's settings."""

import pytest

from sim.on_site import OnSite
from thermo_guard.core.appliance import find_vcenter
from thermo_guard.core.commands import Verb
from thermo_guard.ports import Refused, Transient
from thermo_guard.sim.blueprint import SETTINGS
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plans import vcenter_outside


async def test_vcenters_own_vm_is_told_by_its_address() -> None:
    """The inside vCenter is found by the guard's own rule, and the outside one is not."""
    inside, outside = OnSite(), OnSite(vcenter_outside())
    seen = await inside.site.hypervisor.observe()
    assert find_vcenter(seen.vms, None, seen.addresses).vms == (inside.id("vcenter"),)
    seen = await outside.site.hypervisor.observe()
    assert find_vcenter(seen.vms, None, seen.addresses).vms == ()


async def test_vcenter_inside_goes_with_its_vm_and_comes_back_late() -> None:
    """Once its guest stops vCenter is silent; its host still answers; after power-on it takes minutes."""
    on = OnSite()
    await on.vm(Verb.SHUT_DOWN_GUEST, "vcenter", via="esx2")
    with pytest.raises(Transient):
        await on.site.hypervisor.observe()
    await on.until(lambda: not on.is_on("vcenter"), within_s=150)
    seen = await on.site.hypervisor.look_at_host("esx2", on.host("esx2").address)
    assert on.id("vcenter") in {vm.id for vm in seen.vms}
    await on.vm(Verb.POWER_ON_VM, "vcenter", via="esx2")
    await on.wait(200.0)
    with pytest.raises(Transient):
        await on.site.hypervisor.observe()
    await on.wait(60.0)
    await on.site.hypervisor.observe()


async def test_vcenter_inside_dies_with_its_host() -> None:
    """A dead host takes vCenter along; outside it would go on."""
    inside, outside = OnSite(), OnSite(vcenter_outside())
    for on in (inside, outside):
        on.world.cut_power("esx2")
    with pytest.raises(Transient):
        await inside.site.hypervisor.observe()
    await outside.site.hypervisor.observe()


async def test_a_direct_command_reaches_only_what_is_on_that_host() -> None:
    """An ESXi host knows its own VMs, nothing of the others, and nothing of cluster settings."""
    on = OnSite()
    with pytest.raises(Refused, match="no VM"):
        await on.vm(Verb.POWER_OFF_VM, "erp-db", via="esx2")
    with pytest.raises(Refused, match="no host"):
        await on.act(Verb.ENTER_MAINTENANCE, "esx1", via="esx2")
    with pytest.raises(Refused, match="settings"):
        await on.act(Verb.DISARM_HA, "esx2", via="esx2")


async def test_a_wrong_address_reaches_nobody() -> None:
    """Only the host's own address answers."""
    on = OnSite()
    with pytest.raises(Transient):
        await on.site.hypervisor.look_at_host("esx2", "203.0.113.9:443")


async def test_settings_are_disarmed_and_restored() -> None:
    """HA off and DRS manual, then each back from what was kept; admission control only in its own step."""
    on = OnSite()
    await on.disarm()
    disarmed = (await on.site.hypervisor.observe()).settings
    assert not disarmed.ha_enabled
    assert disarmed.drs_enabled
    assert (disarmed.drs_behavior, disarmed.drs_overrides) == ("manual", False)
    await on.act(Verb.RESTORE_HA, "Office", settings=SETTINGS)
    await on.act(Verb.RESTORE_DRS, "Office", settings=SETTINGS)
    restored = (await on.site.hypervisor.observe()).settings
    assert restored.ha_enabled
    assert not restored.ha_admission_control
    await on.act(Verb.RESTORE_ADMISSION, "Office", settings=SETTINGS)
    assert (await on.site.hypervisor.observe()).settings == SETTINGS


async def test_a_whole_cluster_goes_down_and_comes_back_as_it_was() -> None:
    """The runbook's order works end to end by hand, and nothing differs afterwards but what was off stays off."""
    on = OnSite()
    before = on.world.running()
    await on.disarm()
    for host in ("esx1", "esx3"):
        await on.empty(host)
        await on.act(Verb.ENTER_MAINTENANCE, host)
        await on.until(lambda host=host: on.host(host).in_maintenance, within_s=30)  # type: ignore[misc]
        await on.act(Verb.SHUT_DOWN_HOST, host)
    await on.empty("esx2")
    await on.act(Verb.ENTER_MAINTENANCE, "esx2", via="esx2")
    await on.until(lambda: on.host("esx2").in_maintenance, within_s=30)
    await on.act(Verb.SHUT_DOWN_HOST, "esx2", via="esx2")
    await on.until(lambda: all(host.stage is Stage.OFF for host in on.world.cluster.hosts.values()), within_s=120)
    assert len(before.differences(on.world.running())) > 10
    for host in ("esx2", "esx1", "esx3"):
        await on.power_on(host)
        await on.until(lambda host=host: on.host(host).stage is Stage.UP, within_s=400)  # type: ignore[misc]
        await on.act(Verb.EXIT_MAINTENANCE, host, via=host)
        await on.until(lambda host=host: not on.host(host).in_maintenance, within_s=30)  # type: ignore[misc]
    for name, host in before.vms:
        await on.vm(Verb.POWER_ON_VM, name, via=host)
    await on.wait(300.0)
    for verb in (Verb.RESTORE_HA, Verb.RESTORE_DRS, Verb.RESTORE_ADMISSION):
        await on.act(verb, "Office", settings=SETTINGS)
    assert before.differences(on.world.running()) == ()
