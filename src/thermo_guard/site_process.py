"""`thermo-guard site`: the virtual site over the wire, served until somebody ends it.

Its time is its own: it begins now and runs `speed` times as fast as life, so that at speed 1 any guard can be pointed
at it, and at another one `demo --wire`, which runs its guard at the same.
"""

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from .adapters import logs
from .adapters.clock import SteadyClock, wall_now
from .ports import Clock
from .sim.happenings import befall
from .sim.loop import run
from .sim.plant_file import At, PlantFile, read
from .sim.wire.control import ControlFace, RoomFaces, as_lines
from .sim.wire.overlay import OverlayMissing
from .sim.wire.site import Room, WireSite

log = structlog.get_logger()

DEFAULT_PLANT = "vcenter-inside"


def serve(  # noqa: PLR0913 - each is an option of the command
    plants: Sequence[str], *, speed: float, scenario: str | None, env_file: Path | None, control_port: int,
    as_json: bool, ends_with_stdin: bool, broker: str = "", webhook: tuple[str, str] = ("", ""),
) -> int:
    """Serve these plant files, or shipped examples by their names; the process's exit code.

    :param webhook: URL and shared secret of a receiver; an empty URL: none.
    :raises BadPlant: a file cannot be read.
    """
    files = [read(plant) for plant in plants or [DEFAULT_PLANT]]
    if scenario is not None and not any(scenario in file.scenarios for file in files):
        known = sorted({name for file in files for name in file.scenarios})
        print(f"--scenario {scenario}: there is none of that name, only {', '.join(known)}.", file=sys.stderr)  # noqa: T201
        return 2
    names = [room.name for file in files for room in file.rooms]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        print(f"two rooms of one name: {', '.join(twice)}; each needs a name of its own", file=sys.stderr)  # noqa: T201
        return 2
    if env_file is not None and not env_file.absolute().parent.is_dir():
        print(f"--env-file {env_file}: there is no such folder", file=sys.stderr)  # noqa: T201
        return 2
    if broker and not re.fullmatch(r".+:[0-9]{1,5}", broker):
        print(f"--mqtt {broker}: an MQTT broker is named by host:port", file=sys.stderr)  # noqa: T201
        return 2
    if webhook[0] and not re.fullmatch(r"https?://[^/\s]+(/\S*)?", webhook[0]):
        print(f"--webhook {webhook[0]}: a receiver is named by its URL, http or https", file=sys.stderr)  # noqa: T201
        return 2
    logs.configure("console", "WARNING")
    try:
        with tempfile.TemporaryDirectory(prefix="thermo-guard-site-") as folder:
            site = _Served(files, speed, Path(folder), control_port, broker, webhook)
            return run(site.until_ended(scenario, env_file, as_json=as_json, ends_with_stdin=ends_with_stdin),
                       speed=speed)
    except OverlayMissing as missing:
        print(f"{missing} `thermo-guard demo` runs without it.", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        print(f"the site cannot be served: {error}", file=sys.stderr)  # noqa: T201
        return 1


class _Served:
    def __init__(
        self, files: Sequence[PlantFile], speed: float, folder: Path, control_port: int, broker: str,
        webhook: tuple[str, str],
    ) -> None:
        self._files = files
        self._speed = speed
        self._folder = folder
        self._control_port = control_port
        self._broker = broker
        self._webhook = webhook

    async def until_ended(
        self, scenario: str | None, env_file: Path | None, *, as_json: bool, ends_with_stdin: bool
    ) -> int:
        epoch = wall_now()
        clock = SteadyClock(epoch=epoch)
        ended = _ended(with_stdin=ends_with_stdin)
        rooms = [room for file in self._files for room in file.rooms]
        async with AsyncExitStack() as stack:
            site = await stack.enter_async_context(WireSite(
                rooms, clock, speed=self._speed, folder=self._folder, broker=self._broker, webhook=self._webhook
            ))
            control = await stack.enter_async_context(ControlFace(site, clock, port=self._control_port))
            if env_file is not None:
                _write(env_file, as_lines(site.settings(next(iter(site.rooms)))))
            if as_json:
                print(json.dumps(_facts(site, control, clock, epoch, self._speed)), flush=True)  # noqa: T201
            else:
                _show(site, control, env_file, self._speed, self._broker, self._webhook[0])
            for task in [asyncio.create_task(_go_through(file.scenarios.get(scenario or "", ()), site, clock))
                         for file in self._files]:
                stack.callback(task.cancel)
            await ended.wait()
        return 0


async def _go_through(timeline: Sequence[At], site: WireSite, clock: Clock) -> None:
    """Let happen what a scenario has, each at its time."""
    began = clock.now()
    for one in sorted(timeline, key=lambda one: one.at_s):
        await clock.sleep(max(0.0, began + one.at_s - clock.now()))
        room = site.rooms[one.room]
        room.world.advance(clock.now())
        try:
            await befall(room.world, RoomFaces(room), one.happening)
        except ValueError as error:
            log.error("site.happening_refused", room=one.room, what=one.happening.what, reason=str(error))


def _ended(*, with_stdin: bool) -> asyncio.Event:
    """Set when the process is told to end, or by the end of its standard input."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if with_stdin:
        def read_on() -> None:
            if not os.read(sys.stdin.fileno(), 4096):
                loop.remove_reader(sys.stdin.fileno())
                ended.set()

        loop.add_reader(sys.stdin.fileno(), read_on)
    return ended


def _facts(site: WireSite, control: ControlFace, clock: Clock, epoch: float, speed: float) -> Mapping[str, object]:
    return {
        "control": control.url, "epoch": epoch, "now": clock.now(), "speed": speed,
        "rooms": [
            {"name": name, "settings": site.settings(name), "hosts": dict(room.host_addresses),
             "bmcs": dict(room.bmc_addresses)} for name, room in site.rooms.items()
        ],
    }


def _show(
    site: WireSite, control: ControlFace, env_file: Path | None, speed: float, broker: str, webhook: str
) -> None:
    console = Console(soft_wrap=True, highlight=False)
    console.print("VIRTUAL SITE: nothing here is real, and everything speaks as if it were.")
    console.print(f"Meraki    {site.meraki.url}")
    if broker:
        console.print(f"MQTT      {broker}    every measurement is published there, as gateways do")
    if webhook:
        console.print(f"Webhooks  {webhook}    a sensor that gets too hot, or cool again, is told there")
    console.print(f"Control   {control.url}    its own page says what it takes")
    for room in site.rooms.values():
        _show_room(console, room)
    if speed != 1:
        console.print(f"Time runs {speed:g} times as fast as life: no guard but `demo --wire` keeps up with it.")
    elif env_file is not None:
        console.print(f"A guard of it:  set -a; . {env_file}; thermo-guard check")
    else:
        console.print("With --env-file FILE a guard's settings are written down: set -a; . FILE; thermo-guard check")
    console.print("Ctrl-C ends it.")


def _show_room(console: Console, room: Room) -> None:
    plan = room.world.plan
    where = "none" if room.vsphere is None or plan.is_standalone else room.vsphere.vcenter
    console.print(f"Room {room.name}: network {room.network}, cluster {plan.cluster}, vCenter {where}", markup=False)
    table = Table("host", "ESXi", "BMC", "VMs")
    for name in room.world.cluster.hosts:
        vms = room.world.cluster.vms_on(name)
        table.add_row(name, room.host_addresses.get(name, "no face"), room.bmc_addresses.get(name, "none"),
                      str(sum(vm.is_on for vm in vms)))
    console.print(table)


def _write(path: Path, text: str) -> None:
    """For its owner alone: it holds passwords, even if nobody minds these."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
