"""The way back by examples: one host, the watch, the others; vCenter; HA and DRS; exactly the VMs that ran."""

from dataclasses import replace

import pytest

from core.drive import Drive
from core.plants import (
    DISARMED,
    FOREIGN,
    NOW,
    SETTINGS,
    Site,
    asked,
    bmc,
    bmc_address,
    host,
    incident,
    kept_host,
    kept_vm,
    said,
    seen,
    snapshot,
    vm,
)
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Abandoned, Goal, Phase
from thermo_guard.core.plant import BmcSeen, HostSeen, Power, Sight, Unseen, Vm
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.step import RESTORE_S, Timing

SILENT = Unseen(NOW, "silent")
MATCHED = {f"esx{i}": bmc_address(f"esx{i}") for i in (1, 2, 3)}
KEPT = snapshot([kept_host("esx1"), kept_host("esx2"), kept_host("esx3", is_on=False)], [
    kept_vm("web", "esx1", tier=1), kept_vm("db", "esx2", tier=2), kept_vm("old", "esx1", is_on=False)])
VMS_OFF = [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF), vm("old", "esx1", Power.OFF)]
UP = [host("esx1"), host("esx2"), host("esx3", is_connected=False)]


def bmcs(**powers: Power) -> dict[str, BmcSeen | Unseen]:
    shown = {"esx1": Power.OFF, "esx2": Power.OFF, "esx3": Power.OFF} | powers
    return {bmc_address(name): bmc(name, power) for name, power in shown.items()}


def up(sight: Sight, kept: Snapshot = KEPT, **changes: object) -> Site:
    over = {"phase": Phase.FIRST_HOST, "phase_since": NOW - 10} | changes
    return Site(kept, sight, incident(Goal.ON, **over), MATCHED)


ALL_DARK = Sight(SILENT, {}, bmcs())
ALL_ON = bmcs(esx1=Power.ON, esx2=Power.ON)


def test_one_host_comes_first() -> None:
    """The room is watched with one before the others add their heat."""
    assert said(up(ALL_DARK).step()) == [(Verb.POWER_ON_HOST, "esx1", "ilo-esx1")]


def test_vcenters_host_is_the_first() -> None:
    """It carries what the others are commanded through."""
    kept = replace(KEPT, vms=(*KEPT.vms, kept_vm("vcsa", "esx2", is_vcenter=True)))
    assert said(up(ALL_DARK, kept).step()) == [(Verb.POWER_ON_HOST, "esx2", "ilo-esx2")]


def test_nothing_happens_while_the_first_host_boots() -> None:
    """Its BMC says On, ESXi does not answer yet."""
    sight = replace(ALL_DARK, bmcs=bmcs(esx1=Power.ON))
    assert said(up(sight, intents=asked(Verb.POWER_ON_HOST, "esx1", 60, via="ilo-esx1")).step()) == []


def test_the_others_wait_for_the_watch() -> None:
    """RESTART_WATCH without a rise; then the next, and never one that was off before."""
    sight = Sight(SILENT, {"esx1": HostSeen(NOW, "esx1", host("esx1").uuid, in_maintenance=True, vms=())},
                  bmcs(esx1=Power.ON))
    site = up(sight, intents=asked(Verb.POWER_ON_HOST, "esx1", 300, via="ilo-esx1"))
    watching = replace(site, is_watch_clear=False).step()
    assert (watching.phase, said(watching)) == (Phase.WATCH, [])
    assert said(site.step()) == [(Verb.POWER_ON_HOST, "esx2", "ilo-esx2")]


def test_the_others_are_staggered() -> None:
    """Inrush and heat come one by one."""
    kept = replace(KEPT, hosts=(*KEPT.hosts[:2], kept_host("esx3")))
    sight = Sight(SILENT, {"esx1": HostSeen(NOW, "esx1", host("esx1").uuid, in_maintenance=True, vms=())},
                  bmcs(esx1=Power.ON))
    for ago_s, expected in ((29, []), (30, [(Verb.POWER_ON_HOST, "esx3", "ilo-esx3")])):
        intents = asked(Verb.POWER_ON_HOST, "esx2", ago_s, via="ilo-esx2")
        assert said(up(sight, kept, intents=intents).step()) == expected


def test_a_host_that_does_not_boot_is_given_up_and_the_next_is_tried() -> None:
    """At its deadline, told with what its BMC says."""
    drive = Drive(up(ALL_DARK), lambda _s, _d: ALL_DARK).until(1900)
    assert "not back within 1800 s" in drive.abandoned["esx1"]
    assert "off" in drive.abandoned["esx1"]
    assert drive.first(Verb.POWER_ON_HOST, "esx2") == pytest.approx(1800, abs=10)


