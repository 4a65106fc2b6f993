"""Why a leg takes as long as it does: the chain of acts each of which had to end before the next could begin.

Found backwards in the forecast alone: from what ends last to what ended last before that began, and so on. It knows
nothing of the order itself, which is the planner's.
"""

from bisect import bisect_right
from dataclasses import dataclass

from .commands import Verb
from .estimate import Act, Forecast
from .events import Phase

_SAME_S = 0.001
"""Times that differ by less are one and the same: they are sums of floats."""
_WAITS = {
    Phase.OTHER_HOSTS: "the room is watched and the hosts are powered on one after another",
    Phase.START_GUESTS: "a start delay, or what it starts after",
}


@dataclass(frozen=True, slots=True)
class Link:
    """One act of the chain; times are seconds from the leg's start."""

    phase: Phase
    tier: int | None
    verb: Verb
    target: str
    name: str
    starts_s: float
    ends_s: float
    why: str
    """Where the time that it takes is from."""
    waited_s: float
    """From the end of the link before it, in which nothing that mattered was under way."""
    waited_for: str = ""
    is_overdue: bool = False


def critical_path(leg: Forecast) -> tuple[Link, ...]:
    """The chain, in the order of time; empty where the leg does nothing."""
    acts = sorted(leg.acts, key=lambda act: act.ends_s)
    ends = [act.ends_s for act in acts]
    links: list[Link] = []
    at = len(acts) - 1
    while at >= 0:
        act = acts[at]
        # An act of no length ends where it starts: what comes before it stands before it in the order, so this ends.
        before = min(bisect_right(ends, act.starts_s + _SAME_S), at) - 1
        before = _same_target(acts, before, act)
        links.append(_link(act, act.starts_s - acts[before].ends_s if before >= 0 else act.starts_s))
        at = before
    return tuple(reversed(links))


def _same_target(acts: list[Act], at: int, act: Act) -> int:
    """Of those that ended at the same time, the one on the same target, which is the true cause."""
    place = at
    while place >= 0 and acts[place].ends_s >= acts[at].ends_s - _SAME_S:
        if acts[place].target == act.target:
            return place
        place -= 1
    return at


def _link(act: Act, waited_s: float) -> Link:
    waited_s = waited_s if waited_s > _SAME_S else 0.0
    waited_for = (act.waited_for or _WAITS.get(act.phase, "")) if waited_s else ""
    return Link(act.phase, act.tier, act.verb, act.target, act.name, act.starts_s, act.ends_s, act.why, waited_s,
                waited_for, act.is_overdue)
