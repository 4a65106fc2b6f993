"""Abort: it ends where it stands, the alarm that caused it trips no more, and power-on brings back what ran."""

from pathlib import Path

import pytest

from engine.days import FAST, HOUR_S, commands, cool, declined, heat, hot_day, in_phase, power_ons, told
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
from thermo_guard.core.wishes import Order
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office


@pytest.mark.parametrize("phase", [Phase.GUESTS, Phase.HOSTS])
def test_abort_ends_it_where_it_stands(tmp_path: Path, phase: Phase) -> None:
    """Nothing more is commanded; the same alarm trips nothing; the next one, after the room was cool, does."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(600)
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, phase), HOUR_S)
        assert await declined(guarded, Order.ABORT) == ""
        assert guarded.record.incident is None
        sent = len(commands(guarded))
        for _ in range(60):
            guarded.make_room(38.0)
            await guarded.clock.sleep(30)
            guarded.world.advance(guarded.clock.now())
        assert len(commands(guarded)) == sent
        assert len(guarded.of(ev.AlarmTripped)) == 1
        assert "SHELVED" in str(guarded.board.last["standing"])
        assert told(guarded, "ended where it stood, by ada@nas")
        cool(guarded)
        await guarded.until(lambda: guarded.record.level == "low", HOUR_S)
        assert guarded.board.last["standing"] is None
        heat(guarded)
        await guarded.until(lambda: len(guarded.of(ev.AlarmTripped)) == 2, HOUR_S)
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()

    run(scenario())


@pytest.mark.parametrize("is_restarted", [False, True])
def test_an_aborted_alarm_stays_shelved_over_a_restart(tmp_path: Path, *, is_restarted: bool) -> None:
    """The journal knows of it, and that the room has not been cool since."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(600)
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, Phase.GUESTS), HOUR_S)
        await declined(guarded, Order.ABORT)
        if is_restarted:
            await guarded.kill()
            guarded.start()
        for _ in range(60):
            guarded.make_room(38.0)
            await guarded.clock.sleep(30)
            guarded.world.advance(guarded.clock.now())
        await guarded.kill()
        assert len(guarded.of(ev.AlarmTripped)) == 1

    run(scenario())


@pytest.mark.parametrize("later_s", [60.0, 2 * HOUR_S])
def test_power_on_after_an_abort_brings_back_what_ran(tmp_path: Path, later_s: float) -> None:
    """Who stops a shutdown of a false alarm wants his VMs back, at once or after his coffee."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(600)
        guarded.order(Order.SHUT_DOWN)
        await guarded.until(lambda: in_phase(guarded, Phase.HOSTS), HOUR_S)
        await declined(guarded, Order.ABORT)
        assert guarded.before.differences(guarded.world.running()) != ()
        await guarded.clock.sleep(later_s)
        assert await declined(guarded, Order.POWER_ON) == ""
        await guarded.until(lambda: len(guarded.of(ev.IncidentClosed)) == 2, 3 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_abort_on_the_way_back_powers_nothing_more_on(tmp_path: Path) -> None:
    """The report names what is not back."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day(), FAST)
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, Phase.START_VCENTER), 5 * HOUR_S)
        await declined(guarded, Order.ABORT)
        before = len(power_ons(guarded))
        await guarded.clock.sleep(2 * HOUR_S)
        await guarded.kill()
        assert len(power_ons(guarded)) == before
        (closed,) = guarded.of(ev.IncidentClosed)
        assert closed.aborted_by == "ada@nas"
        assert any("erp-db" in line for line in closed.differences)

    run(scenario())
