"""The way down by examples: order, grace, force, what is given up, and what still gets its time when it comes late."""

from dataclasses import replace

import pytest

from core.drive import Drive
from core.plants import (
    DISARMED,
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
from thermo_guard.core.commands import VCENTER, Outcome, Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.plant import HostSeen, Power, Sight, Unseen
from thermo_guard.core.step import Timing, is_due

SILENT = Unseen(NOW, "silent")
MATCHED = {name: bmc_address(name) for name in ("esx1", "esx2", "esx3")}
KEPT = snapshot([kept_host("esx1"), kept_host("esx2")],
                [kept_vm("web", "esx1", tier=1), kept_vm("db", "esx2", tier=2), kept_vm("old", "esx2", is_on=False)])
HOSTS = (host("esx1"), host("esx2"))
BMCS_ON = {bmc_address(name): bmc(name, Power.ON) for name in ("esx1", "esx2")}


def down(sight: Sight, kept: object = KEPT, **changes: object) -> Site:
    phase = {"phase": Phase.GUESTS, "tier": 1, "phase_since": NOW - 10} | changes
    return Site(kept, sight, incident(Goal.OFF, **phase), MATCHED)  # type: ignore[arg-type]


# --- HA and DRS ---

def test_ha_and_drs_are_disarmed_first() -> None:
    """Before any guest: HA would start again what is stopped, DRS would move it."""
    sight = Sight(seen(HOSTS, [vm("web", "esx1"), vm("db", "esx2")]), {}, BMCS_ON)
    step = down(sight, phase=None).step()
    assert step.phase is Phase.DISARM
    assert [verb for verb, _, _ in said(step)] == [Verb.DISARM_HA, Verb.DISARM_DRS]


@pytest.mark.parametrize(("settings", "verbs"), [
    (replace(SETTINGS, ha_enabled=False), [Verb.DISARM_DRS]),
    (replace(DISARMED, drs_overrides=True), [Verb.DISARM_DRS]),
    (replace(DISARMED, dpm_enabled=True), [Verb.DISARM_DRS]),
    (replace(DISARMED, ha_enabled=True), [Verb.DISARM_HA]),
    (replace(SETTINGS, ha_enabled=False, drs_enabled=False, dpm_enabled=None), []),
])
def test_only_what_acts_is_disarmed(settings: object, verbs: list[Verb]) -> None:
    """DRS that is off stays as it is; manual DRS with automated VMs still acts, and so does DPM."""
    sight = Sight(seen(HOSTS, [vm("web", "esx1")], settings), {}, BMCS_ON)  # type: ignore[arg-type]
    asked_for = [verb for verb, _, _ in said(down(sight, phase=None).step())]
    assert [verb for verb in asked_for if verb in {Verb.DISARM_HA, Verb.DISARM_DRS}] == verbs


def test_settings_that_would_not_change_hold_nobody_up() -> None:
    """After a minute the shutdown goes on, HA armed or not, and a person is told why."""
    sight = Sight(seen(HOSTS, [vm("web", "esx1"), vm("db", "esx2")]), {}, BMCS_ON)
    drive = Drive(down(sight, phase=None), lambda _s, _d: sight, Outcome.REFUSED).until(120)
    assert 55 <= (drive.first(Verb.SHUT_DOWN_GUEST, "id-web") or 0) <= 70
    assert "HA or DRS would not be disarmed" in drive.abandoned["Cluster-1"]


def test_vcenter_silent_from_the_start_holds_nobody_up() -> None:
    """With the inventory on record the hosts are asked directly."""
    direct = {h.name: HostSeen(NOW, h.name, h.uuid, in_maintenance=False, vms=(vm("web", "esx1"),)) for h in HOSTS[:1]}
    sight = Sight(SILENT, direct, BMCS_ON)
    drive = Drive(down(sight, phase=None), lambda _s, _d: sight).until(90)
    assert drive.first(Verb.SHUT_DOWN_GUEST, "id-web") is not None
    assert drive.sent[0][1].via == "esx1"


# --- guests ---

def test_the_first_tier_is_asked_and_the_second_waits() -> None:
    """Tier 1 stops first."""
    sight = Sight(seen(HOSTS, [vm("web", "esx1"), vm("db", "esx2")], DISARMED), {}, BMCS_ON)
    assert said(down(sight).step()) == [(Verb.SHUT_DOWN_GUEST, "web", VCENTER)]
    off = Sight(seen(HOSTS, [vm("web", "esx1", Power.OFF), vm("db", "esx2")], DISARMED), {}, BMCS_ON)
    assert said(down(off).step()) == [(Verb.SHUT_DOWN_GUEST, "db", VCENTER)]


def test_templates_and_what_is_off_are_not_touched() -> None:
    """A suspended VM is off, a template is none."""
    vms = [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF), vm("old", "esx2", Power.OFF),
           vm("golden", "esx1", Power.ON, is_template=True)]
    step = down(Sight(seen(HOSTS, vms, DISARMED), {}, BMCS_ON)).step()
    assert {name for _, name, _ in said(step)} == {"esx1", "esx2"}


