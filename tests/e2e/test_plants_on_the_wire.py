"""Clusters with traps, end to end: the real program against VMware's own simulator made to behave like a plant.

The order is asserted from the plant's own journal: what stands in one stage may come in any order, all of it before the
next stage, and nothing else of these kinds happened. Every plant in its whole order, with the traps that are not shown
here, is on the virtual site, in tests/scenarios.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest

from e2e.plant import HOSTS, STOPPED, TEMPLATE, TIERS, VCENTER, Plant, vm
from e2e.proof import is_ready

pytestmark = pytest.mark.peer

Stage = set[tuple[str, str]]


def came_in_stages(plant: Plant, kinds: set[str], stages: Iterable[Stage], since: int = 0) -> int:
    """What happened of these kinds is these stages, one wholly before the next; the place where it ended."""
    happened = [(entry["what"], entry["object"]) for entry in plant.history[since:] if entry["what"] in kinds]
    left = list(happened)
    for stage in stages:
        head, left = left[:len(stage)], left[len(stage):]
        assert set(head) == stage, (head, stage, happened)
    assert left == [], happened
    return len(plant.history)


def off(*names: str) -> Stage:
    return {("vm.off", name) for name in names}


def guests_by_tier(plant: Plant, *others: str) -> list[tuple[str, ...]]:
    """The VMs that run and are the guard's to stop, tier by tier."""
    spared = {VCENTER, STOPPED, TEMPLATE, *others}
    names = [name for name in plant.vsphere.vms if name not in spared]
    return [tuple(name for name in names if TIERS.get(name, 1) == tier) for tier in (1, 2, 3)]


def test_vcenter_moved_by_drs_cluster_services_and_vms_that_make_trouble(tmp_path: Path) -> None:
    """Plants 1, 2, 3 and 5: strict HA, vCLS in retreat, a deaf guest, a question, an orphan, a VM switched on again."""
    hangs, asks, lost = vm(1), vm(2), vm(10)
    settings = {"VM_QUESTIONS": "answer-default"}
    with Plant(tmp_path, is_vcenter_inside=True, has_tools=True, settings=settings, vcls=2, ha_strict=True) as plant:
        moved_to = plant.hosts[1]
        plant.vsphere.change_vm(hangs, hang=True)
        plant.vsphere.change_vm(asks, question="A disk is full: retry?")
        plant.vsphere.change_vm(lost, power="off")
        plant.vsphere.change_vm(lost, connection="orphaned")
        plant.vsphere.post("/move", vm=VCENTER, host=moved_to)
        before = plant.vsphere.state()
        services = [one["name"] for one in before["vms"] if one["name"].startswith("vCLS")]
        plant.guard.start()
        is_ready(plant)
        began = len(plant.history)
        plant.heat()
        plant.wait_for("the last tier", plant.phase("guests", 3))
        plant.vsphere.change_vm(vm(11), power="on")
        plant.wait_for("all off", plant.phase("all_off"))
        first, second, third = guests_by_tier(plant, lost, *services)
        others = [host for host in plant.hosts if host not in {moved_to, plant.resting_host}]
        happened = [(entry["what"], entry["object"]) for entry in plant.history[began:]]
        assert {one for one in happened if one[0] == "vcls.removed"} == {("vcls.removed", name) for name in services}
        hosts_off = [name for what, name in happened if what == "host.off"]
        assert hosts_off[-1] == moved_to
        assert set(hosts_off) == set(plant.hosts)
        vms_off = [name for what, name in happened if what == "vm.off" and name not in services]
        assert set(vms_off[:len(first)]) == set(first)
        assert set(vms_off[len(first):len(first) + len(second)]) == set(second)
        assert set(vms_off[len(first) + len(second):-1]) == {*third, vm(11)}, "switched on again, it is stopped again"
        assert vms_off[-1] == VCENTER
        entered = [name for what, name in happened if what == "maintenance.on"]
        assert set(entered[:-1]) == set(others)
        assert entered[-1] == moved_to
        assert happened.index(("vcls.removed", services[0])) < happened.index(("maintenance.on", entered[0]))
        plant.cool()
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        after = plant.vsphere.state()
        assert plant.guard.of("incident.closed")[-1].facts["differences"] == [], plant.story()
        assert after["clusters"] == before["clusters"]
        running = [{one["name"] for one in state["vms"] if one["power"] == "poweredOn"
                    and not one["name"].startswith("vCLS")} for state in (before, after)]
        assert running[0] == running[1]


