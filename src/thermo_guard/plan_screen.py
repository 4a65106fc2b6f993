"""What `plan` prints: who is in which tier and why, then both legs stage by stage, with when and what."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from .check_screen import print_beside
from .core.commands import Verb
from .core.messages import described
from .core.outline import Deed, Leg, Outline

NAMED = 8
"""So many names a line, unless all are asked for."""

_WORDS = {
    Verb.DISARM_HA: "switch HA off", Verb.DISARM_DRS: "set DRS to manual",
    Verb.SHUT_DOWN_GUEST: "shut down by VMware Tools", Verb.POWER_OFF_VM: "power off, for want of VMware Tools",
    Verb.ENTER_MAINTENANCE: "enter maintenance mode", Verb.SHUT_DOWN_HOST: "shut down",
    Verb.POWER_ON_HOST: "power on", Verb.EXIT_MAINTENANCE: "leave maintenance mode",
    Verb.RESTORE_HA: "restore HA", Verb.RESTORE_DRS: "restore DRS", Verb.ADOPT_VM: "register",
    Verb.POWER_ON_VM: "start", Verb.RESTORE_ADMISSION: "restore admission control",
}
_OVERDUE = "power off, since its time (VM_, VCENTER_SHUTDOWN_TIMEOUT) is shorter than a shutdown typically takes"


def show_outline(console: Console, plan: Outline, *, show_all: bool) -> None:
    seen_at = datetime.fromtimestamp(plan.seen_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    console.print(Text(f"Plan for the cluster {plan.cluster}, as it stood at {seen_at}", style="bold"))
    if plan.why_not_fresh is not None:
        print_beside(console, Text("NOT FRESH", style="bold red"),
                     f"vCenter could not be looked at ({plan.why_not_fresh}). This plan is made from the journal's "
                     "last snapshot: what has changed since is not in it.")
    if plan.incident is not None:
        print_beside(console, Text("INCIDENT", style="bold red"),
                     f"{plan.incident} is open. This is its whole plan from the beginning, not what is left of it; see "
                     "`thermo-guard status`.")
    console.print("Times are typical ones: what the same acts take where all goes well.", style="dim")
    console.print()
    _show_tiers(console, plan, show_all=show_all)
    _show_leg(console, f"Down, about {_duration(plan.down.takes_s)}", plan.down, show_all=show_all)
    _show_leg(console, f"Back, once the room has recovered, about {_duration(plan.back.takes_s)}", plan.back,
              show_all=show_all)
    needs = [f"on the way {way}: {text}" for way, leg in (("down", plan.down), ("back", plan.back))
             for text in leg.needs_person]
    console.print(Text("Needs a person" if needs else "Needs no person", style="bold"))
    for text in needs:
        print_beside(console, Text("  !", style="yellow"), text)


def _show_tiers(console: Console, plan: Outline, *, show_all: bool) -> None:
    console.print(Text("Tiers: 1 stops first and starts last", style="bold"))
    for members in plan.tiers:
        print_beside(console, Text(f"  {members.tier:>4}"),
                     f"{_names(members.vms, show_all=show_all)} (by {members.why})")
    for vm, host in plan.last:
        print_beside(console, Text("  last"), f"{vm} on {host}: vCenter itself")
    for vm, host in plan.own:
        print_beside(console, Text("    up", style="bold red"),
                     f"{vm}, in which the guard itself runs, and its host {host}: neither is stopped")
    if plan.untouched:
        print_beside(console, Text("  none"), f"{_names(plan.untouched, show_all=show_all)} (off: left as they are)")
    console.print()


def _show_leg(console: Console, title: str, leg: Leg, *, show_all: bool) -> None:
    console.print(Text(title, style="bold"))
    for stage in leg.stages:
        when = f"  {_clock(stage.starts_s)} - {_clock(stage.ends_s)}"
        print_beside(console, Text(when), described(stage.phase, stage.tier))
        for deed in stage.deeds:
            print_beside(console, Text(" " * len(when)), f"  {_said(deed, show_all=show_all)}")
    console.print()


def _said(deed: Deed, *, show_all: bool) -> str:
    """A host's BMC is its own matter; where everything goes through vCenter nothing is said of the way."""
    way = "" if deed.via == "vCenter" else " by its BMC" if deed.verb is Verb.POWER_ON_HOST else f" via {deed.via}"
    words = _OVERDUE if deed.is_overdue else _WORDS[deed.verb]
    return f"{words}{way}: {_names(deed.names, show_all=show_all)}"


def _names(names: Sequence[str], *, show_all: bool) -> str:
    if show_all or len(names) <= NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def outline_as_data(plan: Outline) -> dict[str, object]:
    """The whole plan for programs: every name, times in seconds from the start of each leg."""
    return asdict(plan)