def test_a_vm_that_was_started_since_the_snapshot_is_stopped_too() -> None:
    """Every powered-on VM of the cluster, known or new."""
    vms = [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF), vm("new", "esx1")]
    assert said(down(Sight(seen(HOSTS, vms, DISARMED), {}, BMCS_ON)).step()) == [(Verb.SHUT_DOWN_GUEST, "new", VCENTER)]


@pytest.mark.parametrize(("ago_s", "verbs"), [(100, []), (299, [Verb.SHUT_DOWN_GUEST]), (300, [Verb.POWER_OFF_VM])])
def test_a_guest_is_forced_at_the_end_of_its_grace_and_not_before(ago_s: float, verbs: list[Verb]) -> None:
    """VM_SHUTDOWN_TIMEOUT from the first time it was asked, however often since."""
    sight = Sight(seen(HOSTS, [vm("web", "esx1"), vm("db", "esx2", Power.OFF)], DISARMED), {}, BMCS_ON)
    step = down(sight, intents=asked(Verb.SHUT_DOWN_GUEST, "id-web", ago_s)).step()
    assert [verb for verb, _, _ in said(step)] == verbs


def test_a_guest_without_tools_is_forced_at_the_end_of_the_phase_s_grace() -> None:
    """There is no graceful way, and it gets the same time."""
    sight = Sight(seen(HOSTS, [vm("web", "esx1", can_shut_down_guest=False)], DISARMED), {}, BMCS_ON)
    drive = Drive(down(sight, phase=None), lambda _s, _d: sight).until(320)
    assert drive.first(Verb.SHUT_DOWN_GUEST, "id-web") is None
    assert drive.first(Verb.POWER_OFF_VM, "id-web") == pytest.approx(300, abs=6)


def test_a_stuck_vm_is_given_up_and_the_rest_goes_on() -> None:
    """One VM never holds the room: forced, told, and the next tier and the hosts follow."""
    sight = Sight(seen(HOSTS, [vm("web", "esx1"), vm("db", "esx2", Power.OFF)], DISARMED), {}, BMCS_ON)
    drive = Drive(down(sight, phase=None), lambda _s, _d: sight).until(700)
    assert drive.first(Verb.POWER_OFF_VM, "id-web") == pytest.approx(300, abs=6)
    assert "could not be powered off" in drive.abandoned["id-web"]
    assert drive.first(Verb.ENTER_MAINTENANCE, "esx2") == pytest.approx(420, abs=6)
    assert drive.first(Verb.SHUT_DOWN_HOST, "esx1") is not None


def test_a_vm_that_nobody_lists_is_neither_asked_nor_waited_for() -> None:
    """Its host answers and does not have it: it was moved to another cluster or deleted since the snapshot."""
    sight = Sight(seen(HOSTS, [vm("db", "esx2", Power.OFF)], DISARMED), {}, BMCS_ON)
    step = down(sight).step()
    assert {verb for verb, _, _ in said(step)} == {Verb.ENTER_MAINTENANCE}


