"""A command that the guard does not survive: after the third crash over it its target is left, and the rest goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.days import FAST, HOUR_S, cool, heat
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Verb
from thermo_guard.sim.loop import run
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plans import office


def over(verb: Verb, name: str) -> Callable[[ev.Event], bool]:
    def is_fatal(event: ev.Event) -> bool:
        return isinstance(event, ev.Intended) and any((c.verb, c.name) == (verb, name) for c in event.commands)
    return is_fatal


async def crash(guarded: Guarded, verb: Verb, name: str, times: int) -> None:
    """The guard ends each time it has written that it will ask for it, before it is sent."""
    for _ in range(times):
        guarded.dies_on = over(verb, name)
        await guarded.until(lambda: guarded.is_dead, 6 * HOUR_S)
        await guarded.kill()
        await guarded.clock.sleep(20)
        guarded.start()


def set_aside(guarded: Guarded) -> list[str]:
    return [event.name for event in guarded.of(ev.Abandoned) if event.is_set_aside]


@pytest.mark.parametrize(("verb", "name", "stays"), [
    (Verb.SHUT_DOWN_GUEST, "intranet", set()), (Verb.SHUT_DOWN_HOST, "esx3", {"esx3"}),
    (Verb.ENTER_MAINTENANCE, "esx1", {"esx1"}), (Verb.DISARM_HA, "Office", set()),
])
def test_a_third_crash_on_the_way_down_sets_its_target_aside(
    tmp_path: Path, verb: Verb, name: str, stays: set[str]
) -> None:
    """Told once, not touched any more in this leg; all else goes off, and everything comes back."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), FAST)
        guarded.start()
        await guarded.clock.sleep(900)
        heat(guarded)
        await crash(guarded, verb, name, 3)
        aside_at = guarded.clock.now()
        hosts = guarded.world.cluster.hosts.values()
        await guarded.until(lambda: {h.name for h in hosts if h.stage is not Stage.OFF} == stays, 2 * HOUR_S)
        assert set_aside(guarded) == [name]
        assert len([t for t in guarded.outbox.titles if "Needs a person" in t and name in t]) == 1
        body = next(body for title, body in guarded.outbox.told if "Needs a person" in title and name in title)
        assert "3 times in a row" in body
        assert str(verb) in body
        assert not [h for h in guarded.world.log if h.at >= aside_at and h.kind == f"call.{verb}" and h.object == name]
        cool(guarded)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert set_aside(guarded) == [name]
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


@pytest.mark.parametrize(("verb", "name"), [
    (Verb.POWER_ON_VM, "intranet"), (Verb.POWER_ON_HOST, "esx3"), (Verb.EXIT_MAINTENANCE, "esx1"),
    (Verb.RESTORE_DRS, "Office"),
])
def test_a_third_crash_on_the_way_back_costs_that_target_only(tmp_path: Path, verb: Verb, name: str) -> None:
    """The rest comes back, the VMs of a host that does not on the others; the report names what is missing."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), FAST)
        guarded.start()
        await guarded.clock.sleep(900)
        heat(guarded)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        cool(guarded)
        await crash(guarded, verb, name, 3)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert set_aside(guarded) == [name]
        report = "\n".join(guarded.of(ev.IncidentClosed)[-1].differences)
        assert "itself ended 3 times in a row" in report
        ran, runs = {vm for vm, _ in guarded.before.vms}, {vm for vm, _ in guarded.world.running().vms}
        here = {vm for vm, host in guarded.before.vms if host == name}
        assert ran - runs <= ({name} if verb is Verb.POWER_ON_VM else here if verb is Verb.EXIT_MAINTENANCE else set())

    run(scenario())


def test_two_crashes_set_nothing_aside(tmp_path: Path) -> None:
    """Chance is not held against a target: the third time it is asked and done."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), FAST)
        guarded.start()
        await guarded.clock.sleep(900)
        heat(guarded)
        await crash(guarded, Verb.SHUT_DOWN_GUEST, "intranet", 2)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        assert set_aside(guarded) == []
        cool(guarded)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_what_is_set_aside_on_the_way_down_is_tried_on_the_way_back(tmp_path: Path) -> None:
    """It binds for the leg only; and later restarts do not tell of it again."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), FAST)
        guarded.start()
        await guarded.clock.sleep(900)
        heat(guarded)
        await crash(guarded, Verb.SHUT_DOWN_GUEST, "intranet", 3)
        for _ in range(3):
            await guarded.clock.sleep(40)
            await guarded.kill()
            guarded.start()
        assert set_aside(guarded) == ["intranet"]
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        cool(guarded)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert guarded.is_on("intranet")

    run(scenario())
