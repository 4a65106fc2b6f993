"""The runbook: in which tier a VM stops and starts, what it waits for, what it is given and what is left alone.

Tier 1 stops first and starts last. A VM's tier comes from the first that has a word on it: the runbook's file, a tag,
a custom attribute, a name pattern, the default. `after` orders VMs of one tier: what starts after another stops before
it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from .plant import Role, Vm

KEPT_LAST = 100
"""The tier of what is kept to the last: above every tier that can be written."""
HIGHEST_TIER = 99


@dataclass(frozen=True, slots=True)
class Ready:
    """When a started VM counts as ready, so that the next tier begins."""

    port: int | None = None
    """TCP port that must answer at one of its addresses; None: none."""
    tools: bool = True
    """Its VMware Tools must run, where they did before."""


@dataclass(frozen=True, slots=True)
class VmRule:
    """What the file says of the VMs that one of its patterns fits. None: nothing."""

    match: tuple[str, ...]
    """Shell patterns on the VM's name, in any case, or instance UUIDs."""
    tier: int | None = None
    grace_s: float | None = None
    """For the guest's own shutdown."""
    after: tuple[str, ...] = ()
    """Patterns: the VMs that must be ready before it starts, and are stopped only once it is off."""
    ready: Ready | None = None
    keep_last: bool = False
    never_touch: bool = False
    sheddable: bool | None = None
    """It may be stopped alone, before the rest, to keep the room from a trip; None: as its tier."""


@dataclass(frozen=True, slots=True)
class TierRule:
    """What the file says of a tier."""

    grace_s: float | None = None
    start_delay_s: float = 0.0
    """Between the tier above being ready and its own first VM."""
    ready: Ready | None = None
    sheddable: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """What the runbook makes of one VM."""

    tier: int
    why: str
    """Where the tier is from, in words."""
    grace_s: float | None = None
    """None: as the setting says."""
    ready: Ready = Ready()
    is_untouched: bool = False
    is_sheddable: bool = False


@dataclass(frozen=True, slots=True)
class Runbook:
    """The order of the VMs, as the file and the settings say it."""

    patterns: tuple[tuple[str, int], ...] = ()
    """VM_TIERS: shell patterns on the VM's name, in any case, in order."""
    default: int = 1
    rules: tuple[VmRule, ...] = ()
    """Of the file, in order: the first that says something of a matter counts."""
    tiers: Mapping[int, TierRule] = field(default_factory=dict)

    @property
    def spares_any(self) -> bool:
        """It has a rule by which a VM is never touched."""
        return any(rule.never_touch for rule in self.rules)

    def place_of(self, vm: Vm) -> Place:
        """Where a VM stands."""
        rules = [rule for rule in self.rules if _fits(rule.match, vm)]
        tier, why = self._tier_of(vm, rules)
        of_tier = self.tiers.get(tier, TierRule())
        grace_s = next((rule.grace_s for rule in rules if rule.grace_s is not None), of_tier.grace_s)
        ready = next((rule.ready for rule in rules if rule.ready is not None), of_tier.ready)
        sheds = next((rule.sheddable for rule in rules if rule.sheddable is not None), of_tier.sheddable)
        return Place(tier, why, grace_s, ready or Ready(), any(rule.never_touch for rule in rules), sheds)

    def _tier_of(self, vm: Vm, rules: Iterable[VmRule]) -> tuple[int, str]:
        for rule in rules:
            pattern = next(pattern for pattern in rule.match if _fits((pattern,), vm))
            if rule.keep_last:
                return KEPT_LAST, f"kept to the last by the runbook, as {pattern}"
            if rule.tier is not None:
                return rule.tier, f"runbook, as {pattern}"
        if vm.tier is not None:
            return vm.tier, vm.tier_by or "tag or attribute"
        name = vm.name.lower()
        for pattern, tier in self.patterns:
            if fnmatchcase(name, pattern.lower()):
                return tier, f"name like {pattern}"
        return self.default, "default"

    def unmatched(self, vms: Iterable[Vm]) -> tuple[str, ...]:
        """Patterns, of the settings and of the file, that fit no VM: as often as not a slip of the pen."""
        listed = [vm for vm in vms if not vm.is_template]
        written = [pattern for pattern, _ in self.patterns]
        written += [pattern for rule in self.rules for pattern in (*rule.match, *rule.after)]
        return tuple(pattern for pattern in dict.fromkeys(written) if not any(_fits((pattern,), vm) for vm in listed))

    def orderings(self, vms: Iterable[Vm]) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
        """Which VMs each starts after, by id, within its tier; and what of it cannot be followed, in words.

        What contradicts the tiers, or goes in a circle, is left out: a runbook that cannot be followed to the letter
        must still bring everything down.
        """
        listed = [vm for vm in vms if vm.role is Role.WORKLOAD and not vm.is_template]
        if not any(rule.after for rule in self.rules):
            return {}, ()
        tier_of = {vm.id: self.place_of(vm).tier for vm in listed}
        names = {vm.id: vm.name for vm in listed}
        after: dict[str, tuple[str, ...]] = {}
        problems: list[str] = []
        for vm in listed:
            wanted = [pattern for rule in self.rules if rule.after and _fits(rule.match, vm) for pattern in rule.after]
            first = [other for other in listed if wanted and other.id != vm.id and _fits(wanted, other)]
            if late := sorted(other.name for other in first if tier_of[other.id] < tier_of[vm.id]):
                problems.append(f"{vm.name} (tier {tier_of[vm.id]}) is to start after {', '.join(late)}, which their "
                                "lower tiers start later: the tiers are followed")
            same = tuple(sorted(other.id for other in first if tier_of[other.id] == tier_of[vm.id]))
            if same:
                after[vm.id] = same
        circle = _in_circles(after)
        if circle:
            problems.append(f"{', '.join(sorted(names[vm_id] for vm_id in circle))} wait for each other in a circle: "
                            "none of them waits")
            after = {vm_id: tuple(other for other in others if other not in circle) if vm_id in circle else others
                     for vm_id, others in after.items()}
        return {vm_id: others for vm_id, others in after.items() if others}, tuple(problems)


def _fits(patterns: Iterable[str], vm: Vm) -> bool:
    name = vm.name.lower()
    return any(pattern.lower() == vm.id or fnmatchcase(name, pattern.lower()) for pattern in patterns)


def _in_circles(after: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """What is left when everything that waits for nothing that is left has been taken away, from both ends."""
    left = {vm_id: set(others) for vm_id, others in after.items()}
    for _ in range(2):
        while free := [vm_id for vm_id, others in left.items() if not others & left.keys()]:
            for vm_id in free:
                del left[vm_id]
        waited_for: dict[str, set[str]] = {vm_id: set() for vm_id in left}
        for vm_id, others in left.items():
            for other in others & left.keys():
                waited_for[other].add(vm_id)
        left = waited_for
    return frozenset(left)
