"""A day in one process and the same day over the wire, with real servers and the guard's own adapters: one order.

What may differ by the nature of the two, and is left out: which of two machines that are asked at once is first, and
the names that vCenter gives to the vCLS it makes anew. Hosts go by addresses over the wire, so where the guard takes
the first by name the plan has them in the order of their names, nine at most.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engine.days import FAST, cool, heat
from engine.rig import SETTINGS, Guarded
from scenarios.chronicle import BY_NAME, at_phase, in_order, lines_of, lived
from scenarios.wired import lived_on_the_wire
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim import plans, plants
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.plans import day_of_failing_cooling
from thermo_guard.sim.plants import HostTrouble

pytestmark = pytest.mark.peer

Meanwhile = Callable[[Guarded], object]


@dataclass(frozen=True)
class Day:
    plan: Blueprint
    settings: LoopSettings = SETTINGS
    meanwhile: Meanwhile | None = None


def hot_until(phase: Phase, tier: int | None = None) -> Meanwhile:
    """The room is hot once the guard knows its hosts, and cool when the incident has come so far."""

    async def heats(guarded: Guarded) -> None:
        while not guarded.of(ev.HostsConfirmed):
            await guarded.clock.sleep(5.0)
        heat(guarded)
        await at_phase(phase, tier, cool)(guarded)

    return heats


def by_name(plan: Blueprint) -> Blueprint:
    return replace(plan, hosts=tuple(sorted(plan.hosts, key=lambda host: host.name)))


SHORT = {
    "vcenter_inside": Day(plants.vcenter_inside(), FAST, hot_until(Phase.ALL_OFF)),
    "standalone": Day(plants.standalone(3), replace(FAST, runbook=BY_NAME.runbook), hot_until(Phase.ALL_OFF)),
}
LONG = {
    "vcenter_inside": Day(day_of_failing_cooling(plants.vcenter_inside())),
    "vcenter_outside": Day(day_of_failing_cooling(plans.vcenter_outside())),
    "strict_ha": Day(day_of_failing_cooling(plants.strict_ha())),
    "troubled_vms": Day(day_of_failing_cooling(plants.troubled_vms())),
    "vsan": Day(day_of_failing_cooling(plants.vsan())),
    "one_host": Day(day_of_failing_cooling(plants.standalone(1)), BY_NAME),
    "turn_round": Day(plants.vcenter_inside(), FAST, hot_until(Phase.GUESTS, 3)),
    **{f"vcls_{kind}": Day(day_of_failing_cooling(plants.vcls(kind))) for kind in plants.VclsKind},
    "troubled_hosts": Day(day_of_failing_cooling(by_name(plants.troubled_hosts(
        *(trouble for trouble in HostTrouble if trouble not in {HostTrouble.STANDBY, HostTrouble.IN_MAINTENANCE})
    )))),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_short_day_comes_in_one_order_both_ways(name: str, tmp_path: Path) -> None:
    """What happens to a plant does not depend on whether its servers are real."""
    is_one_order(SHORT[name], tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("name", LONG)
def test_a_whole_day_comes_in_one_order_both_ways(name: str, tmp_path: Path) -> None:
    """Each plant with its traps, from a failing cooling to the closing report."""
    is_one_order(LONG[name], tmp_path)


def is_one_order(day: Day, folder: Path) -> None:
    within = lived(folder / "within", day.plan, day.settings, day.meanwhile)
    wired = lived_on_the_wire(folder / "wired", day.plan, day.settings, day.meanwhile)
    text, stories = in_order(lines_of(within))
    wired_text, wired_stories = in_order(lines_of(wired, wired.named))
    assert wired_text == text
    assert wired_stories == stories
