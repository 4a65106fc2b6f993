"""`thermo-guard drill`: an exercise on a virtual site, or on the real one up to the acts.

What it needs is imported by the command alone: nobody else shall wait for it.
"""

import asyncio
import json
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .config import BadSettings, Mode, Settings, explain, load

if TYPE_CHECKING:
    from .engine.terms import LoopSettings

PlantOption = Annotated[str | None, typer.Option(
    "--plant", help="A plant file, or the name of a shipped example. Default: vcenter-inside."
)]
ScenarioOption = Annotated[str | None, typer.Option("--scenario", help="Of the plant file. Default: cooling-fails.")]
HereOption = Annotated[bool, typer.Option("--here", help="On the configured site: everything up to the acts.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def drill(
    plant: PlantOption = None, scenario: ScenarioOption = None, *, here: HereOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go through a whole incident on a virtual site and report: order, durations, promises; or, with --here, through
    everything up to the acts on the configured one.

    The thresholds, times and runbook of the settings are used where they are complete, else the defaults. Exit 0:
    every promise kept, in the expected order, and what is not back is named; 1: not; 2: bad input.
    """
    if here:
        if plant is not None or scenario is not None:
            raise typer.BadParameter("--here is the configured site: it takes no --plant and no --scenario.")
        raise typer.Exit(_here(as_json=as_json))
    from .drill_screen import report_as_data, show_report  # noqa: PLC0415
    from .sim.plant_file import DEFAULT_SCENARIO, BadPlant, read  # noqa: PLC0415

    plant, scenario = plant or "vcenter-inside", scenario or DEFAULT_SCENARIO
    console = Console(highlight=False, soft_wrap=True)
    try:
        file = read(plant)
    except BadPlant as bad:
        print(bad, file=sys.stderr)
        raise typer.Exit(2) from bad
    if scenario not in file.scenarios:
        print(f"--scenario: {plant} has no {scenario!r}, only {', '.join(file.scenarios)}", file=sys.stderr)
        raise typer.Exit(2)
    from .drill import drill as go_through  # noqa: PLC0415

    settings, whose = _settings()
    if not as_json:
        console.print(f"With {whose}.")
    reports = go_through(file, scenario, settings)
    if as_json:
        print(json.dumps([report_as_data(report) for report in reports], indent=1, default=str))
    else:
        for report in reports:
            show_report(console, report)
    raise typer.Exit(0 if all(report.is_passed for report in reports) else 1)


def _settings() -> "tuple[LoopSettings, str]":
    """Those of this guard, as far as they say nothing of its own machines; and whose they are, in words."""
    from .core.policy import PolicySettings  # noqa: PLC0415
    from .core.step import Timing  # noqa: PLC0415
    from .engine.terms import LoopSettings  # noqa: PLC0415

    try:
        own = load()
    except BadSettings:
        return LoopSettings(policy=PolicySettings(), timing=Timing()), "the default settings"
    from .main import loop_settings  # noqa: PLC0415

    mine = loop_settings(own)
    policy = replace(mine.policy, sensors=None, votes=None)
    kept = replace(mine, policy=policy, mode=Mode.ARMED, vcenter_vm=None, guard_vm=None, bmc_overrides={})
    return kept, "this guard's thresholds, times and runbook"


def _here(*, as_json: bool) -> int:
    from .check import look  # noqa: PLC0415
    from .core.finding import Verdict, conclusion  # noqa: PLC0415
    from .core.outline import outline  # noqa: PLC0415
    from .core.preflight import findings  # noqa: PLC0415
    from .drill_here import tried  # noqa: PLC0415
    from .drill_screen import show_tried  # noqa: PLC0415
    from .main import loop_settings  # noqa: PLC0415
    from .preflight import terms  # noqa: PLC0415

    settings = _settings_or_exit()
    loop = loop_settings(settings)
    survey = asyncio.run(look(settings))
    terms_here = terms(settings, loop)
    made = outline(survey, terms_here, loop.timing, loop.runbook)
    found = findings(survey, terms_here)
    end = conclusion(found, is_observing=settings.mode is Mode.OBSERVE)
    if made is None:
        print("There is nothing to plan from: vCenter does not answer, and no snapshot is on record. `thermo-guard "
              "check` says what is in the way.", file=sys.stderr)
        return 1
    acts = tried(survey, made)
    left_out = (*made.down.needs_person, *made.back.needs_person)
    failed = [one.in_a_line() for one in found if one.verdict is Verdict.FAIL]
    if as_json:
        facts = {"acts": [asdict(one) for one in acts], "left_out": left_out, "in_the_way": failed, "end": end.text}
        print(json.dumps(facts, indent=1))
    else:
        console = Console(highlight=False, soft_wrap=True)
        show_tried(console, acts, left_out, failed)
        console.print(end.text)
    return 0 if end.can_come_back and not any(one.why_not for one in acts) else 1


def _settings_or_exit() -> Settings:
    try:
        return load()
    except BadSettings as bad:
        print(explain(bad.problems, "nothing was done"), file=sys.stderr)
        raise typer.Exit(2) from None
