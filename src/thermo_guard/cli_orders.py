"""The operator's commands: each says what it will do, is confirmed, and waits for what the guard makes of it.

`orders` knows the inbox, `order_screen` the words; both are imported only when an order is given.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from dotenv import dotenv_values
from rich.console import Console
from rich.text import Text

from .core.events import WishTaken
from .core.wishes import LONGEST_PAUSE_S, Order, Wish
from .ports import Fault, Refused

EXIT_NOT_DONE = 1
EXIT_WRONG_USE = 2
PANEL = "Orders to the running guard"
ENDS = ("Ends with 0 when the guard has taken it up; with 1 when it declines, does not answer within 30 s or does not "
        "run, or when you do not confirm; with 2 without a terminal to confirm at and without --yes.")
REHEARSAL_ENDS = ("Ends with 0 only when everything has come back as it was; with 2 without a terminal to confirm at "
                  "and without --yes; else with 1.")

AsJson = Annotated[bool, typer.Option("--json", help="Print the facts as JSON, for programs; words go to stderr.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the journal and in the messages. At most 500 characters.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the guard. Default: DATA_DIR.", envvar="DATA_DIR")]

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_ASKS_NOTHING = {Order.RESUME, Order.ACKNOWLEDGE}


def folder_of(data_dir: Path | None) -> Path:
    """The guard's folder: as given, else DATA_DIR of `.env`, else its default."""
    return data_dir or Path(dotenv_values(".env").get("DATA_DIR") or "data")


def duration_s(text: str) -> float:
    """Seconds of 90, 90s, 30m, 2h or 1d.

    :raises typer.BadParameter: it is none of these, or longer than a pause may be.
    """
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]+)?)\s*([smhd]?)", text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration: say 90 (seconds), 90s, 30m, 2h or 1d.")
    seconds = float(found[1]) * _UNITS[found[2]]
    if not 1.0 <= seconds <= LONGEST_PAUSE_S:
        raise typer.BadParameter(f"{text!r} is not between 1s and {LONGEST_PAUSE_S / 86400:g}d.")
    return seconds


For = Annotated[float | None, typer.Option(
    "--for", parser=duration_s, metavar="DURATION",
    help="90, 90s, 30m, 2h or 1d; at most 7d. Default: until `resume`.",
)]


def shutdown(
    reason: Reason = "", yes: Yes = False, as_json: AsJson = False, data_dir: DataDir = None
) -> None:
    """Bring the cluster down in good order now, and keep it down until `power-on`, however cool the room is.

    It acts in any mode, also with MODE=observe and NOT ARMED; nothing outside the cluster is touched.
    """
    _order(Wish(0, 0.0, Order.SHUT_DOWN, "", reason), data_dir, is_confirmed=yes, as_json=as_json)


def power_on(
    despite_unseen: Annotated[bool, typer.Option(
        "--despite-unseen", help="You stand in the room and have read that it is cool; the sensors do not say so.",
    )] = False,
    unrecorded: Annotated[bool, typer.Option(
        "--unrecorded", help="Also the machines whose BMCs say off and that are not on record as running.",
    )] = False,
    reason: Reason = "", yes: Yes = False, as_json: AsJson = False, data_dir: DataDir = None,
) -> None:
    """Bring back what ran before: hosts, vCenter, HA and DRS, VMs; nothing that was off, unless --unrecorded.

    Declined while the room is HIGH or CRITICAL, and while it is BLIND or not yet cool unless --despite-unseen says that
    a person stands in the room and has read its temperature.
    """
    wish = Wish(0, 0.0, Order.POWER_ON, "", reason, despite_unseen=despite_unseen, unrecorded=unrecorded)
    _order(wish, data_dir, is_confirmed=yes, as_json=as_json)


