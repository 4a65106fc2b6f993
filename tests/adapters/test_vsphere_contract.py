"""One contract for the adapter, asked alike of the virtual site's wire, of the overlay and of VMware's simulator alone.

What the simulator alone cannot show is expected to fail there, strictly: the day it can, the test says so.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.vsphere_contract import Contract, Peer, contract
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import ClusterSettings, Power, Vm
from thermo_guard.ports import Fault, Refused, Unauthorized
from thermo_guard.sim.blueprint import SETTINGS

pytestmark = pytest.mark.peer


PROTECTED = replace(SETTINGS, dpm_enabled=True)


def alike(lacking: str = "") -> pytest.MarkDecorator:
    """Ask it of all three.

    :param lacking: what the simulator alone has not, so that it must fail there.
    """
    mark: Any = pytest.mark.xfail(reason=f"VMware's simulator alone: {lacking}", strict=True) if lacking else ()
    return pytest.mark.parametrize("at", [Peer.WIRE, Peer.OVERLAY, pytest.param(Peer.PLAIN, marks=mark)], indirect=True)


@pytest.fixture
async def at(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Contract]:
    async with contract(request.param, tmp_path) as asked:
        yield asked


async def settle(at: Contract, saved: ClusterSettings, *verbs: Verb) -> None:
    for verb in verbs:
        await at.adapter.execute(Command(verb, at.cluster, at.cluster, VCENTER, settings=saved))


def running(vms: tuple[Vm, ...]) -> Vm:
    return next(vm for vm in vms if vm.power is Power.ON)


@alike()
async def test_a_look_shows_hosts_and_vms_whole(at: Contract) -> None:
    """Each host has its identity, and each VM an id of its own, a host of the cluster and the path of its file."""
    seen = await at.look()
    assert seen.name == at.cluster
    assert len(seen.hosts) == 3
    assert all((host.is_connected, host.in_maintenance, host.power) == (True, False, Power.ON) for host in seen.hosts)
    assert all(host.uuid for host in seen.hosts)
    assert len({vm.id for vm in seen.vms}) == len(seen.vms) > 0
    assert {vm.host for vm in seen.vms} <= {host.name for host in seen.hosts}
    assert all(vm.path and vm.path.endswith(".vmx") for vm in seen.vms)
    assert seen.failures == ()


@alike()
async def test_the_only_right_name_of_the_cluster_is_its_own(at: Contract) -> None:
    """A cluster that is not there is refused by its name."""
    other = at.opened(cluster="Lab")
    with pytest.raises(Refused, match="no cluster 'Lab'"):
        await other.observe()
    await other.aclose()


@alike()
async def test_a_wrong_password_is_refused_and_not_tried_again(at: Contract) -> None:
    """The refusal is the account's, and the next call does not knock again."""
    other = at.opened(password="wrong")
    with pytest.raises(Unauthorized, match="refuses the user name or the password"):
        await other.observe()
    with pytest.raises(Unauthorized, match="not tried again before"):
        await other.observe()
    await other.aclose()


@alike()
async def test_a_vm_loses_its_power_and_gets_it_back(at: Contract) -> None:
    """Power off and on are seen, and asking for what is so already is no error."""
    vm = running((await at.look()).vms)
    for verb, power in ((Verb.POWER_OFF_VM, Power.OFF), (Verb.POWER_ON_VM, Power.ON)):
        for _ in range(2):
            await at.ask_vm(verb, vm)
            await at.until(lambda seen, power=power: {  # type: ignore[misc]
                one.power for one in seen.vms if one.id == vm.id} == {power})
    assert (await at.vm(vm.id)).host == vm.host


@alike()
async def test_a_vm_that_is_not_there_is_refused(at: Contract) -> None:
    """What vCenter shows no more is refused by name."""
    with pytest.raises(Refused, match="gone"):
        await at.adapter.execute(Command(Verb.POWER_OFF_VM, "no-such-id", "gone", VCENTER))


@alike("its VMs' tools never run, so that no guest takes a shutdown")
async def test_a_guest_shuts_down(at: Contract) -> None:
    """A guest with tools is told to shut down, and its VM is off afterwards."""
    vm = running((await at.look()).vms)
    assert vm.can_shut_down_guest
    await at.ask_vm(Verb.SHUT_DOWN_GUEST, vm)
    await at.until(lambda seen: all(one.power is Power.OFF for one in seen.vms if one.id == vm.id))


