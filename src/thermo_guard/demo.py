"""`thermo-guard demo`: the same program on the virtual site, on the day on which its air conditioner fails.

Only the edges differ from `run`: the virtual site stands behind the ports, time runs faster, the journal is in a folder
of its own that is gone afterwards, and the screen listens where people's tools listen.
"""

import asyncio
import tempfile
from pathlib import Path

from rich.console import Console

from .adapters import logs
from .adapters.clock import SteadyClock
from .adapters.journal import SqlJournal
from .adapters.notify import Outbox
from .core.policy import PolicySettings
from .core.runbook import Runbook
from .core.step import Timing
from .engine.loop import Loop
from .engine.terms import Edges, LoopSettings
from .sim.demo import DemoScreen
from .sim.loop import run
from .sim.plans import day_of_failing_cooling, office
from .sim.site import VirtualSite
from .sim.story import DemoStory
from .sim.world import World
from .virtual_preflight import virtual_preflight

BEGINS_AT = 1_783_216_800.0
"""Sunday, 5 July 2026, 02:00 UTC: when air conditioners fail."""
LONGEST_S = 12 * 3600.0
SETTINGS = LoopSettings(
    policy=PolicySettings(), timing=Timing(vm_shutdown_s=180.0), runbook=Runbook(), snapshot_s=300.0,
    arm_after_s=300.0,
)


def demonstrate(console: Console, *, speed: float | None, seed: int) -> bool:
    """Show the day; True when everything came back as it was.

    :param speed: virtual seconds a second; None: as fast as the machine can.
    """
    logs.configure("console", "ERROR")
    with tempfile.TemporaryDirectory(prefix="thermo-guard-demo-") as folder:
        return run(_day(console, Path(folder), speed, seed), speed=speed)


async def _day(console: Console, folder: Path, speed: float | None, seed: int) -> bool:
    clock = SteadyClock(epoch=BEGINS_AT)
    world = World(seed, day_of_failing_cooling(office()), BEGINS_AT)
    site = VirtualSite(world, clock)
    policy = SETTINGS.policy
    screen = DemoScreen(console, low_c=policy.low_c, high_c=policy.high_c, critical_c=policy.critical_c)
    story = DemoStory(screen, world)
    pace = f"{speed:g} times faster than life" if speed is not None else "as fast as this machine can"
    screen.banner(
        "A server room with three hosts and twelve VMs, made up by Thermo-Guard itself.",
        f"The day on which its air conditioner fails, {pace}.",
        "To guard a real room: fill in .env (see .env.example), then `thermo-guard check`.",
    )
    journal = SqlJournal.open(folder)
    try:
        loop = Loop(SETTINGS, Edges(
            clock=clock, sensors=site.sensors, hypervisor=site.hypervisor, bmcs=site.bmcs, journal=journal,
            notifier=Outbox((), clock), board=story, listeners=(story.hear,), inlets=site.inlets,
            preflight=virtual_preflight(site, clock, SETTINGS, journal),
        ))
        await _until_over(loop, story, clock)
    finally:
        journal.close()
    outcome = story.close()
    screen.banner("End of the demo. No room is guarded now.")
    return outcome.back_at is not None and not outcome.differences


async def _until_over(loop: Loop, story: DemoStory, clock: SteadyClock) -> None:
    stop = asyncio.Event()
    running = asyncio.ensure_future(loop.run(stop))
    while not story.is_over and not running.done() and clock.now() - BEGINS_AT < LONGEST_S:
        await clock.sleep(5.0)
    stop.set()
    await running
