"""Kill -9 at any instant, start again: the guard goes on from what it sees and what is on record (S6)."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import HOUR_S, hot_day, in_phase
from engine.rig import Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Verb
from thermo_guard.core.events import Phase
from thermo_guard.core.plant import Role
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office, vcenter_outside
from thermo_guard.sim.plants import HostTrouble, VclsKind, troubled_hosts, troubled_vms, vcls

SETTINGS = replace(quick(), policy=replace(quick().policy, recovery_hold_s=300.0, watch_s=120.0))


def arises_in(what: Phase | Verb) -> tuple[Blueprint, LoopSettings]:
    """A site on which this phase or this command comes about, and the settings that it takes."""
    match what:
        case Phase.CLUSTER_SERVICES:  # their removal outlasts the guests' shutdown where there are hardly any
            plan = vcls(VclsKind.EMBEDDED)
            few = tuple(vm for vm in plan.vms if vm.role is Role.VCLS or vm.name in {"vcenter", "web-1"})
            return replace(plan, vms=few), SETTINGS
        case Verb.RETREAT_VCLS | Verb.RESTORE_VCLS:
            return vcls(VclsKind.EMBEDDED), SETTINGS
        case Phase.FORCE_OFF | Verb.FORCE_OFF_HOST:
            timing = replace(SETTINGS.timing, force_bmc_off=True)
            return troubled_hosts(HostTrouble.HANGS_DOWN), replace(SETTINGS, timing=timing)
        case Verb.ANSWER_VM:
            return troubled_vms(), replace(SETTINGS, timing=replace(SETTINGS.timing, answers_questions=True))
        case Verb.TERMINATE_VM:
            return troubled_vms(), SETTINGS
        case _:
            return office(), SETTINGS


async def crash_often(guarded: Guarded, chance: random.Random, mean_s: float) -> None:
    """Kill and start the guard again and again, `mean_s` apart, until the incident is closed."""
    guarded.start()
    await guarded.until(lambda: guarded.of(ev.AlarmTripped), 2 * HOUR_S)
    began = guarded.clock.now()
    while not guarded.is_closed():
        assert guarded.clock.now() - began < 12 * HOUR_S, guarded.story()
        await guarded.clock.sleep(chance.expovariate(1 / mean_s))
        await guarded.kill()
        await guarded.clock.sleep(chance.uniform(0.0, 30.0))
        guarded.start()
    await guarded.kill()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("plan", [office(), vcenter_outside()], ids=["inside", "outside"])
def test_killed_again_and_again(tmp_path: Path, plan: Blueprint, seed: int) -> None:
    """However often the guard dies, all goes off and all comes back as it was."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day(plan), SETTINGS, seed=seed)
        await crash_often(guarded, random.Random(seed), mean_s=240.0)
        assert guarded.before.differences(guarded.world.running()) == ()
        off = [h.object for h in guarded.world.log if h.kind == "host.off"]
        own = {h.name for h in guarded.world.plan.hosts if h.cluster == guarded.world.plan.cluster}
        assert own <= set(off)

    run(scenario())


def test_killed_again_and_again_in_haste(tmp_path: Path) -> None:
    """A room that will be CRITICAL before the plan is through: the next life hastens too, and all comes back."""

    async def scenario() -> None:
        settings = replace(SETTINGS, policy=replace(SETTINGS.policy, critical_c=36.5))
        guarded = Guarded(tmp_path, hot_day(), settings)
        await crash_often(guarded, random.Random(1), mean_s=150.0)
        shares = [event.factor for event in guarded.of(ev.GracesCompressed)]
        assert shares
        assert shares == sorted(shares, reverse=True), "no life gives back the time that an earlier one has taken"
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


@pytest.mark.parametrize("phase", [p for p in Phase if p not in {Phase.VERIFY, Phase.HELD}])
def test_killed_in_each_phase(tmp_path: Path, phase: Phase) -> None:
    """A crash at the begin of any phase loses nothing, also one that lasts for an hour."""

    async def scenario() -> None:
        plan, settings = arises_in(phase)
        guarded = Guarded(tmp_path, hot_day(plan), settings)
        guarded.start()
        await guarded.until(
            lambda: guarded.record.incident is not None and guarded.record.incident.phase is phase, 4 * HOUR_S)
        await guarded.kill()
        await guarded.clock.sleep(HOUR_S if phase is Phase.ALL_OFF else 45.0)
        guarded.start()
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


@pytest.mark.parametrize("verb", [v for v in Verb if v is not Verb.ADOPT_VM])
@pytest.mark.parametrize("moment", [ev.Intended, ev.Answered], ids=["intent-not-sent", "done-not-recorded"])
def test_killed_around_an_act(tmp_path: Path, moment: type[ev.Intended | ev.Answered], verb: Verb) -> None:
    """An intent that was never sent is looked at, then sent; an act whose answer was lost is seen, not redone (S5)."""

    def is_moment(event: ev.Event) -> bool:
        if not isinstance(event, moment):
            return False
        acts = event.commands if isinstance(event, ev.Intended) else event.answers
        return any(act.verb is verb for act in acts)

    async def scenario() -> None:
        plan, settings = arises_in(verb)
        guarded = Guarded(tmp_path, hot_day(plan), settings)
        guarded.dies_on = is_moment
        guarded.start()
        if verb is Verb.RECONNECT_HOST:
            await guarded.until(lambda: in_phase(guarded, Phase.ALL_OFF), HOUR_S)
            guarded.world.let_go("esx3")
        await guarded.until(lambda: guarded.is_dead, 6 * HOUR_S)
        await guarded.kill()
        calls = [h for h in guarded.world.log if h.kind == f"call.{verb}"]
        assert bool(calls) is (moment is ev.Answered)
        guarded.start()
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())
