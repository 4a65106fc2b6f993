"""What `plan` prints: who is in which tier and why, then both legs as a chart and stage by stage."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from .check_screen import print_beside
from .core.commands import Verb
from .core.messages import described
from .core.outline import Deed, Leg, Outline, TierMembers
from .core.plant import Role
from .core.runbook import KEPT_LAST
from .plan_chart import WORDS, clock, duration, show_chart, show_reasons, tier_word

NAMED = 8
"""So many names a line, unless all are asked for."""

_OVERDUE = ("power off, since its time (VM_, VCENTER_SHUTDOWN_TIMEOUT, or the runbook's grace) is shorter than a "
            "shutdown typically takes")
_LEFT_TO = {
    Role.VCLS: "vCenter removes them and starts them anew", Role.AGENT: "goes with its host, by its own solution",
    Role.FT_SECONDARY: "follows its primary",
}


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
    console.print("Times: the worst that was measured of each, else a typical one; where all goes well.", style="dim")
    console.print()
    _show_tiers(console, plan, show_all=show_all)
    _show_leg(console, f"Down, about {duration(plan.down.takes_s)}", plan.down, show_all=show_all)
    _show_leg(console, f"Back, once the room has recovered, about {duration(plan.back.takes_s)}", plan.back,
              show_all=show_all)
    needs = [f"on the way {way}: {text}" for way, leg in (("down", plan.down), ("back", plan.back))
             for text in leg.needs_person]
    console.print(Text("Needs a person" if needs else "Needs no person", style="bold"))
    for text in needs:
        print_beside(console, Text("  !", style="yellow"), text)


def _show_tiers(console: Console, plan: Outline, *, show_all: bool) -> None:
    console.print(Text("Tiers: 1 stops first and starts last", style="bold"))
    for members in plan.tiers:
        print_beside(console, Text(f"  {tier_word(members.tier):>4}"),
                     f"{_names(members.vms, show_all=show_all)} ({_rules(members, show_all=show_all)})")
    for vm, host in plan.last:
        print_beside(console, Text("  last"), f"{vm} on {host}: vCenter itself")
    for vm, host in plan.own:
        print_beside(console, Text("    up", style="bold red"),
                     f"{vm}, in which the guard itself runs, and its host {host}: neither is stopped")
    for vm, host in plan.never_touched:
        print_beside(console, Text("    up", style="bold red"),
                     f"{vm}, which the runbook never touches, and its host {host}: neither is stopped")
    others: dict[str, list[str]] = {}
    for vm, role in plan.left_to_others:
        others.setdefault(role, []).append(vm)
    for role, vms in others.items():
        print_beside(console, Text("  none"), f"{_names(vms, show_all=show_all)} ({role}: {_LEFT_TO[Role(role)]})")
    if plan.untouched:
        print_beside(console, Text("  none"), f"{_names(plan.untouched, show_all=show_all)} (off: left as they are)")
    for problem in plan.not_followed:
        print_beside(console, Text("     !", style="yellow"),
                     f"the runbook cannot be followed to the letter: {problem}")
    console.print()


def _rules(members: TierMembers, *, show_all: bool) -> str:
    """Why they are in their tier, and what the runbook says of them besides."""
    said = [members.why if members.tier == KEPT_LAST else f"by {members.why}"]
    if members.grace_s is not None:
        said.append(f"grace {members.grace_s:g} s")
    if members.is_sheddable:
        said.append("sheddable")
    if members.after:
        said.append(f"starts after and stops before {_names(members.after, show_all=show_all)}")
    return "; ".join(said)


def _show_leg(console: Console, title: str, leg: Leg, *, show_all: bool) -> None:
    console.print(Text(title, style="bold"))
    if console.is_terminal:  # a pipe gets the same as lines, for grep
        show_chart(console, leg, show_all=show_all)
    show_reasons(console, leg)
    for stage in leg.stages:
        when = f"  {clock(stage.starts_s)} - {clock(stage.ends_s)}"
        print_beside(console, Text(when), described(stage.phase, stage.tier))
        for deed in stage.deeds:
            print_beside(console, Text(" " * len(when)), f"  {_said(deed, show_all=show_all)}")
    console.print()


def _said(deed: Deed, *, show_all: bool) -> str:
    """A host's BMC is its own matter; where everything goes through vCenter nothing is said of the way."""
    way = "" if deed.via == "vCenter" else " by its BMC" if deed.verb is Verb.POWER_ON_HOST else f" via {deed.via}"
    words = _OVERDUE if deed.is_overdue else WORDS[deed.verb]
    return f"{words}{way}: {_names(deed.names, show_all=show_all)}"


def _names(names: Sequence[str], *, show_all: bool) -> str:
    if show_all or len(names) <= NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def outline_as_data(plan: Outline) -> dict[str, object]:
    """The whole plan for programs: every name, times in seconds from the start of each leg."""
    return asdict(plan)
