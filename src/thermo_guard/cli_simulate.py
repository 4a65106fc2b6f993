"""`thermo-guard simulate`: the search for the run that breaks a promise.

What it needs is imported by the command alone: nobody else shall wait for it.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

SeedOption = Annotated[int, typer.Option("--seed", help="The first run's seed; each further run has the next one.")]
RunsOption = Annotated[int, typer.Option("--runs", min=1, help="How many runs.")]
JobsOption = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; without it one a core.")]
MinimiseOption = Annotated[bool, typer.Option(
    "--minimise", help="Make each failing scenario small, and keep it as a file."
)]
FolderOption = Annotated[Path, typer.Option("--keep-in", help="Folder for the files of failing scenarios.")]
ScenarioOption = Annotated[Path | None, typer.Option("--scenario", help="Run the scenario of this file, and no other.")]
TraceOption = Annotated[bool, typer.Option("--trace", help="Show all of one run, that of --seed or --scenario.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The closing table as JSON.")]


def simulate(
    seed: SeedOption = 1, runs: RunsOption = 200, jobs: JobsOption = None, *, minimise: MinimiseOption = False,
    keep_in: FolderOption = Path(), scenario: ScenarioOption = None, trace: TraceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the real guard through seeded faults and crashes, in virtual time, and check its promises at every step.

    Exit 0: all were kept; 1: one was broken; 2: bad input.
    """
    from .simulate.scenario import Scenario, draw  # noqa: PLC0415
    from .simulate.screen import search, show_one  # noqa: PLC0415

    kept_in = keep_in if minimise else None
    try:
        one = Scenario.from_json(scenario.read_text()) if scenario is not None else draw(seed) if trace else None
    except (OSError, ValueError) as error:
        Console(stderr=True, soft_wrap=True).print(f"{scenario}: {error}", markup=False)
        raise typer.Exit(2) from error
    if one is None:
        is_kept = search(range(seed, seed + runs), jobs, keep_in=kept_in, as_json=as_json)
    else:
        is_kept = show_one(one, with_trace=trace, keep_in=kept_in)
    raise typer.Exit(0 if is_kept else 1)
