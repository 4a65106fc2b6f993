"""What a simulated incident costs: 8 hosts, 40 VMs, down and up, with every promise checked at each step.

    python -m bench.simulate [--runs 5]

One process on one core: processor time, so that what else the machine does counts less. The goal of 300 incidents a
minute is 200 ms each. A day of ten incidents, and the drawn scenarios as `thermo-guard simulate` runs them.
"""

import argparse
import sys
import time

from bench.table import Report
from thermo_guard.simulate.run import run
from thermo_guard.simulate.scenario import Kind, Scenario, Trouble, draw

GOAL_MS = 200.0
CYCLE_S, COOL_AFTER_S = 1500.0, 700.0
INCIDENTS = 10


def day() -> Scenario:
    """Ten times hot, ten times cool again."""
    troubles = [
        one for number in range(INCIDENTS) for one in (
            Trouble(60.0 + number * CYCLE_S, Kind.HEAT), Trouble(60.0 + number * CYCLE_S + COOL_AFTER_S, Kind.COOL)
        )
    ]
    return Scenario(1, "hall", hosts=8, vms=40, faults_s=60.0 + INCIDENTS * CYCLE_S, troubles=tuple(troubles))


def ms_per_incident(scenarios: list[Scenario]) -> float:
    began, incidents = time.process_time(), 0
    for scenario in scenarios:
        outcome = run(scenario)
        if outcome.violations:
            raise SystemExit(f"seed {scenario.seed}: {outcome.violations[0]}")
        incidents += outcome.incidents
    return 1000 * (time.process_time() - began) / incidents


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    run(Scenario(1, "hall", hosts=1, vms=1))  # what the first run alone pays for
    report = Report("simulate")
    report.add("an incident of 8 hosts and 40 VMs", "ms", [ms_per_incident([day()]) for _ in range(runs)], GOAL_MS)
    drawn = [[draw(10 * number + place) for place in range(10)] for number in range(runs)]
    report.add("an incident of the drawn scenarios", "ms", [ms_per_incident(scenarios) for scenarios in drawn])
    return 0 if report.show() else 1


if __name__ == "__main__":
    sys.exit(main())
