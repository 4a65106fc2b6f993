"""What happened in an incident, in its whole order: one line a phase, with what came about in it.

Within a phase things that happen at once stand side by side, by kind in the order in which the first of a kind came
about and by name; so that a line is the same however the instants of two hosts' shutdowns fall.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.days import HOUR_S
from engine.rig import SETTINGS, Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
from thermo_guard.core.runbook import Runbook
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import day_of_failing_cooling
from thermo_guard.sim.timeline import Happening

_KINDS = {
    "host.maintenance_entered": "in maintenance", "host.off": "host off", "host.power_on": "power on",
    "host.on": "host up", "host.maintenance_left": "out of maintenance", "vm.on": "started", "vm.moved": "moved",
    "host.taken_back": "taken back",
}
_SETTINGS = "cluster.settings"
BY_NAME = replace(SETTINGS, runbook=Runbook(patterns=(("app-*", 2), ("files", 3), ("db-*", 3), ("dc-*", 4))))
"""For hosts that no vCenter holds together: a VM's tier is not to be read there."""


def story_of(
    folder: Path, plan: Blueprint, settings: LoopSettings = SETTINGS,
    meanwhile: Callable[[Guarded], object] | None = None, within_h: float = 14.0,
) -> tuple[Guarded, str]:
    """A hot day on a site from the alarm to the closing report, and its chronicle.

    CRITICAL lies out of reach, so that a plant's order is its own and not that of haste.

    :param meanwhile: what a person or fate does besides, as an awaitable of its own or at once.
    """
    guarded = lived(folder, day_of_failing_cooling(plan), settings, meanwhile, within_h)
    return guarded, chronicle(guarded)


def lived(
    folder: Path, plan: Blueprint, settings: LoopSettings, meanwhile: Callable[[Guarded], object] | None = None,
    within_h: float = 14.0,
) -> Guarded:
    """A guard on a site in this process, after its day."""

    async def day() -> Guarded:
        guarded = Guarded(folder, plan, patient(settings))
        await live(guarded, meanwhile, within_h)
        return guarded

    return run(day())


def patient(settings: LoopSettings) -> LoopSettings:
    return replace(settings, policy=replace(settings.policy, critical_c=200.0))


async def live(guarded: Guarded, meanwhile: Callable[[Guarded], object] | None = None, within_h: float = 14.0) -> None:
    """One life of a guard, until its incident is closed."""
    besides = meanwhile(guarded) if meanwhile is not None else None
    task = asyncio.ensure_future(besides) if asyncio.iscoroutine(besides) else None
    guarded.start()
    await guarded.until(guarded.is_closed, within_h * HOUR_S)
    await guarded.kill()
    if task is not None:
        await task


Lines = list[tuple[str, list[tuple[str, str]]]]
"""A phase, and what came about in it to whom."""


def chronicle(guarded: Guarded) -> str:
    """The lines from the trip on."""
    return "\n".join(_said(phase, done) for phase, done in lines_of(guarded))


def lines_of(guarded: Guarded, named: Callable[[str], str] = str) -> Lines:
    """What happened from the trip on.

    :param named: the plan's names for what goes by another, put into a text.
    """
    began = next(at for at, event in guarded.events if isinstance(event, ev.AlarmTripped))
    heard: list[tuple[float, int, ev.Event | Happening]]
    heard = [(at, 0, event) for at, event in guarded.events if at >= began]
    seen = [(happening.at, 1, happening) for happening in guarded.world.log if happening.at >= began]
    lines: Lines = []
    for _, _, one in sorted([*heard, *seen], key=lambda item: item[:2]):
        match one:
            case ev.PhaseBegun(phase=phase, tier=tier):
                lines.append((f"{phase}{'' if tier is None else f' {tier}'}", []))
            case ev.Abandoned(name=name):
                _add(lines, "told", named(name))
            case ev.GuardStarted() | ev.GracesCompressed() | ev.HeatReturned():
                lines.append((one.kind, []))
            case ev.IncidentClosed(differences=differences):
                lines.append(("closed", [("differs", named(told).split(" (")[0]) for told in differences]))
            case Happening():
                if (what := _happened(one.kind, one.detail)) is not None:
                    _add(lines, what, one.detail if one.kind == _SETTINGS else named(one.object))
            case _:
                pass
    return lines


def in_order(lines: Lines) -> tuple[str, dict[str, list[str]]]:
    """What two days have in common if they are one: each phase with what came about in it, and each name's own story.

    Left out is which of two machines came first within a phase: they were asked at once.
    """
    stories: dict[str, list[str]] = {}
    for phase, done in lines:
        for what, name in done:
            stories.setdefault(name, []).append(f"{phase}: {what}")
    return "\n".join(_said(phase, sorted(done)) for phase, done in lines), stories


def _happened(kind: str, detail: str) -> str | None:
    if kind == "vm.off":
        return detail.split(" on ", maxsplit=1)[0]
    return "asked" if kind == _SETTINGS else _KINDS.get(kind)


def _add(lines: Lines, what: str, name: str) -> None:
    if not lines:
        lines.append(("before", []))
    lines[-1][1].append((what, name))


def _said(phase: str, done: list[tuple[str, str]]) -> str:
    kinds: dict[str, list[str]] = {}
    for what, name in done:
        kinds.setdefault(what, []).append(name)
    said = "; ".join(f"{what} {', '.join(sorted(names))}" for what, names in kinds.items())
    return f"{phase}: {said}".rstrip(": ")


def told(text: str) -> str:
    """A chronicle as a test writes it: indented, long lines broken by a backslash."""
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def at_phase(
    phase: Phase, tier: int | None, do: Callable[[Guarded], object]
) -> Callable[[Guarded], Coroutine[Any, Any, None]]:
    """Let something happen once the incident has come so far."""

    async def wait(guarded: Guarded) -> None:
        while (phase, tier) not in {(begun.phase, begun.tier) for begun in guarded.of(ev.PhaseBegun)}:
            await guarded.clock.sleep(1.0)
        do(guarded)

    return wait