def test_a_host_without_bmc_needs_a_person_and_stops_nobody() -> None:
    """Told at once, and the next one is powered on."""
    site = replace(up(ALL_DARK), bmc_of={"esx2": bmc_address("esx2")})
    drive = Drive(site, lambda _s, _d: ALL_DARK).until(400)
    assert "a person" in drive.abandoned["esx1"]
    assert drive.first(Verb.POWER_ON_HOST, "esx1") is None
    assert drive.first(Verb.POWER_ON_HOST, "esx2") is not None


def test_a_bmc_that_has_become_another_servers_gets_no_second_reset() -> None:
    """The address was asked once; now another UUID stands there: whatever host it was, it is not ours (S1)."""
    sight = Sight(seen([host("esx1", is_connected=False, power=Power.OFF), *UP[1:]], VMS_OFF),
                  {}, {**bmcs(), "ilo-esx1": bmc("esx1", Power.OFF, FOREIGN)})
    intents = asked(Verb.POWER_ON_HOST, "esx1", 500, via="ilo-esx1")
    commands = said(up(sight, intents=intents, is_powered_on=True).step())
    assert (Verb.POWER_ON_HOST, "esx1", "ilo-esx1") not in commands


def test_power_on_that_is_not_permitted_stands_still_and_says_why() -> None:
    """HIGH, BLIND: whatever the phase."""
    for phase in (Phase.FIRST_HOST, Phase.START_GUESTS, Phase.RESTORE):
        site = replace(up(Sight(seen(UP, VMS_OFF, DISARMED), {}, ALL_ON), phase=phase),
                       is_permitted=False)
        step = site.step()
        assert (step.phase, step.commands) == (Phase.HELD, [])
        assert step.waits[0].what == "hot"


@pytest.mark.parametrize(("power_ons", "is_powered_on", "is_held"), [
    (0, False, False), (1, False, False), (2, False, True), (3, False, True), (2, True, False),
])
def test_two_power_ons_in_a_day_then_a_person(power_ons: int, is_powered_on: bool, is_held: bool) -> None:
    """The leg that has begun may end; the third may not begin, and it is told."""
    site = replace(up(ALL_DARK, is_powered_on=is_powered_on), power_ons=tuple([NOW - 3600.0] * power_ons))
    step = site.step()
    assert (said(step) == []) is is_held
    assert (step.needs_person is not None) is is_held
    assert not step.is_done


def test_a_power_on_that_is_held_waits_for_a_person_and_not_for_the_next_day() -> None:
    """Told once that a person decides: it does not go on by itself when the 24 hours are over."""
    step = up(ALL_DARK, is_held=True).step()
    assert said(step) == []
    assert step.needs_person is not None


def test_a_held_site_goes_on_with_the_hosts_that_a_person_has_powered_on() -> None:
    """That is how the person decides: with all hosts up, the VMs follow."""
    site = up(Sight(seen(UP, VMS_OFF, SETTINGS), {}, ALL_ON), is_held=True)
    assert said(site.step()) == [(Verb.POWER_ON_VM, "db", VCENTER)]
    assert site.step().needs_person is None


def test_a_host_that_was_told_to_stop_is_waited_for() -> None:
    """Recovery in mid-shutdown: it may go off any moment, and is powered on when it has."""
    sight = Sight(seen(UP, VMS_OFF, DISARMED), {}, ALL_ON)
    step = up(sight, stopping={"esx1": NOW - 60}).step()
    assert said(step) == []
    assert any(wait.target == "esx1" for wait in step.waits)
    assert said(up(sight, stopping={"esx1": NOW - 601}).step()) != []


# --- vCenter, maintenance mode, HA and DRS ---

VC_KEPT = snapshot([kept_host("esx1"), kept_host("esx2")],
                   [kept_vm("vcsa", "esx1", is_vcenter=True, tier=3), kept_vm("web", "esx2")])


def direct(name: str, *vms: Vm, in_maintenance: bool = False) -> HostSeen:
    return HostSeen(NOW, name, host(name).uuid, in_maintenance, vms)


