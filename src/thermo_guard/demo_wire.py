"""`thermo-guard demo --wire`: the real program with its real adapters, over loopback, against the served virtual site.

The site is a process of its own. In this one nothing is put in anybody's place but the clock, so that time runs at the
site's speed: settings, sensors, vSphere, BMCs, journal and loop are those of `thermo-guard run`.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from .adapters import logs
from .adapters.clock import SteadyClock, monotonic_now
from .adapters.watchdog import Watchdog
from .config import load
from .main import guard
from .sim.demo import DemoScreen, Kind
from .sim.loop import run
from .sim.running import Running
from .sim.story import DemoStory
from .sim.timeline import Happening

PLANT = "branch-office"
FAILS_AFTER_S = 300.0
COOL_AGAIN_AFTER_S = 3000.0
LONGEST_S = 6 * 3600.0
ANSWER_S = 10.0
"""Real time that the control face has for an answer."""
LOOK_S = 0.2
"""Real time between two looks at the site's control face."""
SETTINGS = {
    "ARM_AFTER": "60", "MERAKI_POLLING_INTERVAL": "30", "RECOVERY_HOLD": "300", "RESTART_WATCH": "120",
    "VM_SHUTDOWN_TIMEOUT": "180", "SNAPSHOT_INTERVAL": "120", "ACTIVE_INTERVAL": "5", "TLS_FIRST_USE": "accept",
}
"""Shorter than the defaults, where a person would only wait."""


class SiteError(Exception):
    """The site did not come up; str() is what it said."""


def demonstrate_over_wire(console: Console, *, speed: float) -> bool:
    """Show the day; True when everything came back as it was.

    :raises SiteError: there is no site to show it on.
    """
    logs.configure("console", "ERROR")
    with tempfile.TemporaryDirectory(prefix="thermo-guard-demo-") as folder:
        return run(_day(console, Path(folder), speed), speed=speed)


async def _day(console: Console, folder: Path, speed: float) -> bool:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from thermo_guard.cli import app; app()", "site", PLANT, "--speed", f"{speed:g}",
        "--json", "--die-with-stdin", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**20,
    )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    assert process.stdin is not None  # noqa: S101
    try:
        line = await process.stdout.readline()
        if not line:
            raise SiteError(f"the virtual site ended with {await process.wait()}: its reason stands above")
        facts = json.loads(line)
        timeout = aiohttp.ClientTimeout(total=ANSWER_S * speed)
        async with aiohttp.ClientSession(facts["control"], timeout=timeout) as session:
            site = WiredSite(session, facts)
            await site.look()
            return await _with_guard(console, folder, site, facts, speed)
    finally:
        process.stdin.close()
        await process.wait()


async def _with_guard(
    console: Console, folder: Path, site: "WiredSite", facts: Mapping[str, Any], speed: float
) -> bool:
    room = facts["rooms"][0]
    settings = load({**SETTINGS, **room["settings"], "DATA_DIR": str(folder)}, dotenv=None)
    screen = LabelledScreen(console, labels=site.labels, low_c=settings.temperature_low_threshold,
                            high_c=settings.temperature_high_threshold, critical_c=settings.critical_threshold)
    story = DemoStory(screen, site)
    screen.banner(
        f"The server room of a branch office with {len(room['hosts'])} hosts, served over the wire by another process.",
        f"The real program and its real adapters speak Meraki, vSphere and Redfish to it, {speed:g} times faster than "
        "life.",
        f"The site's control face: {facts['control']}",
    )
    clock, stop = SteadyClock(epoch=site.now), asyncio.Event()
    watchdog = Watchdog(monotonic_now)
    guarding = asyncio.ensure_future(guard(settings, stop, watchdog, clock=clock, audience=story))
    try:
        await _go_through(site, story, clock, guarding, speed)
    finally:
        stop.set()
        await guarding
    outcome = story.close()
    screen.banner("End of the demo. No room is guarded now.")
    return outcome.back_at is not None and not outcome.differences


async def _go_through(
    site: "WiredSite", story: DemoStory, clock: SteadyClock, guarding: "asyncio.Future[None]", speed: float
) -> None:
    """Break the cooling and repair it, each at its time, until the story is over."""
    began, due = site.now, [(FAILS_AFTER_S, "break cooling"), (COOL_AGAIN_AFTER_S, "repair cooling")]
    while not story.is_over and not guarding.done() and site.now - began < LONGEST_S:
        await site.look()
        if due and site.now - began >= due[0][0]:
            await site.do(due.pop(0)[1])
        await clock.sleep(LOOK_S * speed)
    await site.look()


class WiredSite:
    """Implements `sim.story.Watched` by the site's control face, as it was when it was last looked at."""

    def __init__(self, session: aiohttp.ClientSession, facts: Mapping[str, Any]) -> None:
        self._session = session
        self._room: str = facts["rooms"][0]["name"]
        self.labels = {address.rpartition(":")[0]: label for label, address in facts["rooms"][0]["hosts"].items()}
        """By the address by which vCenter knows a host."""
        self._log: list[Happening] = []
        self._state: dict[str, Any] = {}
        self.now: float = facts["now"]

    async def look(self) -> None:
        """Ask for what is new."""
        async with self._session.get("/log", params={"room": self._room, "since": str(len(self._log))}) as answer:
            self._log += [Happening(one["at"], one["kind"], one["object"], one["detail"])
                          for one in await answer.json()]
        async with self._session.get("/state") as answer:
            told = await answer.json()
        self.now, self._state = told["now"], told["rooms"][self._room]

    async def do(self, what: str) -> None:
        async with self._session.post("/do", json={"room": self._room, "what": what}) as answer:
            answer.raise_for_status()

    @property
    def log(self) -> Sequence[Happening]:
        return self._log

    @property
    def peak_c(self) -> float:
        return float(self._state["peak_c"])

    @property
    def own_hosts(self) -> frozenset[str]:
        return frozenset(self._state["own_hosts"])

    def advance(self, now: float) -> None:
        """The site's time is its own."""

    def running(self) -> Running:
        told = self._state["running"]
        return Running(
            tuple((vm, host) for vm, host in told["vms"]), tuple(told["hosts"]), tuple(told["in_maintenance"]),
            told["settings"], told["services"],
        )


class LabelledScreen(DemoScreen):
    """Hosts by the names that the plant file has for them, not by their addresses on loopback."""

    def __init__(self, console: Console, *, labels: Mapping[str, str], **thresholds: float) -> None:
        super().__init__(console, **thresholds)  # type: ignore[arg-type]
        self._labels = labels

    def happened(self, now: float, text: str, kind: Kind) -> None:
        for address, label in sorted(self._labels.items(), key=lambda one: -len(one[0])):
            text = text.replace(address, label)  # the longer first: 127.0.1.1 begins 127.0.1.10 too
        super().happened(now, text, kind)


