"""A room that is seen again after hours: between the thresholds it says nothing of its cooling."""

from pathlib import Path

from engine.days import HOUR_S, cool, hot_day, in_phase
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Verb
from thermo_guard.core.events import Phase
from thermo_guard.sim.loop import run
from thermo_guard.sim.site import SENSORS


def test_nothing_is_powered_on_in_a_room_that_is_sighted_warm(tmp_path: Path) -> None:
    """Blind for three hours on the way back, then 32 degC: the restart is held until the room is cool again (S3)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())

        def is_warm_until(when: float) -> bool:
            guarded.make_room(32.2)
            return guarded.clock.now() >= when

        def starts() -> int:
            kinds = {f"call.{Verb.POWER_ON_HOST}", f"call.{Verb.POWER_ON_VM}"}
            return sum(1 for happening in guarded.world.log if happening.kind in kinds)

        guarded.start()
        await guarded.until(lambda: in_phase(guarded, Phase.WATCH), 5 * HOUR_S)
        guarded.site.faults.silence(SENSORS, 3 * HOUR_S)
        guarded.world.fail_cooling(20 * HOUR_S)
        before = starts()
        now = guarded.clock.now()
        await guarded.until(lambda: is_warm_until(now + 3 * HOUR_S), 4 * HOUR_S)
        await guarded.until(lambda: is_warm_until(now + 4 * HOUR_S), 2 * HOUR_S)
        assert guarded.record.level == "band"
        assert in_phase(guarded, Phase.HELD)
        assert starts() == before
        cool(guarded)
        await guarded.until(guarded.is_closed, 4 * HOUR_S)
        await guarded.kill()
        assert guarded.of(ev.IncidentClosed)[-1].differences == ()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())
