"""The checks find what they are for: each deliberate break of the guard, within the runs that are stated for it."""

import pytest

from simulate.mutants import MUTANTS, RUNS, broken
from thermo_guard.simulate.run import run
from thermo_guard.simulate.scenario import draw


@pytest.mark.parametrize("name", MUTANTS)
def test_a_break_is_found(name: str) -> None:
    """In the promise that it breaks."""
    with broken(name) as mutant:
        for seed in range(mutant.first, mutant.first + RUNS):
            if mutant.promise in {violation.promise for violation in run(draw(seed)).violations}:
                return
    pytest.fail(f"not found in {RUNS} runs")
