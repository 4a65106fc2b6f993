"""Scope and never_touch on both ways: what is not the guard's is neither stopped, nor loaded, nor forced."""

from dataclasses import replace

from core.drive import Drive
from core.plants import (
    DISARMED,
    NOW,
    Site,
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
from core.test_plan_down import BMCS_ON, HOSTS, KEPT, SILENT, down
from core.test_plan_up import ALL_ON, up
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.haste import to_critical_s
from thermo_guard.core.plant import HostSeen, Power, Role, Sight
from thermo_guard.core.policy import PolicySettings, Room, assess
from thermo_guard.core.policy import seen as polled
from thermo_guard.core.readings import Poll, Reading
from thermo_guard.core.record import Rehearsal
from thermo_guard.core.report import differences
from thermo_guard.core.runbook import Runbook, TierRule, VmRule
from thermo_guard.core.scope import Scope
from thermo_guard.core.step import Timing

BOOK = Runbook(rules=(VmRule(("storage*",), never_touch=True),))
OFF = [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF)]


def test_a_rehearsed_host_that_is_no_longer_empty_is_left_on() -> None:
    """Maintenance mode never comes with a VM on it; nothing is forced, also not by its BMC."""
    tried = incident(Goal.OFF, rehearsal=Rehearsal("host", "esx2", "esx2"), phase=Phase.HOSTS, phase_since=NOW)
    scope = Scope(frozenset({"esx2"}), frozenset(), has_settings=False)
    came = Sight(seen(HOSTS, [vm("db", "esx2")], DISARMED), {}, BMCS_ON)
    site = Site(KEPT, came, tried, {"esx2": bmc_address("esx2")}, scope=scope, timing=Timing(force_bmc_off=True))
    drive = Drive(site, lambda _s, _d: came).until(1500)
    assert {command.verb for _, command in drive.sent} == {Verb.ENTER_MAINTENANCE}
    assert "esx2" in drive.abandoned


def test_no_unconfirmed_host_adopts_what_ran_on_a_dead_one() -> None:
    """However empty it is; and what the guard stopped is its to start, wherever it stands by then."""
    kept = snapshot([kept_host("esx1"), kept_host("esx2"), kept_host("esx3")],
                    [kept_vm("web", "esx1"), kept_vm("db", "esx2")])
    lost = ev.Abandoned("host", "esx2", "esx2", Phase.OTHER_HOSTS, "not back")
    look = Sight(seen([host("esx1"), host("esx2", is_connected=False), host("esx3")],
                      [vm("web", "esx1"), vm("db", "esx2", Power.OFF)]), {}, ALL_ON)
    site = replace(up(look, kept, phase=Phase.START_GUESTS, tier=1, abandoned={"esx2": lost}),
                   scope=Scope(frozenset({"esx1", "esx2"})))
    assert (Verb.ADOPT_VM, "db", "esx1") in said(site.step())
    moved = Sight(seen([host("esx1"), host("esx3")], [vm("web", "esx1"), vm("db", "esx3", Power.OFF)]), {},
                  {**ALL_ON, "ilo-esx3": bmc("esx3", Power.ON)})
    there = replace(site, sight=moved)
    assert (Verb.POWER_ON_VM, "db", VCENTER) in said(there.step())
    assert any("db" in line for line in differences(kept, there.plant, there.incident, there.scope))


def test_never_touch_holds_for_a_vm_that_came_after_the_snapshot() -> None:
    """It is not stopped, and its host stays up for it."""
    came = vm("storage-vsa", "esx2")
    look = Sight(seen(HOSTS, [*OFF, came], DISARMED), {}, BMCS_ON)
    step = replace(down(look), runbook=BOOK).step()
    assert said(step) == [(Verb.ENTER_MAINTENANCE, "esx1", VCENTER)]
    assert [(event.name, "never touched" in event.reason) for event in step.abandoned] == [("esx2", True)]


