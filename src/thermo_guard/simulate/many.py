"""Many runs, on all cores, and what came of them all together."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from .promises import Violation
from .run import Outcome, run
from .scenario import Scenario, draw

CHUNK = 4
"""Runs that are given to a process at once."""


@dataclass(slots=True)
class Tally:
    """All runs so far."""

    runs: int = 0
    simulated_s: float = 0.0
    incidents: int = 0
    crashes: int = 0
    troubles: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[Scenario, tuple[Violation, ...]]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        self.simulated_s += outcome.simulated_s
        self.incidents += outcome.incidents
        self.crashes += outcome.crashes
        self.troubles.update(outcome.troubles)
        self.checked.update(outcome.checked)
        if outcome.violations:
            self.failures.append((outcome.scenario, outcome.violations))

    @property
    def violations(self) -> Counter[str]:
        """How often each promise was broken."""
        return Counter(violation.promise for _, broken in self.failures for violation in broken)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def outcomes(seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    """The outcome of each seed's run, in the order of the seeds, as they come.

    :param jobs: processes; with 1 all runs are carried out here.
    """
    if jobs <= 1:
        yield from map(run_seed, seeds)
        return
    # Each worker starts as a program of its own: what this process has open is none of its business.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(run_seed, seeds, chunksize=CHUNK)


def run_seed(seed: int) -> Outcome:
    return run(draw(seed))

