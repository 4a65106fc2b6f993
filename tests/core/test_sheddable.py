"""What may be shed, and when: marked VMs, hosts that ran nothing else, a warm room that is seen, a person's word."""

from dataclasses import replace

import pytest

from core.plants import NOW, SETTINGS, incident, kept_host, kept_vm, snapshot, vm
from core.timeline import STARTS_AT, Story
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Command, Outcome, Verb
from thermo_guard.core.goal import House, Mode, turn
from thermo_guard.core.plant import Power, Role
from thermo_guard.core.policy import Assessment, Level
from thermo_guard.core.record import Record, fold
from thermo_guard.core.runbook import Runbook, TierRule, VmRule
from thermo_guard.core.scope import scope_of
from thermo_guard.core.shedding import shed_hosts, shed_vms
from thermo_guard.core.snapshot import KeptVm, Snapshot
from thermo_guard.core.stages import Stage
from thermo_guard.core.wishes import Order, Wish

BMCS = {f"esx{number}": f"ilo-esx{number}" for number in range(1, 5)}
SHED = incident(ev.Goal.OFF, is_shed=True)
ARMED = Record(armed=(STARTS_AT, ev.GuardArmed("")), bmc_of=BMCS)


def lab(*more: KeptVm, hosts: int = 4, **changes: object) -> Snapshot:
    """A vCenter on the first host, a test machine on each other, and whatever a test adds."""
    vms = [kept_vm("vcsa", "esx1", is_vcenter=True, is_sheddable=True),
           *(kept_vm(f"test-{number}", f"esx{number}", is_sheddable=True) for number in range(2, hosts + 1))]
    kept = snapshot([kept_host(f"esx{number}") for number in range(1, hosts + 1)], [*vms, *more])
    return replace(kept, **changes)  # type: ignore[arg-type]


def assessed(stage: Stage, level: Level = Level.BAND) -> Assessment:
    plain = Story().steady(0, 5, 1, a=24.0, b=24.0, c=24.0).until(5)[-1].assessment
    return replace(plain, level=level, stage=stage, has_cooled=True)


@pytest.mark.parametrize("changes", [
    {"is_on": False}, {"is_sheddable": False}, {"is_vcenter": True}, {"is_guard": True}, {"is_untouched": True},
    {"role": Role.AGENT}, {"role": Role.VCLS}, {"role": Role.FT_SECONDARY},
])
def test_only_marked_machines_that_run_and_are_the_guards_to_stop_are_shed(changes: dict[str, object]) -> None:
    """A mark makes nothing of what is never stopped alone (S1)."""
    one = replace(kept_vm("one", "esx2", is_sheddable=True), **changes)  # type: ignore[arg-type]
    assert "id-one" not in shed_vms(lab(one), None)
    assert "id-test-2" in shed_vms(lab(one), None)


def test_hosts_go_that_ran_nothing_else_and_two_stay_under_ha() -> None:
    """In the order of their names, so that every life of the guard has the same; one stays without HA."""
    assert shed_hosts(lab(), None, BMCS) == {"esx2", "esx3"}
    assert shed_hosts(lab(settings=replace(SETTINGS, ha_enabled=False)), None, BMCS) == {"esx2", "esx3", "esx4"}
    assert shed_hosts(lab(hosts=2), None, BMCS) == frozenset()


@pytest.mark.parametrize(("kept", "confirmed", "bmc_of"), [
    (lab(kept_vm("db", "esx2")), None, BMCS), (lab(kept_vm("nas", "esx2", is_guard=True)), None, BMCS),
    (lab(), ("esx1", "esx3", "esx4"), BMCS), (lab(), None, {"esx3": "ilo-esx3"}), (lab(has_vsan=True), None, BMCS),
])
def test_a_host_stays_that_anybody_would_miss_or_nobody_could_start(
    kept: Snapshot, confirmed: tuple[str, ...] | None, bmc_of: dict[str, str]
) -> None:
    """Another VM on it, the guard's, no confirmation, no BMC, vSAN."""
    assert "esx2" not in shed_hosts(kept, confirmed, bmc_of)


def test_cluster_services_and_what_is_off_keep_no_host_up() -> None:
    """They go with their host."""
    more = (kept_vm("vCLS-1", "esx2", role=Role.VCLS), kept_vm("old", "esx2", is_on=False))
    assert "esx2" in shed_hosts(lab(*more), None, BMCS)


def test_the_scope_of_a_shed_is_what_may_be_shed_and_stays_so() -> None:
    """By the closed snapshot: whatever else comes to the cluster, or moves to a host that nobody confirmed, is left."""
    record = replace(ARMED, incident=SHED, confirmed=ev.HostsConfirmed(("esx1", "esx2", "esx3", "esx4"), 5))
    scope = scope_of(record, lab())
    assert scope.has_vm(vm("test-2", "esx3"))
    assert not scope.has_vm(vm("test-2", "esx9"))
    assert not scope.has_vm(vm("new", "esx2"))
    assert scope.has_host("esx2")
    assert not scope.has_host("esx1")
    assert not scope.has_settings
    assert scope_of(record).has_vm(vm("test-2", "esx2")) is False


def test_a_rule_marks_and_spares_before_its_tier_does() -> None:
    """`sheddable = false` keeps one VM of a sheddable tier running."""
    book = Runbook(rules=(VmRule(("build-1",), sheddable=False), VmRule(("db",), tier=3, sheddable=True)),
                   tiers={1: TierRule(sheddable=True)})
    marked = [name for name in ("build-1", "build-2", "db") if book.place_of(vm(name, "esx1")).is_sheddable]
    assert marked == ["build-2", "db"]