def test_vcenter_is_started_first_on_its_own_host() -> None:
    """Out of maintenance mode, then its VM, both directly; nothing else before it answers."""
    off, web = vm("vcsa", "esx1", Power.OFF), vm("web", "esx2", Power.OFF)
    both = {"esx1": direct("esx1", off, in_maintenance=True), "esx2": direct("esx2", web, in_maintenance=True)}
    assert said(up(Sight(SILENT, both, ALL_ON), VC_KEPT).step()) == [
        (Verb.EXIT_MAINTENANCE, "esx1", "esx1")]
    both = {"esx1": direct("esx1", off), "esx2": direct("esx2", web, in_maintenance=True)}
    assert said(up(Sight(SILENT, both, ALL_ON), VC_KEPT).step()) == [
        (Verb.POWER_ON_VM, "vcsa", "esx1")]


def test_two_candidates_on_one_host_ask_for_it_once() -> None:
    """Each wants its host out of maintenance mode: one command."""
    kept = replace(VC_KEPT, vms=(*VC_KEPT.vms, kept_vm("vcsb", "esx1", is_vcenter=True)))
    both = (vm("vcsa", "esx1", Power.OFF), vm("vcsb", "esx1", Power.OFF))
    looks = {"esx1": direct("esx1", *both, in_maintenance=True), "esx2": direct("esx2", vm("web", "esx2", Power.OFF))}
    assert said(up(Sight(SILENT, looks, ALL_ON), kept).step()) == [(Verb.EXIT_MAINTENANCE, "esx1", "esx1")]


def test_a_vcenter_that_does_not_come_is_not_waited_for_for_ever() -> None:
    """Then the VMs are started directly on the hosts, and HA and DRS are told as not known."""
    both = {"esx1": direct("esx1", vm("vcsa", "esx1")), "esx2": direct("esx2", vm("web", "esx2", Power.OFF))}
    sight = Sight(SILENT, both, ALL_ON)
    drive = Drive(up(sight, VC_KEPT), lambda _s, _d: sight).until(1900)
    assert drive.first(Verb.POWER_ON_VM, "id-web") == pytest.approx(1800, abs=10)
    assert "vCenter did not answer" in drive.abandoned["Cluster-1"]


def test_maintenance_mode_is_left_where_the_snapshot_had_none_and_settings_are_restored_before_vms() -> None:
    """A host that someone had in maintenance stays in it; HA and DRS come back from the record before the VMs."""
    kept = replace(KEPT, hosts=(kept_host("esx1", in_maintenance=True), kept_host("esx2"), KEPT.hosts[2]))
    hosts = [host("esx1", in_maintenance=True), host("esx2", in_maintenance=True), UP[2]]
    step = up(Sight(seen(hosts, VMS_OFF, DISARMED), {}, ALL_ON), kept).step()
    assert step.phase is Phase.RESTORE
    assert {(verb, name) for verb, name, _ in said(step)} == {
        (Verb.EXIT_MAINTENANCE, "esx2"), (Verb.RESTORE_HA, "Cluster-1"), (Verb.RESTORE_DRS, "Cluster-1")}
    assert all(c.settings == SETTINGS for c in step.commands if c.verb is not Verb.EXIT_MAINTENANCE)


def test_a_host_that_stays_in_maintenance_mode_is_given_up_and_holds_up_nobody() -> None:
    """After its time the VMs of the others start; HA and DRS that would not come back are told as well."""
    hosts = [host("esx1"), host("esx2", in_maintenance=True), UP[2]]
    stuck = Sight(seen(hosts, VMS_OFF, DISARMED), {}, ALL_ON)
    drive = Drive(up(stuck, phase=Phase.RESTORE, phase_since=NOW), lambda _s, _d: stuck).until(RESTORE_S + 700.0)
    assert drive.abandoned["esx2"].startswith("it did not leave maintenance mode")
    assert drive.abandoned["Cluster-1"].startswith("HA and DRS could not be restored")
    assert drive.first(Verb.POWER_ON_VM, "id-db") is None
    web = drive.first(Verb.POWER_ON_VM, "id-web")
    assert web is not None
    assert web >= RESTORE_S


def test_what_was_off_before_is_not_switched_on() -> None:
    """A cluster without HA and DRS gets none."""
    off = replace(SETTINGS, ha_enabled=False, drs_enabled=False)
    step = up(Sight(seen(UP, VMS_OFF, off), {}, ALL_ON), replace(KEPT, settings=off)).step()
    assert {verb for verb, _, _ in said(step)} == {Verb.POWER_ON_VM}


# --- VMs ---

RESTORED = replace(SETTINGS, ha_admission_control=False)


def guests(*vms: Vm, **changes: object) -> Site:
    sight = Sight(seen(UP, vms, RESTORED), {}, ALL_ON)
    over = {"phase": Phase.START_GUESTS, "tier": 2} | changes
    return up(sight, KEPT, **over)


