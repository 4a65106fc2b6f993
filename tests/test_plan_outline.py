"""The plan as people read it, from a survey: order, tiers with their reasons, times, and what it does without."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from core.surveyed import BMCS, CLUSTER, REFUSED, SILENT, SOUND, TERMS, VCENTER, cadence, vm
from thermo_guard.core.commands import Verb
from thermo_guard.core.events import Phase
from thermo_guard.core.infrastructure import Infrastructure
from thermo_guard.core.outline import Leg, Outline, outline
from thermo_guard.core.plant import Power
from thermo_guard.core.policy import Level
from thermo_guard.core.preflight import Terms
from thermo_guard.core.runbook import Runbook, VmRule
from thermo_guard.core.snapshot import Snapshot, take
from thermo_guard.core.step import Timing
from thermo_guard.core.survey import Survey
from thermo_guard.plan_screen import outline_as_data, show_outline

TIERS = Runbook((("test-*", 1), ("db*", 3)), default=2)
VMS = (
    vm("web"), vm("db-1", "esx3"), vm("test-a"), vm("tagged", "esx3", tier=3), VCENTER,
    vm("spare", power=Power.OFF), vm("golden", is_template=True, power=Power.OFF),
)
SITE = replace(SOUND, cluster=replace(CLUSTER, vms=VMS))


def planned(survey: Survey = SITE, terms: Terms = TERMS) -> Outline:
    made = outline(survey, terms, Timing(), TIERS)
    assert made is not None
    return made


def deeds(leg: Leg) -> list[tuple[Phase, int | None, Verb, tuple[str, ...]]]:
    return [(stage.phase, stage.tier, deed.verb, deed.names) for stage in leg.stages for deed in stage.deeds]


def kept() -> Snapshot:
    return take(SITE.cluster, None, {}, runbook=TIERS, vcenter_vms=[VCENTER.id], level=Level.LOW,  # type: ignore[arg-type]
                cool_as_of=None)


def printed(plan: Outline, *, show_all: bool = False) -> str:
    out = io.StringIO()
    show_outline(Console(file=out, highlight=False), plan, show_all=show_all)
    return out.getvalue()


def test_the_way_down_ends_with_vcenters_vm_and_host() -> None:
    """HA and DRS first, VMs by tier, the hosts, then vCenter's VM over its own host, and that host last."""
    plan = planned()
    assert deeds(plan.down) == [
        (Phase.DISARM, None, Verb.DISARM_HA, ("Office",)),
        (Phase.DISARM, None, Verb.DISARM_DRS, ("Office",)),
        (Phase.GUESTS, 1, Verb.SHUT_DOWN_GUEST, ("test-a",)),
        (Phase.GUESTS, 2, Verb.SHUT_DOWN_GUEST, ("web",)),
        (Phase.GUESTS, 3, Verb.SHUT_DOWN_GUEST, ("db-1", "tagged")),
        (Phase.HOSTS, None, Verb.ENTER_MAINTENANCE, ("esx1", "esx3")),
        (Phase.HOSTS, None, Verb.SHUT_DOWN_HOST, ("esx1", "esx3")),
        (Phase.VCENTER, None, Verb.SHUT_DOWN_GUEST, ("vcsa",)),
        (Phase.LAST_HOST, None, Verb.ENTER_MAINTENANCE, ("esx2",)),
        (Phase.LAST_HOST, None, Verb.SHUT_DOWN_HOST, ("esx2",)),
    ]
    assert [deed.via for stage in plan.down.stages[-2:] for deed in stage.deeds] == ["esx2"] * 3
    assert plan.last == (("vcsa", "esx2"),)


def test_the_guards_own_vm_and_its_host_are_left_up() -> None:
    """The plan is what would be done: it stops neither, and says so among the tiers and at its end."""
    guard = vm("tools", "esx3", addresses=("192.0.2.50",))
    site = replace(SOUND, cluster=replace(CLUSTER, vms=(*VMS, guard)), infrastructure=Infrastructure(
        own_addresses=("192.0.2.50",)))
    plan = planned(site)
    named = {name for leg in (plan.down, plan.back) for *_, names in deeds(leg) for name in names}
    assert "tools" not in named | {name for tier in plan.tiers for name in tier.vms}
    assert "esx3" not in named
    assert plan.own == (("tools", "esx3"),)
    assert "tools, in which the guard itself runs, and its host esx3: neither is stopped" in printed(plan)
    assert any("Thermo-Guard itself runs on it" in text for text in plan.down.needs_person)