def test_vms_of_a_silent_host_cost_the_time_of_one_look_for_it() -> None:
    """They may still run there; out of reach they are given up together, tier or not, and asked if it comes back."""
    hosts = (host("esx1", is_connected=False), host("esx2"))
    sight = Sight(seen(hosts, [vm("web", "esx1"), vm("db", "esx2", Power.OFF)], DISARMED), {}, BMCS_ON)
    drive = Drive(down(sight, phase=None), lambda _s, _d: sight).until(200)
    assert drive.first(Verb.ENTER_MAINTENANCE, "esx2") == pytest.approx(180, abs=6)
    assert "cannot be reached" in drive.abandoned["id-web"]


# --- hosts ---

ALL_VMS_OFF = [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF)]


def test_hosts_enter_maintenance_in_parallel_and_then_shut_down() -> None:
    """Maintenance mode first, with the server's own bound on it; shutdown without force."""
    step = down(Sight(seen(HOSTS, ALL_VMS_OFF, DISARMED), {}, BMCS_ON)).step()
    assert said(step) == [(Verb.ENTER_MAINTENANCE, "esx1", VCENTER), (Verb.ENTER_MAINTENANCE, "esx2", VCENTER)]
    assert all(command.timeout_s > 0 for command in step.commands)
    hosts = [host("esx1", in_maintenance=True), host("esx2", in_maintenance=True)]
    step = down(Sight(seen(hosts, ALL_VMS_OFF, DISARMED), {}, BMCS_ON)).step()
    assert [(c.verb, c.force) for c in step.commands] == [(Verb.SHUT_DOWN_HOST, False)] * 2


def test_maintenance_mode_that_does_not_come_is_not_waited_for_for_ever() -> None:
    """Then the host is shut down without it, by force."""
    sight = Sight(seen(HOSTS, ALL_VMS_OFF, DISARMED), {}, BMCS_ON)
    drive = Drive(down(sight, phase=None), lambda _s, _d: sight).until(200)
    forced = [(s, c) for s, c in drive.sent if c.verb is Verb.SHUT_DOWN_HOST]
    assert forced
    assert forced[0][0] >= Timing().maintenance_s
    assert all(c.force for _, c in forced)


def test_off_is_what_the_bmc_says_and_silence_together() -> None:
    """What answers is on; off needs the BMC's word and silence; silence alone is neither."""
    hosts = [host("esx1", is_connected=False), host("esx2", is_connected=False)]
    bmcs = {bmc_address("esx1"): bmc("esx1", Power.OFF), bmc_address("esx2"): bmc("esx2", Power.ON)}
    site = down(Sight(seen(hosts, ALL_VMS_OFF, DISARMED), {"esx2": SILENT}, bmcs))
    assert site.plant.hosts["esx1"].power is Power.OFF
    assert site.plant.hosts["esx2"].power is Power.MOVING
    assert not site.step().is_done


def test_a_host_without_bmc_is_off_when_it_has_been_silent_and_stays_so() -> None:
    """Confirmed only as "ESXi silent": no further waiting, and nothing is given up."""
    kept = snapshot([kept_host("esx1")], [])

    def looks(second: float, drive: Drive | None) -> Sight:
        told = None if drive is None else drive.first(Verb.SHUT_DOWN_HOST, "esx1")
        is_up = told is None or second < told + 30
        direct = {} if is_up else {"esx1": Unseen(NOW + (told or 0) + 30, "no route")}
        cluster = seen([host("esx1", is_connected=is_up, in_maintenance=second >= 20)], [], DISARMED)
        return Sight(replace(cluster, at=NOW + second), direct, {})

    drive = Drive(replace(down(looks(0, None), kept, phase=None), bmc_of={}), looks).until(900)
    assert drive.abandoned == {}
    assert drive.step is not None
    assert drive.step.is_done
    assert drive.step.phase is Phase.ALL_OFF


