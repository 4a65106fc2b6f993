"""The virtual site's vSphere: the world and VMware's simulator stay in step, asked by the guard's own adapter."""

from dataclasses import replace
from pathlib import Path

import pytest

from sim.wire.vsphere_bench import Bench, bench
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import MissingPrivilege, Question, Role
from thermo_guard.ports import Fault, Refused
from thermo_guard.sim import plants
from thermo_guard.sim.machines import Stage, VmState

pytestmark = pytest.mark.peer


async def test_what_the_guard_does_takes_heat_out_of_the_room_and_a_bmc_brings_the_host_back(tmp_path: Path) -> None:
    """A guest and a host that vSphere shuts down are off in the world, and what a BMC starts is back in vSphere."""
    async with bench(plants.vcenter_inside(), tmp_path) as site:
        before_kw = site.world.power_kw
        for name in [vm.name for vm in site.world.cluster.vms_on("esx2") if vm.is_on]:
            await site.ask_vm(Verb.SHUT_DOWN_GUEST, name)
        await site.until(lambda: not any(vm.is_on for vm in site.world.cluster.vms_on("esx2")))
        await site.ask_host(Verb.ENTER_MAINTENANCE, "esx2")
        await site.until(lambda: site.world.cluster.hosts["esx2"].in_maintenance)
        await site.ask_host(Verb.SHUT_DOWN_HOST, "esx2")
        await site.until(lambda: _stage(site, "esx2") is Stage.OFF)
        assert site.world.power_kw == pytest.approx(before_kw - 3.15 / 3 + 0.015)
        assert not (await site.host("esx2")).is_connected

        await site.face.rack.power_on("esx2")
        assert _stage(site, "esx2") is Stage.BOOTING
        await site.until(lambda: _stage(site, "esx2") is Stage.UP)
        assert (await site.host("esx2")).is_connected
        await site.ask_host(Verb.EXIT_MAINTENANCE, "esx2")
        await site.until(lambda: not site.world.cluster.hosts["esx2"].in_maintenance)
        await site.ask_vm(Verb.POWER_ON_VM, "web-2")
        await site.until(lambda: _is_on(site, "web-2"))


async def test_what_happens_in_the_world_is_shown_by_vsphere(tmp_path: Path) -> None:
    """Firmware, people and power cuts reach vSphere: it shows what the world did to hosts and VMs."""
    async with bench(plants.vcenter_inside(), tmp_path) as site:
        world = site.world
        world.turn_vm("web-1", is_on=False)
        world.move_vm("app-1", "esx1")
        world.ask_of_vm("db-1", Question("q-9", "Which way?"))
        world.lose_vm("retired")
        world.lock_down("esx3")
        await site.face.settle()
        seen = {vm.name: vm for vm in (await site.look()).vms}
        assert seen["web-1"].power == "off"
        assert not _is_on(site, "web-1")
        assert seen["app-1"].host == (await site.host("esx1")).name
        assert seen["db-1"].question is not None
        assert world.cluster.vms[seen["db-1"].id].question is not None
        assert seen["retired"].is_lost
        assert _vm(site, "retired").is_lost
        assert (await site.host("esx3")).in_lockdown

        world.cut_power("esx2")
        await site.face.settle()
        assert _stage(site, "esx2") is Stage.OFF
        assert not (await site.host("esx2")).is_connected
        assert not any(vm.is_on for vm in world.cluster.vms_on("esx2"))

        world.break_host("esx2")
        world.press_power("esx2")
        await site.until(lambda: _stage(site, "esx2") is Stage.BOOTING)
        await site.until(lambda: world.now > world.cluster.hosts["esx2"].stage_since + 200.0)
        assert _stage(site, "esx2") is Stage.BOOTING
        assert not (await site.host("esx2")).is_connected

        world.let_go("esx3")
        await site.face.settle()
        assert (await site.host("esx3")).is_let_go
        assert world.cluster.hosts["esx3"].is_let_go


async def test_a_vcenter_that_is_off_answers_nobody_and_hosts_do(tmp_path: Path) -> None:
    """With vCenter's VM, wherever DRS has moved it, its address is gone, while each host answers by itself."""
    async with bench(plants.vcenter_inside(moves_every_s=60.0), tmp_path) as site:
        host = await site.host("esx1")
        await site.until(lambda: _vm(site, "vcenter").host != "esx1")
        await site.ask_vm(Verb.SHUT_DOWN_GUEST, "vcenter")
        await site.until(lambda: not _is_on(site, "vcenter"))
        assert not site.world.cluster.vcenter_answers
        with pytest.raises(Fault):
            await site.look()
        direct = await site.vsphere.look_at_host(host.name, host.address, host.thumbprint)
        assert {vm.name for vm in direct.vms} == {vm.name for vm in site.world.cluster.vms_on("esx1")}

        site.world.turn_vm("vcenter", is_on=True)
        await site.until(lambda: site.world.cluster.vcenter_answers)
        assert (await site.vm("vcenter")).power == "on"
        site.face.cut_vcenter()
        await site.face.settle()
        with pytest.raises(Fault):
            await site.look()


async def test_what_vcenter_is_set_to_is_so_in_the_world(tmp_path: Path) -> None:
    """HA that a guard has turned off, and cluster services that it has sent away, are off and gone in the world."""
    async with bench(plants.vcls(plants.VclsKind.EMBEDDED), tmp_path) as site:
        cluster = site.world.cluster
        for verb in (Verb.DISARM_HA, Verb.DISARM_DRS, Verb.RETREAT_VCLS):
            await site.vsphere.execute(Command(verb, "Plant", "Plant", VCENTER))
        await site.until(lambda: not any(vm.role is Role.VCLS for vm in cluster.vms.values()))
        await site.face.settle()
        assert cluster.settings == (await site.look()).settings
        assert not cluster.settings.ha_enabled


async def test_what_is_refused_on_the_site_is_refused_over_the_wire(tmp_path: Path) -> None:
    """Hosts that decline maintenance mode, and rights that the account lacks, are the wire's too."""
    plan = plants.troubled_hosts(plants.HostTrouble.REFUSES_MAINTENANCE)
    lacks = MissingPrivilege("vm", "web-1", "VirtualMachine.Interact.PowerOff")
    async with bench(replace(plan, denied=(lacks,)), tmp_path) as site:
        assert await site.vsphere.missing_privileges() == (lacks,)
        with pytest.raises(Refused):
            await site.ask_host(Verb.ENTER_MAINTENANCE, "refuses-maintenance")


async def test_a_host_that_gets_too_hot_shuts_itself_down_in_vsphere_too(tmp_path: Path) -> None:
    """What firmware does at its temperature takes the host and its VMs out of vSphere."""
    plan = plants.vcenter_inside()
    plan = replace(plan, hosts=tuple(replace(host, protects_at_c=29.0) for host in plan.hosts))
    async with bench(plan, tmp_path) as site:
        site.world.fail_cooling(for_s=36_000.0)
        await site.until(lambda: all(host.stage is Stage.OFF for host in site.world.cluster.hosts.values()))
        state = await site.face.state()
        assert not any(host["on"] for host in state["hosts"])
        assert all(vm["power"] != "poweredOn" for vm in state["vms"])


def _stage(site: Bench, host: str) -> Stage:
    return site.world.cluster.hosts[host].stage


def _is_on(site: Bench, vm: str) -> bool:
    return _vm(site, vm).is_on


def _vm(site: Bench, name: str) -> VmState:
    return next(vm for vm in site.world.cluster.vms.values() if vm.name == name)
