"""The way back in order: delays, readiness, dependencies; hosts and services taken back; what others start."""

from dataclasses import replace

import pytest

from core.drive import Drive
from core.plants import DISARMED, NOW, SETTINGS, Site, asked, host, kept_host, kept_vm, said, seen, snapshot, vm
from core.test_plan_up import ALL_DARK, ALL_ON, up
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Phase
from thermo_guard.core.plant import HostSeen, Power, Role, Sight, Vcls, Vm
from thermo_guard.core.report import differences
from thermo_guard.core.runbook import Runbook, TierRule
from thermo_guard.core.scope import Scope
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.step import MOST_AT_ONCE

HOSTS = [kept_host("esx1"), kept_host("esx2")]
UP = [host("esx1"), host("esx2")]


def sight(*vms: Vm, ready: frozenset[str] = frozenset(), settings: object = SETTINGS) -> Sight:
    return Sight(seen(UP, vms, settings), {}, ALL_ON, ready)  # type: ignore[arg-type]


def starting(look: Sight, kept: Snapshot, **changes: object) -> Site:
    return up(look, kept, **({"phase": Phase.START_GUESTS, "tier": 1} | changes))


def off(name: str, on: str = "esx1") -> Vm:
    return vm(name, on, Power.OFF)


def test_a_tier_starts_after_its_delay_and_the_first_at_once() -> None:
    """The delay stands between a tier and the one that is ready above it."""
    kept = snapshot(HOSTS, [kept_vm("db", "esx1", tier=2), kept_vm("web", "esx2", tier=1)])
    book = Runbook(tiers={1: TierRule(start_delay_s=60.0), 2: TierRule(start_delay_s=60.0)})

    def looks(second: float, drive: Drive) -> Sight:
        return sight(vm("db", "esx1") if second > 5 else off("db"), off("web", "esx2"))

    drive = Drive(replace(starting(ALL_DARK, kept, tier=2), runbook=book), looks).until(120)
    assert drive.first(Verb.POWER_ON_VM, "id-db") == 0.0
    assert drive.first(Verb.POWER_ON_VM, "id-web") == 70.0


def test_a_delay_that_was_waited_out_is_not_begun_anew() -> None:
    """One of the tier has been asked: the others follow at once, though by the record the tier has just begun."""
    kept = snapshot(HOSTS, [kept_vm("db", "esx1", tier=2), kept_vm("web", "esx2"), kept_vm("app", "esx1")])
    book = Runbook(tiers={1: TierRule(start_delay_s=60.0)})
    look = sight(vm("db", "esx1"), off("web", "esx2"), off("app"))
    site = starting(look, kept, phase_since=NOW, intents=asked(Verb.POWER_ON_VM, "id-web", 20))
    assert said(replace(site, runbook=book).step()) == [(Verb.POWER_ON_VM, "app", VCENTER)]
    untouched = starting(look, kept, phase_since=NOW)
    assert said(replace(untouched, runbook=book).step()) == []


def test_more_vms_than_one_step_takes_are_started_in_the_next() -> None:
    """So many commands at once, and no more; nobody is asked twice or left out."""
    names = [f"vm{n:04}" for n in range(MOST_AT_ONCE + 50)]
    kept = snapshot(HOSTS, [kept_vm(name, "esx1") for name in names])
    drive = Drive(starting(sight(*(off(name) for name in names)), kept),
                  lambda _s, _d: sight(*(off(name) for name in names))).until(5)
    assert [len([one for one in drive.sent if one[0] == second]) for second in (0.0, 5.0)] == [MOST_AT_ONCE, 50]
    assert len({command.key for _, command in drive.sent}) == len(names)


def test_a_tier_is_ready_once_the_port_answers_that_the_runbook_names() -> None:
    """Its tools run before its database answers."""
    kept = snapshot(HOSTS, [kept_vm("db", "esx1", tier=2, port=5432, addresses=("192.0.2.7",)), kept_vm("web", "esx2")])
    began = asked(Verb.POWER_ON_VM, "id-db", 20)
    step = starting(sight(vm("db", "esx1"), off("web", "esx2")), kept, tier=2, intents=began).step()
    assert (said(step), step.ports) == ([], {"id-db": (("192.0.2.7",), 5432)})
    look = sight(vm("db", "esx1"), off("web", "esx2"), ready=frozenset({"id-db"}))
    assert said(starting(look, kept, tier=2, intents=began).step()) == [(Verb.POWER_ON_VM, "web", VCENTER)]


