"""The closing report names every difference, and says nothing when there is none."""

from dataclasses import replace

import pytest

from core.plants import (
    DISARMED,
    NOW,
    SETTINGS,
    Site,
    bmc,
    bmc_address,
    host,
    incident,
    kept_host,
    kept_vm,
    seen,
    snapshot,
    vm,
)
from thermo_guard.core.events import Abandoned, Goal, Phase
from thermo_guard.core.plant import ClusterSettings, Power, Sight, Unseen, Vcls
from thermo_guard.core.report import differences

KEPT = snapshot(
    [kept_host("esx1"), kept_host("esx2"), kept_host("esx3", is_on=False)],
    [kept_vm("web", "esx1"), kept_vm("db", "esx2"), kept_vm("old", "esx1", is_on=False)],
)
HOSTS = (host("esx1"), host("esx2"), host("esx3", is_connected=False))
VMS = (vm("web", "esx1"), vm("db", "esx2"), vm("old", "esx1", Power.OFF))
MATCHED = {f"esx{i}": bmc_address(f"esx{i}") for i in (1, 2, 3)}


def told(hosts: object = HOSTS, vms: object = VMS, settings: ClusterSettings = SETTINGS, kept: object = KEPT,
         abandoned: tuple[Abandoned, ...] = (), **bmcs: Power) -> tuple[str, ...]:
    looks = {bmc_address(name): bmc(name, power) for name, power in ({"esx3": Power.OFF} | bmcs).items()}
    sight = Sight(seen(hosts, vms, settings), {}, looks)  # type: ignore[arg-type]
    over = incident(Goal.ON, abandoned={event.target: event for event in abandoned})
    site = Site(kept, sight, over, MATCHED)  # type: ignore[arg-type]
    return differences(site.snapshot, site.plant, over)


def test_nothing_is_told_where_all_is_back() -> None:
    """As it was: hosts, VMs, maintenance mode, HA and DRS."""
    assert told() == ()


def test_a_host_that_did_not_come_back_is_told_with_why() -> None:
    """By its name, its power now, and the reason for which it was given up."""
    hosts = (HOSTS[0], host("esx2", is_connected=False), HOSTS[2])
    given_up = Abandoned("host", "esx2", "esx2", Phase.OTHER_HOSTS, "it was not back within 1800 s")
    lines = told(hosts, abandoned=(given_up,), esx2=Power.OFF)
    assert "host esx2 was on and is off (it was not back within 1800 s)" in lines
    assert any("VM db" in line for line in lines)


@pytest.mark.parametrize(("vms", "said"), [
    ((VMS[0], VMS[2]), "VM db was on"),
    ((VMS[0], vm("db", "esx2", Power.OFF), VMS[2]), "VM db was on and is off"),
    ((VMS[0], vm("db", "esx1"), VMS[2]), "VM db runs on esx1, it ran on esx2"),
    ((*VMS[:2], vm("old", "esx1")), "VM old was off and is on"),
])
def test_each_vm_that_differs_is_told(vms: object, said: str) -> None:
    """Gone, off, elsewhere, or started by someone."""
    lines = told(vms=vms)
    assert len(lines) == 1
    assert said in lines[0]


def test_a_host_that_was_off_and_is_on_is_told() -> None:
    """Someone powered it on meanwhile."""
    assert told((*HOSTS[:2], host("esx3")), esx3=Power.ON) == (
        "host esx3 was off and is on: someone else started it",)


@pytest.mark.parametrize("was_in_maintenance", [False, True])
def test_maintenance_mode_that_differs_is_told(was_in_maintenance: bool) -> None:
    """Left in it, or out of it."""
    kept = replace(KEPT, hosts=(kept_host("esx1", in_maintenance=was_in_maintenance), *KEPT.hosts[1:]))
    lines = told((host("esx1", in_maintenance=not was_in_maintenance), *HOSTS[1:]), kept=kept)
    assert len(lines) == 1
    assert "esx1" in lines[0]
    assert "maintenance mode" in lines[0]


@pytest.mark.parametrize(("change", "what"), [
    ({"ha_enabled": False}, "HA"), ({"ha_host_monitoring": "disabled"}, "HA"),
    ({"ha_admission_control": False}, "admission control"), ({"drs_behavior": "manual"}, "DRS"),
    ({"drs_overrides": False}, "DRS"), ({"drs_enabled": False}, "DRS"),
])
def test_each_setting_that_differs_is_told(change: dict[str, object], what: str) -> None:
    """HA, its host monitoring, admission control, DRS and its overrides."""
    lines = told(settings=replace(SETTINGS, **change))  # type: ignore[arg-type]
    assert lines
    assert any(what in line for line in lines)


def test_cluster_services_still_in_retreat_are_told() -> None:
    """They ran before, and vCenter still keeps them away."""
    ran = replace(KEPT, settings=replace(SETTINGS, vcls=Vcls.ON))
    (line,) = told(settings=replace(SETTINGS, vcls=Vcls.RETREAT), kept=ran)
    assert "retreat mode of the cluster services" in line


def test_settings_that_someone_switched_on_are_told() -> None:
    """HA, DRS or DPM that were off before are a difference too."""
    off = replace(SETTINGS, ha_enabled=False, drs_enabled=False)
    lines = told(kept=replace(KEPT, settings=off))
    assert any("HA" in line for line in lines)
    assert any("DRS" in line for line in lines)
    assert told(settings=replace(SETTINGS, dpm_enabled=True)) != ()


def test_what_cannot_be_known_is_told() -> None:
    """With vCenter silent at the end nobody knows HA and DRS: it is told, not taken for restored."""
    sight = Sight(Unseen(NOW, "silent"), {}, {})
    site = Site(KEPT, sight, incident(Goal.ON), MATCHED)
    lines = differences(site.snapshot, site.plant, site.incident)
    assert any("HA and DRS" in line and "not known" in line for line in lines)
    assert sum("esx1" in line or "esx2" in line for line in lines) == 2
    assert told(settings=DISARMED) != ()
