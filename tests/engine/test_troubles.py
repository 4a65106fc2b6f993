"""What goes wrong on a real site: stuck guests and hosts, silent peers, lost answers, heat that comes and goes."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.rig import Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import day_of_failing_cooling, office, vcenter_outside
from thermo_guard.sim.room import SensorFault
from thermo_guard.sim.site import SENSORS, Effect

HOUR_S = 3600.0


def hot_day(plan: Blueprint | None = None) -> Blueprint:
    return day_of_failing_cooling(plan or office(), for_s=2400.0)


def with_vm(plan: Blueprint, name: str, **changes: object) -> Blueprint:
    return replace(plan, vms=tuple(replace(vm, **changes) if vm.name == name else vm for vm in plan.vms))  # type: ignore[arg-type]


def heat(guarded: Guarded) -> None:
    """The cooling fails in a room that is as hot as it can be without the servers' own protection."""
    guarded.world.fail_cooling(1.5 * HOUR_S)
    guarded.make_room(38.5)


def cool(guarded: Guarded) -> None:
    """The cooling is back, and the room is as cool as it ever was."""
    guarded.world.repair_cooling(restart_s=1.0)
    guarded.make_room(21.0)


def in_phase(guarded: Guarded, phase: Phase) -> bool:
    incident = guarded.record.incident
    return incident is not None and incident.phase is phase


def calls(guarded: Guarded, verb: Verb, target: str) -> list[str]:
    return [h.detail for h in guarded.world.log if h.kind == f"call.{verb}" and h.object == target]


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
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

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
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


