"""The way back waits for the rules of the house on the virtual site: hours, an acknowledgement, and for how long."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import HOUR_S, as_it_began, cool, heat, in_phase, restart, told
from engine.rig import STARTS_AT, Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.restart_rules import RestartRules
from thermo_guard.core.wishes import Order
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office

FAST = replace(quick(), policy=replace(quick().policy, recovery_hold_s=300.0, watch_s=120.0))
LATER = RestartRules(hours=(11 * 60, 12 * 60))
"""Three hours after the site's day begins, at 08:00 UTC."""


async def recovered(folder: Path, rules: RestartRules) -> Guarded:
    """A guard whose room has recovered after a trip, and waits."""
    guarded = Guarded(folder, office(), replace(FAST, restart=rules))
    guarded.start()
    await guarded.until(lambda: len(guarded.record.bmc_of) == 3 and guarded.snapshot is not None, 300)
    heat(guarded)
    await guarded.until(guarded.all_off, HOUR_S)
    cool(guarded)
    await guarded.until(lambda: guarded.of(ev.RestartHeld), HOUR_S)
    return guarded


@pytest.mark.parametrize(("rules", "word"), [
    (LATER, "RESTART_HOURS"), (RestartRules(needs_ack=True), "thermo-guard ack"),
])
def test_the_way_back_waits_and_says_so_once(tmp_path: Path, rules: RestartRules, word: str) -> None:
    """Nothing is powered on; told and shown, over a restart of the guard too; an operator's power-on waits for none."""

    async def scenario() -> None:
        guarded = await recovered(tmp_path, rules)
        await guarded.clock.sleep(600.0)
        await restart(guarded)
        await guarded.clock.sleep(600.0)
        assert guarded.all_off()
        assert len(told(guarded, "the way back waits")) == 1
        assert word in str(guarded.board.last["incident"])
        guarded.order(Order.POWER_ON)
        await as_it_began(guarded, HOUR_S)

    run(scenario())


def test_the_hours_begin_and_it_comes_back(tmp_path: Path) -> None:
    """By the local minute that the engine is given, at the first tick inside."""

    async def scenario() -> None:
        guarded = await recovered(tmp_path, LATER)
        await guarded.until(lambda: guarded.of(ev.RoomRecovered), 3 * HOUR_S)
        assert abs(guarded.clock.now() - (STARTS_AT + 3 * HOUR_S)) < 60.0
        await as_it_began(guarded, HOUR_S)

    run(scenario())


def test_an_acknowledgement_after_the_trip_lets_it_come_back(tmp_path: Path) -> None:
    """One from before the trip was about something else."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), replace(FAST, restart=RestartRules(needs_ack=True)))
        guarded.start()
        await guarded.until(lambda: guarded.snapshot is not None and len(guarded.record.bmc_of) == 3, 300)
        guarded.order(Order.ACKNOWLEDGE)
        await guarded.until(lambda: guarded.record.acknowledged, 60)
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, ev.Phase.ALL_OFF), HOUR_S)
        cool(guarded)
        await guarded.until(lambda: guarded.of(ev.RestartHeld), HOUR_S)
        guarded.order(Order.ACKNOWLEDGE)
        await as_it_began(guarded, HOUR_S)
        assert len(guarded.of(ev.RestartHeld)) == 1

    run(scenario())


def test_the_longest_wait_ends_either(tmp_path: Path) -> None:
    """Counted from when the room first permitted it, over a restart of the guard."""

    async def scenario() -> None:
        guarded = await recovered(tmp_path, replace(LATER, needs_ack=True, max_wait_s=0.5 * HOUR_S))
        since = guarded.clock.now()
        await restart(guarded, after_s=600.0)
        await guarded.until(lambda: guarded.of(ev.RoomRecovered), HOUR_S)
        assert 1770.0 <= guarded.clock.now() - since <= 1860.0
        await as_it_began(guarded, HOUR_S)

    run(scenario())
