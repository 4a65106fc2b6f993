"""A guard that runs for days over the wire, and what it keeps meanwhile.

Guard and virtual site share one process and one loop, vSphere is VMware's simulator as a process. In quiet hours time
jumps from timer to timer and stands while an answer is under way; in an incident it runs at a finite speed, since the
simulator's hosts and guests take real time. The guard is `main.guard` with its own adapters, limits and journal.
"""

import asyncio
import os
import sqlite3
import statistics
import threading
from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from peers import absent
from thermo_guard.adapters.clock import SteadyClock, monotonic_now
from thermo_guard.adapters.watchdog import Watchdog
from thermo_guard.config import load
from thermo_guard.main import guard
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import VirtualTimeLoop
from thermo_guard.sim.plans import office
from thermo_guard.sim.wire.overlay import OverlayMissing
from thermo_guard.sim.wire.site import WireSite

BUSY, QUIET = 20.0, 300.0
"""The site's seconds for a real one in an incident, and in those of its phases that only wait for the room."""
PATIENT = {"all_off", "watch"}
SETTLE_S = 0.004
HOUR_S, DAY_S = 3600.0, 86_400.0
HOT_FOR_S = 3900.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TABLES = ("event", "sample", "snapshot", "wish")


@dataclass(frozen=True)
class Sample:
    """What is kept at one time; bytes and counts."""

    at_s: float
    rss: int
    """Of this process: the guard, the site's servers and the world."""
    simulator_rss: int
    files: int
    threads: int
    disk: int
    """Of the whole data folder."""
    rows: Mapping[str, int]
    happenings: int
    """In the world's log."""


@dataclass
class Soak:
    """A run, as it goes on."""

    folder: Path
    samples: list[Sample] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    """Log entries by their names."""
    told: list[tuple[float, str]] = field(default_factory=list)
    """When, and the title."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def days(self) -> dict[int, list[Sample]]:
        days: dict[int, list[Sample]] = {}
        for sample in self.samples:
            days.setdefault(int(sample.at_s // DAY_S), []).append(sample)
        return days

    def medians(self, of: str) -> list[float]:
        """Of each whole day, in order."""
        return [statistics.median(getattr(sample, of) for sample in day) for _, day in sorted(self.days().items())]


@dataclass(frozen=True)
class _Plan:
    blueprint: Blueprint
    name: str = "room"
    flavours: Mapping[str, str] = field(default_factory=dict)


def soak(folder: Path, *, hours: float, hot_at_h: Sequence[float] = (), every_h: float = 1.0) -> Soak:
    """Let a guard run for so long on the office, with the cooling failed for an hour at some of them."""
    run = Soak(folder)
    loop = VirtualTimeLoop(settle_s=SETTLE_S, is_awaited=_is_calling)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_Life(run, loop).lived(hours, hot_at_h, every_h))
    return run


def _is_calling() -> bool:
    """A call to vSphere is under way: pyVmomi blocks, and each has a thread of its own."""
    return any(thread.name.startswith("vsphere ") for thread in threading.enumerate())


class _Life:
    def __init__(self, run: Soak, loop: VirtualTimeLoop) -> None:
        self._run = run
        self._loop = loop
        self._clock = SteadyClock(loop)
        self._began = self._clock.now()
        self._site = WireSite([_Plan(office())], self._clock, speed=QUIET, folder=run.folder / "site")
        self._rescaling: asyncio.Task[None] | None = None

    async def lived(self, hours: float, hot_at_h: Sequence[float], every_h: float) -> None:
        before = structlog.get_config()
        structlog.configure(processors=[self._hear], wrapper_class=structlog.make_filtering_bound_logger(0),
                            cache_logger_on_first_use=False)
        try:
            async with self._site, asyncio.TaskGroup() as tasks:
                stop = asyncio.Event()
                settings = load({**self._site.settings("room"), "DATA_DIR": str(self._run.data)}, None)
                guarding = tasks.create_task(guard(settings, stop, Watchdog(monotonic_now)))
                heating = tasks.create_task(self._heat(hot_at_h))
                await self._measure(hours, every_h)
                stop.set()
                await guarding
                heating.cancel()
        except OverlayMissing as missing:
            absent("virtual_vsphere", str(missing))
        finally:
            structlog.configure(**before)

    async def _heat(self, hot_at_h: Sequence[float]) -> None:
        world = self._site.rooms["room"].world
        for hour in hot_at_h:
            await self._clock.sleep(max(0.0, self._began + hour * HOUR_S - self._clock.now()))
            world.advance(self._clock.now())
            world.fail_cooling(HOT_FOR_S)

    async def _measure(self, hours: float, every_h: float) -> None:
        for number in range(1, int(hours / every_h) + 1):
            await self._clock.sleep(max(0.0, self._began + number * every_h * HOUR_S - self._clock.now()))
            sample = self._sample()
            self._run.samples.append(sample)
            if number % int(24 / every_h) == 0:
                print(line(sample), flush=True)

    def _sample(self) -> Sample:
        data = self._run.data
        with closing(sqlite3.connect(f"file:{data / 'journal.sqlite3'}?mode=ro", uri=True)) as journal:
            rows = {table: journal.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
        return Sample(
            at_s=self._clock.now() - self._began - 1.0, rss=rss("self"), simulator_rss=sum(map(rss, children())),
            files=sum(1 for _ in Path("/proc/self/fd").iterdir()), threads=threading.active_count(),
            disk=sum(file.stat().st_size for file in data.iterdir()), rows=rows,
            happenings=len(self._site.rooms["room"].world.log),
        )

    def _hear(self, _: object, __: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Count what is logged, keep what is told, and set the pace by where an incident is; nothing is printed."""
        name = said["event"]
        self._run.events[name] += 1
        if name == "notify.skipped":
            self._run.told.append((self._clock.now() - self._began, said["title"]))
        elif name in {"alarm.tripped", "phase.begun"}:
            self._go_at(QUIET if said.get("phase") in PATIENT else BUSY)
        elif name == "incident.closed":
            self._go_at(None)
        raise structlog.DropEvent

    def _go_at(self, speed: float | None) -> None:
        if speed != self._loop.speed:
            self._loop.speed = speed
            self._rescaling = asyncio.ensure_future(self._site.rescale(speed or QUIET))


def rss(process: str) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES


def children() -> list[str]:
    """Of this process: the simulator of vSphere."""
    here = Path(f"/proc/self/task/{os.getpid()}/children")
    return here.read_text(encoding="ascii").split()


def line(sample: Sample) -> str:
    """One sample for a person."""
    mib = 2**20
    return (f"day {sample.at_s / DAY_S:5.2f}: RSS {sample.rss / mib:6.1f} MiB, simulator "
            f"{sample.simulator_rss / mib:5.1f} MiB, {sample.files} files, {sample.threads} threads, data folder "
            f"{sample.disk / mib:5.2f} MiB, rows {dict(sample.rows)}, {sample.happenings} happenings")
