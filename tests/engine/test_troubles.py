"""What goes wrong with machines: stuck guests and hosts, silent peers, lost answers."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import HOUR_S, as_it_began, calls, hot_day, in_phase, with_vm
from engine.rig import Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Phase
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office, vcenter_outside
from thermo_guard.sim.site import Effect


def test_a_vm_that_cannot_even_be_powered_off_stops_nobody(tmp_path: Path) -> None:
    """One stuck VM never holds the room hostage: it is told, and its host goes off by force (liveness)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, with_vm(hot_day(), "print", is_stuck=True, hangs=True))
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()
        assert any("print" in title for title in guarded.outbox.titles)

    run(scenario())


def test_a_guest_without_tools_is_forced_at_its_graces_end(tmp_path: Path) -> None:
    """No graceful way is no reason to stay on: PowerOff when the grace is over, not before."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, with_vm(hot_day(), "print", has_tools=False))
        guarded.start()
        await guarded.until(lambda: calls(guarded, Verb.POWER_OFF_VM, "print"), 2 * HOUR_S)
        tripped = next(at for at, event in guarded.events if isinstance(event, ev.SnapshotClosed))
        assert guarded.clock.now() - tripped >= guarded.settings.timing.vm_shutdown_s
        assert not calls(guarded, Verb.SHUT_DOWN_GUEST, "print")
        await as_it_began(guarded, 6 * HOUR_S)

    run(scenario())


def test_vcenters_host_without_direct_login_stays_up_and_is_named(tmp_path: Path) -> None:
    """Where the direct login does not work, all else stops, vCenter and its host stay, and a person is told which."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.site.faults.deny_login("esx2")
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, Phase.ALL_OFF), 2 * HOUR_S)
        assert [h.name for h in guarded.world.cluster.hosts.values() if h.stage != "off"] == ["esx2"]
        assert guarded.is_on("vcenter")
        assert any("esx2" in body and "heats the room" in body for _, body in guarded.outbox.told)
        await as_it_began(guarded, 6 * HOUR_S)

    run(scenario())


def test_what_the_heat_took_before_the_trip_comes_back(tmp_path: Path) -> None:
    """A host that its own firmware switched off before the alarm is powered on with the others, and its VMs too."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(lambda: guarded.record.level == "band", 2 * HOUR_S)
        guarded.world.cluster.shut_down(guarded.world.cluster.hosts["esx3"], "shut down by its firmware")
        await guarded.until(lambda: guarded.of(ev.AlarmTripped), 2 * HOUR_S)
        await as_it_began(guarded, 6 * HOUR_S)

    run(scenario())


def test_a_host_that_does_not_come_back_gives_its_vms_to_the_others(tmp_path: Path) -> None:
    """Given up at its deadline and told; its VMs start elsewhere; the report names each difference."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day(), quick(host_boot_s=600.0))
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        guarded.world.break_host("esx3")
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        running = dict(guarded.world.running().vms)
        assert {name for name, _ in guarded.before.vms} == set(running)
        differences = guarded.of(ev.IncidentClosed)[-1].differences
        assert any("esx3" in line for line in differences)
        moved = [vm for vm, host in guarded.before.vms if host == "esx3"]
        assert all(any(f"VM {vm} " in line for line in differences) for vm in moved)

    run(scenario())


def test_a_host_without_bmc_is_shut_down_and_left_to_a_person(tmp_path: Path) -> None:
    """No BMC: off is known by silence only, power-on is told to need a person, and its VMs run elsewhere meanwhile."""

    async def scenario() -> None:
        plan = hot_day()
        guarded = Guarded(tmp_path, replace(plan, bmcs=tuple(b for b in plan.bmcs if b.host != "esx3")))
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.until(lambda: any("Needs a person: host esx3" in t for t in guarded.outbox.titles), 4 * HOUR_S)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert any(h.by == "silence" for event in guarded.of(ev.Observed) for h in event.sightings)
        assert "esx3" not in guarded.world.running().hosts
        assert [vm for vm, _ in guarded.world.running().vms] == [vm for vm, _ in guarded.before.vms]

    run(scenario())


@pytest.mark.parametrize("effect", [Effect.LOSE_ANSWER, Effect.LOSE_REQUEST, Effect.REFUSE])
@pytest.mark.parametrize("verb", [v for v in Verb if v is not Verb.ADOPT_VM])
def test_spoiled_calls_do_not_stop_the_day(tmp_path: Path, verb: Verb, effect: Effect) -> None:
    """The first call of each kind is lost, lost after the deed, or refused: the day still ends as it began."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.site.faults.next_calls(verb, effect, 1)
        guarded.start()
        await as_it_began(guarded, 8 * HOUR_S)

    run(scenario())


def test_two_vms_that_could_be_vcenter_are_both_stopped_last(tmp_path: Path) -> None:
    """Between two candidates nothing is decided: each waits until all else has settled, on its own host (S4)."""

    async def scenario() -> None:
        plan = with_vm(hot_day(), "intranet", product="VMware vCenter Server Appliance")
        guarded = Guarded(tmp_path, plan)
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        off = [h.object for h in guarded.world.log if h.kind in {"vm.off", "host.off"}]
        assert off[-5] == "esx3"
        assert set(off[-4:-2]) == {"vcenter", "intranet"}
        assert set(off[-2:]) == {"esx1", "esx2"}
        await as_it_began(guarded, 6 * HOUR_S)

    run(scenario())


def test_vcenters_vm_is_followed_when_it_has_moved(tmp_path: Path) -> None:
    """DRS moved vCenter after the last quiet look: it is stopped on the host where it is now, that host last."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(lambda: guarded.record.level == "band", 2 * HOUR_S)
        cluster = guarded.world.cluster
        vcenter = next(vm for vm in cluster.vms.values() if vm.plan.name == "vcenter")
        cluster.move(vcenter, "esx1", "by DRS")
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        off = [h.object for h in guarded.world.log if h.kind in {"vm.off", "host.off"}]
        assert off[-2:] == ["vcenter", "esx1"]
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert sorted(vm for vm, _ in guarded.world.running().vms) == sorted(vm for vm, _ in guarded.before.vms)

    run(scenario())