def test_tools_are_not_waited_for_where_the_runbook_says_so() -> None:
    """Who needs only the power is ready once it is on."""
    kept = snapshot(HOSTS, [kept_vm("db", "esx1", tier=2, waits_for_tools=False), kept_vm("web", "esx2")])
    look = sight(vm("db", "esx1", is_tools_running=False), off("web", "esx2"))
    step = starting(look, kept, tier=2, intents=asked(Verb.POWER_ON_VM, "id-db", 20)).step()
    assert said(step) == [(Verb.POWER_ON_VM, "web", VCENTER)]


def test_what_starts_after_another_waits_until_that_is_ready() -> None:
    """Its neighbours in the tier do not."""
    kept = snapshot(HOSTS, [kept_vm("app", "esx1", after=("id-db",)), kept_vm("db", "esx2"), kept_vm("x", "esx2")])
    step = starting(sight(off("app"), off("db", "esx2"), off("x", "esx2")), kept).step()
    assert {name for _, name, _ in said(step)} == {"db", "x"}
    step = starting(sight(off("app"), vm("db", "esx2"), vm("x", "esx2")), kept).step()
    assert {name for _, name, _ in said(step)} == {"app"}


def test_a_predecessor_that_never_starts_is_given_up_and_holds_nobody() -> None:
    """One stuck VM never holds what depends on it hostage."""
    kept = snapshot(HOSTS, [kept_vm("app", "esx1", after=("id-db",)), kept_vm("db", "esx2")])
    look = sight(off("app"), off("db", "esx2"))
    drive = Drive(starting(look, kept), lambda _s, _d: look).until(400)
    assert "id-db" in drive.abandoned
    assert drive.first(Verb.POWER_ON_VM, "id-app") is not None


@pytest.mark.parametrize("role", [Role.VCLS, Role.AGENT, Role.FT_SECONDARY])
def test_who_is_started_by_others_is_not_started(role: Role) -> None:
    """The way back does not wait for them either."""
    kept = snapshot(HOSTS, [kept_vm("one", "esx1", role=role)])
    assert starting(sight(off("one")), kept).step().phase is Phase.VERIFY


def test_cluster_services_are_no_difference_since_vsphere_makes_them_anew() -> None:
    """A service of another name runs in the place of the one that ran before."""
    kept = snapshot(HOSTS, [kept_vm("vCLS-1", "esx1", role=Role.VCLS)])
    site = starting(sight(), kept)
    assert differences(kept, site.plant, site.incident) == ()


def test_retreat_mode_is_undone_before_ha_and_drs_and_only_where_the_guard_may_have_set_it() -> None:
    """A cluster that stood in retreat mode before stays there."""
    retreat = replace(DISARMED, vcls=Vcls.RETREAT)
    before = snapshot(HOSTS, [], replace(SETTINGS, vcls=Vcls.ON))
    asked_for = [verb for verb, _, _ in said(up(sight(settings=retreat), before, phase=Phase.RESTORE).step())]
    assert asked_for == [Verb.RESTORE_VCLS, Verb.RESTORE_HA, Verb.RESTORE_DRS]
    was_so = snapshot(HOSTS, [], retreat)
    assert said(up(sight(settings=retreat), was_so, phase=Phase.RESTORE).step()) == []


@pytest.mark.parametrize(("before", "commands"), [
    (False, [(Verb.RECONNECT_HOST, "esx2", VCENTER)]), (True, []),
])
def test_a_host_that_vcenter_has_let_go_is_taken_back_where_it_was_connected(before: bool, commands: object) -> None:
    """One that was disconnected before the incident stays so."""
    kept = snapshot([kept_host("esx1"), kept_host("esx2", is_let_go=before)], [])
    away = host("esx2", is_connected=False, is_let_go=True)
    direct = {"esx2": HostSeen(NOW, "esx2", host("esx2").uuid, in_maintenance=False, vms=())}
    look = Sight(seen([host("esx1"), away], []), direct, ALL_ON)
    assert said(up(look, kept, phase=Phase.RESTORE).step()) == commands


def test_a_rehearsed_vm_is_all_that_is_started_again() -> None:
    """Its neighbour that somebody has switched off meanwhile is not its matter."""
    kept = snapshot(HOSTS, [kept_vm("canary", "esx1"), kept_vm("web", "esx2")])
    scope = Scope(frozenset(), frozenset({"id-canary"}), has_settings=False)
    site = replace(starting(sight(off("canary"), off("web", "esx2"), settings=DISARMED), kept), scope=scope)
    assert said(site.step()) == [(Verb.POWER_ON_VM, "canary", VCENTER)]