@pytest.mark.parametrize("phase", [Phase.GUESTS, Phase.HOSTS, Phase.VCENTER, Phase.LAST_HOST])
def test_recovery_in_mid_shutdown_turns_it_round(tmp_path: Path, phase: Phase) -> None:
    """The goal flips wherever the shutdown is, and everything that ran runs again."""

    async def scenario() -> None:
        settings = quick()
        settings = replace(settings, policy=replace(settings.policy, recovery_hold_s=0.0, watch_s=60.0))
        guarded = Guarded(tmp_path, hot_day(), settings)
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, phase), 2 * HOUR_S)
        cool(guarded)
        await guarded.until(lambda: guarded.of(ev.RoomRecovered), HOUR_S)
        assert guarded.record.incident is not None
        await guarded.until(guarded.is_closed, 3 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


@pytest.mark.parametrize("phase", [Phase.FIRST_HOST, Phase.OTHER_HOSTS, Phase.START_VCENTER, Phase.START_GUESTS])
def test_heat_in_mid_restart_turns_it_back(tmp_path: Path, phase: Phase) -> None:
    """HIGH on the way back ends with every host off again, on the same snapshot; then all comes back."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, with_vm(hot_day(), "dc-1", start_s=280.0))
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, phase), 4 * HOUR_S)
        snapshot = guarded.snapshot
        heat(guarded)
        await guarded.until(lambda: guarded.of(ev.HeatReturned), HOUR_S)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        assert guarded.snapshot == snapshot
        await guarded.until(guarded.is_closed, 12 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_blindness_never_trips_and_is_told(tmp_path: Path) -> None:
    """Without readings nothing trips, and people know within ten minutes (S2)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.clock.sleep(300)
        guarded.site.faults.silence(SENSORS)
        took_s = await guarded.until(lambda: any("BLIND" in t for t in guarded.outbox.titles), HOUR_S)
        assert took_s <= 600
        await guarded.clock.sleep(2 * HOUR_S)
        assert not guarded.of(ev.AlarmTripped)
        guarded.site.faults.mend(SENSORS)
        await guarded.until(lambda: any("Sighted" in t for t in guarded.outbox.titles), HOUR_S)
        await guarded.kill()

    run(scenario())


def test_one_speaking_sensor_of_three_trips_nothing(tmp_path: Path) -> None:
    """Sensors that have never sent anything but nonsense are sensors of the network: the third cannot vote alone."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        for serial in list(guarded.world.room.sensors)[:2]:
            guarded.world.set_sensor(serial, SensorFault.NONSENSE)
        guarded.start()
        await guarded.until(lambda: guarded.of(ev.LevelChanged), 600)
        await guarded.until(lambda: guarded.world.air_c > guarded.settings.policy.high_c + 2.0, 2 * HOUR_S)
        await guarded.kill()
        assert not guarded.of(ev.AlarmTripped)
        assert any("BLIND" in title for title in guarded.outbox.titles)

    run(scenario())


@pytest.mark.parametrize("phase", [Phase.GUESTS, Phase.ALL_OFF, Phase.WATCH, Phase.START_GUESTS])
def test_blind_in_an_incident(tmp_path: Path, phase: Phase) -> None:
    """When the WAN goes the shutdown goes on, and nothing is powered on until the room is seen again (S3)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, phase), 4 * HOUR_S)
        guarded.site.faults.silence(SENSORS)
        await guarded.until(lambda: any("BLIND" in t for t in guarded.outbox.titles), HOUR_S)
        begun = len(guarded.world.log)
        await guarded.clock.sleep(2 * HOUR_S)
        ons = {f"call.{Verb.POWER_ON_HOST}", f"call.{Verb.POWER_ON_VM}", f"call.{Verb.ADOPT_VM}"}
        assert not [h for h in guarded.world.log[begun:] if h.kind in ons]
        if phase is Phase.GUESTS:
            assert guarded.all_off()
        guarded.site.faults.mend(SENSORS)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_what_the_heat_took_before_the_trip_comes_back(tmp_path: Path) -> None:
    """A host that its own firmware switched off before the alarm is powered on with the others, and its VMs too."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(lambda: guarded.record.level == "band", 2 * HOUR_S)
        guarded.world.cluster.shut_down(guarded.world.cluster.hosts["esx3"], "shut down by its firmware")
        await guarded.until(lambda: guarded.of(ev.AlarmTripped), 2 * HOUR_S)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

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


def test_the_third_power_on_within_a_day_needs_a_person(tmp_path: Path) -> None:
    """At most two power-ons of the site in 24 hours, counted in the journal; then it is held and told, once."""

    async def scenario() -> None:
        settings = quick()
        settings = replace(settings, policy=replace(settings.policy, recovery_hold_s=60.0, watch_s=60.0))
        guarded = Guarded(tmp_path, office(), settings)
        guarded.start()
        for _ in range(2):
            heat(guarded)
            await guarded.until(guarded.all_off, 2 * HOUR_S)
            cool(guarded)
            closed = len(guarded.of(ev.IncidentClosed))
            await guarded.until(lambda closed=closed: len(guarded.of(ev.IncidentClosed)) > closed, 4 * HOUR_S)  # type: ignore[misc]
        heat(guarded)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        cool(guarded)
        await guarded.until(lambda: guarded.of(ev.PowerOnHeld), 2 * HOUR_S)
        await guarded.clock.sleep(2 * HOUR_S)
        await guarded.kill()
        assert guarded.all_off()
        assert len(guarded.of(ev.PowerOnHeld)) == 1
        assert len(guarded.record.power_ons) == 2

    run(scenario())


@pytest.mark.parametrize("effect", [Effect.LOSE_ANSWER, Effect.LOSE_REQUEST, Effect.REFUSE])
@pytest.mark.parametrize("verb", [v for v in Verb if v is not Verb.ADOPT_VM])
def test_spoiled_calls_do_not_stop_the_day(tmp_path: Path, verb: Verb, effect: Effect) -> None:
    """The first call of each kind is lost, lost after the deed, or refused: the day still ends as it began."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.site.faults.next_calls(verb, effect, 1)
        guarded.start()
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

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
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

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
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_a_turned_goal_is_on_record(tmp_path: Path) -> None:
    """Each turn of the goal is an event: the record alone tells where an incident is (S6)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        goals = []
        for phase in (Phase.ALL_OFF, Phase.WATCH):
            await guarded.until(lambda phase=phase: in_phase(guarded, phase), 4 * HOUR_S)  # type: ignore[misc]
            goals.append(guarded.record.incident.goal if guarded.record.incident else None)
        assert goals == [Goal.OFF, Goal.ON]
        await guarded.kill()

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
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()
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
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

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
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())