def test_a_host_that_hangs_and_one_that_refuses_vcenter(tmp_path: Path) -> None:
    """Plant 6: the one loses its power by its BMC, by setting; the other obeys on a connection of its own."""
    settings = {"FORCE_BMC_OFF": "true", "HOST_SHUTDOWN_TIMEOUT": "8", "MAINTENANCE_TIMEOUT": "4"}
    with Plant(tmp_path, is_vcenter_inside=False, has_tools=True, settings=settings) as plant:
        refuses, hangs = plant.hosts[1], plant.hosts[2]
        plant.vsphere.change_host(hangs, shutdown_hang=True)
        plant.vsphere.fault("EnterMaintenanceMode_Task", "fault", name=refuses, face="vcenter")
        plant.guard.start()
        is_ready(plant)
        began = len(plant.history)
        plant.heat()
        plant.wait_for("all off", plant.phase("all_off"))
        assert plant.all_off(), plant.story()
        first, second, third = guests_by_tier(plant)
        came_in_stages(plant, {"vm.off", "host.off"}, [
            off(*first), off(*second), off(*third),
            {("host.off", host) for host in plant.hosts if host != hangs}, {("host.off", hangs)},
        ], began)
        direct = [entry for entry in plant.history[began:] if entry["what"] == "call"
                  and entry["method"] == "EnterMaintenanceMode_Task" and entry["object"] == refuses]
        assert direct[0]["face"] == "vcenter"
        assert direct[-1]["face"] != "vcenter"
        assert [post.body == '{"ResetType": "ForceOff"}' for post in plant.bmcs[hangs].posts()] == [True]
        assert not any(plant.bmcs[host].posts() for host in plant.hosts if host != hangs)
        plant.cool()
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        assert plant.guard.of("incident.closed")[-1].facts["differences"] == [], plant.story()


def test_a_vsan_clusters_vms_stop_and_its_hosts_stay(tmp_path: Path) -> None:
    """Plant 4: told beforehand by check and told at the alarm; no host is asked for anything."""
    with Plant(tmp_path, is_vcenter_inside=False, has_tools=True, vsan=True) as plant:
        plant.guard.start()
        is_ready(plant)
        checked = plant.guard.ask("check")
        assert "vSAN" in checked.stdout
        began = len(plant.history)
        plant.heat()
        plant.wait_for("all off", plant.phase("all_off"))
        first, second, third = guests_by_tier(plant)
        came_in_stages(plant, {"vm.off", "maintenance.on", "host.off"}, [off(*first), off(*second), off(*third)], began)
        assert not plant.calls("EnterMaintenanceMode_Task")
        assert not plant.calls("ShutdownHost_Task")
        (told,) = plant.wait_for("what it says of it", lambda: plant.guard.of("target.abandoned"))
        assert "vSAN" in told.facts["reason"]
        assert sum(bmc.power() for bmc in plant.bmcs.values()) == HOSTS
        plant.cool()
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        assert plant.guard.of("incident.closed")[-1].facts["differences"] == [], plant.story()
        assert plant.shape() == plant.before


def test_hosts_without_vcenter(tmp_path: Path) -> None:
    """Plant 8: ESXI_HOSTS alone; each host is asked by itself, and all comes back."""
    with Plant(tmp_path, is_vcenter_inside=False, has_tools=True, is_standalone=True) as plant:
        plant.guard.start()
        plant.wait_for("every BMC found by proof", lambda: [
            told for told in plant.guard.of("bmcs.matched") if len(told.facts["pairs"]) == HOSTS])
        plant.wait_for("armed by its own proof", lambda: plant.guard.status().get("is_armed"))
        began = len(plant.history)
        plant.heat()
        plant.wait_for("all off", plant.phase("all_off"))
        assert plant.all_off(), plant.story()
        by_pattern = vm(5)
        spared = {STOPPED, TEMPLATE, by_pattern}
        came_in_stages(plant, {"vm.off", "host.off"}, [
            off(*(name for name in plant.vsphere.vms if name not in spared)), off(by_pattern),
            {("host.off", host) for host in plant.hosts},
        ], began)
        plant.cool()
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        assert plant.guard.of("incident.closed")[-1].facts["differences"] == [], plant.story()
        assert plant.shape() == plant.before, plant.story()


def test_vcenter_gone_in_mid_shutdown_and_the_guard_started_anew(tmp_path: Path) -> None:
    """Plant 7: every session has ended before the alarm; from the second tier on the hosts are asked directly."""
    settings = {"VM_SHUTDOWN_TIMEOUT": "60"}
    with Plant(tmp_path, is_vcenter_inside=False, has_tools=True, settings=settings) as plant:
        plant.guard.start()
        is_ready(plant)
        plant.vsphere.end_sessions()
        began = len(plant.history)
        plant.heat()
        plant.wait_for("the second tier", plant.phase("guests", 2))
        plant.vsphere.post("/vcenter", up=0)
        cut = len(plant.history)
        plant.guard.kill()
        plant.guard.start()
        plant.wait_for("all off", plant.phase("all_off"))
        assert plant.all_off(), plant.story()
        first, second, third = guests_by_tier(plant)
        came_in_stages(plant, {"vm.off", "host.off"}, [
            off(*first), off(*second), off(*third), {("host.off", host) for host in plant.hosts},
        ], began)
        late = [entry for entry in plant.history[cut:] if entry["what"] == "call" and entry["object"] in {
            *third, *plant.hosts}]
        assert late
        assert all(entry["face"] != "vcenter" for entry in late), late
        plant.vsphere.post("/vcenter", up=1)
        plant.cool()
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        assert plant.guard.of("incident.closed")[-1].facts["differences"] == [], plant.story()
        assert plant.shape() == plant.before
