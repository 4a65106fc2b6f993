"""Bad connections to every kind of server at once, as a process; `make torture` takes each fault by each server."""

from pathlib import Path

import pytest

from e2e.plant import Plant
from torture.faults import SETTINGS, Proxies, hold_incident, is_sound, spell, told
from torture.proxy import Fault


@pytest.mark.peer
def test_three_faults_at_once_cost_no_memory_no_tick_and_one_line_each(tmp_path: Path) -> None:
    """Endless sensors, a vCenter that resets and a BMC that refuses are each told once; then all goes on."""
    proxies = Proxies()
    try:
        with Plant(tmp_path, is_vcenter_inside=False, settings=SETTINGS, through=proxies) as plant:
            hold_incident(plant)
            faults = {"meraki": Fault.ENDLESS, "vcenter": Fault.RESET, plant.first_host: Fault.REFUSE}
            looks = {"sensors", "vCenter", f"BMC {plant.bmc_address(plant.first_host)}"}
            found = spell(plant, proxies, faults, lambda since: looks <= told(plant, since))
            is_sound(plant, found)
            print(found)
    finally:
        proxies.close()
