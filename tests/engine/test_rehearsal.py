"""A rehearsal on the virtual site: one VM or one empty host goes down and comes back, and nothing else is touched."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import HOUR_S, answered, calls, cool, declined, heat, in_phase, touched, with_vm
from engine.rig import Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.goal import Mode
from thermo_guard.core.policy import Level
from thermo_guard.core.wishes import Order
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plans import office
from thermo_guard.sim.site import SENSORS

FAST = replace(quick(), policy=replace(quick().policy, recovery_hold_s=300.0, watch_s=120.0))
HUNG = "legacy-fax"
"""Its guest takes a shutdown and never ends it."""


def with_empty_host() -> Blueprint:
    """The office, whose third host carries nothing that runs."""
    plan = office()
    return replace(plan, vms=tuple(replace(vm, host="esx1") if vm.host == "esx3" else vm for vm in plan.vms))


async def ready(folder: Path, plan: Blueprint | None = None, settings: LoopSettings = FAST) -> Guarded:
    """A guard that has looked around in a cool room."""
    guarded = Guarded(folder, plan or office(), settings)
    guarded.start()
    await guarded.until(lambda: guarded.snapshot is not None and guarded.record.level is not None, 300)
    await guarded.until(lambda: len(guarded.record.bmc_of) == 3, 300)
    return guarded


def verbs(guarded: Guarded) -> list[str]:
    return [h.kind.removeprefix("call.") for h in guarded.world.log if h.kind.startswith("call.")]


def measured(guarded: Guarded) -> set[tuple[str, Goal]]:
    return {(one.target, one.goal) for learned in guarded.of(ev.DurationsLearned) for one in learned.measured}


def vm_id(guarded: Guarded, name: str) -> str:
    return next(vm.id for vm in guarded.world.cluster.vms.values() if vm.name == name)


async def over(guarded: Guarded, within_s: float = HOUR_S) -> None:
    await guarded.until(guarded.is_closed, within_s)
    await guarded.clock.sleep(120.0)  # nothing follows it
    await guarded.kill()


@pytest.mark.parametrize("mode", [Mode.ARMED, Mode.OBSERVE])
@pytest.mark.parametrize("is_armed", [True, False])
def test_a_vm_is_stopped_by_its_guest_and_started_again(tmp_path: Path, mode: Mode, *, is_armed: bool) -> None:
    """In any mode, since a person asked for it: that VM alone, by two calls, and both durations are on record."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), quick(FAST, mode=mode))
        guarded.is_armed = is_armed
        guarded.start()
        await guarded.until(lambda: guarded.snapshot is not None and guarded.record.level is not None, 300)
        assert await answered(guarded, guarded.order(Order.REHEARSE, vm="Print")) == ""
        await over(guarded)
        assert touched(guarded) == {"print"}
        assert verbs(guarded) == [Verb.SHUT_DOWN_GUEST, Verb.POWER_ON_VM]
        assert measured(guarded) == {(vm_id(guarded, "print"), goal) for goal in Goal}
        assert guarded.of(ev.IncidentClosed)[0].differences == ()
        assert guarded.before.differences(guarded.world.running()) == ()
        assert (guarded.record.armed is not None) is is_armed

    run(scenario())


def test_an_empty_host_goes_off_and_comes_back_uncounted(tmp_path: Path) -> None:
    """Maintenance mode, off, on by its BMC and out again; POWER_ON_LIMIT is for the site, not for what is tried."""

    async def scenario() -> None:
        guarded = await ready(tmp_path, with_empty_host())
        assert await answered(guarded, guarded.order(Order.REHEARSE, host="ESX3")) == ""
        await over(guarded)
        assert touched(guarded) == {"esx3"}
        assert verbs(guarded) == [
            Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.POWER_ON_HOST, Verb.EXIT_MAINTENANCE
        ]
        assert {("esx3", goal) for goal in Goal} == measured(guarded)
        assert guarded.record.power_ons == ()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_what_may_not_be_rehearsed_is_declined_with_the_reason(tmp_path: Path) -> None:
    """vCenter, an unknown name, what is off, a host that carries VMs: nothing is asked of anybody."""

    async def scenario() -> None:
        guarded = await ready(tmp_path)
        assert "vCenter itself" in await declined(guarded, Order.REHEARSE, vm="vcenter")
        assert "no VM is named nobody" in await declined(guarded, Order.REHEARSE, vm="nobody")
        assert "sandbox is not on" in await declined(guarded, Order.REHEARSE, vm="sandbox")
        assert "esx1 is not empty" in await declined(guarded, Order.REHEARSE, host="esx1")
        await answered(guarded, guarded.order(Order.PAUSE))
        assert "paused" in await declined(guarded, Order.REHEARSE, vm="print")
        await answered(guarded, guarded.order(Order.RESUME))
        guarded.site.faults.silence(SENSORS)
        await guarded.until(lambda: guarded.record.level == Level.BLIND, 2 * HOUR_S)
        assert "could not be started again" in await declined(guarded, Order.REHEARSE, vm="print")
        await guarded.kill()
        assert touched(guarded) == set()

    run(scenario())


def test_none_begins_in_an_incident(tmp_path: Path) -> None:
    """What is under way has the plant to itself."""

    async def scenario() -> None:
        guarded = await ready(tmp_path)
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, Phase.GUESTS), HOUR_S)
        assert "is open" in await declined(guarded, Order.REHEARSE, vm="print")
        await guarded.kill()

    run(scenario())


