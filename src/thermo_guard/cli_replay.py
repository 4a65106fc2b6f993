"""`thermo-guard replay`: what the policy would have done over recorded temperatures.

Its options for the policy are made of the settings, so that none is forgotten. What it needs besides is imported by the
command alone: nobody else shall wait for it.
"""

import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

import typer

from .config import BadSettings, Settings, example_of, explain, form
from .replay.options import POLICY, Wishes, asked, option
from .settings_forms import Celsius, Flag, Form, Kelvin, Maybe, Number

EXIT_WRONG_USE = 2
PANEL = "Settings of the policy"
SHORT = {
    "temperature_high_threshold": "--high", "temperature_low_threshold": "--low", "critical_threshold": "--critical",
}


def replay(
    files: list[str] | None, *, history: bool, from_meraki: str | None, stop_minutes: str,
    cooling_restored_at: str | None, sensors: str | None, as_json: bool, plot: Path | None,
    **settings: str | bool | None,
) -> None:
    """Show what the policy would have done over recorded temperatures. Nothing is touched.

    FILE is CSV with the header time,sensor,source,celsius, plain or gzip, - for standard input: times in ISO 8601
    (UTC), source room or bmc, an empty celsius where a sensor was polled and gave nothing. Or it is a guard's DATA_DIR,
    beside the running guard too. Several are put together by time. Settings come from the options, else from the
    environment and .env; none is required. Ends with 0 when everything could be opened: rows that cannot be taken are
    counted and named. Ends with 2 for bad options or a file that cannot be read.
    """
    from .replay.command import Sources, go_through  # noqa: PLC0415
    from .replay.recorded import UnreadableError  # noqa: PLC0415

    given = {name: value for name, value in settings.items() if value is not None}
    wishes = Wishes(stop_minutes, cooling_restored_at, sensors, from_meraki, plot)
    if not files and not history and from_meraki is None:
        raise typer.BadParameter("nothing to replay: name a FILE, or say --history or --from-meraki 7d.")
    try:
        what = asked(given, wishes, os.environ, Path(".env"))
        go_through(Sources(tuple(files or ()), history=history), what, plot=plot, as_json=as_json)
    except BadSettings as bad:
        print(explain(bad.problems, "nothing was replayed"), file=sys.stderr)
        raise typer.Exit(EXIT_WRONG_USE) from None
    except UnreadableError as unreadable:
        print(unreadable, file=sys.stderr)
        raise typer.Exit(EXIT_WRONG_USE) from None


def _parameters() -> list[inspect.Parameter]:
    """The command's own options, then one for each setting of the policy."""
    return [
        _parameter("files", list[str] | None, typer.Argument(
            None, metavar="[FILE]...", help="CSV of recorded temperatures, or a guard's DATA_DIR.")),
        _parameter("history", bool, typer.Option(
            False, "--history", help="The guard's own history: of the DATA_DIR named as FILE, else of the settings.")),
        _parameter("from_meraki", str | None, typer.Option(
            None, "--from-meraki", metavar="7d",
            help="Meraki's own history, so far back. Needs MERAKI_API_KEY and MERAKI_NETWORK_ID.")),
        _parameter("stop_minutes", str, typer.Option(
            "10", "--stop-minutes", metavar="MINUTES",
            help="What it takes to stop everything, as `thermo-guard plan` estimates it.")),
        _parameter("cooling_restored_at", str | None, typer.Option(
            None, "--cooling-restored-at", metavar="TIME",
            help="When the cooling really came back: a restart before it was premature.")),
        _parameter("sensors", str | None, typer.Option(
            None, "--sensors", "--meraki-sensors", metavar="A,B,C",
            help="The room sensors that vote. Default: all of the files.")),
        _parameter("as_json", bool, typer.Option(
            False, "--json", help="One line of JSON an event on standard output, and nothing else there.")),
        _parameter("plot", Path | None, typer.Option(
            None, "--plot", metavar="FILE.png|svg", help="Draw it: curves, limits, events. Needs matplotlib.")),
        *(_of_setting(name) for name in POLICY),
    ]


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _of_setting(name: str) -> inspect.Parameter:
    field, written = Settings.model_fields[name], form(name)
    told = re.split(r"\.\s", field.description or "")[0].rstrip(".") + "."
    if field.default is not None:
        told += f" Default: {example_of(name)}."
    names = [*([SHORT[name]] if name in SHORT else []), option(name)]
    if isinstance(written, Flag):
        both = f"{option(name)}/--no-{option(name)[2:]}"
        return _parameter(name, bool | None, typer.Option(None, both, help=told, rich_help_panel=PANEL))
    return _parameter(name, str | None, typer.Option(
        None, *names, metavar=_metavar(written), help=told, rich_help_panel=PANEL))


def _metavar(written: Form) -> str:
    match written:
        case Maybe(form=inner):
            return _metavar(inner)
        case Celsius():
            return "C"
        case Kelvin():
            return "K"
        case Number(unit=unit):
            return unit.upper() or "N"
        case _:
            return written.wanted.split(" with ")[0]


PARAMETERS = _parameters()
replay.__signature__ = inspect.Signature(PARAMETERS)  # type: ignore[attr-defined]
