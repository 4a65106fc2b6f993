"""Power-on of machines of which nothing is on record: each that says off, one by one, by a person's word only."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import HOUR_S, commands, declined, heat, is_taken, power_ons, told
from engine.rig import Guarded, quick
from thermo_guard.core.commands import Verb
from thermo_guard.core.wishes import Order
from thermo_guard.sim.blueprint import Blueprint, HostPlan
from thermo_guard.sim.loop import run
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plans import office, vcenter_outside
from thermo_guard.sim.site import SENSORS, Effect


def off(plan: Blueprint, *names: str) -> Blueprint:
    """These hosts, and all that runs on them, are off from the start."""
    def host(plan: HostPlan) -> HostPlan:
        return replace(plan, is_on=False) if not names or plan.name in names else plan

    gone = {h.name for h in map(host, plan.hosts) if not h.is_on}
    vms = tuple(replace(vm, is_on=vm.is_on and vm.host not in gone) for vm in plan.vms)
    return replace(plan, hosts=tuple(map(host, plan.hosts)), vms=vms)


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