def test_a_host_that_comes_back_is_stopped_again() -> None:
    """Level-triggered: someone powers a host on in the hot room, it is told to stop once more."""
    cluster = seen([host("esx1"), host("esx2", is_connected=False)], ALL_VMS_OFF, DISARMED)
    bmcs = {bmc_address("esx1"): bmc("esx1", Power.ON), bmc_address("esx2"): bmc("esx2", Power.OFF)}
    observed = {"esx1": ("off", NOW - 600), "esx2": ("off", NOW - 600)}
    step = down(Sight(cluster, {}, bmcs), phase=Phase.ALL_OFF, tier=None, observed=observed).step()
    assert (Verb.ENTER_MAINTENANCE, "esx1", VCENTER) in said(step)
    assert not step.is_done


def test_guests_of_a_host_that_answers_late_still_have_their_grace() -> None:
    """Silent for ten minutes and given up; when it answers its VMs are asked, and only their grace's end forces it."""
    kept = snapshot([kept_host("esx1")], [kept_vm("web", "esx1")])

    def looks(second: float, _drive: Drive | None) -> Sight:
        is_back = second >= 1500
        cluster = seen([host("esx1", is_connected=is_back)], [vm("web", "esx1")], DISARMED)
        direct = {} if is_back else {"esx1": SILENT}
        return Sight(replace(cluster, at=NOW + second), direct, {bmc_address("esx1"): bmc("esx1", Power.ON)})

    drive = Drive(down(looks(0, None), kept, phase=None), looks).until(2200)
    guest = drive.first(Verb.SHUT_DOWN_GUEST, "id-web")
    assert guest == pytest.approx(1500, abs=6)
    assert drive.first(Verb.POWER_OFF_VM, "id-web") == pytest.approx(1800, abs=6)
    stopped = drive.first(Verb.SHUT_DOWN_HOST, "esx1")
    assert stopped is not None, "and the room is not held hostage"
    assert 1800 <= stopped <= 1950


# --- vCenter inside ---

VC_KEPT = snapshot([kept_host("esx1"), kept_host("esx2")],
                   [kept_vm("web", "esx2"), kept_vm("vcsa", "esx1", is_vcenter=True)])
VCSA = vm("vcsa", "esx1")


def esx1(**changes: object) -> HostSeen:
    plain = HostSeen(NOW, "esx1", host("esx1").uuid, in_maintenance=False, vms=(VCSA,))
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_vcenter_is_not_stopped_with_the_guests() -> None:
    """Its VM and its host wait until the others have gone."""
    sight = Sight(seen(HOSTS, [VCSA, vm("web", "esx2")], DISARMED), {"esx1": esx1()}, BMCS_ON)
    assert said(down(sight, VC_KEPT).step()) == [(Verb.SHUT_DOWN_GUEST, "web", VCENTER)]
    sight = Sight(seen(HOSTS, [VCSA, vm("web", "esx2", Power.OFF)], DISARMED), {"esx1": esx1()}, BMCS_ON)
    assert said(down(sight, VC_KEPT).step()) == [(Verb.ENTER_MAINTENANCE, "esx2", VCENTER)]


def last_sight(**direct: HostSeen | Unseen) -> Sight:
    hosts = [host("esx1"), host("esx2", is_connected=False)]
    bmcs = {bmc_address("esx1"): bmc("esx1", Power.ON), bmc_address("esx2"): bmc("esx2", Power.OFF)}
    return Sight(seen(hosts, [VCSA, vm("web", "esx2")], DISARMED), direct, bmcs)


def test_vcenter_is_stopped_on_its_own_host() -> None:
    """Over the host's own API, since the answer would die with the question."""
    assert said(down(last_sight(esx1=esx1()), VC_KEPT).step()) == [(Verb.SHUT_DOWN_GUEST, "vcsa", "esx1")]


@pytest.mark.parametrize("why", [Unseen(NOW, "wrong password", is_refused=True), Unseen(NOW, "no route")])
def test_vcenters_host_without_a_direct_login_stays_up_and_is_told(why: Unseen) -> None:
    """Everything else is off; vCenter's VM and its host get no command, and the message names the host."""
    sight = last_sight(esx1=why)
    drive = Drive(down(sight, VC_KEPT, phase=None), lambda _s, _d: sight).until(600)
    assert drive.sent == []
    assert "esx1 still heats the room" in drive.abandoned["id-vcsa"]
    assert drive.step is not None
    assert drive.step.is_done


