"""What each tick of a whole incident costs as the site grows: the real loop on the virtual site, down and up again.

    python -m bench.site [--hosts 100] [--vms 1000 3000 10000]

The loop with its default settings and its journal on disk guards `sim.plans.big` on a day on which the cooling fails,
in virtual time: room, vCenter, hosts and BMCs stand in this process, so that one core does all of it and what a tick
takes is told from what the site takes by timing the tick alone. Of each tick that plans: the planner (the step that is
due and every join of the looks) and all of it, with the journal's writes. The pauses of Python's collector are left out
of the planner's figures and have a row of their own: most of what it goes through is the site's. A goal stands at the
largest size.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, TypeVar
from unittest.mock import patch

import structlog

from bench.table import Report
from thermo_guard.adapters.clock import SteadyClock, wall_now
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.notify import Outbox
from thermo_guard.adapters.status import StatusFile
from thermo_guard.core import events as ev
from thermo_guard.core.planner import next_step
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.step import Timing
from thermo_guard.core.view import plant_now
from thermo_guard.engine.loop import Loop
from thermo_guard.engine.terms import Edges, LoopSettings
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import big, day_of_failing_cooling
from thermo_guard.sim.site import VirtualSite
from thermo_guard.sim.world import World

GOAL_MS = 50.0
"""Of the planner at a tick."""
SIZES = (1_000, 3_000, 10_000)
HOSTS = 100
BEGINS_AT = 1_783_216_800.0
TIMING = Timing(host_stagger_s=3.0)
"""As by default, but that 100 hosts are not started one by one for 50 minutes in which nothing else is new."""
REPAIRED_AFTER_S = 2400.0
HEAVIER = 12.0
"""So many times the heat that the room takes up: else 100 hosts are critical in four minutes and fall in haste."""
LONGEST_S = 8 * 3600.0
"""Virtual; the day is over long before."""
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick took that planned, milliseconds."""

    phase: str
    planner_ms: float
    collector_ms: float
    whole_ms: float


class Stopwatch:
    """Adds up what the calls of the functions it is put around take, without the collector's pauses, and those."""

    def __init__(self) -> None:
        self.planner_ms = self.collector_ms = self._paused_at = 0.0
        self.plans = 0

    def reset(self) -> None:
        self.planner_ms = self.collector_ms = 0.0
        self.plans = 0

    def collector(self, what: str, _info: object) -> None:
        """For gc.callbacks."""
        if what == "start":
            self._paused_at = time.perf_counter()
        else:
            self.collector_ms += (time.perf_counter() - self._paused_at) * 1e3

    def around(self, work: Callable[P, T], *, is_plan: bool = False) -> Callable[P, T]:
        def timed(*args: P.args, **kwargs: P.kwargs) -> T:
            paused_ms, began = self.collector_ms, time.perf_counter()
            found = work(*args, **kwargs)
            self.planner_ms += (time.perf_counter() - began) * 1e3 - (self.collector_ms - paused_ms)
            self.plans += is_plan
            return found

        return timed


class TimedLoop(Loop):
    """The loop, with a note of what each tick that planned took."""

    def __init__(self, settings: LoopSettings, edges: Edges, watch: Stopwatch) -> None:
        super().__init__(settings, edges)
        self._watch = watch
        self.ticks: list[Tick] = []

    def tick(self) -> None:
        self._watch.reset()
        began = time.perf_counter()
        super().tick()
        whole_ms = (time.perf_counter() - began) * 1e3
        if self._watch.plans and self.step is not None:
            tier = "" if self.step.tier is None else f" {self.step.tier}"
            watch = self._watch
            self.ticks.append(Tick(f"{self.step.phase}{tier}", watch.planner_ms, watch.collector_ms, whole_ms))


