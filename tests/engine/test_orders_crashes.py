"""A guard that is killed at an order, and orders at once: each is carried out once, in its order."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.days import FAST, HOUR_S, answered, commands, declined, in_phase, is_taken
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
from thermo_guard.core.wishes import Order
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office


def is_done(event: ev.Event) -> bool:
    return isinstance(event, ev.ShutdownWished | ev.GoalWished | ev.IncidentClosed | ev.GuardArmed)


@pytest.mark.parametrize("dies_on", [is_taken, is_done], ids=["taken", "done"])
def test_killed_at_an_order_it_is_carried_out_once(
    tmp_path: Path, dies_on: Callable[[ev.Event], bool]
) -> None:
    """Shutdown, power-on, shutdown, abort: each survives the crash at it, and none is carried out again."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), FAST)
        guarded.start()
        await guarded.clock.sleep(900)
        for order, ends in (
            (Order.SHUT_DOWN, guarded.all_off), (Order.POWER_ON, guarded.is_closed),
            (Order.SHUT_DOWN, lambda: in_phase(guarded, Phase.HOSTS)),
            (Order.ABORT, lambda: guarded.record.incident is None),
        ):
            guarded.dies_on = dies_on
            guarded.order(order)
            await guarded.until(lambda: guarded.is_dead, 60)
            await guarded.kill()
            await guarded.clock.sleep(30)
            guarded.start()
            await guarded.until(ends, 4 * HOUR_S)
        sent = len(commands(guarded))
        await guarded.clock.sleep(HOUR_S)
        await guarded.kill()
        assert len(commands(guarded)) == sent
        numbers = [taken.wish.number for taken in guarded.of(ev.WishTaken)]
        assert numbers == sorted(set(numbers))
        assert guarded.of(ev.AlarmTripped) == []

    run(scenario())


@pytest.mark.parametrize("order", [Order.ARM, Order.PAUSE, Order.ACKNOWLEDGE])
def test_killed_at_an_order_that_only_the_record_knows(tmp_path: Path, order: Order) -> None:
    """It holds in the next life, and is not taken up again there."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.is_armed = order is not Order.ARM
        guarded.dies_on = is_taken
        guarded.start()
        number = guarded.order(order)
        await guarded.until(lambda: guarded.is_dead, 60)
        await guarded.kill()
        guarded.start()
        await guarded.clock.sleep(300)
        assert guarded.record.wish == number
        assert guarded.record.armed is not None
        assert (guarded.record.paused_until is not None) is (order is Order.PAUSE)
        assert (guarded.record.acknowledged is not None) is (order is Order.ACKNOWLEDGE)
        assert len(guarded.of(ev.WishTaken)) == 1
        if order is Order.PAUSE:
            await declined(guarded, Order.RESUME)
            assert guarded.record.paused_until is None
        await guarded.kill()

    run(scenario())


def test_orders_are_taken_up_in_their_order_within_one_tick(tmp_path: Path) -> None:
    """Pause, resume, shutdown, abort, said at once: each sees what the one before it has done."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(300)
        said = [Order.PAUSE, Order.SHUT_DOWN, Order.RESUME, Order.SHUT_DOWN, Order.ABORT, Order.ABORT]
        numbers = [guarded.order(order) for order in said]
        await guarded.until(lambda: guarded.answer_to(numbers[-1]), 60)
        why = [bool(await answered(guarded, number)) for number in numbers]
        assert why == [False, True, False, False, False, True]
        await guarded.clock.sleep(HOUR_S)
        await guarded.kill()
        assert commands(guarded) == []

    run(scenario())
