"""An operator's hands: each order through the journal's own inbox, taken up within a tick, once, and to its end."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.rig import STARTS_AT, Guarded, quick
from engine.test_troubles import HOUR_S, cool, heat, hot_day, in_phase
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.goal import Mode
from thermo_guard.core.wishes import STALE_S, Order
from thermo_guard.engine.loop import QUIET_TICK_S
from thermo_guard.sim.blueprint import Blueprint, HostPlan
from thermo_guard.sim.loop import run
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plans import office, vcenter_outside
from thermo_guard.sim.site import SENSORS, Effect

FAST = replace(quick(), policy=replace(quick().policy, recovery_hold_s=300.0, watch_s=120.0))
POWER_ONS = {f"call.{verb}" for verb in (Verb.POWER_ON_HOST, Verb.POWER_ON_VM, Verb.ADOPT_VM)}


def commands(guarded: Guarded) -> list[str]:
    return [h.kind for h in guarded.world.log if h.kind.startswith("call.")]


def power_ons(guarded: Guarded) -> list[str]:
    return [f"{h.kind} {h.object}" for h in guarded.world.log if h.kind in POWER_ONS]


def told(guarded: Guarded, words: str) -> list[str]:
    return [title for title, body in guarded.outbox.told if words in title or words in body]


async def answered(guarded: Guarded, number: int, within_s: float = 30.0) -> str:
    """Why it was declined; empty where it was taken up."""
    await guarded.until(lambda: guarded.answer_to(number), within_s)
    answer = guarded.answer_to(number)
    assert answer is not None
    return answer.declined


async def declined(guarded: Guarded, order: Order, **changes: object) -> str:
    return await answered(guarded, guarded.order(order, **changes))


def goal(guarded: Guarded) -> Goal | None:
    return None if guarded.record.incident is None else guarded.record.incident.goal


def off(plan: Blueprint, *names: str) -> Blueprint:
    """These hosts, and all that runs on them, are off from the start."""
    def host(plan: HostPlan) -> HostPlan:
        return replace(plan, is_on=False) if not names or plan.name in names else plan

    gone = {h.name for h in map(host, plan.hosts) if not h.is_on}
    vms = tuple(replace(vm, is_on=vm.is_on and vm.host not in gone) for vm in plan.vms)
    return replace(plan, hosts=tuple(map(host, plan.hosts)), vms=vms)


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
        await guarded.until(guarded.is_closed, 3 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

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
        await guarded.until(guarded.is_closed, 3 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

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
        await guarded.until(guarded.is_closed, 3 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


@pytest.mark.parametrize("despite_unseen", [False, True])
def test_power_on_is_declined_while_the_room_is_hot(tmp_path: Path, *, despite_unseen: bool) -> None:
    """Whatever the person says; nothing is asked of any BMC (S3)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(600)
        guarded.order(Order.SHUT_DOWN)
        await guarded.until(guarded.all_off, HOUR_S)
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
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(600)
        guarded.order(Order.SHUT_DOWN)
        await guarded.until(guarded.all_off, HOUR_S)
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
        guarded = Guarded(tmp_path, office(), FAST)
        guarded.start()
        await guarded.clock.sleep(600)
        guarded.order(Order.SHUT_DOWN)
        await guarded.until(guarded.all_off, HOUR_S)
        guarded.order(Order.POWER_ON, despite_unseen=True)
        await guarded.until(lambda: in_phase(guarded, Phase.START_VCENTER), HOUR_S)
        heat(guarded)
        await guarded.until(lambda: guarded.of(ev.HeatReturned), HOUR_S)
        await guarded.until(guarded.all_off, HOUR_S)
        cool(guarded)
        await guarded.until(guarded.is_closed, 4 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

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
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(300)
        await guarded.kill()
        number = guarded.order(Order.SHUT_DOWN)
        await guarded.clock.sleep(STALE_S + 60)
        guarded.start()
        assert "minutes old" in await answered(guarded, number, 60)
        await guarded.clock.sleep(HOUR_S)
        await guarded.kill()
        assert commands(guarded) == []
        assert told(guarded, "Declined: shutdown")

    run(scenario())


def test_an_order_from_before_the_start_is_taken_up_while_it_is_fresh(tmp_path: Path) -> None:
    """A container that restarts for a minute loses no order."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(300)
        await guarded.kill()
        guarded.order(Order.SHUT_DOWN)
        await guarded.clock.sleep(60)
        guarded.start()
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()

    run(scenario())


# ---- abort ----


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


# ---- killed in between ----


def is_taken(event: ev.Event) -> bool:
    return isinstance(event, ev.WishTaken)


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


# ---- power-on of what is not on record ----


def test_a_fresh_folder_with_machines_off_tells_and_powers_nothing_on(tmp_path: Path) -> None:
    """A lost journal: nobody knows why they are off. Told once, with what a person can say."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, off(office()))
        guarded.start()
        await guarded.clock.sleep(8 * HOUR_S)
        await guarded.kill()
        unknown = told(guarded, "nothing is on record of why")
        assert len(unknown) == 1
        assert unknown[0].startswith("4 machines are off") or unknown[0].startswith("3 machines are off")
        assert told(guarded, "thermo-guard power-on")
        assert commands(guarded) == []

    run(scenario())


def on_calls(guarded: Guarded) -> list[tuple[float, str]]:
    return [(h.at, h.object) for h in guarded.world.log if h.kind == f"call.{Verb.POWER_ON_HOST}"]


def test_power_on_with_a_lost_journal_asks_each_bmc_that_says_off(tmp_path: Path) -> None:
    """One by one; the machine that is on is not asked; no VM is started, since nobody knows which ran."""

    async def scenario() -> None:
        plan = off(vcenter_outside(), "esx1", "esx2")
        guarded = Guarded(tmp_path, plan)
        guarded.start()
        await guarded.clock.sleep(900)
        assert on_calls(guarded) == []
        assert await declined(guarded, Order.POWER_ON, unrecorded=True) == ""
        await guarded.until(lambda: len(on_calls(guarded)) >= 2, HOUR_S)
        await guarded.clock.sleep(HOUR_S)
        await guarded.kill()
        assert {name for _, name in on_calls(guarded)} == {"esx1", "esx2"}
        assert len(on_calls(guarded)) == 2
        first, second = (at for at, _ in on_calls(guarded))
        assert second - first >= guarded.settings.timing.host_stagger_s
        assert {h.name for h in guarded.world.cluster.hosts.values() if h.stage is Stage.UP} >= {"esx1", "esx2", "esx3"}
        assert not [h for h in guarded.world.log if h.kind == f"call.{Verb.POWER_ON_VM}"]
        assert told(guarded, "Powering on 2 machines")

    run(scenario())


def lost(folder: Path, plan: Blueprint | None = None) -> Guarded:
    """All is off, and the folder is new."""
    guarded = Guarded(folder, plan or off(office()))
    guarded.start()
    return guarded


def test_power_on_with_a_lost_journal_asks_nothing_while_it_is_hot(tmp_path: Path) -> None:
    """Declined while HIGH; and what is under way stops when the room gets hot, and does not go on in an incident."""

    async def scenario() -> None:
        guarded = lost(tmp_path)
        await guarded.clock.sleep(900)
        heat(guarded)
        await guarded.until(lambda: guarded.record.level in {"high", "critical"}, HOUR_S)
        assert "heat" in await declined(guarded, Order.POWER_ON)
        await guarded.clock.sleep(HOUR_S)
        await guarded.kill()
        assert on_calls(guarded) == []

    run(scenario())


def is_first_asked(guarded: Guarded) -> bool:
    return len(on_calls(guarded)) == 1


@pytest.mark.parametrize("trouble", ["hot", "blind", "paused"])
def test_what_is_powered_on_by_hand_stops_in_mid_way(tmp_path: Path, trouble: str) -> None:
    """After the first machine the room gets hot, the sensors fall silent, or a person says pause: no second (S3)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, off(office()), quick(host_stagger_s=1800.0))
        guarded.start()
        await guarded.clock.sleep(900)
        guarded.order(Order.POWER_ON)
        await guarded.until(lambda: is_first_asked(guarded), HOUR_S)
        if trouble == "hot":
            heat(guarded)
        elif trouble == "blind":
            guarded.site.faults.silence(SENSORS)
        else:
            guarded.order(Order.PAUSE)
        await guarded.clock.sleep(1.4 * HOUR_S)
        assert len(on_calls(guarded)) == 1
        if trouble == "blind":
            guarded.site.faults.mend(SENSORS)
            await guarded.until(lambda: len(on_calls(guarded)) > 1, HOUR_S)
        if trouble == "paused":
            guarded.order(Order.RESUME)
            await guarded.until(lambda: len(on_calls(guarded)) > 1, HOUR_S)
        await guarded.kill()

    run(scenario())


def test_a_person_s_eyes_power_on_by_hand_in_a_blind_room(tmp_path: Path) -> None:
    """The WAN is gone with the journal: with --despite-unseen the machines come on all the same."""

    async def scenario() -> None:
        guarded = lost(tmp_path)
        guarded.site.faults.silence(SENSORS)
        await guarded.until(lambda: guarded.record.level == "blind", HOUR_S)
        assert "--despite-unseen" in await declined(guarded, Order.POWER_ON)
        assert await declined(guarded, Order.POWER_ON, despite_unseen=True) == ""
        await guarded.until(lambda: len(on_calls(guarded)) >= 3, HOUR_S)
        await guarded.kill()

    run(scenario())


@pytest.mark.parametrize("after", [0, 1])
def test_power_on_by_hand_goes_on_after_a_crash(tmp_path: Path, after: int) -> None:
    """Killed at the order or between two machines: the next life asks those that are still off, each once."""

    async def scenario() -> None:
        guarded = lost(tmp_path)
        await guarded.clock.sleep(900)
        if after == 0:
            guarded.dies_on = is_taken
            guarded.order(Order.POWER_ON)
            await guarded.until(lambda: guarded.is_dead, 60)
        else:
            guarded.order(Order.POWER_ON)
            await guarded.until(lambda: is_first_asked(guarded), HOUR_S)
        await guarded.kill()
        await guarded.clock.sleep(60)
        guarded.start()
        await guarded.clock.sleep(HOUR_S)
        await guarded.kill()
        asked = [name for _, name in on_calls(guarded)]
        assert len(asked) == len(set(asked))
        assert {"esx1", "esx2", "esx3"} <= set(asked)

    run(scenario())


def test_a_machine_that_does_not_power_on_by_hand_is_told(tmp_path: Path) -> None:
    """Its BMC refuses the login: a person hears of it, and the others come on."""

    async def scenario() -> None:
        guarded = lost(tmp_path)
        await guarded.clock.sleep(900)
        guarded.site.faults.next_calls(Verb.POWER_ON_HOST, Effect.REFUSE, 1, "esx1")
        guarded.order(Order.POWER_ON)
        await guarded.clock.sleep(HOUR_S)
        await guarded.kill()
        assert told(guarded, "did not power on")
        assert {"esx2", "esx3"} <= {h.name for h in guarded.world.cluster.hosts.values() if h.stage is Stage.UP}

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
        guarded = Guarded(tmp_path, office(), replace(FAST, mode=Mode.OBSERVE))
        guarded.start()
        await guarded.clock.sleep(600)
        guarded.order(Order.SHUT_DOWN)
        await guarded.until(guarded.all_off, HOUR_S)
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


def test_a_machine_that_was_off_before_stays_off(tmp_path: Path) -> None:
    """With a snapshot, what it shows as off is powered on by the person's explicit word only (S3)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, off(office(), "esx3"))
        guarded.start()
        await guarded.clock.sleep(1800)
        assert "--unrecorded only" in await declined(guarded, Order.POWER_ON)
        await guarded.clock.sleep(300)
        assert power_ons(guarded) == []
        assert await declined(guarded, Order.POWER_ON, unrecorded=True) == ""
        await guarded.until(lambda: power_ons(guarded), 120)
        await guarded.kill()

    run(scenario())


def test_a_power_on_by_hand_is_aborted(tmp_path: Path) -> None:
    """No machine is asked after it."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, off(office()))
        guarded.start()
        await guarded.clock.sleep(900)
        assert await declined(guarded, Order.POWER_ON) == ""
        await guarded.until(lambda: power_ons(guarded), 60)
        before = len(power_ons(guarded))
        assert await declined(guarded, Order.ABORT) == ""
        await guarded.clock.sleep(600)
        assert len(power_ons(guarded)) <= before + 1
        assert len(power_ons(guarded)) < 3
        await guarded.kill()

    run(scenario())
