"""A seed is the whole of a run: it can be repeated, kept as a file, and made small."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulate.mutants import broken
from thermo_guard.cli import app
from thermo_guard.simulate.many import Tally, outcomes
from thermo_guard.simulate.run import run
from thermo_guard.simulate.scenario import Kind, Scenario, Trouble, draw
from thermo_guard.simulate.shrink import minimise

PROGRAM = str(Path(sys.executable).with_name("thermo-guard"))
HOT = Trouble(100.0, Kind.HEAT)
SHORT = Scenario(7, "hall", hosts=2, vms=4, faults_s=300.0, troubles=(HOT,))


def traced(seed: int, hashing: str) -> str:
    """What a process of its own shows of a run."""
    program = [PROGRAM, "simulate", "--seed", str(seed), "--trace"]
    done = subprocess.run(
        program, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": hashing}
    )
    return done.stdout


def test_the_same_seed_gives_the_same_trace_byte_for_byte() -> None:
    """In another process, in which sets have another order, as well."""
    first, second = traced(11, "1"), traced(11, "2")
    assert first == second
    assert "trace " in first
    assert run(draw(11)).digest in first


def test_seeds_differ() -> None:
    """Else all runs were one."""
    assert len({draw(seed).to_json().partition(chr(10))[2] for seed in range(50)}) == 50
    assert run(replace(SHORT, seed=1)).digest != run(replace(SHORT, seed=2)).digest


@pytest.mark.parametrize("seed", range(30))
def test_a_scenario_is_kept_as_a_file(seed: int) -> None:
    """And is the same when it is read."""
    scenario = draw(seed)
    assert Scenario.from_json(scenario.to_json()) == scenario


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seed": 1, "troubles": [{"at_s": 1, "kind": "no such"}]}',
                                  '{"seed": 1, "troubles": [], "more": 1}'])
def test_a_file_that_is_no_scenario_is_refused(text: str, tmp_path: Path) -> None:
    """With its name and a reason, and exit 2."""
    path = tmp_path / "bad.json"
    path.write_text(text)
    done = CliRunner().invoke(app, ["simulate", "--scenario", str(path)])
    assert done.exit_code == 2
    assert "bad.json" in done.stderr


def test_a_failing_scenario_is_made_small() -> None:
    """What does not matter is left out: troubles, settings, hosts and VMs."""
    crowd = [Trouble(float(at), Kind.SLOW, "vcenter", for_s=20.0, amount=2.0) for at in range(130, 250, 30)]
    scenario = replace(SHORT, hosts=2, vms=2, troubles=(HOT, *crowd), tuning={"answers_questions": 1.0})
    with broken("skips the intent"):
        small = minimise(scenario)
        assert any(violation.promise == "S5" for violation in run(small).violations)
    assert len(small.troubles) == 0
    assert (small.hosts, small.vms, small.tuning) == (1, 1, {})


def test_runs_on_several_cores_are_those_of_one() -> None:
    """In the order of their seeds."""
    seeds = range(1, 5)
    alone = [outcome.digest for outcome in outcomes(seeds, 1)]
    assert [outcome.digest for outcome in outcomes(seeds, 2)] == alone


def test_the_table_adds_up() -> None:
    """Runs, incidents, crashes, faults and checks of all runs; a violation keeps its scenario."""
    tally = Tally()
    with broken("skips the intent"):
        tally.add(run(SHORT))
    tally.add(run(SHORT))
    assert (tally.runs, tally.incidents, tally.troubles["heat"]) == (2, 2, 2)
    assert [scenario for scenario, _ in tally.failures] == [SHORT]
    assert tally.violations["S5"] > 0
    assert all(tally.checked[promise] for promise in ("S1", "S2", "S3", "S4", "S5", "S6", "S8", "blind is told"))


def test_the_command_is_there() -> None:
    """Under its name."""
    assert "simulate" in {command.callback.__name__ for command in app.registered_commands if command.callback}
