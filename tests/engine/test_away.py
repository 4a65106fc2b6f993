"""A guard that comes back long after it went, into an incident that people may have gone on with."""

from pathlib import Path

import pytest

from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.wishes import Order
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office

HOUR_S = 3600.0


async def gone_in_mid_shutdown(folder: Path, for_s: float) -> tuple[Guarded, int]:
    """The guard is killed while the first VMs stop, the room cools, and it is started again; calls until then."""
    guarded = Guarded(folder, office())
    guarded.start()
    await guarded.clock.sleep(900)
    guarded.make_room(36.5)
    guarded.world.fail_cooling(0.4 * HOUR_S)
    await guarded.until(lambda: guarded.of(ev.Intended), HOUR_S)
    await guarded.until(lambda: not guarded.is_on("print"), HOUR_S)
    await guarded.kill()
    before = calls(guarded)
    for _ in range(int(for_s / 60)):
        await guarded.clock.sleep(60)
        guarded.world.advance(guarded.clock.now())
        guarded.make_room(22.0)
    guarded.start()
    return guarded, before


def calls(guarded: Guarded) -> int:
    return sum(happening.kind.startswith("call.") for happening in guarded.world.log)


def test_it_stops_nothing_more_in_a_cool_room_and_brings_back_what_ran(tmp_path: Path) -> None:
    """After hours the cluster may be in use again: that is told, and only recovery, heat or a person goes on."""

    async def scenario() -> None:
        guarded, before = await gone_in_mid_shutdown(tmp_path, 5 * HOUR_S)
        await guarded.until(lambda: guarded.of(ev.GuardAway), 60)
        await guarded.clock.sleep(600)
        assert calls(guarded) == before
        await guarded.until(lambda: guarded.of(ev.RoomRecovered), HOUR_S)
        assert [t for t in guarded.outbox.titles if "was away for 5" in t]
        await guarded.until(guarded.is_closed, 2 * HOUR_S)
        await guarded.kill()
        assert not guarded.before.differences(guarded.world.running()), guarded.story()

    run(scenario())


@pytest.mark.parametrize("how", ["heat", "resume"])
def test_it_goes_on_in_a_hot_room_or_by_order(tmp_path: Path, how: str) -> None:
    """The alarm is as good a reason as it was; and so is a person's word."""

    async def scenario() -> None:
        guarded, before = await gone_in_mid_shutdown(tmp_path, 5 * HOUR_S)
        await guarded.clock.sleep(30)
        assert calls(guarded) == before
        if how == "heat":
            guarded.world.fail_cooling(9 * HOUR_S)
            guarded.make_room(36.5)
        else:
            guarded.order(Order.RESUME)
            await guarded.until(lambda: calls(guarded) > before, 60)
            guarded.world.fail_cooling(9 * HOUR_S)
            guarded.make_room(33.0)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()
        assert any("the shutdown goes on" in t for t in guarded.outbox.titles) is (how == "heat")

    run(scenario())


def test_a_short_absence_changes_nothing(tmp_path: Path) -> None:
    """A restart within the hour goes on with the shutdown, as after any crash."""

    async def scenario() -> None:
        guarded, before = await gone_in_mid_shutdown(tmp_path, 600)
        await guarded.until(lambda: calls(guarded) > before, 60)
        await guarded.kill()
        assert guarded.of(ev.GuardAway) == []

    run(scenario())


def test_a_second_crash_does_not_end_the_doubt(tmp_path: Path) -> None:
    """It is on record: the next life comes back at once and stops nothing either."""

    async def scenario() -> None:
        guarded, before = await gone_in_mid_shutdown(tmp_path, 5 * HOUR_S)
        await guarded.until(lambda: guarded.of(ev.GuardAway), 60)
        await guarded.kill()
        guarded.start()
        await guarded.clock.sleep(120)
        assert calls(guarded) == before
        await guarded.kill()
        assert len(guarded.of(ev.GuardAway)) == 1

    run(scenario())
