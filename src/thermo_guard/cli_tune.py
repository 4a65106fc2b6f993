"""`thermo-guard tune`: what a site's own history says of its settings. Its options for the policy are `replay`'s."""

import inspect
import os
import sys
from pathlib import Path

import typer

from .cli_replay import EXIT_WRONG_USE, PARAMETERS
from .config import BadSettings, explain
from .replay.options import Wishes, asked

_NOT_HERE = {"history", "cooling_restored_at", "plot"}


def tune(
    files: list[str] | None, *, from_meraki: str | None, stop_minutes: str, sensors: str | None, as_json: bool,
    **settings: str | bool | None,
) -> None:
    """Say how near this site's room has ever been to a trip, which settings would have tripped, and what fits better.

    Without FILE it reads the guard's own history, beside the running guard too. It changes nothing. Ends with 0 when
    everything could be opened, with 2 for bad options, what cannot be read, or where there is no measurement in it.
    """
    from .replay.command import Sources  # noqa: PLC0415 - nobody else shall wait for it
    from .replay.recorded import UnreadableError  # noqa: PLC0415
    from .tune import tune as shown  # noqa: PLC0415

    given = {name: value for name, value in settings.items() if value is not None}
    try:
        what = asked(given, Wishes(stop_minutes, None, sensors, from_meraki, None), os.environ, Path(".env"))
        is_own = not files and from_meraki is None
        shown(Sources(tuple(files or ()), history=is_own), what, as_json=as_json)
    except BadSettings as bad:
        print(explain(bad.problems, "nothing was read"), file=sys.stderr)
        raise typer.Exit(EXIT_WRONG_USE) from None
    except UnreadableError as unreadable:
        print(unreadable, file=sys.stderr)
        raise typer.Exit(EXIT_WRONG_USE) from None


tune.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [one for one in PARAMETERS if one.name not in _NOT_HERE])
