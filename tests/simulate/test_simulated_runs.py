"""Some hundreds of runs under seeded faults and crashes, in which every promise is kept, and those that once failed."""

from pathlib import Path

import pytest

from thermo_guard.simulate.run import run
from thermo_guard.simulate.scenario import Scenario, draw

CHUNK = 10
SEEDS = Path(__file__).parents[1] / "sim" / "seeds"


@pytest.mark.parametrize("first", range(1, 201, CHUNK))
def test_every_promise_is_kept(first: int) -> None:
    """S1 to S8 at every step, and once the troubles are over everything ends as it must."""
    broken = {seed: outcome.violations for seed in range(first, first + CHUNK)
              if (outcome := run(draw(seed))).violations}
    assert not broken


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.json")), ids=lambda path: path.stem)
def test_what_once_failed_does_not_fail_again(path: Path) -> None:
    """Each file is a scenario that broke a promise, or the account of one, until that was mended."""
    assert run(Scenario.from_json(path.read_text())).violations == ()
