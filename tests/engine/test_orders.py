"""An operator's hands: each order through the journal's own inbox, taken up within a tick, once, and to its end."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import (
    FAST,
    HOUR_S,
    answered,
    as_it_began,
    commands,
    cool,
    declined,
    heat,
    hot_day,
    in_phase,
    power_ons,
    told,
)
from engine.rig import SETTINGS, STARTS_AT, Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.goal import Mode
from thermo_guard.core.wishes import STALE_S, Order
from thermo_guard.engine.loop import QUIET_TICK_S
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office, vcenter_outside
from thermo_guard.sim.site import SENSORS


def goal(guarded: Guarded) -> Goal | None:
    return None if guarded.record.incident is None else guarded.record.incident.goal


async def shut_down_by_a_person(folder: Path, settings: LoopSettings = SETTINGS) -> Guarded:
    """The office, all off by an operator's word."""
    guarded = Guarded(folder, office(), settings)
    guarded.start()
    await guarded.clock.sleep(600)
    guarded.order(Order.SHUT_DOWN)
    await guarded.until(guarded.all_off, HOUR_S)
    return guarded


async def said_between_two_lives(folder: Path, wait_s: float) -> tuple[Guarded, int]:
    """A guard that finds a shutdown at its start, said so many seconds ago; and the order's number."""
    guarded = Guarded(folder, office())
    guarded.start()
    await guarded.clock.sleep(300)
    await guarded.kill()
    number = guarded.order(Order.SHUT_DOWN)
    await guarded.clock.sleep(wait_s)
    guarded.start()
    return guarded, number


# ---- shutdown and power-on ----


@pytest.mark.parametrize("plan", [office(), vcenter_outside()], ids=["inside", "outside"])
def test_a_person_shuts_down_and_powers_on(tmp_path: Path, plan: Blueprint) -> None:
    """Taken up within a tick; no cool room undoes it; power-on brings back exactly what ran."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, plan)
        guarded.start()
        await guarded.clock.sleep(900)
        number = guarded.order(Order.SHUT_DOWN, reason="a pipe above the rack")
        took_s = await guarded.until(lambda: guarded.answer_to(number), 60)
        assert took_s <= QUIET_TICK_S + 5
        await guarded.until(guarded.all_off, HOUR_S)
        assert told(guarded, "a pipe above the rack")
        await guarded.clock.sleep(3 * HOUR_S)  # a recovery takes 25 minutes
        assert guarded.all_off()
        assert guarded.of(ev.RoomRecovered) == []
        assert await declined(guarded, Order.POWER_ON) == ""
        await guarded.until(guarded.is_closed, 3 * HOUR_S)
        await guarded.kill()
        assert guarded.of(ev.IncidentClosed)[-1].differences == ()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_a_shutdown_takes_over_the_policy_s_own(tmp_path: Path) -> None:
    """Who says shutdown while the heat shuts down wants it down: recovery does not bring it back any more."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day(), FAST)
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, Phase.HOSTS), 2 * HOUR_S)
        assert await declined(guarded, Order.SHUT_DOWN) == ""
        assert "already" in await declined(guarded, Order.SHUT_DOWN)
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.until(lambda: guarded.record.level == "low", 3 * HOUR_S)
        await guarded.clock.sleep(2 * HOUR_S)
        assert guarded.all_off()
        assert await declined(guarded, Order.POWER_ON) == ""
        await as_it_began(guarded, 3 * HOUR_S)

    run(scenario())


@pytest.mark.parametrize("phase", [Phase.FIRST_HOST, Phase.START_VCENTER, Phase.START_GUESTS])
def test_a_shutdown_turns_the_way_back(tmp_path: Path, phase: Phase) -> None:
    """On the snapshot that is closed: what comes back at last is what ran before the heat."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day(), FAST)
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, phase), 5 * HOUR_S)
        assert await declined(guarded, Order.SHUT_DOWN) == ""
        await guarded.until(guarded.all_off, HOUR_S)
        assert await declined(guarded, Order.POWER_ON) == ""
        await as_it_began(guarded, 3 * HOUR_S)

    run(scenario())


@pytest.mark.parametrize("phase", [Phase.GUESTS, Phase.HOSTS, Phase.VCENTER, Phase.LAST_HOST, Phase.ALL_OFF])
def test_power_on_turns_a_person_s_shutdown_wherever_it_is(tmp_path: Path, phase: Phase) -> None:
    """Everything that ran runs again, what was stopping at that moment too."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(600)
        guarded.order(Order.SHUT_DOWN)
        await guarded.until(lambda: in_phase(guarded, phase), HOUR_S)
        guarded.order(Order.POWER_ON)
        await as_it_began(guarded, 3 * HOUR_S)

    run(scenario())


@pytest.mark.parametrize("despite_unseen", [False, True])
def test_power_on_is_declined_while_the_room_is_hot(tmp_path: Path, *, despite_unseen: bool) -> None:
    """Whatever the person says; nothing is asked of any BMC (S3)."""

    async def scenario() -> None:
        guarded = await shut_down_by_a_person(tmp_path)
        for _ in range(40):
            guarded.make_room(37.0)
            await guarded.clock.sleep(30)
            guarded.world.advance(guarded.clock.now())
        assert guarded.record.level == "high"
        why = await declined(guarded, Order.POWER_ON, despite_unseen=despite_unseen)
        assert "heat" in why
        await guarded.kill()
        assert power_ons(guarded) == []
        assert told(guarded, "Declined: power-on")

    run(scenario())


