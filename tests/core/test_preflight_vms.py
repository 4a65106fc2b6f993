"""`check`'s rules of the VMs and of the runbook, each by an example."""

from dataclasses import replace

import pytest

from core.surveyed import CLUSTER, SETTINGS, TERMS, VCENTER, judged, of, vm, worse
from thermo_guard.core.finding import Area, Finding, Verdict, Way, conclusion
from thermo_guard.core.plant import Power, Question, Role, Vcls, Vm
from thermo_guard.core.runbook import Runbook, VmRule


def told(*vms: Vm, runbook: Runbook | None = None, **changes: object) -> list[Finding]:
    """What is not in order with these VMs beside vCenter's."""
    cluster = replace(CLUSTER, vms=(*vms, VCENTER), **changes)  # type: ignore[arg-type]
    return worse(replace(TERMS, runbook=runbook or Runbook()), cluster=cluster)


def in_order(*vms: Vm, **changes: object) -> str:
    cluster = replace(CLUSTER, vms=(*vms, VCENTER), **changes)  # type: ignore[arg-type]
    found = judged(cluster=cluster)
    assert [one for one in found if one.verdict is not Verdict.OK] == []
    return "; ".join(one.text for one in of(Area.VMS, found))


@pytest.mark.parametrize(("name", "on", "way", "words"), [
    ("web", "esx1", Way.PART, "keeps web on esx1 on: with it its host would stay up"),
    ("web", "esx2", Way.LAST, "keeps web on esx2 on, which is vCenter's own host"),
    ("vcsa", "esx2", Way.LAST, "vcsa is vCenter's own VM"),
])
def test_what_is_never_touched_keeps_its_host_up(name: str, on: str, way: Way, words: str) -> None:
    """A VM that runs and that nobody may stop makes a full shutdown impossible: refused, with VM and host."""
    rules = Runbook(rules=(VmRule((name,), never_touch=True),))
    (only,) = told(vm("web", on), runbook=rules)
    assert (only.area, only.way) == (Area.VMS, way)
    assert words in only.text
    assert not conclusion([only]).can_go_down


def test_what_is_never_touched_and_off_is_in_nobodys_way() -> None:
    """A host goes down over what does not run, and cluster services are nobody's to keep."""
    rules = Runbook(rules=(VmRule(("web", "vCLS*"), never_touch=True),))
    assert told(vm("web", power=Power.OFF), vm("vCLS-1", role=Role.VCLS), runbook=rules) == []


def test_a_runbook_that_cannot_be_followed_is_told() -> None:
    """What contradicts itself and what fits no VM are warnings: the shutdown goes its way all the same."""
    rules = Runbook(
        patterns=(("web*", 1), ("mial*", 2)), rules=(VmRule(("web",), after=("db", "dns-*")), VmRule(("db",), tier=3)),
    )
    followed = Runbook(rules=(VmRule(("web",), after=("db",)),))
    assert told(vm("web"), vm("db"), runbook=followed) == []
    late = Runbook(rules=(VmRule(("web",), tier=3, after=("db",)), VmRule(("db",), tier=1)))
    (contradiction,) = told(vm("web"), vm("db"), runbook=late)
    assert contradiction.verdict is Verdict.WARN
    assert "web (tier 3) is to start after db" in contradiction.text
    (unmatched,) = told(vm("web"), vm("db"), runbook=rules)
    assert unmatched.verdict is Verdict.WARN
    assert "fit no VM: dns-*, mial*." in unmatched.text


@pytest.mark.parametrize(("answers", "default", "then"), [
    (False, "0", "powered off after 300 s"), (True, "0", "answered as vSphere proposes"),
    (True, None, "powered off after 300 s"),
])
def test_a_pending_question_is_told_with_its_text(*, answers: bool, default: str | None, then: str) -> None:
    """It stands still until someone answers; what a shutdown would do follows from the policy."""
    asks = vm("web", question=Question("17", "Did you move it,\n or did you copy it?", default))
    found = worse(replace(TERMS, answers_questions=answers), cluster=replace(CLUSTER, vms=(asks, VCENTER)))
    assert [(one.area, one.verdict) for one in found] == [(Area.VMS, Verdict.WARN)]
    assert 'web stands still until someone answers "Did you move it, or did you copy it?"' in found[0].text
    assert then in found[0].text


def test_lost_vms_are_told() -> None:
    """Nobody can stop or start what has no files; they hold up nothing."""
    (only,) = told(vm("web", is_lost=True, is_reachable=False, can_shut_down_guest=False))
    assert only.verdict is Verdict.WARN
    assert "nobody can stop or start them: web" in only.text


def test_vms_of_others_are_left_to_them() -> None:
    """Pairs, agents and cluster services are named with whoever starts and stops them; they are no trouble."""
    text = in_order(
        vm("web"), vm("web-2nd", role=Role.FT_SECONDARY, can_shut_down_guest=False),
        vm("fs-1", role=Role.AGENT, managed_by="vSAN File Services", can_shut_down_guest=False),
        vm("vCLS-1", role=Role.VCLS, can_shut_down_guest=False), settings=replace(SETTINGS, vcls=Vcls.ON),
    )
    assert "1 fault-tolerant pairs" in text
    assert "1 agents are left to their manager, vSAN File Services" in text
    assert "Cluster services (vCLS), 1 VMs: removed at a shutdown by retreat mode" in text


@pytest.mark.parametrize(("vcls", "words"), [
    (Vcls.NONE, "none that would need retreat mode"), (Vcls.RETREAT, "in retreat mode already"),
])
def test_cluster_services_that_need_nothing_say_so(vcls: Vcls, words: str) -> None:
    """Whoever compares afterwards knows how it stood before."""
    assert words in in_order(settings=replace(SETTINGS, vcls=vcls))


def test_cluster_services_on_vsan_stay() -> None:
    """There no host is shut down, and nothing would need retreat mode."""
    found = judged(cluster=replace(CLUSTER, has_vsan=True, settings=replace(SETTINGS, vcls=Vcls.ON)))
    assert any("left as they are, with the hosts" in one.text for one in of(Area.VMS, found))


def test_what_is_in_doubt_of_a_silent_host_is_told_once() -> None:
    """VMs of a host that does not answer are its own finding's business."""
    gone = replace(CLUSTER.hosts[2], is_connected=False, power=Power.UNKNOWN)
    (only,) = told(vm("db", "esx3", is_reachable=False, power=Power.UNKNOWN), hosts=(*CLUSTER.hosts[:2], gone))
    assert only.area is Area.HOSTS
