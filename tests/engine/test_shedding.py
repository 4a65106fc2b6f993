"""Shedding on the virtual site: a warm room takes what may be missed, an alarm takes the rest, and all comes back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import FAST, HOUR_S, as_it_began, calls, cool, hot_for, restart, told, touched
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Verb
from thermo_guard.core.runbook import Runbook, VmRule
from thermo_guard.core.wishes import Order
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.loop import run
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plans import office

WARM_C, FALLEN_C, HOT_C = 34.5, 30.5, 37.0
"""Above the stage at 33, below its dead-band but not LOW, and above HIGH."""
ON_ESX3 = {"test-web", "print", "erp-app", "dc-1"}
SHED = ON_ESX3 | {"build-1"}
"""All that runs on esx3, and one VM beside others."""
BOOK = Runbook(rules=(VmRule(tuple(sorted(SHED)), sheddable=True),))
CALM = replace(FAST, policy=replace(FAST.policy, projects=False))
"""The room is set from one minute to the next: no projection is to be made of that."""
SHEDDING = replace(CALM, runbook=BOOK)


async def warm(folder: Path, settings: LoopSettings = SHEDDING) -> Guarded:
    """A guard in a room that nears HIGH."""
    guarded = Guarded(folder, office(), settings)
    guarded.start()
    await guarded.until(lambda: len(guarded.record.bmc_of) == 3 and guarded.snapshot is not None, 300)
    await hot_for(guarded, WARM_C, 240.0)
    return guarded


async def held_at(guarded: Guarded, celsius: float, holds: Callable[[], object], within_s: float = HOUR_S) -> None:
    """The room stands there until something holds."""
    since = guarded.clock.now()
    while not holds():
        assert guarded.clock.now() - since < within_s, guarded.story()
        await hot_for(guarded, celsius, 30.0)


def is_shed(guarded: Guarded) -> bool:
    hosts = guarded.world.cluster.hosts
    return hosts["esx3"].stage is Stage.OFF and not any(guarded.is_on(name) for name in SHED)


def ids(guarded: Guarded) -> set[str]:
    return {event.incident for event in guarded.of(ev.ShedBegun)} | {e.incident for e in guarded.of(ev.IncidentClosed)}


def test_a_warm_room_takes_what_may_be_shed_and_gives_it_back(tmp_path: Path) -> None:
    """Those VMs and the host that ran nothing else; HA, DRS and every other machine stay as they are (S1, S3)."""

    async def scenario() -> None:
        guarded = await warm(tmp_path)
        await held_at(guarded, WARM_C, lambda: is_shed(guarded))
        assert touched(guarded) == SHED | {"esx3"}
        assert guarded.world.cluster.hosts["esx1"].stage is Stage.UP
        await hot_for(guarded, WARM_C, 0.5 * HOUR_S)
        assert is_shed(guarded)
        await held_at(guarded, FALLEN_C, guarded.is_closed)
        assert touched(guarded) == SHED | {"esx3"}
        assert guarded.of(ev.IncidentClosed)[0].differences == ()
        assert len(guarded.of(ev.ShedBegun)) == len(guarded.of(ev.ShedEnded)) == 1
        await as_it_began(guarded, 10.0)

    run(scenario())


def test_an_alarm_widens_the_same_incident_to_the_whole_cluster(tmp_path: Path) -> None:
    """One id from shed to report; what was shed comes back with the rest, and so does what a person started since."""

    async def scenario() -> None:
        guarded = await warm(tmp_path)
        await held_at(guarded, WARM_C, lambda: is_shed(guarded))
        guarded.world.cluster.power_on(next(
            vm for vm in guarded.world.cluster.vms.values() if vm.name == "archive"
        ), "by a person")
        await hot_for(guarded, WARM_C, 120.0)
        await held_at(guarded, HOT_C, guarded.all_off)
        assert guarded.of(ev.ShedWidened)
        assert not guarded.of(ev.AlarmTripped)
        cool(guarded)
        await guarded.until(guarded.is_closed, 3 * HOUR_S)
        assert len(ids(guarded)) == 1
        assert all(guarded.is_on(name) for name in (*SHED, "erp-db", "vcenter", "archive"))
        assert guarded.of(ev.IncidentClosed)[0].differences == ()
        await guarded.kill()

    run(scenario())


@pytest.mark.parametrize("book", [Runbook(), Runbook(rules=(VmRule(("nobody",), sheddable=True),))])
def test_where_nothing_may_be_shed_it_is_told_once_and_nothing_begins(tmp_path: Path, book: Runbook) -> None:
    """A person learns that the stage is reached, not every minute of it; the alarm still trips."""

    async def scenario() -> None:
        guarded = await warm(tmp_path, replace(CALM, runbook=book))
        await hot_for(guarded, WARM_C, HOUR_S)
        assert len(told(guarded, "nothing is shed")) == 1
        assert touched(guarded) == set()
        await held_at(guarded, HOT_C, lambda: guarded.of(ev.AlarmTripped))
        await guarded.kill()

    run(scenario())


@pytest.mark.parametrize(("kind", "is_hot"), [
    (ev.ShedBegun, False), (ev.SnapshotClosed, False), (ev.PhaseBegun, False), (ev.Answered, False),
    (ev.ShedEnded, False), (ev.SitePoweredOn, False), (ev.Intended, True), (ev.Observed, True), (ev.ShedWidened, True),
])
def test_it_dies_at_any_event_of_a_shed_and_ends_as_it_began(
    tmp_path: Path, kind: type[ev.Event], *, is_hot: bool
) -> None:
    """Killed when an event is durable and nothing has followed from it, and started again: the record has it all."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office(), SHEDDING)
        guarded.dies_on = lambda event: isinstance(event, kind) and guarded.record.incident is not None
        guarded.start()
        await guarded.until(lambda: guarded.snapshot is not None and len(guarded.record.bmc_of) == 3, 300)

        async def lived_through(celsius: float, holds: Callable[[], object]) -> None:
            since = guarded.clock.now()
            while not holds():
                assert guarded.clock.now() - since < 2 * HOUR_S, guarded.story()
                await hot_for(guarded, celsius, 30.0)
                if guarded.is_dead:
                    await restart(guarded)

        await lived_through(WARM_C, lambda: is_shed(guarded))
        if is_hot:
            await lived_through(HOT_C, guarded.all_off)
        await lived_through(24.0 if is_hot else FALLEN_C, guarded.is_closed)
        assert len(ids(guarded)) == 1
        assert bool(guarded.of(ev.ShedWidened)) is is_hot
        assert guarded.of(ev.IncidentClosed)[0].differences == ()
        await as_it_began(guarded, 10.0)

    run(scenario())


