"""A pause, which stops the guard for as long as a person says, and the word that ends the reminders."""

from pathlib import Path

import pytest

from engine.days import HOUR_S, as_it_began, commands, first_evening, hot_for, in_phase, reminders, told
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER
from thermo_guard.core.events import Phase
from thermo_guard.core.wishes import Order
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import day_of_failing_cooling, office
from thermo_guard.sim.site import SENSORS


def test_a_pause_trips_nothing_is_told_and_ends_by_its_time(tmp_path: Path) -> None:
    """PAUSED: the alarm is told with it, nothing is done; when the time is over, the alarm that stands trips."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(300)
        guarded.order(Order.PAUSE, for_s=2 * HOUR_S)
        paused_at = guarded.clock.now()
        await guarded.clock.sleep(60)
        assert told(guarded, "PAUSED by ada@nas: nothing is commanded for 120 minutes")
        guarded.world.fail_cooling(9 * HOUR_S)
        await hot_for(guarded, 36.5, 1.9 * HOUR_S)
        assert len(told(guarded, "HIGH temperature, and PAUSED until 2026-01-02 10:05 UTC")) == 1
        assert [t for t in guarded.outbox.titles if t.startswith("PAUSED until") and "would do nothing" in t]
        assert commands(guarded) == []
        await guarded.until(lambda: guarded.of(ev.AlarmTripped), HOUR_S)
        assert 0 <= guarded.clock.now() - (paused_at + 2 * HOUR_S) <= 60
        assert len(told(guarded, "The pause is over")) == 1
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()

    run(scenario())


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_pause_without_an_end_lasts_until_resume(tmp_path: Path, *, is_restarted: bool) -> None:
    """Over restarts too."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        guarded.order(Order.PAUSE)
        await guarded.clock.sleep(300)
        if is_restarted:
            await guarded.kill()
            guarded.start()
        guarded.world.fail_cooling(9 * HOUR_S)
        await hot_for(guarded, 36.5, 2 * HOUR_S)
        assert commands(guarded) == []
        guarded.order(Order.RESUME)
        took_s = await guarded.until(lambda: guarded.of(ev.AlarmTripped), 120)
        assert took_s <= 20
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()

    run(scenario())


@pytest.mark.parametrize("pause_s", [120.0, HOUR_S])
@pytest.mark.parametrize("phase", [Phase.GUESTS, Phase.HOSTS, Phase.VCENTER, Phase.LAST_HOST])
def test_a_pause_in_mid_shutdown_stops_the_commands_and_resume_goes_on(
    tmp_path: Path, phase: Phase, pause_s: float
) -> None:
    """From the tick that takes it up nothing is sent; after it the shutdown ends, and nothing is given up for it."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office(), for_s=2400.0 + pause_s))
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, phase), 2 * HOUR_S)
        number = guarded.order(Order.PAUSE)
        await guarded.until(lambda: guarded.answer_to(number), 30)
        sent = len(commands(guarded))
        await guarded.clock.sleep(pause_s)
        assert len(commands(guarded)) <= sent + 1, "but for what was on its way"
        guarded.order(Order.RESUME)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        assert guarded.of(ev.Abandoned) == []
        await as_it_began(guarded, 6 * HOUR_S)

    run(scenario())


def test_ack_ends_the_reminders_until_something_changes(tmp_path: Path) -> None:
    """A person knows: silence, also for a day; another thing that is missing is told again."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        guarded.site.faults.silence(VCENTER)
        guarded.start()
        await guarded.clock.sleep(2.5 * HOUR_S)
        assert len(reminders(guarded)) == 3
        guarded.order(Order.ACKNOWLEDGE)
        await guarded.clock.sleep(24 * HOUR_S)
        assert len(reminders(guarded)) == 3
        guarded.site.faults.silence(SENSORS)
        await guarded.clock.sleep(2 * HOUR_S)
        assert len(reminders(guarded)) >= 4
        await guarded.kill()

    run(scenario())


def test_ack_ends_the_reminders_of_a_pause(tmp_path: Path) -> None:
    """Who works on the plant for a day hears of it once an hour, until he says that he knows."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        guarded.order(Order.PAUSE)
        await guarded.clock.sleep(2.5 * HOUR_S)
        paused = [t for t in guarded.outbox.titles if "would do nothing" in t]
        assert len(paused) == 2
        guarded.order(Order.ACKNOWLEDGE)
        await guarded.clock.sleep(6 * HOUR_S)
        assert len([t for t in guarded.outbox.titles if "would do nothing" in t]) == 2
        await guarded.kill()

    run(scenario())
