"""Sensors that measure every 20 minutes, as by default: LOW may be an old reading, and still all ends well."""

from pathlib import Path

from engine.rig import STARTS_AT, Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import day_of_failing_cooling, office

HOUR_S = 3600.0
CADENCE_S = 1200.0


def at(guarded: Guarded, kind: type[ev.Event], phase: Phase | None = None) -> float:
    """When the first event of this kind was written."""
    return next(at for at, event in guarded.events
                if isinstance(event, kind) and (phase is None or getattr(event, "phase", None) is phase))


def test_what_the_heat_took_while_the_last_reading_was_cool_comes_back(tmp_path: Path) -> None:
    """A host's firmware stops it between two measurements, the level LOW all the while: it is powered on again."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office(sensor_cadence_s=CADENCE_S), fails_after_s=1800.0))
        guarded.start()
        await guarded.until(lambda: guarded.clock.now() >= STARTS_AT + 1900.0, HOUR_S)
        guarded.world.cluster.shut_down(guarded.world.cluster.hosts["esx3"], "shut down by its firmware")
        await guarded.until(lambda: "esx3" not in guarded.world.running().hosts, HOUR_S)
        await guarded.until(lambda: guarded.record.level != "low", 2 * HOUR_S)
        await guarded.until(guarded.is_closed, 9 * HOUR_S)
        await guarded.kill()
        assert guarded.of(ev.IncidentClosed)[-1].differences == ()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_recovery_and_the_watch_end_with_slow_sensors(tmp_path: Path) -> None:
    """Each waits for the measurements that it needs, and no longer than for two of them."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office(sensor_cadence_s=CADENCE_S)))
        guarded.start()
        await guarded.until(guarded.is_closed, 9 * HOUR_S)
        await guarded.kill()
        hold_s = at(guarded, ev.RoomRecovered) - max(
            when for when, event in guarded.events if isinstance(event, ev.LevelChanged) and event.level == "low"
            and when <= at(guarded, ev.RoomRecovered))
        watch_s = at(guarded, ev.PhaseBegun, Phase.START_VCENTER) - at(guarded, ev.PhaseBegun, Phase.WATCH)
        print(f"hold {hold_s:.0f} s, watch and other hosts {watch_s:.0f} s")
        assert 900.0 <= hold_s <= 2 * CADENCE_S
        assert watch_s <= 3 * CADENCE_S
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())