def abort(reason: Reason = "", yes: Yes = False, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """End the open incident where it stands: nothing more is commanded, and nothing is undone.

    What is off stays off, HA and DRS stay as they are; the alarm trips again only once the room has been below HIGH.
    """
    _order(Wish(0, 0.0, Order.ABORT, "", reason), data_dir, is_confirmed=yes, as_json=as_json)


def pause(
    for_s: For = None, reason: Reason = "", yes: Yes = False, as_json: AsJson = False, data_dir: DataDir = None
) -> None:
    """Command nothing until `resume` or the end of --for; the room is still watched, and people are still told.

    While it lasts NO alarm shuts anything down, and an open incident stands still; nothing is undone.
    """
    _order(Wish(0, 0.0, Order.PAUSE, "", reason, for_s=for_s), data_dir, is_confirmed=yes, as_json=as_json)


def resume(reason: Reason = "", as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """End a pause, and try refused logins again at once.

    It asks for no confirmation, and it turns nothing: an open incident goes on, an alarm that stands trips.
    """
    _order(Wish(0, 0.0, Order.RESUME, "", reason), data_dir, is_confirmed=True, as_json=as_json)


def acknowledge(reason: Reason = "", as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Say that a person knows: the hourly reminders stop until something changes.

    It changes nothing else: what is under way goes on, and new alarms are told.
    """
    _order(Wish(0, 0.0, Order.ACKNOWLEDGE, "", reason), data_dir, is_confirmed=True, as_json=as_json)


def arm(reason: Reason = "", yes: Yes = False, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Take hold now, whatever has not been proved: a confirmed alarm then shuts the cluster down, at once if it stands.

    The cluster as it is now is what it may stop: on a guard that is armed already this confirms hosts that have joined.
    It does not override MODE=observe, and it is not withdrawn again: to hold the guard back, `pause` or MODE=observe.
    """
    _order(Wish(0, 0.0, Order.ARM, "", reason), data_dir, is_confirmed=yes, as_json=as_json)


def rehearse(
    vm: Annotated[str, typer.Option("--vm", metavar="NAME", help="A VM's name, or its instance UUID.")] = "",
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="An ESXi host's name; it must be empty.")] = "",
    reason: Reason = "", yes: Yes = False, as_json: AsJson = False, data_dir: DataDir = None,
) -> None:
    """REALLY stop and start one VM, or one empty host, and show how long each step took. Nothing else is touched.

    What was measured goes into the expected times of `plan`. It is followed to its end; Ctrl-C leaves it running.
    """
    if bool(vm.strip()) == bool(host.strip()):
        raise typer.BadParameter("Say which one: either --vm NAME or --host NAME.")
    wish = Wish(0, 0.0, Order.REHEARSE, "", reason, vm=vm.strip(), host=host.strip())
    _order(wish, data_dir, is_confirmed=yes, as_json=as_json)


COMMANDS: dict[Order, Callable[..., None]] = {
    Order.SHUT_DOWN: shutdown, Order.POWER_ON: power_on, Order.ABORT: abort, Order.PAUSE: pause, Order.RESUME: resume,
    Order.ACKNOWLEDGE: acknowledge, Order.ARM: arm, Order.REHEARSE: rehearse,
}


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    for order, command in COMMANDS.items():
        ends = REHEARSAL_ENDS if order is Order.REHEARSE else ENDS
        app.command(str(order), rich_help_panel=PANEL, epilog=ends)(command)


class _Told:
    """What the command says on its way: words for people, and with --json one object at the end."""

    def __init__(self, wish: Wish, *, as_json: bool) -> None:
        self.words = Console(stderr=as_json, highlight=False)
        self._as_json = as_json
        self.facts: dict[str, Any] = {
            "order": str(wish.order), "cluster": None, "by": None, "reason": None, "number": None, "outlook": None,
        }

    def end(self, outcome: str, why: str, code: int) -> typer.Exit:
        """Say what came of it."""
        if self._as_json:
            print(json.dumps({**self.facts, "outcome": outcome, "why": why}, indent=2))
        elif code:
            print(why, file=sys.stderr)
        else:
            print(why)
        return typer.Exit(code)


def _order(wish: Wish, data_dir: Path | None, *, is_confirmed: bool, as_json: bool) -> None:
    """Say what will happen, have it confirmed, put it into the inbox and wait for the answer."""
    from . import order_screen, orders  # noqa: PLC0415 - see cli

    folder, told = folder_of(data_dir), _Told(wish, as_json=as_json)
    try:
        situation = orders.look(folder)
        wish = replace(wish, at=situation.now, by=orders.operator(), reason=orders.printable(wish.reason))
        ahead = order_screen.outlook(wish, situation)
        told.facts |= {
            "cluster": situation.cluster, "by": wish.by, "reason": wish.reason, "outlook": {
                "now": ahead.now, "does": ahead.does, "does_not": ahead.does_not, "refusal": ahead.refusal or None,
            },
        }
        if not as_json or not is_confirmed:
            order_screen.show_outlook(told.words, wish, ahead)
        if not is_confirmed:
            _confirm(told, wish, situation.cluster)
            wish = replace(wish, at=orders.look(folder).now)  # it counts from when it was meant
        number = told.facts["number"] = orders.put(folder, wish)
    except Fault as fault:
        raise told.end("not_ordered", f"Nothing was ordered: {fault}", EXIT_NOT_DONE) from None
    try:
        answered = asyncio.run(_wait(folder, number))
    except (Fault, KeyboardInterrupt) as cut_short:
        why = f"{cut_short} " if isinstance(cut_short, Refused) else ""
        raise told.end("unanswered", why + order_screen.unanswered(number, wish), EXIT_NOT_DONE) from None
    if answered is None:
        raise told.end("unanswered", order_screen.unanswered(number, wish), EXIT_NOT_DONE)
    if answered.declined:
        raise told.end("declined", f"Declined: {answered.declined}.", EXIT_NOT_DONE)
    begins = f"Taken up. {order_screen.begins(wish, situation)}"
    if wish.order is Order.REHEARSE:
        told.words.print(Text(begins))
        raise _followed(told, folder, number)
    raise told.end("taken_up", begins, 0)


def _followed(told: _Told, folder: Path, number: int) -> typer.Exit:
    """Follow a rehearsal to its end, and say how long each step took."""
    from . import order_screen, rehearse  # noqa: PLC0415 - see cli
    from .adapters.clock import SteadyClock  # noqa: PLC0415

    async def follow() -> rehearse.Course | None:
        show = partial(order_screen.show_step, told.words)
        return await rehearse.follow(folder, number, SteadyClock(), show)

    try:
        course = asyncio.run(follow())
    except (Fault, KeyboardInterrupt) as cut_short:
        why = f"{cut_short}. " if isinstance(cut_short, Fault) else "It goes on without you. "
        return told.end("unfinished", why + order_screen.FOLLOW_ON, EXIT_NOT_DONE)
    if course is not None:
        told.facts |= {
            "incident": course.begun.incident, "steps": [asdict(step) for step in course.steps],
            "differences": [] if course.closed is None else list(course.closed.differences),
        }
        order_screen.show_steps(told.words, course)
    outcome, why = order_screen.ended(course)
    return told.end(outcome, why, 0 if course is not None and course.has_come_back else EXIT_NOT_DONE)


async def _wait(folder: Path, number: int) -> WishTaken | None:
    from . import orders  # noqa: PLC0415
    from .adapters.clock import SteadyClock  # noqa: PLC0415

    return await orders.answer(folder, number, SteadyClock())


def _confirm(told: _Told, wish: Wish, cluster: str | None) -> None:
    """Have a person mean it: by the cluster's name, or for a pause by a yes."""
    if sys.stdin is None or not sys.stdin.isatty():
        why = ("Nothing was ordered: there is no terminal to confirm it at. Say --yes, or run it in a terminal "
               "(`docker exec -it`).")
        raise told.end("not_ordered", why, EXIT_WRONG_USE)
    if target := wish.vm or wish.host:
        question, wanted = f"Type its name, {target}, to go on: ", target
    elif wish.order is Order.PAUSE:
        question, wanted = "Type yes to go on: ", "yes"
    elif cluster is None:
        wanted = str(wish.order)
        question = f"The cluster's name is not known yet; type {wanted} to go on: "
    else:
        question, wanted = f"Type the cluster's name, {cluster}, to go on: ", cluster
    try:
        typed = told.words.input(Text(question, style="bold"))
    except (EOFError, KeyboardInterrupt):
        print(file=sys.stderr)
        typed = ""
    if typed.strip().casefold() != wanted.casefold():
        raise told.end("not_ordered", f"Nothing was ordered: that was not {wanted!r}.", EXIT_NOT_DONE)