def test_a_lost_answer_is_not_followed_by_a_repetition(tmp_path: Path) -> None:
    """What was done and not answered is seen, not asked again (S5): one call to the BMC for each host."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.site.faults.next_calls(Verb.POWER_ON_HOST, Effect.LOSE_ANSWER, 1)
        guarded.start()
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert [len(calls(guarded, Verb.POWER_ON_HOST, f"esx{n}")) for n in (1, 2, 3)] == [1, 1, 1]

    run(scenario())


def test_vcenter_silent_from_the_start_of_the_alarm(tmp_path: Path) -> None:
    """With the inventory on record the guard goes on directly on the hosts, and HA's state is told as unknown."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day(vcenter_outside()))
        guarded.start()
        await guarded.until(lambda: guarded.record.level == "band", 2 * HOUR_S)
        guarded.site.faults.silence(VCENTER)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        guarded.site.faults.mend(VCENTER)
        await as_it_began(guarded, 6 * HOUR_S)

    run(scenario())


def test_a_dead_bmc_of_the_first_host_delays_no_other(tmp_path: Path) -> None:
    """Where the first host's BMC is silent, another host comes first at once."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        guarded.site.faults.silence(guarded.record.bmc_of["esx2"])
        await guarded.until(lambda: guarded.of(ev.RoomRecovered), 4 * HOUR_S)
        took_s = await guarded.until(lambda: guarded.of(ev.SitePoweredOn), HOUR_S)
        assert took_s <= 60
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert [vm for vm, _ in guarded.world.running().vms] == [vm for vm, _ in guarded.before.vms]
        assert any("esx2" in line for line in guarded.of(ev.IncidentClosed)[-1].differences)

    run(scenario())


def test_a_host_that_blinks_after_its_boot_is_not_given_up(tmp_path: Path) -> None:
    """A host that was up long after its power-on and is silent for a moment is not called late."""

    async def scenario() -> None:
        plan = with_vm(hot_day(), "dc-1", start_s=280.0)
        guarded = Guarded(tmp_path, plan, quick(host_boot_s=400.0))
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, Phase.START_GUESTS), 4 * HOUR_S)
        for edge in (VCENTER, "esx1", "esx2", "esx3"):
            guarded.site.faults.silence(edge, 60.0)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert not [event for event in guarded.of(ev.Abandoned) if event.target_kind == "host"]
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_bmcs_that_are_away_at_recovery_are_asked_again(tmp_path: Path) -> None:
    """A management network that is gone for ten minutes when the room recovers leaves nothing off for ever."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        for address in guarded.record.bmc_of.values():
            guarded.site.faults.silence(address)
        await guarded.until(lambda: guarded.of(ev.RoomRecovered), 4 * HOUR_S)
        await guarded.clock.sleep(600)
        guarded.site.faults.clear()
        await as_it_began(guarded, 6 * HOUR_S)
        assert any("No longer needs a person" in title for title in guarded.outbox.titles)

    run(scenario())


def test_a_first_start_in_a_hot_room_still_learns_which_bmc_is_which_host(tmp_path: Path) -> None:
    """Tripped at the first poll, the match is made in the incident, and the way back does not need hands."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.world.fail_cooling(2 * HOUR_S)
        guarded.make_room(39.0)
        for sensor in guarded.world.room.sensors.values():
            sensor.felt_c = 41.0
            sensor.measure(guarded.clock.now())
        for bmc in guarded.world.plan.bmcs:
            guarded.site.faults.silence(bmc.address, 3.0)
        guarded.start()
        await guarded.until(lambda: guarded.of(ev.AlarmTripped), 600)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await as_it_began(guarded, 8 * HOUR_S)

    run(scenario())


def test_a_bmc_whose_address_was_mended_in_mid_incident_is_found(tmp_path: Path) -> None:
    """A guard that is restarted with a corrected ILO_HOSTS matches anew, also while vCenter is off."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()
        moved = guarded.world.cluster.bmcs[guarded.record.bmc_of["esx3"]]
        moved.plan = replace(moved.plan, address="ilo-new.virtual.invalid")
        guarded.start()
        await as_it_began(guarded, 6 * HOUR_S)

    run(scenario())