def test_a_guard_that_is_started_inside_the_dead_band_ends_nothing(tmp_path: Path) -> None:
    """The stage was on, and is on until the room has surely fallen below its dead-band."""

    async def scenario() -> None:
        guarded = await warm(tmp_path)
        await held_at(guarded, WARM_C, lambda: is_shed(guarded))
        await hot_for(guarded, 32.0, 300.0)
        await restart(guarded)
        await hot_for(guarded, 32.0, HOUR_S)
        assert is_shed(guarded)
        assert not guarded.of(ev.ShedEnded)
        await held_at(guarded, FALLEN_C, guarded.is_closed)
        await as_it_began(guarded, 10.0)

    run(scenario())


def test_what_a_person_brings_back_is_not_shed_again_before_the_room_was_low(tmp_path: Path) -> None:
    """`power-on` is the last word while the room stays warm; an alarm still takes all."""

    async def scenario() -> None:
        guarded = await warm(tmp_path)
        await held_at(guarded, WARM_C, lambda: is_shed(guarded))
        guarded.order(Order.POWER_ON)
        await held_at(guarded, WARM_C, guarded.is_closed)
        await hot_for(guarded, WARM_C, 0.5 * HOUR_S)
        assert guarded.before.differences(guarded.world.running()) == ()
        assert len(guarded.of(ev.ShedBegun)) == 1
        await hot_for(guarded, 25.0, 900.0)
        await held_at(guarded, WARM_C, lambda: len(guarded.of(ev.ShedBegun)) == 2)
        await guarded.kill()

    run(scenario())


def test_what_has_come_to_a_host_keeps_it_up(tmp_path: Path) -> None:
    """DRS goes on balancing: a host that is to be shed and carries something else by now is left, and so is that."""

    async def scenario() -> None:
        guarded = await warm(tmp_path)
        await held_at(guarded, WARM_C, lambda: guarded.of(ev.SnapshotClosed))
        mail = next(vm for vm in guarded.world.cluster.vms.values() if vm.name == "mail")
        guarded.world.cluster.move(mail, "esx3", "by DRS")
        await held_at(guarded, WARM_C, lambda: not any(guarded.is_on(name) for name in SHED))
        await hot_for(guarded, WARM_C, 600.0)
        assert guarded.is_on("mail")
        assert not calls(guarded, Verb.ENTER_MAINTENANCE, "esx3")
        guarded.world.cluster.move(mail, "esx2", "by DRS")
        await held_at(guarded, WARM_C, lambda: is_shed(guarded))
        await guarded.kill()

    run(scenario())


def test_the_third_shed_of_a_day_waits_for_a_person(tmp_path: Path) -> None:
    """Each way back counts towards POWER_ON_LIMIT: machines that go off and on all day wear out."""

    async def scenario() -> None:
        guarded = await warm(tmp_path)
        for number in (1, 2, 3):
            await held_at(guarded, WARM_C, lambda: is_shed(guarded))
            count = number
            if count < 3:
                await held_at(guarded, FALLEN_C, lambda: len(guarded.of(ev.IncidentClosed)) == count)  # noqa: B023
        await hot_for(guarded, FALLEN_C, HOUR_S)
        assert is_shed(guarded)
        assert len(guarded.of(ev.PowerOnHeld)) == 1
        guarded.order(Order.POWER_ON)
        await held_at(guarded, FALLEN_C, lambda: len(guarded.of(ev.IncidentClosed)) == 3)
        await as_it_began(guarded, 10.0)

    run(scenario())
