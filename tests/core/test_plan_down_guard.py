"""The way down around the guard's own VM: it and its host stay up, told, and nothing else is spared for it."""

from dataclasses import replace

from core.drive import Drive
from core.plants import DISARMED, NOW, bmc, bmc_address, host, kept_host, kept_vm, said, seen, snapshot, vm
from core.test_plan_down import BMCS_ON, HOSTS, down
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Phase
from thermo_guard.core.plant import HostSeen, Power, Sight, Unseen, Vm
from thermo_guard.core.snapshot import Snapshot

NAS = vm("nas", "esx1")
VCSA = vm("vcsa", "esx1")


def kept(*, vcenter_on: str | None = None) -> Snapshot:
    vcenter = [] if vcenter_on is None else [kept_vm("vcsa", vcenter_on, is_vcenter=True)]
    return snapshot([kept_host("esx1"), kept_host("esx2")],
                    [kept_vm("nas", "esx1", is_guard=True), kept_vm("web", "esx1"), kept_vm("db", "esx2"), *vcenter])


def sight(*vms: Vm, direct: dict[str, HostSeen | Unseen] | None = None, is_esx2_off: bool = False) -> Sight:
    hosts = (host("esx1"), host("esx2", is_connected=not is_esx2_off))
    bmcs = {**BMCS_ON, bmc_address("esx2"): bmc("esx2", Power.OFF if is_esx2_off else Power.ON)}
    return Sight(seen(hosts, vms, DISARMED), direct or {}, bmcs)


def stopped(name: str, on: str) -> Vm:
    return vm(name, on, Power.OFF)


def test_the_guards_vm_is_not_stopped_with_the_guests() -> None:
    """Its neighbours on the same host are."""
    step = down(sight(NAS, vm("web", "esx1"), vm("db", "esx2")), kept()).step()
    assert set(said(step)) == {(Verb.SHUT_DOWN_GUEST, "web", VCENTER), (Verb.SHUT_DOWN_GUEST, "db", VCENTER)}


def test_the_guards_host_stays_up_and_is_told_and_the_others_go() -> None:
    """Neither maintenance mode nor shutdown is asked of it, also after hours; the step is done all the same."""
    site = down(sight(NAS, stopped("web", "esx1"), stopped("db", "esx2")), kept(), phase=None)
    gone = sight(NAS, stopped("web", "esx1"), stopped("db", "esx2"), is_esx2_off=True)
    drive = Drive(site, lambda second, _d: site.sight if second < 60 else gone).until(4000)
    assert {command.name for _, command in drive.sent} == {"esx2"}
    assert "Thermo-Guard itself runs on it, in the VM nas" in drive.abandoned["esx1"]
    assert drive.step is not None
    assert drive.step.phase is Phase.ALL_OFF
    assert drive.step.is_done


def test_vcenter_on_the_guards_host_is_stopped_and_the_host_stays() -> None:
    """Its VM goes last as ever, over that host's own API; then nothing is asked of the host."""
    def looks(second: float, _drive: Drive | None) -> Sight:
        vcsa = VCSA if second < 120 else stopped("vcsa", "esx1")
        vms = (NAS, vcsa, stopped("web", "esx1"))
        direct = HostSeen(NOW, "esx1", host("esx1").uuid, in_maintenance=False, vms=vms)
        cluster = sight(*vms, stopped("db", "esx2"), direct={"esx1": direct}, is_esx2_off=True)
        return cluster if second < 120 else replace(cluster, cluster=Unseen(NOW, "silent"))

    drive = Drive(down(looks(0, None), kept(vcenter_on="esx1"), phase=None), looks).until(3000)
    assert {(c.verb, c.name, c.via) for _, c in drive.sent} == {(Verb.SHUT_DOWN_GUEST, "vcsa", "esx1")}
    assert "Thermo-Guard itself runs on it" in drive.abandoned["esx1"]
    assert "id-nas" not in drive.abandoned
    assert drive.step is not None
    assert drive.step.is_done


def test_a_guard_that_has_moved_takes_its_host_with_it() -> None:
    """The host that it was on goes off; the one that it is on now does not, told before or after it moved."""
    here = sight(NAS, stopped("web", "esx1"), stopped("db", "esx2"))
    moved = sight(replace(NAS, host="esx2"), stopped("web", "esx1"), stopped("db", "esx2"))
    drive = Drive(down(here, kept(), phase=None), lambda second, _d: here if second < 30 else moved).until(60)
    assert drive.first(Verb.ENTER_MAINTENANCE, "esx1") == 30
    assert drive.times(Verb.ENTER_MAINTENANCE, "esx2") == [0], "it was asked before the guard came"
    assert "Thermo-Guard itself runs on it" in drive.abandoned["esx2"]


def test_the_guard_is_where_it_was_while_nothing_shows_it() -> None:
    """With vCenter silent its host is known from the snapshot, and gets no command over its own API."""
    vms = (NAS, stopped("web", "esx1"))
    direct = {
        "esx1": HostSeen(NOW, "esx1", host("esx1").uuid, in_maintenance=False, vms=vms),
        "esx2": HostSeen(NOW, "esx2", host("esx2").uuid, in_maintenance=False, vms=(stopped("db", "esx2"),)),
    }
    silent = Sight(Unseen(NOW, "silent"), direct, BMCS_ON)
    drive = Drive(down(silent, kept(), phase=Phase.GUESTS), lambda _s, _d: silent).until(2000)
    assert {command.name for _, command in drive.sent} == {"esx2"}


def test_two_candidates_are_both_left_up() -> None:
    """Between two VMs that could be the guard's nothing is decided, and each keeps its host."""
    both = snapshot([kept_host("esx1"), kept_host("esx2")],
                    [kept_vm("nas", "esx1", is_guard=True), kept_vm("db", "esx2", is_guard=True)])
    step = down(sight(NAS, vm("db", "esx2")), both).step()
    assert said(step) == []
    assert {event.name for event in step.abandoned} == {"esx1", "esx2"}


def test_what_is_set_aside_is_asked_nothing_and_holds_nobody_up() -> None:
    """Unlike what was given up, which is asked again as soon as there is a way: asking was the harm."""
    given_up = ev.Abandoned("vm", "id-web", "web", Phase.GUESTS, "why")
    for is_set_aside in (False, True):
        aside = {"id-web": replace(given_up, is_set_aside=is_set_aside)}
        site = down(Sight(seen(HOSTS, [vm("web", "esx1"), vm("db", "esx2")], DISARMED), {}, BMCS_ON), abandoned=aside)
        names = {name for _, name, _ in said(site.step())}
        assert names == ({"db"} if is_set_aside else {"web", "db"})


def test_a_host_that_is_set_aside_stays_up_and_the_rest_goes_off() -> None:
    """No maintenance mode and no force, however long it stands."""
    aside = {"esx1": ev.Abandoned("host", "esx1", "esx1", Phase.HOSTS, "fatal", is_set_aside=True)}
    off = [stopped("web", "esx1"), stopped("db", "esx2")]
    both = Sight(seen(HOSTS, off, DISARMED), {}, BMCS_ON)
    gone = sight(*off, is_esx2_off=True)
    drive = Drive(down(both, abandoned=aside), lambda second, _d: both if second < 60 else gone).until(2000)
    assert {command.name for _, command in drive.sent} == {"esx2"}
    assert drive.step is not None
    assert drive.step.is_done
