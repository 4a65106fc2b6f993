"""How long it takes: what was measured goes before what is typical, and what is off already costs nothing."""

from dataclasses import replace

import pytest

from core.plants import SETTINGS, bmc_address, kept_host, kept_vm, snapshot
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Command, Outcome, Verb
from thermo_guard.core.critical_path import critical_path
from thermo_guard.core.durations import Durations
from thermo_guard.core.estimate import Forecast, forecast, remaining_s
from thermo_guard.core.plant import BmcSeen, ClusterSeen, Host, Power, Role, Sight, Vcls, Vm
from thermo_guard.core.record import Incident, Record, fold
from thermo_guard.core.runbook import Runbook
from thermo_guard.core.snapshot import KeptVm, Snapshot
from thermo_guard.core.step import Timing
from thermo_guard.core.view import PlantNow, plant_now

DAY = 1_793_620_800.0
"""2026-11-02 12:00 UTC."""
HOSTS = [kept_host("esx1"), kept_host("esx2")]
BMC_OF = {host.name: bmc_address(host.name) for host in HOSTS}
WEB = kept_vm("web", "esx1", guest_os="windows2019srv_64Guest")
DB = kept_vm("db", "esx2", tier=2, guest_os="ubuntu64Guest")
KEPT = snapshot(HOSTS, [WEB, DB])


def down(kept: Snapshot, durations: Durations | None = None, timing: Timing | None = None) -> Forecast:
    leg, _ = forecast(kept, BMC_OF, timing or Timing(), Runbook(), has_direct_logins=True, watch_s=600.0,
                      durations=durations)
    return leg


def took(kind: str, target: str, *seconds: float) -> Durations:
    return Durations({(kind, target, ev.Goal.OFF): tuple(ev.Took(DAY, s) for s in seconds)})  # type: ignore[dict-item]


def stop(vm: KeptVm) -> Command:
    return Command(Verb.SHUT_DOWN_GUEST, vm.id, vm.name, VCENTER)


def test_the_worst_measurement_goes_before_what_is_typical() -> None:
    """Of three measured stops the longest counts, with its day; another VM keeps its typical time."""
    known = took("vm", WEB.id, 31.0, 43.2, 12.0)
    assert known.of(stop(WEB), WEB).seconds == 43.2
    assert known.of(stop(WEB), WEB).why == "measured 43 s on 2026-11-02"
    assert known.of(stop(DB), DB).why == "Linux guest, typical"


@pytest.mark.parametrize(("guest_os", "why"), [
    ("windows2019srv_64Guest", "Windows guest"), ("windows9Server64Guest", "Windows up to Server 2016"),
    ("windows9_64Guest", "Windows guest"), ("rhel9_64Guest", "Linux guest"), ("other5xLinux64Guest", "Linux guest"),
    ("vmwarePhoton64Guest", "Linux guest"), ("freebsd13_64Guest", "unknown kind"), (None, "unknown kind"),
    ("darwin21_64Guest", "unknown kind"),
])
def test_a_guests_type_says_what_is_typical(guest_os: str | None, why: str) -> None:
    """VSphere's guestId tells the families that shut down differently apart, and claims nothing of the others."""
    vm = replace(WEB, guest_os=guest_os)
    assert why in Durations().of(stop(vm), vm).why


def test_the_critical_path_is_the_chain_that_the_leg_waits_for() -> None:
    """Slowest guest of each tier, then the slowest host: each link begins where the one before it ends."""
    quick = kept_vm("quick", "esx1", guest_os="ubuntu64Guest")
    leg = down(snapshot(HOSTS, [WEB, quick, DB]), took("host", "esx2", 300.0))
    links = critical_path(leg)
    assert [(link.verb, link.name) for link in links][-4:] == [
        (Verb.SHUT_DOWN_GUEST, "web"), (Verb.SHUT_DOWN_GUEST, "db"),
        (Verb.ENTER_MAINTENANCE, "esx2"), (Verb.SHUT_DOWN_HOST, "esx2"),
    ]
    assert sum(link.waited_s + link.ends_s - link.starts_s for link in links) == pytest.approx(leg.takes_s, abs=1.0)


def test_a_vm_without_tools_says_what_it_waited_for() -> None:
    """It is given its grace and powered off then: the chain names the wait, not the five seconds after it."""
    leg = down(snapshot(HOSTS, [replace(WEB, has_tools=False, grace_s=200.0)]))
    link = next(link for link in critical_path(leg) if link.verb is Verb.POWER_OFF_VM)
    assert link.waited_s == pytest.approx(200.0, abs=2.0)
    assert link.waited_for == "no tools: its grace, then power-off"


