"""The main job end to end: the real program as a process, against a cluster, BMCs and a room that are not its own."""

from pathlib import Path

import pytest

from e2e.plant import Plant
from e2e.proof import is_all_off, is_asked_once, is_back, is_in_order, is_ready, is_told_once

pytestmark = pytest.mark.peer
TOPOLOGY = pytest.mark.parametrize("is_vcenter_inside", [False, True], ids=["vcenter_outside", "vcenter_inside"])


@TOPOLOGY
def test_the_cluster_goes_down_in_order_and_comes_back_as_it_was(tmp_path: Path, is_vcenter_inside: bool) -> None:
    """Heat brings everything down in the runbook's order, every BMC Off; recovery brings back exactly what was."""
    with Plant(tmp_path, is_vcenter_inside=is_vcenter_inside) as plant:
        plant.guard.start()
        is_ready(plant)
        plant.heat()
        plant.wait_for("all off", plant.phase("all_off"))
        is_all_off(plant)
        is_in_order(plant)
        plant.cool()
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        is_back(plant)
        is_asked_once(plant)
        is_told_once(plant)