def test_a_blind_room_is_powered_on_only_by_a_person_s_eyes(tmp_path: Path) -> None:
    """Declined with what to say; with --despite-unseen the whole way back runs while the sensors stay silent."""

    async def scenario() -> None:
        guarded = await shut_down_by_a_person(tmp_path)
        guarded.site.faults.silence(SENSORS)
        await guarded.until(lambda: guarded.record.level == "blind", HOUR_S)
        assert "--despite-unseen" in await declined(guarded, Order.POWER_ON)
        await guarded.clock.sleep(HOUR_S)
        assert power_ons(guarded) == []
        assert await declined(guarded, Order.POWER_ON, despite_unseen=True) == ""
        await guarded.until(guarded.is_closed, 3 * HOUR_S)
        await guarded.kill()
        assert guarded.record.level == "blind"
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_heat_turns_a_person_s_way_back(tmp_path: Path) -> None:
    """His eyes answer for the room that he has seen, not for the one that gets hot after it."""

    async def scenario() -> None:
        guarded = await shut_down_by_a_person(tmp_path, FAST)
        guarded.order(Order.POWER_ON, despite_unseen=True)
        await guarded.until(lambda: in_phase(guarded, Phase.START_VCENTER), HOUR_S)
        heat(guarded)
        await guarded.until(lambda: guarded.of(ev.HeatReturned), HOUR_S)
        await guarded.until(guarded.all_off, HOUR_S)
        cool(guarded)
        await as_it_began(guarded, 4 * HOUR_S)

    run(scenario())


def test_power_on_after_too_many_power_ons(tmp_path: Path) -> None:
    """PowerOnHeld needs a person: here he is."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), replace(FAST, timing=replace(FAST.timing, power_on_limit=1)))
        guarded.start()
        for _ in range(2):
            heat(guarded)
            await guarded.until(guarded.all_off, 2 * HOUR_S)
            cool(guarded)
            await guarded.until(lambda: guarded.of(ev.PowerOnHeld) or guarded.record.incident is None, 4 * HOUR_S)
        assert len(guarded.of(ev.PowerOnHeld)) == 1
        await guarded.clock.sleep(HOUR_S)
        assert guarded.all_off()
        assert await declined(guarded, Order.POWER_ON) == ""
        await guarded.until(lambda: guarded.record.incident is None, 3 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_a_stale_order_is_declined(tmp_path: Path) -> None:
    """Said while no guard ran, found when one is started an hour later: told, and nothing is done."""

    async def scenario() -> None:
        guarded, number = await said_between_two_lives(tmp_path, STALE_S + 60)
        assert "minutes old" in await answered(guarded, number, 60)
        await guarded.clock.sleep(HOUR_S)
        await guarded.kill()
        assert commands(guarded) == []
        assert told(guarded, "Declined: shutdown")

    run(scenario())


def test_an_order_from_before_the_start_is_taken_up_while_it_is_fresh(tmp_path: Path) -> None:
    """A container that restarts for a minute loses no order."""

    async def scenario() -> None:
        guarded, _ = await said_between_two_lives(tmp_path, 60)
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()

    run(scenario())


# ---- what an order reaches beside the plant ----


def test_resume_tries_a_refused_login_at_once(tmp_path: Path) -> None:
    """A password was mended: nobody waits for the twenty minutes."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), replace(quick(), snapshot_s=60.0))
        guarded.start()
        await guarded.clock.sleep(300)
        guarded.site.faults.deny_login(VCENTER)
        await guarded.until(lambda: guarded.of(ev.LoginRefused), 600)
        guarded.site.faults.mend(VCENTER)
        await guarded.clock.sleep(300)
        assert guarded.of(ev.LoginAccepted) == []
        assert await declined(guarded, Order.RESUME) == ""
        took_s = await guarded.until(lambda: guarded.of(ev.LoginAccepted), 300)
        assert took_s <= 90
        await guarded.kill()
        assert guarded.record.refused == {}

    run(scenario())


def test_an_order_in_observe_mode_does_not_arm(tmp_path: Path) -> None:
    """After a person's shutdown and power-on the policy still does nothing by itself."""

    async def scenario() -> None:
        guarded = await shut_down_by_a_person(tmp_path, replace(FAST, mode=Mode.OBSERVE))
        guarded.order(Order.POWER_ON)
        await guarded.until(guarded.is_closed, 2 * HOUR_S)
        sent = len(commands(guarded))
        heat(guarded)
        await guarded.until(lambda: guarded.of(ev.AlarmObserved), HOUR_S)
        await guarded.clock.sleep(900)
        await guarded.kill()
        assert len(commands(guarded)) == sent
        assert guarded.clock.now() > STARTS_AT
        assert goal(guarded) is None

    run(scenario())