def test_roles_are_carried_out_as_in_life() -> None:
    """VCLS goes by retreat mode, an agent with its host, a secondary with its primary: none is stopped by the guard."""
    vms = [WEB, kept_vm("vcls-1", "esx1", role=Role.VCLS), kept_vm("agent", "esx2", role=Role.AGENT),
           replace(kept_vm("x", "esx2", role=Role.FT_SECONDARY), name="web")]
    kept = snapshot(HOSTS, vms, replace(SETTINGS, vcls=Vcls.ON))
    way_down, back = forecast(kept, BMC_OF, Timing(), Runbook(), has_direct_logins=True, watch_s=600.0)
    assert (way_down.needs_person, back.needs_person) == ((), ())
    assert {act.target for act in way_down.acts if act.verb is Verb.SHUT_DOWN_GUEST} == {WEB.id}
    verbs = {act.verb for act in way_down.acts}
    assert Verb.RETREAT_VCLS in verbs
    assert not verbs & {Verb.POWER_OFF_VM, Verb.FORCE_OFF_HOST}
    assert {act.target for act in way_down.acts if act.verb is Verb.SHUT_DOWN_HOST} == {"esx1", "esx2"}
    assert Verb.RESTORE_VCLS in {act.verb for act in back.acts}


def test_what_starts_after_another_stops_before_it() -> None:
    """Within a tier the planner's turns are kept, though the model asks it only when something matters."""
    first = kept_vm("app", "esx1", after=(DB.id,), tier=2)
    acts = {act.target: act for act in down(snapshot(HOSTS, [first, DB, WEB])).acts
            if act.verb is Verb.SHUT_DOWN_GUEST}
    assert acts[DB.id].starts_s == pytest.approx(acts[first.id].ends_s, abs=1.5)


NOW = DAY + 100.0


def incident(*events: ev.Event, at: float = NOW) -> Incident:
    opening = [ev.AlarmTripped("i", "high", ()), ev.SnapshotClosed("i"), *events]
    found = fold(Record(), [ev.Entry(n, at, event) for n, event in enumerate(opening, 1)]).incident
    assert found is not None
    return found


def plant(*off: str, hosts_off: tuple[str, ...] = ()) -> PlantNow:
    hosts = tuple(Host(h.name, h.address, h.uuid, is_connected=h.name not in hosts_off) for h in HOSTS)
    vms = tuple(Vm(vm.id, vm.name, vm.host, Power.OFF if vm.name in off else Power.ON) for vm in (WEB, DB))
    bmcs = {bmc: BmcSeen(NOW, bmc, Power.OFF if name in hosts_off else Power.ON) for name, bmc in BMC_OF.items()}
    return plant_now(Sight(ClusterSeen(NOW, "Cluster-1", hosts, vms, SETTINGS), bmcs=bmcs), KEPT, BMC_OF)


def left_s(what: Incident, seen: PlantNow, timing: Timing | None = None) -> float:
    return remaining_s(what, KEPT, seen, BMC_OF, timing or Timing(), Runbook(), Durations(), NOW)


def test_from_the_start_what_remains_is_the_whole_way() -> None:
    """At the trip the projection and the plan are the same figure."""
    assert left_s(incident(), plant()) == pytest.approx(down(KEPT).takes_s, abs=1.0)


def test_what_is_off_already_costs_nothing() -> None:
    """Less is left with each VM and host that is off, and nothing when all of them are."""
    whole, fewer = left_s(incident(), plant()), left_s(incident(), plant("web"))
    assert fewer == pytest.approx(whole - 75.0, abs=2.0)
    assert left_s(incident(), plant("web", "db", hosts_off=("esx1",))) < fewer
    assert left_s(incident(), plant("web", "db", hosts_off=("esx1", "esx2"))) <= 60.0


def asked(ago_s: float) -> Incident:
    told = (ev.PhaseBegun("i", ev.Phase.GUESTS, 1), ev.Intended((stop(WEB),)),
            ev.Answered((ev.Answer(Verb.SHUT_DOWN_GUEST, WEB.id, Outcome.ACCEPTED),)))
    return incident(*told, at=NOW - ago_s)


def test_what_is_under_way_is_not_begun_anew_and_what_hangs_has_its_whole_time() -> None:
    """A guest asked 30 s ago needs 30 s less; one that is past its time is forced at the end of its grace."""
    disarmed = replace(plant(), settings=replace(SETTINGS, ha_enabled=False, drs_behavior="manual",
                                                 drs_overrides=False, dpm_enabled=False))
    fresh = left_s(asked(0.0), disarmed)
    assert left_s(asked(30.0), disarmed) == pytest.approx(fresh - 30.0, abs=2.0)
    assert left_s(asked(100.0), disarmed) == pytest.approx(fresh - 75.0 + 200.0 + 5.0, abs=3.0)


def test_haste_shortens_what_hangs() -> None:
    """The projection uses the graces as compressed: with a tenth of its time a hanging guest is forced sooner."""
    hanging = asked(100.0)
    assert left_s(replace(hanging, haste=0.1), plant()) < left_s(hanging, plant()) - 100.0
