"""Hosts that join the cluster after its plan was confirmed: told, left alone, and confirmed by a check or a person."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import HOUR_S, answered, cool, declined, heat, told, touched
from engine.rig import Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.wishes import Order
from thermo_guard.sim.blueprint import Blueprint, BmcPlan, HostPlan, VmPlan
from thermo_guard.sim.loop import run
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plans import PROTECTS_AT_C, office

FAST = replace(quick(), policy=replace(quick().policy, recovery_hold_s=300.0, watch_s=120.0))
NEW = "esx4"
GUESTS = tuple(f"new-{number}" for number in range(1, 7))
OWN = {"esx1", "esx2", "esx3"}


def beside() -> Blueprint:
    """The office, and a host with VMs that belongs to another cluster yet."""
    plan = office()
    host = HostPlan(NEW, cluster="Other", busy_kw=0.3, idle_kw=0.2, protects_at_c=PROTECTS_AT_C, boot_s=120.0,
                    shut_s=45.0)
    return replace(
        plan, hosts=(*plan.hosts, host), vms=(*plan.vms, *(VmPlan(name, NEW, tier=1) for name in GUESTS)),
        bmcs=(*plan.bmcs, BmcPlan("ilo-d.virtual.invalid", NEW)),
    )


async def confirmed(folder: Path, *, has_check: bool = False) -> Guarded:
    """An armed guard whose journal is older than the confirmation, after its first look."""
    guarded = Guarded(folder, beside(), FAST)
    if has_check:
        guarded.new_folder()
        guarded.is_armed = True
    guarded.start()
    await guarded.until(lambda: guarded.record.confirmed, 300)
    await guarded.until(lambda: set(guarded.record.bmc_of) >= OWN, 300)
    return guarded


async def joined(folder: Path, *, has_check: bool = False) -> Guarded:
    """Then a host joins, with all that runs on it, and has been seen."""
    guarded = await confirmed(folder, has_check=has_check)
    guarded.world.join_cluster(NEW)
    await guarded.until(lambda: told(guarded, "would be left alone"), 600)
    return guarded


def hosts(guarded: Guarded) -> set[str]:
    assert guarded.record.confirmed is not None
    return set(guarded.record.confirmed.hosts)


def test_a_journal_that_is_older_confirms_what_the_first_look_shows(tmp_path: Path) -> None:
    """Armed by an earlier version: whoever updates need not arm again, and nobody is told of it."""

    async def scenario() -> None:
        guarded = await confirmed(tmp_path)
        assert hosts(guarded) == OWN
        await guarded.clock.sleep(HOUR_S / 2)
        await guarded.kill()
        assert len(guarded.of(ev.HostsConfirmed)) == 1
        assert guarded.outbox.told == []

    run(scenario())


def test_a_host_that_joined_is_told_and_left_alone_with_its_vms(tmp_path: Path) -> None:
    """Once in quiet time; in an incident no command reaches it, it is told why, and the rest goes down and returns."""

    async def scenario() -> None:
        guarded = await joined(tmp_path)
        await guarded.clock.sleep(HOUR_S / 4)
        assert len(told(guarded, "would be left alone")) == 1
        heat(guarded)
        await guarded.until(lambda: all(guarded.world.cluster.hosts[name].stage is Stage.OFF for name in OWN),
                            2 * HOUR_S)
        assert guarded.world.cluster.hosts[NEW].stage is Stage.UP
        assert all(guarded.is_on(name) for name in GUESTS)
        assert any("last confirmed plan" in given.reason for given in guarded.of(ev.Abandoned) if given.target == NEW)
        cool(guarded)
        await guarded.until(guarded.is_closed, 4 * HOUR_S)
        await guarded.kill()
        assert touched(guarded).isdisjoint({NEW, *GUESTS})
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_the_next_passing_check_confirms_it(tmp_path: Path) -> None:
    """Within an hour, and that is told; from then on a shutdown takes it along."""

    async def scenario() -> None:
        guarded = await joined(tmp_path, has_check=True)
        await guarded.until(lambda: NEW in hosts(guarded), 1.2 * HOUR_S)
        assert told(guarded, "from now on")
        heat(guarded)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()
        assert not any(guarded.is_on(name) for name in GUESTS)

    run(scenario())


def test_a_person_confirms_it_by_arming_again(tmp_path: Path) -> None:
    """By name on record; where nothing has changed it is declined."""

    async def scenario() -> None:
        guarded = await joined(tmp_path)
        assert await answered(guarded, guarded.order(Order.ARM)) == ""
        assert hosts(guarded) == {*OWN, NEW}
        assert guarded.of(ev.HostsConfirmed)[-1].by == "ada@nas"
        assert len(guarded.of(ev.GuardArmed)) == 0, "it was armed before"
        assert "nothing has changed" in await declined(guarded, Order.ARM)
        await guarded.kill()

    run(scenario())


def test_a_person_s_shutdown_without_a_confirmed_plan_touches_everything(tmp_path: Path) -> None:
    """On a guard that was never armed: who says shutdown means the cluster as it is."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, beside(), FAST)
        guarded.is_armed = False
        guarded.start()
        await guarded.until(lambda: guarded.snapshot is not None, 300)
        guarded.world.join_cluster(NEW)
        await guarded.until(lambda: NEW in guarded.record.bmc_of, 600)
        assert await answered(guarded, guarded.order(Order.SHUT_DOWN)) == ""
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()
        assert not any(guarded.is_on(name) for name in GUESTS)
        assert guarded.record.confirmed is None

    run(scenario())


def test_many_more_vms_are_told_once_and_stopped_all_the_same(tmp_path: Path) -> None:
    """More than a quarter over what was confirmed: a surprise to be told, no reason to leave the room hot."""

    async def scenario() -> None:
        guarded = await confirmed(tmp_path)
        for name in GUESTS:
            guarded.world.move_vm(name, "esx1")
        await guarded.until(lambda: told(guarded, "The cluster has"), 600)
        await guarded.clock.sleep(HOUR_S / 4)
        assert len(told(guarded, "The cluster has")) == 1
        heat(guarded)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()
        assert not any(guarded.is_on(name) for name in GUESTS)

    run(scenario())


@pytest.mark.parametrize("is_new_confirmed", [True, False])
def test_a_restart_tells_nothing_that_is_settled(tmp_path: Path, *, is_new_confirmed: bool) -> None:
    """What is confirmed stays so, without a word; without a new host nothing is said at all."""

    async def scenario() -> None:
        guarded = await (joined(tmp_path) if is_new_confirmed else confirmed(tmp_path))
        if is_new_confirmed:
            await answered(guarded, guarded.order(Order.ARM))
        said = len(guarded.outbox.told)
        await guarded.kill()
        guarded.start()
        await guarded.clock.sleep(HOUR_S / 2)
        await guarded.kill()
        assert guarded.outbox.told[said:] == []
        assert len(guarded.of(ev.HostsConfirmed)) == (2 if is_new_confirmed else 1)

    run(scenario())
