"""Short days of two plants in one process and over the wire; the whole days of all are in tests/torture."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import FAST
from scenarios.both_worlds import Day, hot_until, is_one_order
from scenarios.chronicle import BY_NAME
from thermo_guard.core.events import Phase
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.plants import standalone, vcenter_inside

pytestmark = pytest.mark.peer


def brisk(plan: Blueprint) -> Blueprint:
    """The same machines, quicker to start and to stop."""
    return replace(
        plan, hosts=tuple(replace(host, boot_s=40.0 + number, shut_s=20.0) for number, host in enumerate(plan.hosts)),
        vms=tuple(replace(vm, start_s=15.0, shut_s=min(vm.shut_s, 20.0)) for vm in plan.vms),
        vcenter=replace(plan.vcenter, start_s=30.0),
    )


DAYS = {
    "vcenter_inside": Day(brisk(vcenter_inside(moves_every_s=math.inf)), FAST, hot_until(Phase.ALL_OFF)),
    "standalone": Day(brisk(standalone(2)), replace(FAST, runbook=BY_NAME.runbook), hot_until(Phase.ALL_OFF)),
}


@pytest.mark.parametrize("name", DAYS)
def test_a_short_day_comes_in_one_order_both_ways(name: str, tmp_path: Path) -> None:
    """What happens to a plant does not depend on whether its servers are real."""
    is_one_order(DAYS[name], tmp_path)
