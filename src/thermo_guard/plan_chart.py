"""One leg of the plan as a Gantt chart in the terminal, and why it takes as long as it does.

A row is a stage with its slowest member, or, where all are asked for, an act; what is on the critical path is marked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.text import Text

from .check_screen import print_beside
from .core.commands import Verb
from .core.estimate import Act
from .core.events import Goal
from .core.outline import Leg
from .core.runbook import KEPT_LAST
from .screens import in_tier

WORDS = {
    Verb.DISARM_HA: "switch HA off", Verb.DISARM_DRS: "set DRS to manual",
    Verb.RETREAT_VCLS: "have vCenter remove its cluster services (vCLS)",
    Verb.SHUT_DOWN_GUEST: "shut down by VMware Tools", Verb.POWER_OFF_VM: "power off, for want of VMware Tools",
    Verb.ANSWER_VM: "answer its question", Verb.TERMINATE_VM: "kill its process",
    Verb.ENTER_MAINTENANCE: "enter maintenance mode", Verb.SHUT_DOWN_HOST: "shut down",
    Verb.FORCE_OFF_HOST: "cut the power", Verb.POWER_ON_HOST: "power on",
    Verb.RECONNECT_HOST: "take back into vCenter", Verb.EXIT_MAINTENANCE: "leave maintenance mode",
    Verb.RESTORE_VCLS: "restore the cluster services (vCLS)", Verb.RESTORE_HA: "restore HA",
    Verb.RESTORE_DRS: "restore DRS", Verb.ADOPT_VM: "register", Verb.POWER_ON_VM: "start",
    Verb.RESTORE_ADMISSION: "restore admission control",
}
_SHORT = {
    Verb.DISARM_HA: "HA off", Verb.DISARM_DRS: "DRS manual", Verb.RETREAT_VCLS: "vCLS away",
    Verb.SHUT_DOWN_GUEST: "stop", Verb.POWER_OFF_VM: "power off", Verb.ANSWER_VM: "answer", Verb.TERMINATE_VM: "kill",
    Verb.ENTER_MAINTENANCE: "maintenance", Verb.SHUT_DOWN_HOST: "host off", Verb.FORCE_OFF_HOST: "force off",
    Verb.POWER_ON_HOST: "host on", Verb.RECONNECT_HOST: "reconnect", Verb.EXIT_MAINTENANCE: "leave maint.",
    Verb.RESTORE_VCLS: "vCLS back", Verb.RESTORE_HA: "HA back", Verb.RESTORE_DRS: "DRS back",
    Verb.ADOPT_VM: "register", Verb.POWER_ON_VM: "start", Verb.RESTORE_ADMISSION: "admission back",
}
_LEAST_BAR = 10
_TOLD_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    starts_s: float
    ends_s: float
    is_critical: bool


def show_chart(console: Console, leg: Leg, *, show_all: bool) -> None:
    """Draw the leg over the whole width; plain ASCII where the terminal's encoding knows no blocks."""
    rows = _rows(leg, show_all=show_all)
    if not rows:
        return
    critical, other = ("#", "-") if console.options.ascii_only else ("█", "░")
    left = min(max(len(row.label) for row in rows), console.width * 2 // 5)
    width = max(_LEAST_BAR, console.width - left - 12)
    scale = width / max(leg.takes_s, 1.0)
    for row in rows:
        begin = min(int(row.starts_s * scale), width - 1)
        end = max(begin + 1, min(round(row.ends_s * scale), width))
        bar = " " * begin + (critical if row.is_critical else other) * (end - begin)
        console.print(Text.assemble(
            "  ", f"{_cut(row.label, left):<{left}} ",
            (f"{bar:<{width}}", "red" if row.is_critical else "cyan"), f" {duration(row.ends_s - row.starts_s):>7}",
        ), no_wrap=True, overflow="crop")
    end_label = duration(leg.takes_s)
    console.print(Text(f"  {'':<{left}} 0{end_label:>{width - 1}}", style="dim"), no_wrap=True, overflow="crop")
    console.print(Text(f"  {critical} on the critical path, {other} beside it", style="dim"))
    console.print()


def _rows(leg: Leg, *, show_all: bool) -> list[_Row]:
    """By stage and verb one row that spans all of its acts and names the one that ends last."""
    critical = {(link.verb, link.target) for link in leg.critical}
    rows = []
    for (_, tier, verb), grouped in groupby(_in_order(leg.acts), lambda act: (act.phase, act.tier, act.verb)):
        acts = list(grouped)
        prefix = f"{_SHORT[verb]} " if tier is None else f"{tier_word(tier)} {_SHORT[verb]} "
        if show_all:
            rows += [_Row(prefix + act.name, act.starts_s, act.ends_s, (verb, act.target) in critical) for act in acts]
            continue
        marked = [act for act in acts if (verb, act.target) in critical]
        slowest = max(marked or acts, key=lambda act: act.ends_s - act.starts_s)
        more = f" +{len(acts) - 1}" if len(acts) > 1 else ""
        rows.append(_Row(f"{prefix}{slowest.name}{more}", min(act.starts_s for act in acts),
                         max(act.ends_s for act in acts), bool(marked)))
    return rows


def _in_order(acts: Iterable[Act]) -> list[Act]:
    """By stage in the order of time, and in each stage the same verbs together."""
    first: dict[tuple[str, int | None, Verb], int] = {}
    for act in acts:
        first.setdefault((act.phase, act.tier, act.verb), len(first))
    return sorted(acts, key=lambda act: (first[act.phase, act.tier, act.verb], act.starts_s, act.name))


def show_reasons(console: Console, leg: Leg) -> None:
    """The chain of the critical path: each link with its time and where that is from."""
    if not leg.critical:
        return
    way = "down" if leg.goal is Goal.OFF else "back"
    console.print(Text(f"The way {way} takes {duration(leg.takes_s)} because:"))
    for link in leg.critical:
        tier = "" if link.tier is None else f"{in_tier(link.tier)}, "
        waited = ""
        if link.waited_s >= _TOLD_WAIT_S:
            what = f" ({link.waited_for})" if link.waited_for else ""
            waited = f"after {duration(link.waited_s)} of waiting{what}, "
        words = "power off, its time being over" if link.is_overdue else WORDS[link.verb]
        print_beside(console, Text(f"  {clock(link.starts_s)}"),
                     f"{waited}{tier}{link.name}: {words}, {duration(link.ends_s - link.starts_s)} ({link.why})")
    rest_s = leg.takes_s - leg.critical[-1].ends_s
    if rest_s >= _TOLD_WAIT_S:
        print_beside(console, Text(f"  {clock(leg.critical[-1].ends_s)}"),
                     f"{duration(rest_s)} for what is given up in the end")
    console.print()


def clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def tier_word(tier: int) -> str:
    return "last" if tier == KEPT_LAST else str(tier)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[:width - 1] + "~"