def test_the_way_back_is_the_reverse_with_a_watch() -> None:
    """VCenter's host first, a watch, the others, vCenter, the settings, the VMs in reverse order of the tiers."""
    plan = planned()
    phases = list(dict.fromkeys((stage.phase, stage.tier) for stage in plan.back.stages))
    assert phases == [
        (Phase.FIRST_HOST, None), (Phase.WATCH, None), (Phase.OTHER_HOSTS, None), (Phase.START_VCENTER, None),
        (Phase.RESTORE, None), (Phase.START_GUESTS, 3), (Phase.START_GUESTS, 2), (Phase.START_GUESTS, 1),
    ]
    watch = next(stage for stage in plan.back.stages if stage.phase is Phase.WATCH)
    assert watch.ends_s - watch.starts_s == pytest.approx(TERMS.policy.watch_s, abs=60)
    started = {name for _, _, verb, names in deeds(plan.back) for name in names if verb is Verb.POWER_ON_VM}
    assert started == {"web", "db-1", "test-a", "tagged", "vcsa"}


def test_stages_follow_one_another_in_time() -> None:
    """No stage begins before the one before it has ended, and a leg takes at least as long as its last stage."""
    plan = planned()
    for leg in (plan.down, plan.back):
        for before, after in zip(leg.stages, leg.stages[1:], strict=False):
            assert before.ends_s <= after.starts_s + 1
        assert leg.takes_s >= leg.stages[-1].ends_s


def test_each_tier_says_why_its_vms_are_in_it() -> None:
    """A tag goes before a pattern, a pattern before the default; what is off or a template is in none."""
    plan = planned()
    assert [(one.tier, one.why, one.vms) for one in plan.tiers] == [
        (1, "name like test-*", ("test-a",)),
        (2, "default", ("web",)),
        (3, "name like db*", ("db-1",)),
        (3, "tag or attribute", ("tagged",)),
    ]
    assert plan.untouched == ("spare",)


def test_what_may_be_shed_is_marked() -> None:
    """Who reads the plan sees what goes before an alarm."""
    made = outline(SITE, TERMS, Timing(), Runbook(rules=(VmRule(("web",), sheddable=True),)))
    assert made is not None
    assert [one.vms for one in made.tiers if one.is_sheddable] == [("web",)]
    assert printed(made).count("sheddable") == 1


def test_what_of_the_runbook_cannot_be_followed_is_in_the_plan() -> None:
    """As in `check`: who reads only the plan sees as well that his order is not kept."""
    circle = Runbook(rules=(VmRule(("web",), after=("test-a",)), VmRule(("test-a",), after=("web",))))
    made = outline(SITE, TERMS, Timing(), circle)
    assert made is not None
    assert "! the runbook cannot be followed to the letter: test-a, web wait for each other" in printed(made)
    assert "to the letter" not in printed(planned())


def test_without_vcenter_the_last_snapshot_stands_in_loudly() -> None:
    """With vCenter away the plan comes from the journal, says so, and covers the same VMs in the same order."""
    memory = replace(cadence(120), snapshot=kept(), bmc_of={f"esx{n}": f"ilo{n}" for n in (1, 2, 3)})
    plan = planned(replace(SITE, cluster=SILENT, missing=SILENT, direct={}, memory=memory))
    assert deeds(plan.down) == deeds(planned().down)
    assert [one.why for one in plan.tiers] == ["name like test-*", "default", "name like db*", "tag or attribute"]
    assert plan.down.needs_person == plan.back.needs_person == ()
    assert "NOT FRESH" in printed(plan)
    assert "NOT FRESH" not in printed(planned())


def test_with_nothing_to_start_from_there_is_no_plan() -> None:
    """Neither vCenter nor a snapshot: no plan is made up."""
    assert outline(replace(SITE, cluster=SILENT, direct={}), TERMS, Timing(), TIERS) is None


