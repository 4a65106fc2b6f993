"""A rehearsal end to end: the command as a process beside the real guard of a real plant."""

from pathlib import Path

import pytest

from e2e.plant import Plant, vm
from e2e.proof import is_ready
from e2e.test_operator import order

pytestmark = pytest.mark.peer


def test_one_vm_is_stopped_and_started_and_nothing_else(tmp_path: Path) -> None:
    """The command ends with 0 once the VM is back; it has its times, and no host, setting or other VM is touched."""
    with Plant(tmp_path, is_vcenter_inside=True, has_tools=True) as plant:
        plant.guard.start()
        is_ready(plant)
        plant.wait_for("a cool room", lambda: plant.guard.status().get("permits_power_on"))
        code, told = order(plant, "rehearse", "--vm", vm(1), "--yes")
        assert (code, told["outcome"]) == (0, "came_back"), (told, plant.story())
        took = {step["what"].strip(): step["took_s"] for step in told["steps"]}
        assert took[f"{vm(1)} is off"] > 0
        assert took[f"{vm(1)} is on"] > 0
        assert len(plant.calls("ShutdownGuest")) == len(plant.calls("PowerOnVM_Task")) == 1
        touched = [plant.calls(one) for one in ("EnterMaintenanceMode_Task", "ReconfigureComputeResource_Task")]
        assert touched == [[], []]
        code, told = order(plant, "rehearse", "--vm", "vcsa", "--yes")
        assert (code, told["outcome"]) == (1, "declined"), told
