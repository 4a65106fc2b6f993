"""The commands. Each is a few lines: what it does is main's, demo's, survey's or the core's.

The real edges are imported by the commands that need them: with them it takes a second and 150 MB to say `status`,
which the container's health check does every minute on a small NAS.
"""

import asyncio
import errno
import json
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from typer.core import TyperGroup

from . import __version__, cli_drill, cli_orders, cli_replay, cli_simulate, cli_site, cli_tune
from .adapters import status as status_file
from .adapters.clock import SteadyClock, wall_now
from .cli_orders import folder_of
from .config import BadSettings, Mode, Settings, explain, load, load_notify_urls
from .ports import Fault, Refused
from .screens import show_status


class _Program(TyperGroup):
    """Tells in one line that what it prints cannot be written, as with standard output on a full disk."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            try:
                return super().main(*args, **kwargs)
            finally:
                sys.stdout.flush()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still unwritten would fail again at the exit
            print(f"What was to be printed cannot be written: {error.strerror}.", file=sys.stderr)
            sys.exit(1)


app = typer.Typer(
    cls=_Program, name="thermo-guard", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Brings a vSphere cluster down in good order when its server room overheats, and back when it has recovered. "
         "Settings come from the environment or from .env in this folder; .env.example explains each.",
)
AsJson = Annotated[bool, typer.Option("--json", help="Print the facts as JSON, for programs.")]


T = TypeVar("T")


class RoleTool(StrEnum):
    GOVC = "govc"
    POWERCLI = "powercli"


def settings_or_exit() -> Settings:
    """The settings; with bad ones all that is wrong is printed and the process ends with 2."""
    return read_or_exit(load)


def read_or_exit(read: Callable[[], T]) -> T:
    """What `read` gives; where that is bad settings they are told and the process ends with 2."""
    try:
        return read()
    except BadSettings as bad:
        from .main import EXIT_BAD_SETTINGS  # noqa: PLC0415 - see above

        print(explain(bad.problems, "nothing was done"), file=sys.stderr)
        raise typer.Exit(EXIT_BAD_SETTINGS) from None


@app.command()
def run() -> None:
    """Guard the site until told to stop. This is what the container runs.

    Watches the room, and on a confirmed heat alarm shuts the cluster down, then brings it back when the room has
    recovered. Without settings it ends with 2 and lists what is missing; it never falls back to the virtual site.
    Ends with 3 when another guard works on the same DATA_DIR, with 1 when that folder cannot be used.
    """
    from .main import main  # noqa: PLC0415 - see above

    raise typer.Exit(main())


@app.command()
def demo(
    speed: Annotated[float | None, typer.Option(
        min=1, max=100_000, help="Virtual seconds a second. Default: 60; with --wire 20, and at most 60.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another day: guests and hosts take other times.")] = 1,
    at_once: Annotated[bool, typer.Option("--at-once", help="As fast as this machine can.")] = False,
    wire: Annotated[bool, typer.Option(
        "--wire", help="Over the wire: the real adapters against a site of its own, as `thermo-guard site` serves it."
    )] = False,
) -> None:
    """Show the day of a failing air conditioner on a virtual site. Nothing real is touched.

    Temperature, alarm, each VM and host going down, recovery, everything back, a closing summary; about two minutes,
    with --wire about four.
    """
    if wire:
        raise typer.Exit(_demo_over_wire(speed or 20.0, is_plain=at_once is False and seed == 1))
    from .demo import demonstrate  # noqa: PLC0415 - the virtual site is not loaded into the guard of a real one

    is_back = demonstrate(Console(highlight=False), speed=None if at_once else speed or 60.0, seed=seed)
    raise typer.Exit(0 if is_back else 1)


def _demo_over_wire(speed: float, *, is_plain: bool) -> int:
    if not is_plain or speed > 60.0:
        raise typer.BadParameter("--wire goes with --speed up to 60 alone: real servers take real time.")
    from .demo_wire import SiteError, demonstrate_over_wire  # noqa: PLC0415 - see above

    try:
        return 0 if demonstrate_over_wire(Console(highlight=False), speed=speed) else 1
    except SiteError as error:
        print(error, file=sys.stderr)
        return 1


@app.command()
def check(
    as_json: AsJson = False,
    schedule: Annotated[bool, typer.Option(
        "--schedule", help="Stay, check again each hour, and tell by NOTIFY_URLS when the answer changes.")] = False,
    every: Annotated[float | None, typer.Option(
        min=0.05, max=7 * 24 * 60, metavar="MINUTES",
        help="With --schedule: so long between two checks. Default: 60.")] = None,
) -> None:
    """Try everything that an alarm would need, and change nothing.

    Sensors, vCenter, privileges, hosts, VMs, BMCs, clock and data folder: one line a finding, and what to do about it.
    Ends with 0 only when the site could be brought down and back, with 1 when it could not. With --schedule it runs
    beside a guard or without one, until SIGTERM or Ctrl-C, and ends as its last check.
    """
    if every is not None and not schedule:
        raise typer.BadParameter("--every is only for --schedule: say that too, or leave --every out.")
    settings = settings_or_exit()
    if schedule:
        raise typer.Exit(_check_on_schedule(settings, (every or 60.0) * 60.0, as_json=as_json))

    from .check import look  # noqa: PLC0415 - see above
    from .check_screen import findings_as_data, show_findings  # noqa: PLC0415
    from .core.finding import conclusion  # noqa: PLC0415
    from .core.preflight import findings  # noqa: PLC0415
    from .main import loop_settings  # noqa: PLC0415
    from .preflight import terms  # noqa: PLC0415

    found = findings(asyncio.run(look(settings)), terms(settings, loop_settings(settings)))
    end = conclusion(found, is_observing=settings.mode is Mode.OBSERVE)
    if as_json:
        print(json.dumps(findings_as_data(found, end), indent=2))
    else:
        show_findings(Console(highlight=False), found, end)
    raise typer.Exit(0 if end.can_come_back else 1)


def _check_on_schedule(settings: Settings, every_s: float, *, as_json: bool) -> int:
    """The exit code of the last check; with `as_json` each is one line."""
    from .check_schedule import Answer, check_on_schedule  # noqa: PLC0415 - see above
    from .check_screen import findings_as_data, show_again  # noqa: PLC0415

    console = Console(highlight=False)

    def show(answer: Answer) -> None:
        is_new = answer.change is None or bool(answer.change)
        if as_json:
            facts = {"at": answer.at, "is_new": is_new, **findings_as_data(answer.findings, answer.end)}
            print(json.dumps(facts), flush=True)
        else:
            show_again(console, answer.at, answer.findings, answer.end, is_new=is_new)

    return check_on_schedule(settings, every_s, show)


@app.command()
def pin(
    endpoints: Annotated[list[str] | None, typer.Argument(
        metavar="[ENDPOINT]...", help="Host or host:port as in the settings; all of them where none is named.")] = None,
    as_lines: Annotated[bool, typer.Option(
        "--print", help="Write nothing; print lines for the settings instead.")] = False,
    yes: Annotated[bool, typer.Option(
        "--yes", help="Do not ask. A changed certificate is only trusted where its endpoint is named.")] = False,
    as_json: AsJson = False,
    forgotten: Annotated[str | None, typer.Option(
        "--forget", metavar="ENDPOINT", help="Trust no certificate there by a pin any more.")] = None,
) -> None:
    """Show the certificates of vCenter (or of ESXI_HOSTS) and the BMCs, and trust from then on those that you confirm.

    For certificates that no authority signed, as they come from the factory. Only the TLS handshake is sent to an
    endpoint. Ends with 1 when one does not answer or is still not trusted, with 2 when nobody is there to confirm.
    """
    from .pin import Asked, forget  # noqa: PLC0415 - see above
    from .pin import pin as show_and_pin  # noqa: PLC0415

    settings = settings_or_exit()
    is_asking = sys.stdin.isatty() and not as_json
    try:
        if forgotten is not None:
            raise typer.Exit(forget(settings, forgotten))
        asked = Asked(tuple(endpoints or ()), prints=as_lines, is_agreed=yes, as_json=as_json)
        code = show_and_pin(settings, asked, Console(highlight=False), typer.confirm if is_asking else None)
    except Fault as fault:
        print(fault, file=sys.stderr)
        raise typer.Exit(1) from None
    raise typer.Exit(code)


@app.command()
def role(
    tool: Annotated[RoleTool | None, typer.Option("--for", help="One tool only. Default: both.")] = None,
) -> None:
    """Print the least that the guard's account needs, as commands for govc and for PowerCLI. Nothing is changed.

    Made of the calls that the program really makes. VCENTER_USER, VCENTER_CLUSTER and ESXI_USER are put in where they
    are set; no other setting is needed.
    """
    from .role import account_from, govc, powercli  # noqa: PLC0415 - see above

    account = account_from(os.environ, Path(".env"))
    print("\n".join(write(account) for one, write in ((RoleTool.GOVC, govc), (RoleTool.POWERCLI, powercli))
                    if tool in {None, one}), end="")


@app.command()
def plan(
    as_json: AsJson = False,
    show_all: Annotated[bool, typer.Option("--all", help="Name each VM, however many there are.")] = False,
) -> None:
    """Show what would be done if the alarm came now, in order, and how long it is expected to take.

    Who is in which tier and why, the way down, the way back, and what would need a person. Nothing is touched. It is
    made by the planner that acts. Without vCenter it starts from the journal's last snapshot, and says so; ends with
    1 when there is none either.
    """
    from .check import look  # noqa: PLC0415 - see above
    from .core.outline import outline  # noqa: PLC0415
    from .main import loop_settings  # noqa: PLC0415
    from .plan_screen import outline_as_data, show_outline  # noqa: PLC0415
    from .preflight import terms  # noqa: PLC0415

    settings = settings_or_exit()
    loop = loop_settings(settings)
    seen = asyncio.run(look(settings))
    made = outline(seen, terms(settings, loop), loop.timing, loop.runbook)
    if made is None:
        print(f"There is nothing to plan with: {getattr(seen.cluster, 'reason', '')}; and the journal has no snapshot.",
              file=sys.stderr)
        raise typer.Exit(1)
    if as_json:
        print(json.dumps(outline_as_data(made), indent=2))
    else:
        show_outline(Console(highlight=False), made, show_all=show_all)


@app.command()
def status(
    as_json: AsJson = False,
    healthcheck: Annotated[bool, typer.Option(
        "--healthcheck", help="Only say by the exit code whether the guard's loop still ticks.")] = False,
    data_dir: Annotated[Path | None, typer.Option(
        help="Folder of the guard. Default: DATA_DIR.", envvar="DATA_DIR")] = None,
) -> None:
    """Show what the running guard is doing: level, goal, phase, what is waited for and until when.

    Ends with 1 when the guard does not run or its loop has stopped ticking.
    """
    folder = folder_of(data_dir)
    try:
        found = status_file.read(folder)
    except Refused as unreadable:
        print(unreadable, file=sys.stderr)
        raise typer.Exit(1) from None
    is_alive = found is not None and status_file.is_alive(found, wall_now())
    if healthcheck:
        raise typer.Exit(0 if is_alive else 1)
    if found is None:
        print(f"No guard has run with {folder} as its DATA_DIR.", file=sys.stderr)
    elif as_json:
        print(json.dumps({"is_alive": is_alive, "tick_at": found.tick_at, **found.facts}, indent=2))
    else:
        show_status(Console(highlight=False), found, is_alive=is_alive, now=wall_now())
    raise typer.Exit(0 if is_alive else 1)


cli_orders.add_to(app)
app.command()(cli_simulate.simulate)
app.command()(cli_site.site)
app.command()(cli_drill.drill)
app.command()(cli_replay.replay)
app.command()(cli_tune.tune)


@app.command()
def notify(
    test: Annotated[bool, typer.Option("--test", help="Send a test message by each address of NOTIFY_URLS.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try the addresses of NOTIFY_URLS. Ends with 1 when one of them could not deliver.

    No other setting is needed for it.
    """
    if not test:
        print("Nothing done: say --test to send a test message by each address of NOTIFY_URLS.", file=sys.stderr)
        raise typer.Exit(2)
    urls = [url.get_secret_value() for url in read_or_exit(load_notify_urls)]
    if not urls:
        print("NOTIFY_URLS is empty: nobody would be told of anything.", file=sys.stderr)
        raise typer.Exit(1)

    from .adapters.notify import Outbox  # noqa: PLC0415 - see above

    async def try_each() -> list[tuple[str, bool, str]]:
        tested = await Outbox(urls, SteadyClock()).test()
        return [(t.outlet, t.delivery.ok, t.delivery.reason) for t in tested]

    results = asyncio.run(try_each())
    if as_json:
        print(json.dumps([{"address": a, "is_delivered": ok, "reason": why} for a, ok, why in results], indent=2))
    else:
        for address, is_delivered, why in results:
            print(f"{address}: {'delivered' if is_delivered else f'NOT delivered: {why}'}")
    raise typer.Exit(0 if all(ok for _, ok, _ in results) else 1)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    print(json.dumps({"version": __version__}) if as_json else __version__)
