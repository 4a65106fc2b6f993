"""The way back where vCenter runs and refuses the login: the domain controller that it asks may be among the guests."""

from dataclasses import replace

import pytest

from core.drive import Drive
from core.plants import DISARMED, NOW, SETTINGS, Site, bmc, bmc_address, host, incident, kept_host, kept_vm, seen
from core.plants import snapshot as snapshot_of
from core.plants import vm as vm_of
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.plant import ClusterSettings, HostSeen, Power, Sight, Unseen
from thermo_guard.core.restore import LATE_VCENTER_S

KEPT = snapshot_of([kept_host("esx1"), kept_host("esx2")],
                   [kept_vm("vcsa", "esx1", is_vcenter=True, tier=3), kept_vm("dc", "esx2")])
REFUSED = Unseen(NOW, "vCenter refuses the login", is_refused=True)
ON = {bmc_address(name): bmc(name, Power.ON) for name in ("esx1", "esx2")}
MATCHED = {name: bmc_address(name) for name in ("esx1", "esx2")}


def site(sight: Sight) -> Site:
    return Site(KEPT, sight, incident(Goal.ON, phase=Phase.FIRST_HOST, phase_since=NOW - 10), MATCHED)


def by_hosts(*, vcsa: Power = Power.ON, dc: Power = Power.OFF) -> Sight:
    """The hosts answer directly, vCenter does not take the login."""
    looks = {
        name: HostSeen(NOW, name, host(name).uuid, in_maintenance=False, vms=(one,))
        for name, one in (("esx1", vm_of("vcsa", "esx1", vcsa)), ("esx2", vm_of("dc", "esx2", dc)))
    }
    return Sight(REFUSED, looks, ON)


def by_vcenter(settings: ClusterSettings) -> Sight:
    vms = [vm_of("vcsa", "esx1"), vm_of("dc", "esx2")]
    return Sight(seen([host("esx1"), host("esx2")], vms, settings), {}, ON)


def test_guests_do_not_wait_for_a_vcenter_that_refuses_the_login() -> None:
    """They are started directly on the hosts at once, and it is told why."""
    drive = Drive(site(by_hosts()), lambda _s, _d: by_hosts()).until(60)
    assert drive.first(Verb.POWER_ON_VM, "id-dc") == pytest.approx(0, abs=15)
    assert "refuses the login" in drive.abandoned["Cluster-1"]


def test_its_own_vm_is_started_first_all_the_same() -> None:
    """A refusal that is remembered from before says nothing of a vCenter that is off."""
    off = by_hosts(vcsa=Power.OFF)
    drive = Drive(site(off), lambda _s, _d: off).until(60)
    assert drive.first(Verb.POWER_ON_VM, "id-vcsa") is not None
    assert drive.first(Verb.POWER_ON_VM, "id-dc") is None
    assert not drive.abandoned


def test_without_another_way_it_is_waited_for() -> None:
    """Where no host takes a direct login, only vCenter can start the guests: its login may work in some minutes."""
    dark = {name: Unseen(NOW, "no login", is_refused=True) for name in ("esx1", "esx2")}
    over = {"phase": Phase.START_VCENTER, "phase_since": NOW - 60}
    there = Sight(REFUSED, dark, ON)
    step = Site(KEPT, there, incident(Goal.ON, **over), MATCHED).step()
    assert not [given_up for given_up in step.abandoned if given_up.target == "Cluster-1"]


def test_ha_and_drs_are_restored_once_the_login_works() -> None:
    """The incident stays open for it, and ends as soon as all is as it was: HA and DRS, then admission control."""
    without_admission = replace(SETTINGS, ha_admission_control=False)

    def looks(second: float, drive: Drive) -> Sight:
        if second < 1200:
            return by_hosts(dc=Power.OFF if second < 30 else Power.ON)
        asked = drive.first(Verb.RESTORE_ADMISSION, "Cluster-1")
        if asked is not None:
            return by_vcenter(SETTINGS)
        return by_vcenter(DISARMED if drive.first(Verb.RESTORE_HA, "Cluster-1") is None else without_admission)

    drive = Drive(site(by_hosts()), looks).until(1195)
    assert drive.step is not None
    assert not drive.step.is_done
    drive = Drive(site(by_hosts()), looks).until(1300)
    assert drive.first(Verb.RESTORE_HA, "Cluster-1") == pytest.approx(1200, abs=5)
    assert drive.first(Verb.RESTORE_ADMISSION, "Cluster-1") is not None
    assert {c.via for _, c in drive.sent if c.verb in {Verb.RESTORE_HA, Verb.RESTORE_ADMISSION}} == {VCENTER}
    assert drive.step is not None
    assert drive.step.is_done


def test_a_vcenter_that_stays_away_does_not_keep_the_incident_open_for_ever() -> None:
    """After half an hour the report says that HA and DRS are not known, and nothing begins anew after that."""
    drive = Drive(site(by_hosts()), lambda s, _d: by_hosts(dc=Power.OFF if s < 30 else Power.ON))
    drive.until(120 + LATE_VCENTER_S)
    assert drive.step is not None
    assert drive.step.is_done
    assert drive.record.incident is not None
    assert drive.record.incident.phase is Phase.VERIFY