def test_the_last_tier_starts_first_and_exactly_what_ran() -> None:
    """In reverse order; `old` was off before and stays off."""
    assert said(guests(*VMS_OFF).step()) == [(Verb.POWER_ON_VM, "db", VCENTER)]
    assert said(guests(VMS_OFF[0], vm("db", "esx2"), VMS_OFF[2]).step()) == [(Verb.POWER_ON_VM, "web", VCENTER)]


def test_a_tier_waits_for_its_tools_and_not_for_ever() -> None:
    """Databases are up before what needs them; a guest whose tools never run holds nobody up."""
    silent = vm("db", "esx2", is_tools_running=False)
    for ago_s, expected in ((299, []), (300, [(Verb.POWER_ON_VM, "web", VCENTER)])):
        site = guests(VMS_OFF[0], silent, VMS_OFF[2], intents=asked(Verb.POWER_ON_VM, "id-db", ago_s))
        assert said(site.step()) == expected


def test_a_vm_that_had_no_tools_is_not_waited_for() -> None:
    """It never had any to wait for."""
    kept = replace(KEPT, vms=(KEPT.vms[0], replace(KEPT.vms[1], has_tools=False), KEPT.vms[2]))
    silent = vm("db", "esx2", is_tools_running=False)
    site = replace(guests(VMS_OFF[0], silent, VMS_OFF[2], intents=asked(Verb.POWER_ON_VM, "id-db", 1)), snapshot=kept)
    assert said(site.step()) == [(Verb.POWER_ON_VM, "web", VCENTER)]


def test_admission_control_comes_after_the_last_tier() -> None:
    """Earlier it would refuse power-ons."""
    on = (vm("web", "esx1"), vm("db", "esx2"), VMS_OFF[2])
    assert said(guests(*on).step()) == [(Verb.RESTORE_ADMISSION, "Cluster-1", VCENTER)]
    back = up(Sight(seen(UP, on, SETTINGS), {}, ALL_ON)).step()
    assert (back.phase, back.is_done, back.commands) == (Phase.VERIFY, True, [])


def test_the_vms_of_a_host_that_was_given_up_start_on_the_others() -> None:
    """Registered anew from their file on the host with the fewest VMs."""
    lost = Abandoned("host", "esx2", "esx2", Phase.OTHER_HOSTS, "not back")
    sight = Sight(seen([UP[0], host("esx2", is_connected=False), UP[2]], VMS_OFF, RESTORED), {},
                  bmcs(esx1=Power.ON))
    site = up(sight, phase=Phase.START_GUESTS, tier=2, abandoned={"esx2": lost})
    adopted = [command for command in site.step().commands if command.verb is not Verb.POWER_ON_HOST]
    assert [(c.verb, c.name, c.via, c.path) for c in adopted] == [(Verb.ADOPT_VM, "db", "esx1", "[ds] db")]


def test_a_vm_that_is_gone_is_told_and_the_rest_goes_on() -> None:
    """Deleted during the incident: its host answers and does not have it."""
    sight = Sight(seen(UP, [VMS_OFF[0]], RESTORED), {}, ALL_ON)
    drive = Drive(up(sight), lambda _s, _d: sight).until(400)
    assert "id-db" in drive.abandoned
    assert drive.first(Verb.POWER_ON_VM, "id-web") is not None
    assert drive.first(Verb.POWER_ON_VM, "id-db") is None


def test_a_guest_that_was_told_to_shut_down_is_waited_for() -> None:
    """Recovery in mid-shutdown: it is started again once it is off, and not taken for started before."""
    site = guests(VMS_OFF[0], vm("db", "esx2"), VMS_OFF[2], stopping={"id-db": NOW - 60})
    assert said(site.step()) == []
    later = NOW - Timing().vm_shutdown_s
    site = guests(VMS_OFF[0], vm("db", "esx2"), VMS_OFF[2], stopping={"id-db": later})
    assert said(site.step()) == [(Verb.POWER_ON_VM, "web", VCENTER)]


@pytest.mark.parametrize("stands", [True, False, None])
def test_admission_control_that_was_never_known_is_not_restored(*, stands: bool | None) -> None:
    """There is nothing to ask for, and nothing to wait for."""
    kept = replace(KEPT, settings=replace(SETTINGS, ha_admission_control=None))
    on = (vm("web", "esx1"), vm("db", "esx2"), VMS_OFF[2])
    site = up(Sight(seen(UP, on, replace(SETTINGS, ha_admission_control=stands)), {}, ALL_ON))
    step = replace(site, snapshot=kept).step()
    assert (step.phase, step.is_done, step.commands) == (Phase.VERIFY, True, [])
