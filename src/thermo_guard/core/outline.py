"""The plan as people read it: what a survey says the planner would do now, in stages, and who is in which tier and why.

Nothing is planned in here: the acts come from the estimate, that is from the planner that executes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from .appliance import find_vcenter
from .commands import Verb
from .critical_path import Link, critical_path
from .durations import Durations
from .estimate import Act, Forecast, forecast
from .events import Goal, Phase
from .guard_vm import find_guard
from .matching import match_bmcs, merged_pairs
from .plant import BmcSeen, ClusterSeen, HostSeen, Role, Unseen
from .preflight import Terms
from .preflight_room import assessment_of
from .runbook import Runbook
from .snapshot import Snapshot, take
from .step import Timing
from .survey import Memory, Survey


@dataclass(frozen=True, slots=True)
class Deed:
    """The same act on several targets."""

    verb: Verb
    via: str
    """'vCenter', 'each host', or the one host or BMC that is asked."""
    names: tuple[str, ...]
    """Of the VMs, hosts or clusters, in the order in which they are asked."""
    is_overdue: bool = False
    """A power-off of guests that were asked to shut down and have had their time, not one for want of tools."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One phase of a leg, for one tier; times are seconds from the leg's start."""

    phase: Phase
    tier: int | None
    starts_s: float
    ends_s: float
    deeds: tuple[Deed, ...]


@dataclass(frozen=True, slots=True)
class Leg:
    goal: Goal
    takes_s: float
    stages: tuple[Stage, ...]
    needs_person: tuple[str, ...]
    acts: tuple[Act, ...] = ()
    """Each one, with when and why so long."""
    critical: tuple[Link, ...] = ()
    """The chain that makes the leg as long as it is."""


@dataclass(frozen=True, slots=True)
class TierMembers:
    """The VMs of one tier that are there for one reason, with the same rules."""

    tier: int
    why: str
    vms: tuple[str, ...]
    grace_s: float | None = None
    """Of the runbook, for the guest's own shutdown; None: as the setting says."""
    after: tuple[str, ...] = ()
    """VMs that each of them starts after and stops before."""
    is_sheddable: bool = False
    """They may be stopped alone, before an alarm."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The whole plan."""

    cluster: str
    seen_at: float
    """When the cluster was so."""
    why_not_fresh: str | None
    """None: it was looked at just now; else why the journal's last snapshot stands in."""
    incident: str | None
    """One that is open: the plan starts from its snapshot, and from the beginning."""
    tiers: tuple[TierMembers, ...]
    last: tuple[tuple[str, str], ...]
    """vCenter's own VM, or each that could be, with its host."""
    own: tuple[tuple[str, str], ...]
    """The VM that the guard itself runs in, or each that could be, with its host: both are left up."""
    untouched: tuple[str, ...]
    """VMs of the cluster that are off: neither stopped nor started."""
    down: Leg
    back: Leg
    never_touched: tuple[tuple[str, str], ...] = ()
    """VMs that run and that the runbook leaves alone, with their hosts, which stay up for their sake."""
    left_to_others: tuple[tuple[str, str], ...] = ()
    """VMs that run and that something else stops and starts, with their roles."""
    not_followed: tuple[str, ...] = ()
    """What of the runbook's order cannot be followed, in words."""


def outline(survey: Survey, terms: Terms, timing: Timing, runbook: Runbook) -> Outline | None:
    """The plan as it would run now; None where neither vCenter nor the journal shows what there is."""
    memory = survey.memory if isinstance(survey.memory, Memory) else Memory()
    bmc_of = _bmc_of(survey, memory, terms.bmc_overrides)
    snapshot = _snapshot(survey, memory, bmc_of, terms, runbook)
    if snapshot is None:
        return None
    down, back = forecast(
        snapshot, bmc_of, timing, runbook, has_direct_logins=_has_direct_logins(survey, snapshot, terms),
        watch_s=terms.policy.watch_s, durations=Durations(memory.took), scope=memory.scope,
    )
    return Outline(
        cluster=snapshot.cluster, seen_at=snapshot.at,
        why_not_fresh=None if isinstance(survey.cluster, ClusterSeen) else survey.cluster.reason,
        incident=memory.incident, tiers=_members(snapshot),
        last=tuple((vm.name, vm.host) for vm in snapshot.vcenter_vms if vm.is_on and not vm.is_guard),
        own=tuple((vm.name, vm.host) for vm in snapshot.guard_vms if vm.is_on),
        untouched=tuple(vm.name for vm in snapshot.vms if not vm.is_on), down=_leg(down), back=_leg(back),
        never_touched=tuple((vm.name, vm.host) for vm in snapshot.vms if vm.is_on and vm.is_untouched),
        left_to_others=tuple((vm.name, str(vm.role)) for vm in snapshot.vms
                             if vm.is_on and vm.role is not Role.WORKLOAD and not vm.is_untouched),
        not_followed=() if isinstance(survey.cluster, Unseen) else runbook.orderings(survey.cluster.vms)[1],
    )


