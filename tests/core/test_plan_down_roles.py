"""The way down around what is not simply a VM on a host: cluster services, others' VMs, vSAN, standalone hosts."""

from dataclasses import replace

import pytest

from core.drive import Drive
from core.plants import (
    DISARMED,
    NOW,
    SETTINGS,
    Site,
    bmc,
    bmc_address,
    host,
    kept_host,
    kept_vm,
    said,
    seen,
    snapshot,
    vm,
)
from core.test_plan_down import BMCS_ON, HOSTS, KEPT, SILENT, down
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Outcome, Verb
from thermo_guard.core.events import Phase
from thermo_guard.core.plan_down import CLUSTER_SERVICES_S
from thermo_guard.core.plant import HostSeen, Power, Question, Role, Sight, Vcls, Vm
from thermo_guard.core.scope import Scope
from thermo_guard.core.step import GIVE_UP_S, TERMINATE_S, Timing

SERVICE = vm("vCLS-1", "esx1", role=Role.VCLS)
OFF = [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF)]
RETREATED = replace(DISARMED, vcls=Vcls.RETREAT)


def sight(*vms: Vm, settings: object = DISARMED, **look: object) -> Sight:
    return Sight(replace(seen(HOSTS, vms, settings), **look), {}, BMCS_ON)  # type: ignore[arg-type]


# --- cluster services ---

def test_retreat_is_asked_for_at_once_and_not_waited_for() -> None:
    """It takes effect while the guests shut down."""
    armed = replace(SETTINGS, vcls=Vcls.ON)
    asked = [verb for verb, _, _ in said(down(sight(vm("web", "esx1"), SERVICE, settings=armed), phase=None).step())]
    assert asked == [Verb.DISARM_HA, Verb.DISARM_DRS, Verb.RETREAT_VCLS]
    step = down(sight(vm("web", "esx1"), SERVICE, settings=replace(DISARMED, vcls=Vcls.ON))).step()
    assert (step.phase, Verb.SHUT_DOWN_GUEST in {c.verb for c in step.commands}) == (Phase.GUESTS, True)


def test_no_host_before_the_services_have_gone() -> None:
    """A service that still runs keeps its host out of maintenance mode; nobody stops it by hand."""
    step = down(sight(*OFF, SERVICE, settings=RETREATED)).step()
    assert (step.phase, said(step)) == (Phase.CLUSTER_SERVICES, [])
    assert down(sight(*OFF, settings=RETREATED)).step().phase is Phase.HOSTS


def test_services_that_stay_are_waited_for_with_a_bound() -> None:
    """Then the hosts go all the same."""
    stays = sight(*OFF, SERVICE, settings=RETREATED)
    drive = Drive(down(stays), lambda _s, _d: stays)
    drive.until(CLUSTER_SERVICES_S + 60)
    began = drive.first(Verb.ENTER_MAINTENANCE, "esx1")
    assert began is not None
    assert CLUSTER_SERVICES_S - 5 <= began <= CLUSTER_SERVICES_S + 15


def test_services_of_a_dead_vcenter_are_powered_off_on_their_hosts() -> None:
    """Nobody starts them anew."""
    direct = {"esx1": HostSeen(NOW, "esx1", host("esx1").uuid, in_maintenance=False, vms=(SERVICE,)),
              "esx2": HostSeen(NOW, "esx2", host("esx2").uuid, in_maintenance=False, vms=())}
    kept = snapshot(KEPT.hosts, [kept_vm("vCLS-1", "esx1", role=Role.VCLS)])
    step = down(Sight(SILENT, direct, BMCS_ON), kept).step()
    assert said(step) == [(Verb.POWER_OFF_VM, "vCLS-1", "esx1")]


# --- VMs of others ---

@pytest.mark.parametrize("role", [Role.VCLS, Role.AGENT, Role.FT_SECONDARY])
def test_who_stops_by_others_is_not_asked(role: Role) -> None:
    """An agent goes with its host, a secondary with its primary, a service with retreat mode."""
    step = down(sight(vm("web", "esx1", role=role), vm("db", "esx2", Power.OFF))).step()
    assert "web" not in {name for _, name, _ in said(step)}


