"""`thermo-guard drill --here`: everything up to, and not including, the acts, on the configured site.

It looks as `check` does, plans as `plan` does, and asks of each act whether its way is open now and the account may.
Nothing is sent that changes anything.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .core.commands import Verb
from .core.events import Goal, Phase
from .core.outline import Leg, Outline
from .core.plant import BmcSeen, ClusterSeen, HostSeen, Unseen
from .core.survey import Survey


@dataclass(frozen=True, slots=True)
class Tried:
    """Acts of one kind, in one stage, by one way."""

    goal: Goal
    phase: Phase
    tier: int | None
    verb: Verb
    via: str
    """'vCenter', a host, or a BMC."""
    names: tuple[str, ...]
    why_not: tuple[str, ...]
    """What stands in their way now; empty: nothing."""


def tried(survey: Survey, outline: Outline) -> tuple[Tried, ...]:
    """Each act of the plan, in order, with what would stand in its way if it were due now."""
    return tuple(one for leg in (outline.down, outline.back) for one in _of_leg(survey, leg))


def _of_leg(survey: Survey, leg: Leg) -> Iterator[Tried]:
    groups: dict[tuple[Phase, int | None, Verb, str], list[str]] = {}
    for act in leg.acts:
        groups.setdefault((act.phase, act.tier, act.verb, act.via), []).append(act.name)
    for (phase, tier, verb, via), names in groups.items():
        why_not = [*_closed(survey, via), *_lacking(survey, via, names)]
        yield Tried(leg.goal, phase, tier, verb, via, tuple(names), tuple(why_not))


def _closed(survey: Survey, via: str) -> Iterator[str]:
    """Why this way is not open now: on the way back it is another time, but what is shut now would be then, too."""
    if via == "vCenter":
        if not isinstance(survey.cluster, ClusterSeen):
            yield f"vCenter: {survey.cluster.reason}"
        return
    seen = survey.bmcs.get(via, survey.direct.get(via))
    if seen is None:
        yield f"{via} was not looked at"
    elif isinstance(seen, Unseen):
        yield f"{via}: {seen.reason}"
    elif isinstance(seen, BmcSeen) and seen.allowed_resets and "On" not in seen.allowed_resets:
        yield f"{via} takes no On"
    elif not isinstance(seen, BmcSeen | HostSeen):
        yield f"{via}: it is neither a host nor a BMC"


def _lacking(survey: Survey, via: str, names: list[str]) -> Iterator[str]:
    """Rights that vCenter's account does not have on them."""
    if via != "vCenter":
        return
    if isinstance(survey.missing, Unseen):
        yield f"its rights could not be asked for: {survey.missing.reason}"
        return
    rights = Counter(one.privilege for one in survey.missing if one.entity in names)
    for privilege, count in rights.items():
        yield f"the account lacks {privilege} on {count} of them"
