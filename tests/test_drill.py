"""Drills on the virtual site: what was expected beside what came of it, and what a drill that goes badly says."""

import json

import pytest
from typer.testing import CliRunner

from thermo_guard.cli import app
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.step import Timing
from thermo_guard.drill import DrillReport, drill
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.plant_file import EXAMPLES, parsed, read

SETTINGS = LoopSettings(policy=PolicySettings(), timing=Timing(), active_s=10.0)


def drilled(plant: str, scenario: str = "cooling-fails") -> DrillReport:
    (report,) = drill(read(plant), scenario, SETTINGS)
    return report


@pytest.mark.parametrize("plant", EXAMPLES)
def test_each_example_passes_its_drill(plant: str) -> None:
    """Every promise kept, in the expected order, and everything back."""
    report = drilled(plant)
    assert report.is_passed, report
    assert report.alarm_after_s is not None
    assert report.differences == ()
    assert all(report.checked[promise] for promise in ("S1", "S2", "S3", "S4", "S5", "S6", "S8", "liveness"))


def test_expected_stands_beside_what_came_of_it() -> None:
    """Each stage of the plan, both ways, with its time."""
    report = drilled("branch-office")
    stages = {(stage.goal, stage.phase, stage.tier): stage for stage in report.stages}
    for key in ((Goal.OFF, Phase.DISARM, None), (Goal.OFF, Phase.GUESTS, 1), (Goal.OFF, Phase.HOSTS, None),
                (Goal.ON, Phase.FIRST_HOST, None), (Goal.ON, Phase.START_GUESTS, 3)):
        assert stages[key].expected_s is not None, key
        assert stages[key].took_s is not None, key
    without_tools = stages[Goal.OFF, Phase.GUESTS, 1].took_s
    assert without_tools is not None
    assert without_tools >= SETTINGS.timing.vm_shutdown_s


def test_heat_that_returns_turns_the_way() -> None:
    """And all comes back in the end."""
    report = drilled("branch-office", "relapse")
    assert report.is_closed
    assert not report.violations
    assert report.unnamed == ()


def test_what_is_not_back_is_named() -> None:
    """A dead BMC: its host is given up, and the report says so; all else is back."""
    report = drilled("branch-office", "dead-bmc")
    assert any("esx2" in line for line in report.given_up)
    assert any("esx2" in line for line in report.differences)
    assert report.unnamed == ()
    assert not report.violations


def test_a_cool_room_drills_nothing() -> None:
    """No alarm is no pass."""
    file = parsed("""
[[room]]
name = "Cool"
[room.cooling]
kw = 5
[[room.host]]
name = "lone"
[[scenario]]
name = "nothing"
[[scenario.at]]
at = 10
do = "open door"
""", "cool")
    (report,) = drill(file, "nothing", SETTINGS)
    assert report.alarm_after_s is None
    assert not report.is_passed


def test_what_cannot_happen_fails_the_drill() -> None:
    """Else it would pass for another day than the file's."""
    file = parsed("""
[[room]]
name = "Two"
[room.cooling]
kw = 5
[[room.host]]
name = "esx{n}"
count = 2
[[room.vm]]
name = "files"
host = "esx1"
[[scenario]]
name = "moves"
[[scenario.at]]
at = 10
do = "cut power"
target = "esx2"
[[scenario.at]]
at = 20
do = "move VM"
target = "files"
how = "esx2"
""", "two")
    (report,) = drill(file, "moves", SETTINGS)
    assert any("move VM could not happen" in str(one) for one in report.violations)


def test_the_command_says_what_it_found() -> None:
    """As a table for people, as JSON for others; exit 0 only for a pass."""
    shown = CliRunner().invoke(app, ["drill", "--plant", "branch-office"])
    assert shown.exit_code == 0, shown.output
    assert "Passed." in shown.output
    assert "In the expected order." in shown.output
    told = CliRunner().invoke(app, ["drill", "--plant", "branch-office", "--scenario", "dead-bmc", "--json"])
    (facts,) = json.loads(told.stdout)
    assert facts["scenario"] == "dead-bmc"
    assert told.exit_code == (0 if facts["is_passed"] else 1)


@pytest.mark.parametrize(("args", "said"), [(["--plant", "none"], "branch-office"), (["--scenario", "none"], "blind")])
def test_what_is_not_there_is_said(args: list[str], said: str) -> None:
    """With what is; exit 2."""
    done = CliRunner().invoke(app, ["drill", *args])
    assert done.exit_code == 2
    assert said in done.stderr
