"""kill -9 of the guard at random instants of whole incidents, hundreds of times: `make torture`.

Sites run side by side, one a worker of xdist; each takes its share of TORTURE_KILLS (200) and a new plant an incident.
Each incident prints its seed; TORTURE_SEED=n repeats that of the first. The short form is tests/e2e/test_kills.py.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from e2e.plant import Plant
from e2e.proof import is_all_off, is_asked_once, is_back, is_in_order, is_ready
from thermo_guard.core.record import Record, fold

pytestmark = pytest.mark.peer
SITES = int(os.environ.get("TORTURE_SITES") or 2)
KILLS = int(os.environ.get("TORTURE_KILLS") or 200)
KILLS_A_LEG = 4
ANYWHERE = 0.25
"""This share of the lives ends while it starts or waits; the others once they have written an intent, so that kills
reach every phase: a life too short to get past RECOVERY_HOLD would leave the site where it is."""
LIFE_S = 1.5


class Tally:
    """What was killed, by phase, and how often between an intent and its outcome."""

    def __init__(self) -> None:
        self.phases: Counter[str] = Counter()
        self.incidents = 0
        self.with_open_intents = 0

    def count(self, plant: Plant) -> None:
        incident = fold(Record(), plant.guard.journal()).incident
        begun = plant.guard.of("phase.begun")
        self.phases[str(begun[-1].facts["phase"]) if incident is not None and begun else "before the trip"] += 1
        if incident is not None:
            self.with_open_intents += any(intent.outcome is None for intent in incident.intents.values())

    def line(self) -> str:
        phases = ", ".join(f"{phase} {count}" for phase, count in self.phases.most_common())
        return (f"{self.phases.total()} kills in {self.incidents} incidents, {self.with_open_intents} of them between "
                f"an intent and its outcome; by phase: {phases}")


@pytest.mark.parametrize("site", range(SITES))
def test_killed_hundreds_of_times(tmp_path: Path, site: int) -> None:
    """However often and whenever it is killed: all off in the heat, in order, nothing asked twice, all back after."""
    first = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(10_000)) + 10_000 * site
    tally = Tally()
    while tally.phases.total() < KILLS / SITES:
        seed = first + tally.incidents
        print(f"TORTURE_SEED={seed}", flush=True)
        incident(tmp_path / str(seed), random.Random(seed), tally)
        tally.incidents += 1
        report(f"site {site}: {tally.line()}")


def incident(folder: Path, drawn: random.Random, tally: Tally) -> None:
    folder.mkdir()
    is_inside = drawn.random() < 0.5
    settings = {"VM_SHUTDOWN_TIMEOUT": "60"}  # longer than an intent without an answer is watched, as in life
    with Plant(folder, is_vcenter_inside=is_inside, has_tools=True, settings=settings) as plant:
        plant.guard.start()
        is_ready(plant)
        plant.heat()
        kill_until(plant, drawn, tally, plant.all_off)
        plant.wait_for("all off is seen", lambda: sees_all_off(plant))
        is_all_off(plant)
        is_in_order(plant)
        plant.cool()
        kill_until(plant, drawn, tally, lambda: plant.guard.of("phase.begun", phase="verify"))
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        is_back(plant)
        is_asked_once(plant)


def kill_until(plant: Plant, drawn: random.Random, tally: Tally, is_over: Callable[[], object]) -> None:
    """Kill it and start it again at drawn instants, until the leg is over or has had its kills."""
    seen = len(plant.guard.lines)
    for _ in range(KILLS_A_LEG):
        if drawn.random() >= ANYWHERE:
            plant.wait_for("an intent", partial(intends, plant, seen, is_over))
        time.sleep(drawn.uniform(0.0, LIFE_S))  # the instant itself is what is drawn: nothing is awaited
        if is_over():
            return
        plant.guard.kill()
        tally.count(plant)
        seen = len(plant.guard.lines)
        plant.guard.start()


def intends(plant: Plant, since: int, is_over: Callable[[], object]) -> object:
    return is_over() or plant.guard.of("commands.intended", since=since)


def sees_all_off(plant: Plant) -> bool:
    return (plant.guard.status().get("incident") or {}).get("phase") == "all_off"


def report(line: str) -> None:
    """Where `make torture` shows it, as a worker of xdist has no terminal of its own."""
    print(line, flush=True)
    if told := os.environ.get("TORTURE_REPORT"):
        with Path(told).open("a") as file:
            file.write(line + "\n")