def test_never_touch_holds_for_an_agent_of_a_silent_vcenter() -> None:
    """Another agent there is powered off, since nobody else does it any more."""
    vms = [vm("storage-agent", "esx1", role=Role.AGENT), vm("filter", "esx2", role=Role.AGENT)]
    kept = snapshot(KEPT.hosts, [kept_vm(one.name, one.host, role=Role.AGENT, is_untouched="storage" in one.name)
                                 for one in vms])
    direct = {name: HostSeen(NOW, name, host(name).uuid, in_maintenance=False,
                             vms=tuple(one for one in vms if one.host == name)) for name in ("esx1", "esx2")}
    step = replace(down(Sight(SILENT, direct, BMCS_ON), kept), runbook=BOOK).step()
    assert said(step) == [(Verb.POWER_OFF_VM, "filter", "esx2")]


def test_the_start_delay_is_for_a_tier_that_does_not_run_yet() -> None:
    """Else the way back would stand in it again at each tick of a later phase."""
    kept = snapshot([kept_host("esx1"), kept_host("esx2")],
                    [kept_vm("db", "esx1", tier=2), kept_vm("web", "esx2", tier=1)])
    look = Sight(seen([host("esx1"), host("esx2")], [vm("db", "esx1"), vm("web", "esx2")]), {}, ALL_ON)
    book = Runbook(tiers={1: TierRule(start_delay_s=60.0)})
    assert replace(up(look, kept, phase=Phase.RESTORE), runbook=book).step().phase is Phase.VERIFY


def test_haste_shortens_the_runbooks_grace_as_any_other_with_the_same_floor() -> None:
    """A tenth of half an hour is three minutes; of half a minute it is a quarter of a minute."""
    for grace_s, shortened_s in ((1800.0, 180.0), (30.0, 15.0)):
        kept = snapshot(KEPT.hosts, [kept_vm("web", "esx1", grace_s=grace_s)])
        deaf = Sight(seen(HOSTS, [vm("web", "esx1"), OFF[1]], DISARMED), {}, BMCS_ON)
        drive = Drive(down(deaf, kept, haste=0.1), lambda _s, _d, deaf=deaf: deaf).until(200)  # type: ignore[misc]
        assert drive.first(Verb.POWER_OFF_VM, "id-web") == shortened_s


def test_one_sensor_that_drifts_takes_nobodys_time() -> None:
    """As many must rise as make an alarm."""
    policy, room = PolicySettings(critical_c=40.0), Room(started_at=NOW - 3600)
    for minute in range(5):
        at = NOW - 60.0 * (4 - minute)
        room = polled(room, Poll(at, tuple(
            Reading(name, 33.0 + (minute if name == "A" else 0.0), at, at, 0.0) for name in "ABC")), policy)
    room, assessment = assess(room, policy, NOW)
    assert to_critical_s(room, assessment, policy) is None


def test_a_host_that_vcenter_let_go_is_asked_back_while_it_boots() -> None:
    """It takes no direct login: without vCenter it would never be seen again."""
    away = host("esx2", is_connected=False, is_let_go=True)
    look = Sight(seen([host("esx1"), away], []), {}, ALL_ON)
    kept = snapshot([kept_host("esx1"), kept_host("esx2")], [])
    assert (Verb.RECONNECT_HOST, "esx2", VCENTER) in said(up(look, kept, phase=Phase.OTHER_HOSTS).step())


def test_no_unconfirmed_host_leaves_maintenance_mode_for_vcenters_vm() -> None:
    """Its own host is lost, and the only other one is not the guard's."""
    kept = snapshot([kept_host("esx1"), kept_host("esx2"), kept_host("esx3")],
                    [kept_vm("vcsa", "esx2", is_vcenter=True)])
    lost = ev.Abandoned("host", "esx2", "esx2", Phase.OTHER_HOSTS, "not back")
    off = {name: HostSeen(NOW, name, host(name).uuid, in_maintenance=True, vms=()) for name in ("esx1", "esx3")}
    site = up(Sight(SILENT, off, {**ALL_ON, "ilo-esx3": bmc("esx3", Power.ON)}), kept, phase=Phase.START_VCENTER,
              abandoned={"esx2": lost})
    own = replace(site, scope=Scope(frozenset({"esx1", "esx2"})))
    assert (Verb.EXIT_MAINTENANCE, "esx1", "esx1") in said(own.step())
    assert not said(replace(site, scope=Scope(frozenset({"esx2"}))).step())