def test_a_lost_vm_is_told_and_holds_nobody_up() -> None:
    """Its files are not there: no command could reach it."""
    step = down(sight(vm("web", "esx1", is_lost=True, is_reachable=False), OFF[1])).step()
    assert [event.name for event in step.abandoned] == ["web"]
    assert step.phase is Phase.HOSTS


def test_a_vm_that_is_never_touched_keeps_its_host_up_and_is_told() -> None:
    """The runbook says so; all other hosts go."""
    kept = snapshot(KEPT.hosts, [kept_vm("web", "esx1", is_untouched=True), kept_vm("db", "esx2")])
    step = down(sight(vm("web", "esx1"), OFF[1]), kept).step()
    assert said(step) == [(Verb.ENTER_MAINTENANCE, "esx2", VCENTER)]
    assert [(e.name, "never touched" in e.reason) for e in step.abandoned] == [("esx1", True)]


def test_an_untouched_vm_that_is_off_keeps_nothing_up() -> None:
    """It does not run there."""
    kept = snapshot(KEPT.hosts, [kept_vm("web", "esx1", is_untouched=True, is_on=False)])
    assert {name for _, name, _ in said(down(sight(*OFF), kept).step())} == {"esx1", "esx2"}


# --- questions, and what does not go off ---

def test_a_question_is_answered_as_vsphere_proposes_where_that_is_the_policy() -> None:
    """Only then can its guest shut down."""
    asks = vm("web", "esx1", question=Question("q1", "disk full: retry?", "1", (("0", "Cancel"), ("1", "Retry"))))
    site = replace(down(sight(asks, OFF[1])), timing=Timing(answers_questions=True))
    (command,) = site.step().commands
    assert (command.verb, command.answer) == (Verb.ANSWER_VM, ("q1", "1"))


def test_a_question_that_stands_after_its_answer_holds_up_nobody() -> None:
    """Or that is asked again and again: its VM is then shut down as any, and forced."""
    asks = vm("web", "esx1", can_shut_down_guest=False, question=Question("q1", "disk full: retry?", "1"))
    site = replace(down(sight(asks, OFF[1])), timing=Timing(answers_questions=True))
    drive = Drive(site, lambda _s, _d: sight(asks, OFF[1])).until(Timing().vm_shutdown_s + 30)
    assert drive.times(Verb.ANSWER_VM, "id-web") == [0.0, 30.0]
    assert drive.first(Verb.POWER_OFF_VM, "id-web") is not None


@pytest.mark.parametrize(("default", "policy"), [("1", False), (None, True)])
def test_else_it_is_shut_down_as_any_and_forced_in_the_end(default: str | None, policy: bool) -> None:
    """Without the policy, or where vSphere proposes nothing, no answer is made up."""
    asks = vm("web", "esx1", can_shut_down_guest=False, question=Question("q1", "which?", default))
    site = replace(down(sight(asks, OFF[1])), timing=Timing(answers_questions=policy))
    drive = Drive(site, lambda _s, _d: sight(asks, OFF[1])).until(Timing().vm_shutdown_s + 30)
    assert {command.verb for _, command in drive.sent} == {Verb.POWER_OFF_VM}


def test_a_power_off_that_hangs_is_followed_by_killing_the_process() -> None:
    """Before the VM is given up."""
    stuck = vm("web", "esx1", can_shut_down_guest=False)
    drive = Drive(down(sight(stuck, OFF[1])), lambda _s, _d: sight(stuck, OFF[1]))
    drive.until(Timing().vm_shutdown_s + GIVE_UP_S + 10)
    forced, killed = drive.first(Verb.POWER_OFF_VM, "id-web"), drive.first(Verb.TERMINATE_VM, "id-web")
    assert forced is not None
    assert killed is not None
    assert TERMINATE_S <= killed - forced <= TERMINATE_S + 10
    assert "id-web" in drive.abandoned


