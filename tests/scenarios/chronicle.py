"""What happened in an incident, in its whole order: one line a phase, with what came about in it.

Within a phase things that happen at once stand side by side, by kind in the order in which the first of a kind came
about and by name; so that a line is the same however the instants of two hosts' shutdowns fall.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.days import HOUR_S
from engine.rig import SETTINGS, Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
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


def story_of(
    folder: Path, plan: Blueprint, settings: LoopSettings = SETTINGS,
    meanwhile: Callable[[Guarded], object] | None = None, within_h: float = 14.0,
) -> tuple[Guarded, str]:
    """A hot day on a site from the alarm to the closing report, and its chronicle.

    CRITICAL lies out of reach, so that a plant's order is its own and not that of haste.

    :param meanwhile: what a person or fate does besides, as an awaitable of its own or at once.
    """
    guarded: list[Guarded] = []

    async def day() -> None:
        patient = replace(settings, policy=replace(settings.policy, critical_c=200.0))
        one = Guarded(folder, day_of_failing_cooling(plan), patient)
        guarded.append(one)
        besides = meanwhile(one) if meanwhile is not None else None
        task = asyncio.ensure_future(besides) if asyncio.iscoroutine(besides) else None
        one.start()
        await one.until(one.is_closed, within_h * HOUR_S)
        await one.kill()
        if task is not None:
            await task

    run(day())
    return guarded[0], chronicle(guarded[0])


def chronicle(guarded: Guarded) -> str:
    """The lines from the trip on."""
    began = next(at for at, event in guarded.events if isinstance(event, ev.AlarmTripped))
    told: list[tuple[float, int, ev.Event | Happening]]
    told = [(at, 0, event) for at, event in guarded.events if at >= began]
    seen = [(happening.at, 1, happening) for happening in guarded.world.log if happening.at >= began]
    lines: list[tuple[str, dict[str, list[str]]]] = []
    for _, _, one in sorted([*told, *seen], key=lambda item: item[:2]):
        match one:
            case ev.PhaseBegun(phase=phase, tier=tier):
                lines.append((f"{phase}{'' if tier is None else f' {tier}'}", {}))
            case ev.Abandoned(name=name):
                _add(lines, "told", name)
            case ev.GuardStarted() | ev.GracesCompressed() | ev.HeatReturned():
                lines.append((one.kind, {}))
            case ev.IncidentClosed(differences=differences):
                lines.append(("closed", {"differs": [d.split(" (")[0] for d in differences]} if differences else {}))
            case Happening():
                if (what := _happened(one.kind, one.detail)) is not None:
                    _add(lines, what, one.detail if one.kind == _SETTINGS else one.object)
            case _:
                pass
    return "\n".join(
        f"{phase}: {_said(done)}".rstrip(": ")
        for phase, done in lines
    )


def _happened(kind: str, detail: str) -> str | None:
    if kind == "vm.off":
        return detail.split(" on ", maxsplit=1)[0]
    return "asked" if kind == _SETTINGS else _KINDS.get(kind)


def _add(lines: list[tuple[str, dict[str, list[str]]]], what: str, name: str) -> None:
    if not lines:
        lines.append(("before", {}))
    lines[-1][1].setdefault(what, []).append(name)


def _said(done: dict[str, list[str]]) -> str:
    return "; ".join(f"{what} {', '.join(sorted(names))}" for what, names in done.items())


def told(text: str) -> str:
    """A chronicle as a test writes it: indented, long lines broken by a backslash."""
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def at_phase(phase: Phase, tier: int | None, do: Callable[[Guarded], object]) -> Callable[[Guarded], object]:
    """Let something happen once the incident has come so far."""

    async def wait(guarded: Guarded) -> None:
        while (phase, tier) not in {(begun.phase, begun.tier) for begun in guarded.of(ev.PhaseBegun)}:
            await guarded.clock.sleep(1.0)
        do(guarded)

    return wait