def test_a_bmc_that_is_away_now_keeps_its_host() -> None:
    """The journal's pair stands in for a BMC that does not answer now; one that was never seen needs a person."""
    away = {**BMCS, "ilo3": SILENT}
    known = replace(cadence(120), bmc_of={"esx3": "ilo3"})
    assert planned(replace(SITE, bmcs=away, memory=known)).back.needs_person == ()
    told = planned(replace(SITE, bmcs=away)).back.needs_person
    assert told[0].startswith("host esx3")
    assert {text.split(":")[0] for text in told[1:]} == {"vm db-1", "vm tagged"}


def test_a_refused_login_on_vcenters_host_is_in_the_plan() -> None:
    """Without the direct login the plan itself says that vCenter and its host stay up."""
    plan = planned(replace(SITE, direct={**SITE.direct, "esx2": REFUSED}))
    assert any("vcsa" in text for text in plan.down.needs_person)
    assert not any("esx2" in names for _, _, verb, names in deeds(plan.down) if verb is Verb.SHUT_DOWN_HOST)
    assert "Needs a person" in printed(plan)


def test_an_open_incident_is_planned_from_its_own_snapshot() -> None:
    """While an incident lasts its closed snapshot counts, not what the heat has left; and the screen says so."""
    memory = replace(cadence(120), snapshot=kept(), incident="20260102T080000Z", is_snapshot_closed=True)
    halved = replace(SITE, cluster=replace(CLUSTER, vms=(VCENTER,)), memory=memory)
    plan = planned(halved)
    assert deeds(plan.down) == deeds(planned().down)
    assert "20260102T080000Z is open" in printed(plan)


def test_a_large_cluster_is_cut_unless_all_is_asked_for() -> None:
    """Of many VMs the first eight are named with a count; --all and JSON name each."""
    many = tuple(vm(f"web-{n:02}") for n in range(30))
    plan = planned(replace(SITE, cluster=replace(CLUSTER, vms=(*many, VCENTER))))
    assert "web-07 and 22 more" in printed(plan)
    assert "web-20" not in printed(plan)
    assert "web-29" in printed(plan, show_all=True)
    data = json.loads(json.dumps(outline_as_data(plan)))
    assert len(data["tiers"][0]["vms"]) == 30
    assert data["down"]["stages"][0]["phase"] == "disarm"


def test_a_terminal_and_a_pipe_say_the_same() -> None:
    """On a narrow terminal lines go on under themselves; a pipe lacks the charts and keeps lines whole for grep."""
    out = io.StringIO()
    show_outline(Console(file=out, force_terminal=True, width=60, color_system=None, highlight=False), planned(),
                 show_all=False)
    assert max(len(line) for line in out.getvalue().splitlines()) <= 60
    lines = out.getvalue().splitlines()
    charts = {n for n, line in enumerate(lines) if "█" in line or "░" in line or line.lstrip().startswith("0 ")}
    told = " ".join(line for n, line in enumerate(lines) if n not in charts)
    assert len(charts) > 10
    assert sorted(told.split()) == sorted(printed(planned()).split())


def test_a_power_off_says_whether_time_or_tools_are_wanting() -> None:
    """VM_SHUTDOWN_TIMEOUT below what a guest takes is something else than missing tools, and no tiers overlap."""
    bare = vm("bare", can_shut_down_guest=False, is_tools_running=False)
    site = replace(SITE, cluster=replace(CLUSTER, vms=(*VMS, bare)))
    plan = outline(site, TERMS, Timing(vm_shutdown_s=30.0), TIERS)
    assert plan is not None
    forced = {(deed.is_overdue, deed.names) for stage in plan.down.stages for deed in stage.deeds
              if deed.verb is Verb.POWER_OFF_VM}
    assert (True, ("test-a",)) in forced
    assert (False, ("bare",)) in forced
    for before, after in zip(plan.down.stages, plan.down.stages[1:], strict=False):
        assert before.ends_s <= after.starts_s + 1
    text = printed(plan)
    assert "for want of VMware Tools: bare" in text
    assert "is shorter than a shutdown typically takes: test-a" in text
    assert "typically takes" not in printed(planned())
