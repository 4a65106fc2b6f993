"""The shutdown in haste: a room that will be critical before the plan is through, on the virtual site."""

import math
from dataclasses import replace
from pathlib import Path

from engine.days import HOUR_S, hot_day
from engine.rig import SETTINGS, Guarded
from thermo_guard.core import events as ev
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office


def closed_in(folder: Path, plan: Blueprint, critical_c: float) -> Guarded:
    """After a whole hot day."""
    guarded: list[Guarded] = []

    async def day() -> None:
        settings = replace(SETTINGS, policy=replace(SETTINGS.policy, critical_c=critical_c))
        guarded.append(Guarded(folder, hot_day(plan), settings))
        guarded[0].start()
        await guarded[0].until(guarded[0].is_closed, 12 * HOUR_S)
        await guarded[0].kill()

    run(day())
    return guarded[0]


def stuck(plan: Blueprint) -> Blueprint:
    """With a guest that takes its shutdown and never ends it."""
    first, *others = plan.vms
    return replace(plan, vms=(replace(first, shut_s=math.inf, hangs=True), *others))


def grace_of(guarded: Guarded, vm: str) -> float:
    asked = next(h.at for h in guarded.world.log if h.kind == "call.shut_down_guest" and h.object == vm)
    forced = next(h.at for h in guarded.world.log if h.kind == "call.power_off_vm" and h.object == vm)
    return forced - asked


def test_graces_shrink_where_the_room_will_not_wait_and_it_is_told(tmp_path: Path) -> None:
    """A guest that hangs has its full grace where there is time, and a share of it where there is not."""
    plan = stuck(office())
    vm = plan.vms[0].name
    in_time = closed_in(tmp_path / "in_time", plan, 60.0)
    in_haste = closed_in(tmp_path / "in_haste", plan, 36.5)
    full_s = SETTINGS.timing.vm_shutdown_s
    assert full_s <= grace_of(in_time, vm) <= full_s + 10
    assert in_time.of(ev.GracesCompressed) == []
    shares = [event.factor for event in in_haste.of(ev.GracesCompressed)]
    assert shares == sorted(shares, reverse=True)
    assert grace_of(in_haste, vm) <= shares[0] * full_s + 10
    assert sum("In haste" in title for title in in_haste.outbox.titles) == len(shares) >= 1
    assert in_haste.before.differences(in_haste.world.running()) == ()