ALL = House(can_shed=True)


def turned(record: Record, assessment: Assessment, house: House = ALL) -> str:
    return type(turn(record, assessment, Mode.ARMED, NOW, house)).__name__


@pytest.mark.parametrize(("level", "stage", "event"), [
    (Level.BAND, Stage.WARN, "NoneType"), (Level.BAND, Stage.SHED, "ShedBegun"), (Level.BLIND, Stage.SHED, "NoneType"),
    (Level.LOW, Stage.SHED, "NoneType"), (Level.HIGH, Stage.TRIP, "AlarmTripped"),
])
def test_shedding_begins_at_its_stage_in_a_room_that_is_seen(level: Level, stage: Stage, event: str) -> None:
    """Never blind, never once it is cool again; an alarm goes before it (S2)."""
    assert turned(ARMED, assessed(stage, level)) == event


def test_nothing_begins_where_nothing_may_be_shed_or_nobody_may_act() -> None:
    """Not armed, nothing marked, or a person has had the last word."""
    warm = assessed(Stage.SHED)
    assert turned(ARMED, warm, House()) == "NoneType"
    assert turned(replace(ARMED, armed=None), warm) == "NoneType"
    assert turned(replace(ARMED, sheds_nothing=True), warm) == "NoneType"


@pytest.mark.parametrize(("changes", "assessment", "event"), [
    ({}, assessed(Stage.SHED), "NoneType"),
    ({}, assessed(Stage.WARN), "ShedEnded"),
    ({}, assessed(Stage.NONE, Level.BLIND), "NoneType"),
    ({}, assessed(Stage.TRIP, Level.HIGH), "ShedWidened"),
    ({"goal": ev.Goal.ON}, assessed(Stage.SHED), "ShedResumed"),
    ({"goal": ev.Goal.ON}, assessed(Stage.SHED, Level.BLIND), "NoneType"),
    ({"goal": ev.Goal.ON}, assessed(Stage.TRIP, Level.HIGH), "ShedWidened"),
    ({"goal": ev.Goal.ON, "wished_by": "ada"}, assessed(Stage.SHED), "NoneType"),
    ({"goal": ev.Goal.ON, "wished_by": "ada"}, assessed(Stage.TRIP, Level.HIGH), "ShedWidened"),
    ({"is_doubted": True}, assessed(Stage.SHED), "NoneType"),
    ({"is_doubted": True}, assessed(Stage.WARN), "ShedEnded"),
])
def test_an_open_shed_goes_with_its_stage(changes: dict[str, object], assessment: Assessment, event: str) -> None:
    """An alarm widens it whoever has turned it; blindness leaves it as it is."""
    assert turned(replace(ARMED, incident=replace(SHED, **changes)), assessment) == event  # type: ignore[arg-type]


ASKED = Command(Verb.SHUT_DOWN_GUEST, "id-test-2", "test-2", "vcenter")
TOLD: tuple[ev.Event, ...] = (
    ev.ShedBegun("1", ("warm",)), ev.SnapshotClosed("1"), ev.PhaseBegun("1", ev.Phase.GUESTS, 1),
    ev.Intended((ASKED,)), ev.Answered((ev.Answer(*ASKED.key, Outcome.ACCEPTED),)),
    ev.Observed((ev.Sighting("host", "esx3", "esx3", Power.OFF, "bmc"),)),
)


def folded(*events: ev.Event) -> Record:
    return fold(ARMED, [ev.Entry(number, NOW + number, event) for number, event in enumerate(events, 1)])


def test_an_alarm_keeps_what_is_stopping_and_closes_the_snapshot_anew() -> None:
    """The same id; nothing that was asked is asked again for nothing, and phases begin as on any way down."""
    after = folded(*TOLD, ev.ShedWidened("1", "high", ("hot",))).incident
    assert after is not None
    assert (after.id, after.is_shed, after.was_shed, after.goal) == ("1", False, True, ev.Goal.OFF)
    assert ASKED.key in after.intents
    assert after.observed["esx3"][0] == Power.OFF
    assert not after.is_snapshot_closed
    assert after.phase is None


def test_an_alarm_on_the_way_back_takes_all_and_knows_what_may_still_be_stopping() -> None:
    """As heat on any way back."""
    after = folded(*TOLD, ev.ShedEnded("1", ()), ev.ShedWidened("1", "high", ("hot",))).incident
    assert after is not None
    assert (after.goal, after.is_shed) == (ev.Goal.OFF, False)
    assert "id-test-2" in after.stopping
    assert not after.intents


def test_a_persons_shutdown_widens_a_shed() -> None:
    """Who says shutdown means the cluster, and it is his from then on."""
    after = folded(*TOLD, ev.GoalWished("1", ev.Goal.OFF, "ada", "works")).incident
    assert after is not None
    assert (after.is_shed, after.wished_by, after.goal) == (False, "ada", ev.Goal.OFF)


@pytest.mark.parametrize("order", [Order.ABORT, Order.POWER_ON])
def test_a_persons_last_word_on_shedding_holds_until_the_room_was_low(order: Order) -> None:
    """The band does not end it."""
    said: list[ev.Event] = [ev.LevelChanged("band", "low", ()), ev.WishTaken(Wish(1, NOW, order, "ada", ""))]
    assert folded(*said, ev.LevelChanged("high", "band", ()), ev.LevelChanged("band", "high", ())).sheds_nothing
    assert not folded(*said, ev.LevelChanged("low", "band", ())).sheds_nothing
