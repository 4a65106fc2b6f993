"""The machine that the guard itself runs on: it stays up, wherever it has moved."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import HOUR_S, in_phase, is_as_before, leaning_on, told, with_vm
from engine.rig import Guarded
from thermo_guard.core.events import Phase
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import infrastructure


@pytest.mark.parametrize("host", ["esx1", "esx2"])
def test_the_guards_own_vm_and_its_host_stay_up(tmp_path: Path, host: str) -> None:
    """Who would bring it all back must not switch itself off: that much stays up and is told, all else goes and comes.

    esx2 carries vCenter too.
    """

    async def scenario() -> None:
        plan = with_vm(infrastructure(is_guard_inside=True), "nas", host=host)
        guarded = Guarded(tmp_path, leaning_on(plan, guard="nas"))
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, Phase.ALL_OFF), 2 * HOUR_S)
        assert [vm for vm, _ in guarded.world.running().vms] == ["nas"]
        on = [h.name for h in guarded.world.cluster.hosts.values() if h.stage != "off"]
        assert on == [host]
        assert told(guarded, "nas")
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert not guarded.world.network.has_guard_died
        assert is_as_before(guarded)

    run(scenario())


def test_the_guards_own_vm_is_followed_when_it_has_moved(tmp_path: Path) -> None:
    """DRS moved it after the last quiet look: the host that it is on now stays up, and the other goes."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, leaning_on(infrastructure(is_guard_inside=True), guard="nas"))
        guarded.start()
        await guarded.until(lambda: guarded.record.level == "band", 2 * HOUR_S)
        cluster = guarded.world.cluster
        own = guarded.world.network.guard_vm
        assert own is not None
        cluster.move(own, "esx3", "by DRS")
        await guarded.until(lambda: in_phase(guarded, Phase.ALL_OFF), 2 * HOUR_S)
        assert [h.name for h in cluster.hosts.values() if h.stage != "off"] == ["esx3"]
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert not guarded.world.network.has_guard_died

    run(scenario())


def test_a_guard_whose_tools_are_silent_at_the_trip_still_knows_its_vm(tmp_path: Path) -> None:
    """An address that is not reported just now takes no protection away: it was the guard's VM before."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, leaning_on(infrastructure(is_guard_inside=True), guard="nas"))
        guarded.start()
        await guarded.until(lambda: guarded.record.level == "band", 2 * HOUR_S)
        own = guarded.world.network.guard_vm
        assert own is not None
        own.plan = replace(own.plan, has_tools=False)
        await guarded.until(lambda: in_phase(guarded, Phase.ALL_OFF), 2 * HOUR_S)
        await guarded.kill()
        assert not guarded.world.network.has_guard_died
        assert guarded.is_on("nas")

    run(scenario())