def hall(hosts: int, vms: int) -> Blueprint:
    plan = big(hosts, vms)
    room = replace(plan.room, air_kj_per_k=HEAVIER * plan.room.air_kj_per_k,
                   mass_kj_per_k=HEAVIER * plan.room.mass_kj_per_k)
    return day_of_failing_cooling(replace(plan, room=room), for_s=REPAIRED_AFTER_S)


async def day(hosts: int, vms: int, folder: Path, watch: Stopwatch) -> list[Tick]:
    """The ticks of one incident until it is closed."""
    clock = SteadyClock(epoch=BEGINS_AT)
    world = World(1, hall(hosts, vms), BEGINS_AT)
    site = VirtualSite(world, clock)
    before = world.running()
    closed: list[ev.IncidentClosed] = []
    journal = SqlJournal.open(folder)
    journal.append(clock.now(), ev.GuardArmed(by="bench"))
    loop = TimedLoop(LoopSettings(policy=PolicySettings(), timing=TIMING), Edges(
        clock=clock, sensors=site.sensors, hypervisor=site.hypervisor, bmcs=site.bmcs, journal=journal,
        notifier=Outbox((), clock), board=StatusFile(folder, wall_now), names=site.names,
        listeners=(lambda _, event: closed.append(event) if isinstance(event, ev.IncidentClosed) else None,),
    ), watch)
    stop = asyncio.Event()
    running = asyncio.ensure_future(loop.run(stop))
    while not closed and not running.done() and clock.now() - BEGINS_AT < LONGEST_S:
        await clock.sleep(5.0)
        world.advance(clock.now())
    stop.set()
    await running
    journal.close()
    if not closed or (lacking := before.differences(world.running())):
        raise RuntimeError(f"not as it was before: {lacking[:3] if closed else 'the incident is still open'}")
    return loop.ticks


def measured(hosts: int, vms: int) -> list[Tick]:
    watch = Stopwatch()
    gc.callbacks.append(watch.collector)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="thermo-guard-bench-") as folder,
            patch("thermo_guard.engine.conductor.next_step", watch.around(next_step, is_plan=True)),
            patch("thermo_guard.engine.loop.plant_now", watch.around(plant_now)),
        ):
            return run(day(hosts, vms, Path(folder), watch))
    finally:
        gc.callbacks.remove(watch.collector)


def by_phase(ticks: Sequence[Tick]) -> dict[str, list[float]]:
    """What the planner took, by phase in the order of the incident."""
    found: dict[str, list[float]] = {}
    for tick in ticks:
        found.setdefault(tick.phase, []).append(tick.planner_ms)
    return found


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--vms", type=int, nargs="+", default=SIZES)
    told = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    report = Report("site")
    first: dict[str, float] = {}
    for vms in told.vms:
        goal = GOAL_MS if vms == max(told.vms) else None
        began = time.perf_counter()
        ticks = measured(told.hosts, vms)
        took_s = time.perf_counter() - began
        planner = [tick.planner_ms for tick in ticks]
        worst = max(ticks, key=lambda tick: tick.planner_ms)
        for what, samples, most_ms, note in (
            ("planner, a tick", planner, goal, f"{len(ticks):,} ticks in {took_s:.0f} s"),
            ("planner, 99 of 100 ticks", [statistics.quantiles(planner, n=100)[98]], goal, ""),
            ("planner, the worst tick", [worst.planner_ms], goal, f"in {worst.phase}"),
            ("whole tick, journal and all", [tick.whole_ms for tick in ticks], None, ""),
            ("collector's pauses in the worst tick", [max(tick.collector_ms for tick in ticks)], None, ""),
            *((f"planner, {phase}", planner_ms, goal, "") for phase, planner_ms in by_phase(ticks).items()),
        ):
            ms = statistics.median(samples)
            growth = f"{ms / first[what]:.1f} x for {vms / told.vms[0]:.0f} x the VMs" if what in first else ""
            first.setdefault(what, ms)
            report.add(f"{vms:,} VMs: {what}", "ms", samples, most_ms, "; ".join(filter(None, (growth, note))))
    return report.show()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