def test_two_candidates_are_each_stopped_last() -> None:
    """It is never decided between two VMs that could be vCenter."""
    kept = snapshot([kept_host("esx1"), kept_host("esx2")], [
        kept_vm("vc-a", "esx1", is_vcenter=True), kept_vm("vc-b", "esx2", is_vcenter=True), kept_vm("web", "esx1")])
    both = (vm("vc-a", "esx1"), vm("vc-b", "esx2"))
    direct = {"esx1": esx1(vms=both[:1]), "esx2": HostSeen(NOW, "esx2", host("esx2").uuid, in_maintenance=False,
                                                          vms=both[1:])}
    step = down(Sight(seen(HOSTS, [*both, vm("web", "esx1")], DISARMED), direct, BMCS_ON), kept).step()
    assert said(step) == [(Verb.SHUT_DOWN_GUEST, "web", VCENTER)]
    step = down(Sight(seen(HOSTS, [*both, vm("web", "esx1", Power.OFF)], DISARMED), direct, BMCS_ON), kept).step()
    assert set(said(step)) == {(Verb.SHUT_DOWN_GUEST, "vc-a", "esx1"), (Verb.SHUT_DOWN_GUEST, "vc-b", "esx2")}


def test_vcenter_has_its_grace_when_its_host_answers_late() -> None:
    """Given up for want of a login; when that works, its VM is asked and its host is not forced under it."""
    def looks(second: float, _drive: Drive | None) -> Sight:
        return last_sight(esx1=esx1() if second >= 900 else Unseen(NOW, "no route"))

    drive = Drive(down(looks(0, None), VC_KEPT, phase=None), looks).until(2000)
    assert drive.first(Verb.SHUT_DOWN_GUEST, "id-vcsa") == pytest.approx(900, abs=6)
    assert drive.first(Verb.POWER_OFF_VM, "id-vcsa") == pytest.approx(1500, abs=6)
    stopped = drive.first(Verb.SHUT_DOWN_HOST, "esx1")
    assert stopped is not None
    assert stopped >= 1500


# --- when a command is due again ---

@pytest.mark.parametrize(("outcome", "not_yet_s", "again_s"), [
    (None, 9, 10), (Outcome.AMBIGUOUS, 9, 10), (Outcome.TRANSIENT, 4, 5), (Outcome.REFUSED, 29, 30),
    (Outcome.UNAUTHORIZED, 59, 60), (Outcome.ACCEPTED, 149, 150),
])
def test_a_command_is_repeated_only_after_a_look(outcome: Outcome, not_yet_s: float, again_s: float) -> None:
    """Never blindly at once: a lost answer is looked at first, a refused login is not hammered."""
    for ago_s, expected in ((not_yet_s, False), (again_s, True)):
        intent = asked(Verb.SHUT_DOWN_GUEST, "id-web", ago_s, outcome)[Verb.SHUT_DOWN_GUEST, "id-web"]
        assert is_due(intent, Timing(), NOW) is expected


def test_a_guest_that_can_only_be_asked_late_still_has_its_grace() -> None:
    """Its host comes within reach when the tier's time is over: it is asked, and forced only after that."""
    def shown(second: float) -> Sight:
        hosts = (host("esx1", is_connected=second >= 350), host("esx2"))
        return Sight(seen(hosts, [vm("web", "esx1"), vm("db", "esx2")], DISARMED), {}, BMCS_ON)

    drive = Drive(down(shown(0), phase=None), lambda second, _d: shown(second)).until(700)
    asked_at = drive.first(Verb.SHUT_DOWN_GUEST, "id-web")
    assert asked_at == pytest.approx(350, abs=6)
    assert drive.first(Verb.POWER_OFF_VM, "id-web") == pytest.approx(350 + 300, abs=6)