def _bmc_of(survey: Survey, memory: Memory, overrides: Mapping[str, str]) -> Mapping[str, str]:
    """Host to BMC: as proved now, and as the journal has it for those that did not answer."""
    before = memory.bmc_of or {}
    if isinstance(survey.cluster, Unseen):
        return before
    found = [bmc for bmc in survey.bmcs.values() if isinstance(bmc, BmcSeen)]
    matching = match_bmcs(survey.cluster.hosts, found, overrides)
    return dict(merged_pairs(before, matching, set(survey.bmcs) - {bmc.address for bmc in found}))


def _snapshot(
    survey: Survey, memory: Memory, bmc_of: Mapping[str, str], terms: Terms, runbook: Runbook
) -> Snapshot | None:
    """As the guard would take it now; while an incident lasts, the one that it works by."""
    if memory.is_snapshot_closed or isinstance(survey.cluster, Unseen):
        return memory.snapshot
    vms = () if survey.cluster.is_standalone else survey.cluster.vms
    appliance = find_vcenter(vms, terms.vcenter_vm, survey.cluster.addresses)
    known = () if memory.snapshot is None else [vm.id for vm in memory.snapshot.guard_vms]
    own = find_guard(survey.cluster.vms, terms.guard_vm, survey.infrastructure.own_addresses, known)
    room = assessment_of(survey, terms.policy)
    return take(
        survey.cluster, memory.snapshot,
        {host: survey.bmcs[bmc] for host, bmc in bmc_of.items() if bmc in survey.bmcs},
        runbook=runbook, vcenter_vms=appliance.vms, guard_vms=own.vms, level=room.level if room is not None else None,
        cool_as_of=room.cool_as_of if room is not None else None,
    )


def _has_direct_logins(survey: Survey, snapshot: Snapshot, terms: Terms) -> bool:
    """Where vCenter's hosts could be looked at, whether they all let us in; else what the settings promise."""
    looks = [survey.direct[host] for host in {vm.host for vm in snapshot.vcenter_vms} if host in survey.direct]
    return all(isinstance(look, HostSeen) for look in looks) if looks else terms.has_esxi_logins


def _members(snapshot: Snapshot) -> tuple[TierMembers, ...]:
    names = {vm.id: vm.name for vm in snapshot.vms}
    found: dict[tuple[int, str, float, tuple[str, ...], bool], list[str]] = {}
    for vm in snapshot.vms:
        is_planned = vm.is_on and vm.role is Role.WORKLOAD and not vm.is_untouched
        if is_planned and not vm.is_vcenter and not vm.is_guard:
            after = tuple(sorted(names[other] for other in vm.after if other in names))
            grace_s = -1.0 if vm.grace_s is None else vm.grace_s
            found.setdefault((vm.tier, vm.why, grace_s, after, vm.is_sheddable), []).append(vm.name)
    return tuple(TierMembers(tier, why, tuple(vms), None if grace_s < 0.0 else grace_s, after, is_sheddable)
                 for (tier, why, grace_s, after, is_sheddable), vms in sorted(found.items()))


def _leg(leg: Forecast) -> Leg:
    stages: list[Stage] = []
    for (phase, tier), acts in groupby(leg.acts, lambda act: (act.phase, act.tier)):
        stage = _stage(phase, tier, tuple(acts))
        if phase is Phase.OTHER_HOSTS and stages:  # nothing is done meanwhile, but it is what takes the time
            stages.append(Stage(Phase.WATCH, None, stages[-1].ends_s, stage.starts_s, ()))
        stages.append(stage)
    return Leg(leg.goal, leg.takes_s, tuple(stages), leg.needs_person, leg.acts, critical_path(leg))


def _stage(phase: Phase, tier: int | None, acts: tuple[Act, ...]) -> Stage:
    alike: dict[tuple[Verb, bool], list[Act]] = {}
    for act in acts:
        alike.setdefault((act.verb, act.is_overdue), []).append(act)
    deeds = tuple(
        Deed(verb, _way(same), tuple(act.name for act in same), is_overdue)
        for (verb, is_overdue), same in alike.items()
    )
    return Stage(phase, tier, min(act.starts_s for act in acts), max(act.ends_s for act in acts), deeds)


def _way(acts: Iterable[Act]) -> str:
    ways = {act.via for act in acts}
    return ways.pop() if len(ways) == 1 else "each its own way"
