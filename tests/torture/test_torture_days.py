"""The whole day of each plant with its traps in one process and over the wire, two minutes each."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import FAST
from scenarios.both_worlds import Day, hot_until, is_one_order
from scenarios.chronicle import BY_NAME
from thermo_guard.core.events import Phase
from thermo_guard.sim import plans, plants
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.plans import day_of_failing_cooling
from thermo_guard.sim.plants import HostTrouble

pytestmark = pytest.mark.peer


def by_name(plan: Blueprint) -> Blueprint:
    return replace(plan, hosts=tuple(sorted(plan.hosts, key=lambda host: host.name)))


DAYS = {
    "vcenter_inside": Day(day_of_failing_cooling(plants.vcenter_inside())),
    "vcenter_outside": Day(day_of_failing_cooling(plans.vcenter_outside())),
    "strict_ha": Day(day_of_failing_cooling(plants.strict_ha())),
    "troubled_vms": Day(day_of_failing_cooling(plants.troubled_vms())),
    "vsan": Day(day_of_failing_cooling(plants.vsan())),
    "one_host": Day(day_of_failing_cooling(plants.standalone(1)), BY_NAME),
    "three_hosts": Day(day_of_failing_cooling(plants.standalone(3)), BY_NAME),
    "turn_round": Day(plants.vcenter_inside(), FAST, hot_until(Phase.GUESTS, 3)),
    **{f"vcls_{kind}": Day(day_of_failing_cooling(plants.vcls(kind))) for kind in plants.VclsKind},
    "troubled_hosts": Day(day_of_failing_cooling(by_name(plants.troubled_hosts(
        *(trouble for trouble in HostTrouble if trouble not in {HostTrouble.STANDBY, HostTrouble.IN_MAINTENANCE})
    )))),
}


@pytest.mark.parametrize("name", DAYS)
def test_a_whole_day_comes_in_one_order_both_ways(name: str, tmp_path: Path) -> None:
    """From a failing cooling to the closing report, the wire's plant does what the plant in one process does."""
    is_one_order(DAYS[name], tmp_path)
