"""The main job end to end: the real program as a process, against a cluster, BMCs and a room that are not its own."""

from pathlib import Path

import pytest

from e2e.plant import STOPPED, TEMPLATE, TIERS, VCENTER, WITHOUT_TOOLS, Plant

pytestmark = pytest.mark.peer
TOPOLOGY = pytest.mark.parametrize("is_vcenter_inside", [False, True], ids=["vcenter_outside", "vcenter_inside"])


@TOPOLOGY
def test_the_cluster_goes_down_in_order_and_comes_back_as_it_was(tmp_path: Path, is_vcenter_inside: bool) -> None:
    """Heat brings everything down in the runbook's order, every BMC Off; recovery brings back exactly what was."""
    with Plant(tmp_path, is_vcenter_inside=is_vcenter_inside) as plant:
        plant.guard.start()
        is_ready(plant)
        plant.heat()
        plant.wait_for("all off", plant.phase("all_off"), 60)
        is_all_off(plant)
        is_in_order(plant)
        plant.cool()
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"), 60)
        is_back(plant)
        print(plant.story())


def is_ready(plant: Plant) -> None:
    """The guard has a snapshot on record and knows its BMCs, found by proof alone."""
    plant.wait_for("the first snapshot", lambda: plant.guard.status().get("snapshot_at"), 30)
    pairs = plant.guard.of("bmcs.matched")[-1].facts["pairs"]
    assert sorted(map(tuple, pairs)) == sorted((host, bmc.address) for host, bmc in plant.bmcs.items())


def is_all_off(plant: Plant) -> None:
    state = plant.vsphere.state()
    assert plant.all_off(), plant.story()
    assert not [host["name"] for host in state["hosts"] if host["on"] and host["cluster"] == plant.vsphere.cluster]
    hard = [vm["name"] for vm in state["vms"] if vm["name"] in plant.vsphere.vms and not vm["clean_off"]]
    assert set(hard) <= {WITHOUT_TOOLS, STOPPED, TEMPLATE}, plant.story()
    assert not any(bmc.posts() for bmc in plant.bmcs.values())


def is_in_order(plant: Plant) -> None:
    """Tier by tier, then the other hosts, then vCenter's VM, and its host last of all."""
    off = [entry["object"] for entry in plant.history if entry["what"] in {"vm.off", "host.off"}]
    off = [name for name in off if name not in {STOPPED, TEMPLATE}]
    own = [name for name in off if name == VCENTER or name in plant.hosts]
    guests = off[:len(off) - len(own)]
    assert set(guests).isdisjoint(own), off
    tiers = [TIERS.get(name, 1) for name in guests]
    assert tiers == sorted(tiers), off
    if plant.is_vcenter_inside:
        assert own[-2:] == [VCENTER, plant.first_host], off
        assert set(own[:-2]) == set(plant.hosts) - {plant.first_host}
    else:
        assert sorted(own) == sorted(plant.hosts)


def is_back(plant: Plant) -> None:
    """All is as it was, the closing report says so, and nothing that is not ours was touched."""
    assert plant.guard.of("incident.closed")[-1].facts["differences"] == [], plant.story()
    assert plant.shape() == plant.before, plant.story()
    assert plant.foreign.posts() == []
    assert {host: [post.body for post in bmc.posts()] for host, bmc in plant.bmcs.items()} == {
        host: ['{"ResetType": "On"}'] for host in plant.bmcs
    }
    touched = {entry["object"] for entry in plant.history if entry["what"] == "call"}
    assert touched.isdisjoint({STOPPED, TEMPLATE, *plant.vsphere.other_vms, "other-host-1", "DC0_C1"})
