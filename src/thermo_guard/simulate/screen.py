"""What `simulate` shows: a progress bar, the closing tables, a failing run and what was made of it."""

import json
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from .many import Tally, cores, outcomes
from .promises import Violation
from .run import Outcome, run
from .scenario import Kind, Scenario
from .shrink import minimise

YEAR_S = 365.25 * 24 * 3600
PROMISES = {
    "S1": "acts only armed, and only on its own",
    "S2": "never trips, nor recovers, on bad data",
    "S3": "powers on nothing that it must not",
    "S4": "keeps the order",
    "S5": "intent before act, success by sight",
    "S6": "loses nothing in a crash",
    "S7": "one guard a site",
    "S8": "shows no secret",
    "trips": "acts on a confirmed alarm",
    "blind is told": "tells that it is blind",
    "liveness": "ends as it must",
}


def show_one(scenario: Scenario, *, with_trace: bool, keep_in: Path | None) -> bool:
    """Run this one, with all that happens in it; whether every promise was kept."""
    console = Console(soft_wrap=True)
    outcome = run(scenario, with_trace=with_trace)
    _show_run(console, outcome)
    if outcome.violations:
        _tell_failure(console, scenario, outcome.violations, keep_in)
    return not outcome.violations


def search(seeds: range, jobs: int | None, *, keep_in: Path | None, as_json: bool) -> bool:
    """Run the scenarios of all seeds; whether every promise was kept.

    :param jobs: processes; None: one a core.
    :param keep_in: folder for the files of failing scenarios, each made small; None: they are only told.
    """
    console, began, tally = Console(soft_wrap=True), time.monotonic(), Tally()
    jobs = min(jobs or cores(), len(seeds))
    if keep_in is not None:
        keep_in.mkdir(parents=True, exist_ok=True)
    is_whole = _run_all(tally, seeds, jobs, is_shown=not as_json)
    took_s = time.monotonic() - began
    if as_json:
        print(json.dumps(_facts(tally, took_s), indent=1))  # noqa: T201 - what was asked for
        console = Console(stderr=True, soft_wrap=True)
    else:
        _show(console, tally, took_s, jobs, seeds)
    for failing, broken in tally.failures:
        _tell_failure(console, failing, broken, keep_in if is_whole else None)
    return is_whole and not tally.failures


def _run_all(tally: Tally, seeds: range, jobs: int, *, is_shown: bool) -> bool:
    """Whether all were run; Ctrl-C ends it with those that were."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), disable=not is_shown,
    )
    with bar:
        shown = bar.add_task("runs", total=len(seeds))
        try:
            for outcome in outcomes(seeds, min(jobs, len(seeds))):
                tally.add(outcome)
                broken = sum(tally.violations.values())
                bar.update(shown, advance=1, description=f"runs, {broken} violations" if broken else "runs")
        except KeyboardInterrupt:
            return False
    return True


def _show_run(console: Console, outcome: Outcome) -> None:
    scenario = outcome.scenario
    console.print(f"seed {scenario.seed}: {scenario.plant}, settings {dict(scenario.tuning)}", markup=False)
    for trouble in scenario.troubles:
        console.print(f"  {trouble}", markup=False)
    for line in outcome.trace:
        console.print(line, markup=False, highlight=False)
    console.print(f"trace {outcome.digest}")


def _facts(tally: Tally, took_s: float) -> dict[str, object]:
    return {
        "runs": tally.runs, "simulated_years": tally.simulated_s / YEAR_S, "incidents": tally.incidents,
        "crashes": tally.crashes, "faults": dict(sorted(tally.troubles.items())),
        "checked": dict(sorted(tally.checked.items())), "violations": dict(sorted(tally.violations.items())),
        "failing_seeds": [scenario.seed for scenario, _ in tally.failures], "seconds": round(took_s, 1),
    }


def _show(console: Console, tally: Tally, took_s: float, jobs: int, seeds: range) -> None:
    totals = Table(title="Runs", show_header=False)
    rate = tally.incidents / took_s * 60 if took_s > 0 else 0.0
    for name, value in (
        ("runs", f"{tally.runs:,}"), ("seeds", f"{seeds.start} to {seeds.stop - 1}"),
        ("simulated years", f"{tally.simulated_s / YEAR_S:.3f}"),
        ("whole incidents", f"{tally.incidents:,}, {rate:.0f} a minute on {jobs} core{'s' if jobs > 1 else ''}"),
        ("crashes", f"{tally.crashes:,}"), ("faults", f"{sum(tally.troubles.values()):,}"),
    ):
        totals.add_row(name, value)
    console.print(totals)
    faults = Table("fault", "times", title="Faults injected, by kind")
    for kind in Kind:
        if tally.troubles[kind.value]:
            faults.add_row(kind.value, f"{tally.troubles[kind.value]:,}")
    console.print(faults)
    promises = Table("promise", "", "checked", "violations", title="Promises")
    for name, words in PROMISES.items():
        promises.add_row(name, words, f"{tally.checked[name]:,}", f"{tally.violations[name]:,}")
    console.print(promises)


def _tell_failure(
    console: Console, failing: Scenario, broken: tuple[Violation, ...], folder: Path | None
) -> None:
    console.print(f"seed {failing.seed} breaks a promise; `thermo-guard simulate --seed {failing.seed} --runs 1 "
                  "--trace` shows how:", markup=False)
    for violation in broken[:5]:
        console.print(f"  {violation}", markup=False)
    if folder is None:
        return
    tried = 0

    def count(_: Scenario) -> None:
        nonlocal tried
        tried += 1

    small = minimise(failing, count)
    path = folder / f"seed-{failing.seed}.json"
    path.write_text(small.to_json())
    console.print(f"  smallest of {tried} tried: {len(small.troubles)} of {len(failing.troubles)} troubles, in {path}; "
                  f"`thermo-guard simulate --scenario {path} --trace` shows it", markup=False)