# --- dependencies and graces ---

def test_what_starts_after_another_is_off_before_that_is_asked() -> None:
    """Within one tier; who does not depend on it goes at the same time."""
    kept = snapshot(KEPT.hosts, [kept_vm("app", "esx1", after=("id-db",)), kept_vm("db", "esx2"), kept_vm("x", "esx2")])
    vms = [vm("app", "esx1"), vm("db", "esx2"), vm("x", "esx2")]
    assert {name for _, name, _ in said(down(sight(*vms), kept).step())} == {"app", "x"}
    off = [vm("app", "esx1", Power.OFF), vm("db", "esx2"), vm("x", "esx2", Power.OFF)]
    assert [name for _, name, _ in said(down(sight(*off), kept).step())] == ["db"]


def test_a_circle_on_record_holds_nobody_up() -> None:
    """The file may have changed between two looks that the snapshot is made of."""
    kept = snapshot(KEPT.hosts, [kept_vm("a", "esx1", after=("id-b",)), kept_vm("b", "esx2", after=("id-a",))])
    step = down(sight(vm("a", "esx1"), vm("b", "esx2")), kept).step()
    assert {name for _, name, _ in said(step)} == {"a", "b"}


def test_a_vm_has_the_grace_that_the_runbook_gives_it() -> None:
    """Its neighbour in the tier has that of the setting."""
    kept = snapshot(KEPT.hosts, [kept_vm("web", "esx1", grace_s=30.0), kept_vm("db", "esx2")])
    deaf = [vm("web", "esx1"), vm("db", "esx2")]
    drive = Drive(down(sight(*deaf), kept), lambda _s, _d: sight(*deaf)).until(60)
    assert {command.name for _, command in drive.sent if command.verb is Verb.POWER_OFF_VM} == {"web"}


def test_in_haste_everyone_has_his_share_and_never_nothing() -> None:
    """A tenth of five minutes is half a minute; below a quarter of a minute nobody falls."""
    deaf = vm("web", "esx1")
    drive = Drive(down(sight(deaf, OFF[1]), haste=0.1), lambda _s, _d: sight(deaf, OFF[1])).until(40)
    assert drive.first(Verb.POWER_OFF_VM, "id-web") == 30.0
    assert Timing().in_haste(0.001).vm_shutdown_s == 15.0
    assert Timing(vm_shutdown_s=5.0).in_haste(0.1).vm_shutdown_s == 5.0


@pytest.mark.parametrize(("is_cut", "factor", "least_s"), [(False, 0.1, 600.0), (True, 0.1, 180.0), (True, 0.5, 300.0)])
def test_haste_shortens_a_host_only_where_its_bmc_may_cut_the_power(
    *, is_cut: bool, factor: float, least_s: float
) -> None:
    """One that goes off in order is not faster for being given up."""
    assert Timing(force_bmc_off=is_cut).in_haste(factor).host_shutdown_s == least_s



# --- the cluster as a whole ---

def test_with_vsan_the_vms_stop_and_the_hosts_stay_and_it_is_told_once() -> None:
    """VCenter stays too: the administrator shuts such a cluster down through it."""
    vms = [kept_vm("web", "esx1"), kept_vm("vcsa", "esx2", is_vcenter=True)]
    kept = replace(snapshot(KEPT.hosts, vms), has_vsan=True)
    vcsa = vm("vcsa", "esx2")
    assert said(down(sight(vm("web", "esx1"), vcsa), kept).step()) == [(Verb.SHUT_DOWN_GUEST, "web", VCENTER)]
    step = down(sight(OFF[0], vcsa), kept).step()
    assert (step.is_done, said(step)) == (True, [])
    assert [("vSAN" in event.reason) for event in step.abandoned] == [True]


