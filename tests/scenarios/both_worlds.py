"""A day in one process and the same day over the wire, with real servers and the guard's own adapters: one order.

What differs by the nature of the two, and is left out:

- Which of two machines that are asked at once comes first within a phase: in one process an answer takes no time of
  its own.
- The names that vCenter gives to the vCLS that it makes anew: they are numbered as the world does.
- Hosts go by their addresses over the wire, and where the guard takes the first by name that is another host than by
  the plan's names. A plan in which this matters has its hosts in the order of their names, nine at most.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.days import cool, heat
from engine.rig import SETTINGS, Guarded
from scenarios.chronicle import at_phase, in_order, lines_of, lived
from scenarios.wired import lived_on_the_wire
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.blueprint import Blueprint

Meanwhile = Callable[[Guarded], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Day:
    plan: Blueprint
    settings: LoopSettings = SETTINGS
    meanwhile: Meanwhile | None = None


def hot_until(phase: Phase, tier: int | None = None) -> Meanwhile:
    """The room is hot once the guard knows its hosts, and cool when the incident has come so far."""

    async def heats(guarded: Guarded) -> None:
        while not guarded.of(ev.HostsConfirmed):
            await guarded.clock.sleep(5.0)
        heat(guarded)
        await at_phase(phase, tier, cool)(guarded)

    return heats


def is_one_order(day: Day, folder: Path) -> None:
    within = lived(folder / "within", day.plan, day.settings, day.meanwhile)
    wired = lived_on_the_wire(folder / "wired", day.plan, day.settings, day.meanwhile)
    text, stories = in_order(lines_of(within))
    wired_text, wired_stories = in_order(lines_of(wired, wired.named))
    assert wired_text == text
    assert wired_stories == stories