@alike()
async def test_an_empty_host_enters_maintenance_mode_and_leaves_it(at: Contract) -> None:
    """What is asked through vCenter is seen through vCenter, and asking again is no error."""
    seen = await at.look()
    host = seen.hosts[0]
    for vm in seen.vms:
        if vm.host == host.name and vm.power is Power.ON:
            await at.ask_vm(Verb.POWER_OFF_VM, vm)
    for verb, is_in in ((Verb.ENTER_MAINTENANCE, True), (Verb.EXIT_MAINTENANCE, False)):
        for _ in range(2):
            await at.ask_host(verb, host, 60)
            await at.until(lambda seen, is_in=is_in: {  # type: ignore[misc]
                one.in_maintenance for one in seen.hosts if one.name == host.name} == {is_in})


@alike("a host enters maintenance mode with its VMs running")
async def test_a_host_on_which_vms_run_does_not_enter_maintenance_mode(at: Contract) -> None:
    """The task ends at its timeout, the failure is told, and the VMs run on."""
    host = running((await at.look()).vms).host
    await at.ask_host(Verb.ENTER_MAINTENANCE, await at.host(host), 1)
    seen = await at.until(lambda seen: bool(seen.failures) or any(one.in_maintenance for one in seen.hosts))
    assert not any(one.in_maintenance for one in seen.hosts)
    assert [failure.verb for failure in seen.failures] == [Verb.ENTER_MAINTENANCE]


@alike()
async def test_a_host_in_maintenance_mode_takes_no_vm(at: Contract) -> None:
    """A start there fails at once or as a task, and the VM stays off."""
    seen = await at.look()
    vm = running(seen.vms)
    for one in seen.vms:
        if one.host == vm.host and one.power is Power.ON:
            await at.ask_vm(Verb.POWER_OFF_VM, one)
    await at.ask_host(Verb.ENTER_MAINTENANCE, await at.host(vm.host), 60)
    await at.until(lambda seen: any(one.in_maintenance for one in seen.hosts))
    try:
        await at.ask_vm(Verb.POWER_ON_VM, vm)
    except Fault:
        return
    seen = await at.until(lambda seen: bool(seen.failures) or any(
        one.id == vm.id and one.power is Power.ON for one in seen.vms))
    assert (await at.vm(vm.id)).power is Power.OFF


@alike("it has no ShutdownHost_Task")
async def test_a_host_that_is_shut_down_falls_silent(at: Contract) -> None:
    """It is not connected any more, and its power is unknown: silence is not off."""
    host = (await at.look()).hosts[0]
    await at.adapter.execute(replace(Command(Verb.SHUT_DOWN_HOST, host.name, host.name, VCENTER), force=True))
    seen = await at.until(lambda seen: any(not one.is_connected for one in seen.hosts))
    assert [one.power for one in seen.hosts if one.name == host.name] == [Power.UNKNOWN]


@alike()
async def test_ha_and_drs_are_disarmed_and_come_back(at: Contract) -> None:
    """HA goes off and DRS to manual, and both come back, admission control last."""
    seen = await at.look()
    await settle(at, PROTECTED, Verb.RESTORE_HA, Verb.RESTORE_DRS, Verb.RESTORE_ADMISSION)
    await settle(at, PROTECTED, Verb.DISARM_HA, Verb.DISARM_DRS)
    off = (await at.look()).settings
    assert (off.ha_enabled, off.drs_behavior) == (False, "manual")
    await settle(at, PROTECTED, Verb.RESTORE_HA, Verb.RESTORE_DRS)
    half = (await at.look()).settings
    assert (half.ha_enabled, half.ha_admission_control, half.drs_behavior) == (True, False, "fullyAutomated")
    await settle(at, PROTECTED, Verb.RESTORE_ADMISSION)
    assert (await at.look()).settings.ha_admission_control is True
    assert seen.settings.drs_enabled is (await at.look()).settings.drs_enabled


@alike("it keeps nothing of host monitoring, overrides and DPM")
async def test_every_setting_comes_back_as_it_was_saved(at: Contract) -> None:
    """What is read at last is what was saved, to the last field that the guard touches."""
    await settle(at, PROTECTED, Verb.RESTORE_HA, Verb.RESTORE_DRS, Verb.RESTORE_ADMISSION)
    saved = (await at.look()).settings
    assert (saved.ha_host_monitoring, saved.drs_overrides, saved.dpm_enabled) == ("enabled", True, True)
    await settle(at, saved, Verb.DISARM_HA, Verb.DISARM_DRS)
    off = (await at.look()).settings
    assert (off.drs_overrides, off.dpm_enabled) == (False, False)
    await settle(at, saved, Verb.RESTORE_HA, Verb.RESTORE_DRS, Verb.RESTORE_ADMISSION)
    assert (await at.look()).settings == saved


@alike()
async def test_an_account_that_may_everything_lacks_nothing(at: Contract) -> None:
    """The question for privileges is understood and answered."""
    assert await at.adapter.missing_privileges() == ()