def test_a_guest_that_hangs_is_forced_at_the_end_of_its_grace_and_comes_back(tmp_path: Path) -> None:
    """As it would be in an incident: that is what a rehearsal is to show."""

    async def scenario() -> None:
        guarded = await ready(tmp_path)
        assert await answered(guarded, guarded.order(Order.REHEARSE, vm=HUNG)) == ""
        await over(guarded)
        assert verbs(guarded)[0] == Verb.SHUT_DOWN_GUEST
        assert verbs(guarded)[-2:] == [Verb.POWER_OFF_VM, Verb.POWER_ON_VM]
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def _step(event: ev.Event) -> str:
    """What an event is about, the same when it comes again in the next life."""
    match event:
        case ev.PhaseBegun():
            return f"{event.phase}"
        case ev.Intended():
            return f"intended {[command.verb for command in event.commands]}"
        case ev.Answered():
            return f"answered {[answer.verb for answer in event.answers]}"
        case _:
            return event.kind


@pytest.mark.parametrize("moment", [ev.PhaseBegun, ev.Intended, ev.Answered, ev.GoalWished])
@pytest.mark.parametrize("target", [{"vm": "print"}, {"host": "esx3"}], ids=["vm", "host"])
def test_killed_at_every_step_it_goes_on(tmp_path: Path, target: dict[str, str], moment: type[ev.Event]) -> None:
    """Kill -9 at each of its phases and acts, once each: it ends with its target back, and touches nothing else."""

    async def scenario() -> None:
        guarded = await ready(tmp_path, with_empty_host())
        survived: set[str] = set()

        def is_new(event: ev.Event) -> bool:
            step = _step(event)
            is_one = isinstance(event, moment) and step not in survived
            survived.add(step)
            return is_one

        guarded.order(Order.REHEARSE, **target)
        guarded.dies_on = is_new
        while not guarded.is_closed():
            await guarded.until(lambda: guarded.is_dead or guarded.is_closed(), HOUR_S)
            if guarded.is_dead:
                await guarded.kill()
                await guarded.clock.sleep(30.0)
                guarded.dies_on = is_new
                guarded.start()
        await guarded.kill()
        assert len(guarded.of(ev.GuardStarted)) > 1
        assert touched(guarded) == set(target.values())
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


@pytest.mark.parametrize("target", [{"vm": "print"}, {"host": "esx3"}], ids=["vm", "host"])
def test_the_alarm_takes_its_place_and_brings_the_target_back_as_it_was(
    tmp_path: Path, target: dict[str, str]
) -> None:
    """The VM that was just off for trial ran before, and the host was not in maintenance mode: so they end."""

    async def scenario() -> None:
        guarded = await ready(tmp_path, with_vm(with_empty_host(), "print", shut_s=170.0))
        host = guarded.world.cluster.hosts["esx3"]
        heat(guarded)
        await guarded.clock.sleep(90.0)  # the sensors have not shown it yet
        assert await answered(guarded, guarded.order(Order.REHEARSE, **target)) == ""
        await guarded.until(lambda: guarded.of(ev.AlarmTripped), 900)
        assert guarded.record.incident is not None
        assert guarded.record.incident.follows_rehearsal
        assert host.in_maintenance if "host" in target else not guarded.is_on("print")
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        cool(guarded)
        await guarded.until(guarded.is_closed, 4 * HOUR_S)
        await guarded.kill()
        assert host.stage is Stage.UP
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_a_person_s_shutdown_takes_its_place(tmp_path: Path) -> None:
    """Everything goes off, and power-on brings back the rehearsed VM with the rest."""

    async def scenario() -> None:
        guarded = await ready(tmp_path)
        guarded.order(Order.REHEARSE, vm="print")
        await guarded.until(lambda: not guarded.is_on("print"), 300)
        assert await answered(guarded, guarded.order(Order.SHUT_DOWN)) == ""
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        assert await answered(guarded, guarded.order(Order.POWER_ON)) == ""
        await guarded.until(guarded.is_closed, 2 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_an_abort_leaves_the_target_until_a_person_wants_it_back(tmp_path: Path) -> None:
    """Nothing more is commanded after it; the power-on starts that one VM."""

    async def scenario() -> None:
        guarded = await ready(tmp_path)
        guarded.order(Order.REHEARSE, vm="print")
        await guarded.until(lambda: not guarded.is_on("print"), 300)
        assert await answered(guarded, guarded.order(Order.ABORT)) == ""
        sent = len(verbs(guarded))
        await guarded.clock.sleep(HOUR_S / 4)
        assert len(verbs(guarded)) == sent
        assert not guarded.is_on("print")
        assert await answered(guarded, guarded.order(Order.POWER_ON)) == ""
        await guarded.until(lambda: len(guarded.of(ev.IncidentClosed)) == 2, HOUR_S)
        await guarded.kill()
        assert calls(guarded, Verb.POWER_ON_VM, "print")
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_heat_that_trips_nothing_holds_the_start_until_it_is_cool(tmp_path: Path) -> None:
    """A guard that is not armed starts nothing into the heat either (S3)."""

    async def scenario() -> None:
        guarded = await ready(tmp_path, settings=quick(FAST, mode=Mode.OBSERVE))
        guarded.order(Order.REHEARSE, vm=HUNG)
        await guarded.until(lambda: calls(guarded, Verb.SHUT_DOWN_GUEST, HUNG), 120)
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, Phase.HELD), HOUR_S)
        await guarded.clock.sleep(600.0)
        assert not guarded.is_on(HUNG)
        assert guarded.of(ev.AlarmTripped) == []
        cool(guarded)
        await over(guarded, 2 * HOUR_S)
        assert touched(guarded) == {HUNG}
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())
