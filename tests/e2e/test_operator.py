"""An operator's hands, end to end: the commands as processes, beside the real guard of a real plant."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from e2e.plant import Plant
from e2e.proof import is_all_off, is_back, is_in_order, is_ready
from thermo_guard.core import events as ev

pytestmark = pytest.mark.peer


def order(plant: Plant, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Give the order with DATA_DIR alone in its environment, as `docker compose exec` does; exit code and facts."""
    done = subprocess.run(
        [sys.executable, "-c", "from thermo_guard.cli import app; app()", *arguments, "--json"],
        cwd=plant.guard.data.parent, env={"PATH": os.environ["PATH"], "DATA_DIR": str(plant.guard.data)},
        capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def taken_up(plant: Plant, *arguments: str) -> None:
    code, told = order(plant, *arguments)
    assert (code, told["outcome"]) == (0, "taken_up"), (told, plant.story())


def declined(plant: Plant, *arguments: str) -> str:
    code, told = order(plant, *arguments)
    assert (code, told["outcome"]) == (1, "declined"), (told, plant.story())
    return str(told["why"])


def test_a_person_brings_the_cluster_down_and_back(tmp_path: Path) -> None:
    """In a pause no alarm and no order acts; a person's shutdown holds in a cool room until the person's power-on."""
    with Plant(tmp_path, is_vcenter_inside=True, has_tools=True) as plant:
        plant.guard.start()
        is_ready(plant)
        assert "no incident is open" in declined(plant, "abort", "--yes")
        taken_up(plant, "pause", "--for", "1h", "--yes", "--reason", "work on the air conditioner")
        plant.heat()
        plant.wait_for("an alarm that is not acted on", lambda: plant.guard.of("alarm.observed"))
        taken_up(plant, "ack")
        assert "paused" in declined(plant, "shutdown", "--yes")
        plant.cool()
        plant.wait_for("a cool room", lambda: plant.guard.status().get("level") == "low")
        assert plant.guard.status()["is_paused"]
        assert not plant.guard.of("alarm.tripped")
        taken_up(plant, "resume")
        taken_up(plant, "shutdown", "--yes", "--reason", "move of the rack")
        plant.wait_for("all off", plant.phase("all_off"))
        is_all_off(plant)
        is_in_order(plant)
        assert plant.guard.status()["incident"]["wished_by"]
        plant.wait_for("a recovered room", lambda: plant.guard.status().get("permits_power_on"))
        is_all_off(plant)
        taken_up(plant, "power-on", "--yes")
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        is_back(plant)
        reasons = {e.event.wish.reason for e in plant.guard.journal() if isinstance(e.event, ev.WishTaken)}
        assert {"work on the air conditioner", "move of the rack"} <= reasons


def test_an_observing_guard_takes_orders_and_an_aborted_one_leaves_all_as_it_is(tmp_path: Path) -> None:
    """MODE=observe holds back the policy, not a person; after the abort nothing more is commanded."""
    slow = {"MODE": "observe", "VM_SHUTDOWN_TIMEOUT": "300"}  # the abort finds the first tier, however long it takes
    with Plant(tmp_path, is_vcenter_inside=False, has_tools=True, settings=slow, guest_ms=300_000) as plant:
        plant.guard.start()
        plant.wait_for("the first snapshot", lambda: plant.guard.status().get("snapshot_at"))
        taken_up(plant, "shutdown", "--yes")
        plant.wait_for("the first tier", lambda: plant.calls("ShutdownGuest"))
        taken_up(plant, "abort", "--yes", "--reason", "wrong cluster")
        (closed,) = plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        assert closed.facts["aborted_by"]
        assert closed.facts["differences"]
        plant.wait_for("no incident", lambda: plant.guard.status().get("incident", "unknown") is None)
        taken_up(plant, "ack")  # at least one tick later
        assert plant.calls("ShutdownHost_Task") == []
        assert plant.calls("EnterMaintenanceMode_Task") == []
