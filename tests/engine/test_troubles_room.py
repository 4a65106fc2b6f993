"""What goes wrong with the room: heat that comes and goes, and sensors that fall silent or talk nonsense."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import HOUR_S, as_it_began, cool, heat, hot_day, in_phase, with_vm
from engine.rig import Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office
from thermo_guard.sim.room import SensorFault
from thermo_guard.sim.site import SENSORS


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
        await as_it_began(guarded, 3 * HOUR_S)

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
        await as_it_began(guarded, 12 * HOUR_S)

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
        await as_it_began(guarded, 6 * HOUR_S)

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
