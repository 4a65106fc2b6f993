"""`thermo-guard pin`: shows what each endpoint presents, and trusts from then on what a person confirms.

Works before the guard's first start and beside a running one, which takes a new pin up by itself.
"""

import asyncio
import getpass
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console

from .adapters import logs
from .adapters.clock import wall_now
from .adapters.pins import PinFile, key_of
from .config import Settings, secrets
from .core.endpoint import HTTPS_PORT
from .pin_screen import print_lines, seen_as_data, show_seen, summary
from .trust import Endpoint, Seen, Standing, called, endpoints_of, meet

EXIT_DONE = 0
EXIT_LEFT = 1
"""An endpoint does not answer, or is still not trusted."""
EXIT_UNCONFIRMED = 2
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was given."""

    names: tuple[str, ...] = ()
    """Endpoints; none: all of them."""
    prints: bool = False
    is_agreed: bool = False
    """--yes"""
    as_json: bool = False


def pin(settings: Settings, asked: Asked, console: Console, confirm: Callable[[str], bool] | None) -> int:
    """Show the endpoints and pin what is confirmed; the exit code.

    :param confirm: puts a question to a person; None where there is nobody to ask.
    :raises Fault: the pins cannot be read or written.
    """
    _keep_logs_quiet(settings)
    pins = PinFile(settings.data_dir)
    kept = pins.read()
    endpoints = endpoints_of(settings)
    if unknown := [name for name in asked.names if not called(endpoints, name)]:
        _say(f"Not in the settings: {', '.join(unknown)}. They name: {', '.join(one.key for one in endpoints)}.")
        return EXIT_UNCONFIRMED
    named = {one.key for name in asked.names for one in called(endpoints, name)}
    seen = asyncio.run(_meet_all([one for one in endpoints if not named or one.key in named], pins))
    if asked.prints:
        print_lines(seen, named)
        for one in seen:
            if one.standing is Standing.SILENT:
                _say(f"{one.endpoint.kind} {one.reason}")
        return EXIT_LEFT if any(one.standing is Standing.SILENT for one in seen) else EXIT_DONE
    if not asked.as_json:
        show_seen(console, seen, kept, wall_now())
    wanted = [one for one in seen if _is_to_pin(one, is_named=one.endpoint.key in named)]
    if wanted and not asked.is_agreed and confirm is None:
        if asked.as_json:
            console.print_json(data=seen_as_data(seen, ()))
        _say("Nothing was pinned: there is nobody to ask here. Compare each SHA-256, then say --yes.")
        return EXIT_UNCONFIRMED
    agreed = wanted if asked.is_agreed else _agreed(wanted, seen, confirm)
    pins.trust({one.endpoint.key: (one.certificate.sha256, one.certificate.subject)
                for one in agreed if one.certificate is not None}, _whoever(), wall_now())
    left = [one for one in seen if one not in agreed and not one.standing.is_usable]
    if asked.as_json:
        console.print_json(data=seen_as_data(seen, agreed))
    else:
        console.print(summary(agreed, left), soft_wrap=True, markup=False)
    return EXIT_LEFT if left else EXIT_DONE


def forget(settings: Settings, name: str) -> int:
    """Take the pin of one endpoint back, also of one that the settings no longer name; the exit code.

    :raises Fault: the pins cannot be read or written.
    """
    _keep_logs_quiet(settings)
    pins = PinFile(settings.data_dir)
    keys = [one.key for one in called(endpoints_of(settings), name)] or [key_of(name), f"{key_of(name)}:{HTTPS_PORT}"]
    forgotten = [key for key in keys if pins.forget(key, _whoever(), wall_now())]
    if not forgotten:
        _say(f"No certificate is pinned for {name}.")
        return EXIT_LEFT
    print(f"No certificate is trusted by a pin any more at {', '.join(forgotten)}.")  # noqa: T201 - what was asked for
    return EXIT_DONE


async def _meet_all(endpoints: Sequence[Endpoint], pins: PinFile) -> list[Seen]:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(endpoint: Endpoint) -> Seen:
        async with slots:
            return await meet(endpoint, pins)

    return list(await asyncio.gather(*(one(endpoint) for endpoint in endpoints)))


def _is_to_pin(seen: Seen, *, is_named: bool) -> bool:
    """One consent covers whatever is met for the first time; a changed certificate must be meant by name."""
    if seen.standing is Standing.UNTRUSTED:
        return True
    return is_named and seen.standing in {Standing.CHANGED, Standing.INSECURE}


def _agreed(wanted: list[Seen], seen: list[Seen], confirm: Callable[[str], bool] | None) -> list[Seen]:
    """What a person says yes to: once for all that is wanted, and once for each that has changed."""
    if confirm is None:
        return []
    agreed: list[Seen] = []
    if wanted:
        these = "this certificate" if len(wanted) == 1 else f"these {len(wanted)} certificates"
        names = ", ".join(one.endpoint.key for one in wanted)
        agreed += wanted if confirm(f"Trust {these} from now on ({names})?") else []
    for one in seen:
        if one.standing is Standing.CHANGED and one not in wanted:
            is_meant = confirm(f"{one.endpoint.key} CHANGED its certificate. Was it renewed by you, and is the new one "
                               "to be trusted in the place of the old?")
            agreed += [one] if is_meant else []
    return agreed


def _whoever() -> str:
    """Who runs this: a container's user often has no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"id {os.getuid()}"
    return f"{user}@{platform.node()}"


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - a command's word to the one who gave it


def _keep_logs_quiet(settings: Settings) -> None:
    logs.configure("console", "CRITICAL")  # what goes wrong is told in the command's own words
    logs.register_secrets(secrets(settings))