def test_standalone_hosts_have_nothing_to_disarm() -> None:
    """Not even where none of them answers."""
    step = down(Sight(SILENT, {}, BMCS_ON), replace(KEPT, is_standalone=True), phase=None).step()
    assert "cluster" not in {event.target_kind for event in step.abandoned}
    assert step.phase is not Phase.DISARM


def test_a_host_outside_the_plan_is_left_alone_with_all_on_it_and_told() -> None:
    """Nobody has confirmed it (S1)."""
    scope = Scope(frozenset({"esx1"}), why_not="not confirmed")
    site = replace(down(sight(vm("web", "esx1"), vm("db", "esx2"))), scope=scope)
    assert [name for _, name, _ in said(site.step())] == ["web"]
    step = replace(down(sight(OFF[0], vm("db", "esx2"))), scope=scope).step()
    assert said(step) == [(Verb.ENTER_MAINTENANCE, "esx1", VCENTER)]
    assert [(event.name, event.reason) for event in step.abandoned] == [("esx2", "not confirmed")]


# --- hosts ---

def test_a_host_that_would_not_obey_vcenter_is_asked_directly() -> None:
    """Some refuse through vCenter and obey on a connection of their own."""
    unruly = Site(KEPT, sight(*OFF), down(sight(*OFF)).incident, {})
    shown = {"esx1": HostSeen(NOW, "esx1", host("esx1").uuid, in_maintenance=False, vms=())}
    drive = Drive(unruly, lambda second, _d: replace(sight(*OFF), direct=shown if second else {}), Outcome.REFUSED)
    drive.until(5)
    assert [(second, c.via) for second, c in drive.sent if c.name == "esx1"] == [(0.0, VCENTER), (5.0, "esx1")]


def test_what_would_not_go_off_is_forced_off_by_its_bmc_by_setting_only() -> None:
    """After its deadline, and after everything else."""
    on = sight(*OFF)
    given_up = {name: ev.Abandoned("host", name, name, Phase.HOSTS, "hangs") for name in ("esx1", "esx2")}
    past = replace(down(on, phase=Phase.HOSTS, phase_since=NOW - 2000, abandoned=given_up), bmc_of={
        name: bmc_address(name) for name in ("esx1", "esx2")})
    assert Verb.FORCE_OFF_HOST not in {c.verb for c in past.step().commands}
    forced = replace(past, timing=Timing(force_bmc_off=True)).step()
    assert {(c.target, c.via) for c in forced.commands if c.verb is Verb.FORCE_OFF_HOST} == {
        ("esx1", "ilo-esx1"), ("esx2", "ilo-esx2")}


def test_a_bmc_that_does_not_cut_the_power_holds_up_the_end_for_its_time_only() -> None:
    """The host has been given up and told: the way down ends without it."""
    given_up = {name: ev.Abandoned("host", name, name, Phase.HOSTS, "hangs") for name in ("esx1", "esx2")}
    past = down(sight(*OFF), phase=Phase.FORCE_OFF, phase_since=NOW - 20, abandoned=given_up)
    site = replace(past, bmc_of={name: bmc_address(name) for name in given_up}, timing=Timing(force_bmc_off=True))
    drive = Drive(site, lambda _s, _d: sight(*OFF)).until(GIVE_UP_S - 5.0)
    assert drive.step is not None
    assert not drive.step.is_done
    drive = Drive(site, lambda _s, _d: sight(*OFF)).until(GIVE_UP_S + 10.0)
    assert drive.step is not None
    assert drive.step.is_done


def test_nothing_is_forced_off_under_a_vm_that_is_never_touched() -> None:
    """The setting takes the power from what hangs, not from what stays up on purpose."""
    kept = snapshot([kept_host("esx1")], [kept_vm("web", "esx1", is_untouched=True)])
    looks = Sight(seen([host("esx1")], [vm("web", "esx1")], DISARMED), {}, {"ilo-esx1": bmc("esx1", Power.ON)})
    site = Site(kept, looks, down(sight()).incident, {"esx1": "ilo-esx1"}, timing=Timing(force_bmc_off=True))
    assert site.step().commands == []
