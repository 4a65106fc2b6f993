"""What must hold of the plant and of the guard at the turning points of an incident, however it got there."""

from collections import Counter

from e2e.plant import STOPPED, TEMPLATE, TIERS, VCENTER, WITHOUT_TOOLS, Plant

COMMANDS = (
    "ShutdownGuest", "PowerOffVM_Task", "EnterMaintenanceMode_Task", "ShutdownHost_Task", "ExitMaintenanceMode_Task",
    "PowerOnVM_Task",
)
"""What a plant must not be asked twice without need."""


def is_ready(plant: Plant) -> None:
    """The guard has a snapshot on record, knows its BMCs, found by proof alone, and has armed itself."""
    plant.wait_for("the first snapshot", lambda: plant.guard.status().get("snapshot_at"))
    wanted = sorted((host, plant.bmc_address(host)) for host in plant.bmcs)
    plant.wait_for("every BMC found by proof", lambda: _matched(plant) == wanted)
    plant.wait_for("armed by its own proof", lambda: plant.guard.status().get("is_armed"))


def _matched(plant: Plant) -> list[tuple[str, str]]:
    """As last told; BMCs answer one by one, before or after the first snapshot."""
    told = plant.guard.of("bmcs.matched")
    return sorted((host, address) for host, address in told[-1].facts["pairs"]) if told else []


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
    """Everything is as it was, the closing report says so, and nothing that is not ours was touched."""
    assert plant.guard.of("incident.closed")[-1].facts["differences"] == [], plant.story()
    assert plant.shape() == plant.before, plant.story()
    assert plant.foreign.posts() == []
    assert {host: [post.body for post in bmc.posts()] for host, bmc in plant.bmcs.items()} == {
        host: ['{"ResetType": "On"}'] for host in plant.bmcs
    }
    touched = {entry["object"] for entry in plant.history if entry["what"] == "call"}
    assert touched.isdisjoint({STOPPED, TEMPLATE, *plant.vsphere.other_vms, "other-host-1", "DC0_C1"})


def is_told_once(plant: Plant) -> None:
    """Each phase of the way down began once: people are told of each, and nothing flickers once all is off."""
    phases = Counter((line.facts["phase"], line.facts["tier"]) for line in plant.guard.of("phase.begun"))
    down = [(phase, count) for (phase, _), count in phases.items()
            if phase in {"disarm", "guests", "hosts", "vcenter", "last_host", "all_off"}]
    assert all(count == 1 for _, count in down), plant.story()


def is_asked_once(plant: Plant, *again: tuple[str, str]) -> None:
    """No target was asked twice for the same, but those whose first call was not carried out, if it was sent at all."""
    asked = Counter((method, name) for method in COMMANDS for name in plant.calls(method))
    assert {key for key, count in asked.items() if count > 1} <= set(again), plant.story()
    assert max(asked.values()) <= 2, plant.story()
