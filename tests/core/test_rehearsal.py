"""What may be rehearsed, and why it is declined in the words that a person sees."""

from dataclasses import replace

import pytest

from core.plants import NOW, host, incident, kept_host, kept_vm, seen, snapshot, vm
from thermo_guard.core import events as ev
from thermo_guard.core.events import Goal
from thermo_guard.core.plant import Power, Role, Sight, Unseen
from thermo_guard.core.policy import Assessment, Level
from thermo_guard.core.record import Record
from thermo_guard.core.rehearsal import is_rehearsal, rehearsal
from thermo_guard.core.snapshot import KeptVm
from thermo_guard.core.view import plant_now
from thermo_guard.core.wishes import Order, Wish

COOL = Assessment(Level.LOW, (), (), 0, 2, 24.0, None, None, has_cooled=True, is_recovered=False)
HOT = replace(COOL, level=Level.HIGH, has_cooled=False)
BMCS = {"esx1": "ilo-esx1", "esx2": "ilo-esx2"}
QUIET = Record(bmc_of=BMCS)
HOSTS = (kept_host("esx1"), kept_host("esx2"))


def begun(
    record: Record = QUIET, assessment: Assessment = COOL, *, kept: KeptVm | None = None, power: Power = Power.ON,
    role: Role = Role.WORKLOAD, in_maintenance: bool = False, **wanted: str,
) -> ev.RehearsalWished | str:
    """Of a cluster whose one VM `web` is on esx1."""
    wish = Wish(7, NOW, Order.REHEARSE, "ada@nas", **wanted)  # type: ignore[arg-type]
    before = snapshot(HOSTS, [kept or kept_vm("web", "esx1")])
    shown = seen([host("esx1"), host("esx2", in_maintenance=in_maintenance)], [vm("web", "esx1", power, role=role)])
    plant = plant_now(Sight(shown, {}, {}), before, record.bmc_of)
    return rehearsal(wish, record, assessment, before, plant, NOW)


@pytest.mark.parametrize("name", ["web", "WEB", "id-web"])
def test_a_vm_is_named_by_its_name_or_its_uuid(name: str) -> None:
    """In any case of letters; the event bears its id and who asked."""
    event = begun(vm=name)
    assert event == ev.RehearsalWished("rehearsal-20260102T080000Z", "ada@nas", "vm", "id-web", "web")
    assert isinstance(event, ev.RehearsalWished)
    assert is_rehearsal(event.incident)


def test_an_empty_host_may_be_rehearsed() -> None:
    """Nothing runs on it, and its BMC is known."""
    event = begun(host="ESX2")
    assert isinstance(event, ev.RehearsalWished)
    assert (event.target_kind, event.target) == ("host", "esx2")


def test_nothing_is_rehearsed_in_an_incident() -> None:
    """Its name tells which."""
    assert begun(replace(QUIET, incident=incident(Goal.OFF)), vm="web") == "the incident 20260102T080000Z is open"


@pytest.mark.parametrize(("level", "words"), [
    (Level.HIGH, "the room is HIGH"), (Level.BLIND, "the room is BLIND"), (None, "the room is not known yet"),
])
def test_nothing_is_stopped_that_could_not_be_started(level: Level | None, words: str) -> None:
    """A room that is hot, unseen or unknown permits no power-on (S3)."""
    why = begun(assessment=replace(HOT, level=level), vm="web")
    assert isinstance(why, str)
    assert why.casefold() == f"{words}: what is stopped now could not be started again".casefold()


def test_a_guard_that_has_seen_nothing_rehearses_nothing() -> None:
    """Without a snapshot nobody knows what would have to come back."""
    wish = Wish(7, NOW, Order.REHEARSE, "ada@nas", vm="web")
    why = rehearsal(wish, QUIET, COOL, None, plant_now(Sight(Unseen(NOW, "silent"), {}, {}), None, {}), NOW)
    assert why == "nothing is on record of the cluster yet"


@pytest.mark.parametrize(("changes", "words"), [
    ({"is_vcenter": True}, "is vCenter itself"), ({"is_guard": True}, "runs the guard itself"),
    ({"is_untouched": True}, "is never touched, as the runbook says"),
    ({"role": Role.VCLS}, "would start itself anew"), ({"role": Role.AGENT}, "is an agent of another solution"),
    ({"role": Role.FT_SECONDARY}, "name its primary"),
])
def test_a_vm_that_is_not_the_guard_s_to_stop_is_declined(changes: dict[str, object], words: str) -> None:
    """By its name and its kind."""
    why = begun(vm="web", kept=kept_vm("web", "esx1", **changes))  # type: ignore[arg-type]
    assert isinstance(why, str)
    assert why.startswith("web ")
    assert words in why


def test_names_that_fit_none_or_are_off_are_declined() -> None:
    """Nothing is guessed."""
    assert begun(vm="nobody") == "no VM is named nobody"
    assert begun(host="nowhere") == "no host is named nowhere"
    assert begun(vm="web", power=Power.OFF) == "web is not on"


def test_a_name_that_two_vms_bear_needs_the_uuid() -> None:
    """Either might be meant."""
    wish = Wish(7, NOW, Order.REHEARSE, "ada@nas", vm="web")
    before = snapshot(HOSTS, [kept_vm("web", "esx1"), replace(kept_vm("web", "esx2"), id="id-other")])
    why = rehearsal(wish, QUIET, COOL, before, plant_now(Sight(Unseen(NOW, "silent"), {}, {}), before, BMCS), NOW)
    assert why == "2 VMs are named web: give its instance UUID"


def test_a_host_that_is_not_empty_or_could_not_come_back_is_declined() -> None:
    """It carries VMs, is in maintenance mode already, or no BMC is known to be its own."""
    assert begun(host="esx1") == "esx1 is not empty: 1 VMs run on it, web among them"
    assert begun(host="esx2", in_maintenance=True) == "esx2 is in maintenance mode"
    assert begun(replace(QUIET, bmc_of={}), host="esx2") == (
        "no BMC is matched to esx2: a person would have to power it on again")


@pytest.mark.parametrize("role", [Role.VCLS, Role.AGENT])
def test_what_leaves_a_host_by_itself_does_not_fill_it(role: Role) -> None:
    """Cluster services and agents go with their host."""
    assert isinstance(begun(host="esx1", role=role), ev.RehearsalWished)


def test_a_host_with_vcenter_s_own_vm_is_declined_though_it_is_off() -> None:
    """It is where vCenter or the guard would be started again."""
    why = begun(host="esx1", kept=kept_vm("web", "esx1", is_vcenter=True), power=Power.OFF)
    assert why == "esx1 carries vCenter or the guard itself"


def test_a_host_of_a_vsan_cluster_is_declined() -> None:
    """This version does not shut such a host down, not for a drill either."""
    before = replace(snapshot(HOSTS, []), has_vsan=True)
    plant = plant_now(Sight(seen([host("esx1"), host("esx2")], []), {}, {}), before, BMCS)
    wish = Wish(7, NOW, Order.REHEARSE, "ada@nas", host="esx2")
    assert rehearsal(wish, QUIET, COOL, before, plant, NOW) == (
        "the cluster has vSAN, and this version does not shut down its hosts")
