"""The way back: one host, a watch, the others; vCenter's VM; HA and DRS; exactly the VMs that ran; admission control.

Nothing is commanded while power-on is not permitted. What was asked to stop before the goal turned may still be
stopping: it is waited for, and started once it is seen off.
"""

from collections.abc import Sequence

from .commands import Command, Verb
from .events import Abandoned, Phase
from .plant import Power, Role, Vm
from .restore import restore, restore_admission, should_leave_maintenance
from .snapshot import KeptVm
from .start_guest import is_lost, is_started, start_vm
from .start_hosts import is_within_limit, power_on_hosts
from .step import Leg, Situation, Step
from .view import HostNow


def step_up(situation: Situation) -> Step:
    """The commands that are due while the goal is ON."""
    leg = Leg(situation, Phase.FIRST_HOST)
    if not situation.is_permitted:
        leg.begin(Phase.HELD)
        leg.wait(situation.snapshot.cluster, situation.why_not_permitted, None)
        return leg.step
    if situation.incident.is_shed and not is_within_limit(leg):
        leg.begin(Phase.HELD)
        return leg.step
    for phase in (power_on_hosts, _start_vcenter, restore, _start_guests, restore_admission):
        if not phase(leg):
            return leg.step
    leg.begin(Phase.VERIFY)
    # Hosts that a person did not power on in all that time stay off: the report says so.
    leg.step.is_done = leg.step.needs_person is None or leg.now >= leg.since + leg.s.timing.host_boot_s
    return leg.step


def _start_vcenter(leg: Leg) -> bool:
    """The VM of vCenter first, on its own host; then wait until vCenter answers."""
    leg.begin(Phase.START_VCENTER)
    if leg.s.plant.settings is not None or leg.s.snapshot.is_standalone or not leg.s.scope.has_settings:
        return True
    cluster = leg.s.snapshot.cluster
    if leg.is_abandoned(cluster):
        return True
    until = leg.since + leg.s.timing.vcenter_start_s
    if leg.now >= until:
        why = f"vCenter did not answer within {leg.s.timing.vcenter_start_s:g} s; going on directly on the hosts"
        leg.abandon(Abandoned("cluster", cluster, cluster, Phase.START_VCENTER, why))
        return False
    if _is_vcenter_of_no_use(leg):
        why = ("vCenter runs and refuses the login: going on directly on the hosts. Where VCENTER_USER's domain lives "
               "on this cluster, the login works again once its servers run; it is tried again then")
        leg.abandon(Abandoned("cluster", cluster, cluster, Phase.START_VCENTER, why))
        return False
    leg.wait(cluster, "vCenter to answer", until)
    for kept in leg.s.snapshot.vcenter_vms:
        vm = leg.s.plant.vms.get(kept.id)
        if not kept.is_on or kept.is_untouched or vm is None or vm.power is Power.ON:
            continue
        if (host := _in_maintenance(leg, vm)) is not None:
            leg.ask(Command(Verb.EXIT_MAINTENANCE, host.name, host.name, host.name))
        else:
            start_vm(leg, kept, vm)
    return False


def _in_maintenance(leg: Leg, vm: Vm) -> HostNow | None:
    """The host that must leave maintenance mode before vCenter's VM can start: its own, or where that is lost, one that
    could take it.
    """
    ready = [host for host in leg.s.plant.hosts.values() if host.is_direct and leg.s.scope.has_host(host.name)
             and (not host.in_maintenance or should_leave_maintenance(leg, host.name))]
    own = next((host for host in ready if host.name == vm.host), None)
    if own is None and is_lost(leg, vm) and all(host.in_maintenance for host in ready):
        own = min(ready, key=lambda host: host.name, default=None)
    return own if own is not None and own.in_maintenance else None


def _is_vcenter_of_no_use(leg: Leg) -> bool:
    """It runs and refuses the login, and there is another way: whom it asks for passwords may be among the guests."""
    vms = [leg.s.plant.vms.get(kept.id) for kept in leg.s.snapshot.vcenter_vms if kept.is_on]
    is_started = all(vm is None or vm.power is Power.ON for vm in vms)
    return leg.s.plant.is_vcenter_refused and is_started and any(host.is_direct for host in leg.s.plant.hosts.values())


def _start_guests(leg: Leg) -> bool:
    """Exactly the VMs that ran, last tier first, each tier until it is ready or its time is over."""
    by_tier: dict[int, list[KeptVm]] = {}
    for kept in leg.s.snapshot.vms:
        if kept.is_on and kept.role is Role.WORKLOAD and not kept.is_untouched and leg.s.scope.has_vm(kept):
            by_tier.setdefault(kept.tier, []).append(kept)
    tiers = sorted(by_tier.items(), reverse=True)
    for tier, kept_vms in tiers:
        leg.begin(Phase.START_GUESTS, tier)
        rule = leg.s.runbook.tiers.get(tier)
        delay_s = rule.start_delay_s if rule is not None and tier != tiers[0][0] else 0.0
        if leg.now < leg.since + delay_s and _is_to_begin(leg, kept_vms):
            leg.wait(f"tier {tier}", "its start delay", leg.since + delay_s)
            return False
        if not _Tier(leg, kept_vms, leg.since + delay_s).is_started():
            return False
    return True


def _is_to_begin(leg: Leg, kept_vms: Sequence[KeptVm]) -> bool:
    """None of them has been asked in this leg, and not all of them run already."""
    if any(leg.intent(Verb.POWER_ON_VM, kept.id) is not None for kept in kept_vms):
        return False
    vms = (leg.s.plant.vms.get(kept.id) for kept in kept_vms)
    return any(vm is not None and vm.power is not Power.ON for vm in vms)


class _Tier:
    """The VMs of one tier, each started once those that it starts after are ready."""

    def __init__(self, leg: Leg, kept_vms: Sequence[KeptVm], since: float) -> None:
        self._leg = leg
        self._since = since
        self._kept = {kept.id: kept for kept in kept_vms}
        self._ready: dict[str, bool] = {}

    def is_started(self) -> bool:
        return all([self._is_ready(kept) for kept in self._kept.values()])  # noqa: C419 - each must be asked

    def _is_ready(self, kept: KeptVm) -> bool:
        if kept.id not in self._ready:
            self._ready[kept.id] = True  # should a kept snapshot hold a circle all the same, it is cut here
            self._ready[kept.id] = self._start(kept)
        return self._ready[kept.id]

    def _start(self, kept: KeptVm) -> bool:
        leg, since = self._leg, self._since
        first = [self._kept[other] for other in kept.after if other in self._kept]
        waits_for = [other.name for other in first if not self._is_ready(other)]
        vm = leg.s.plant.vms.get(kept.id)
        if waits_for and vm is not None and vm.power is not Power.ON:
            leg.wait(kept.name, f"{waits_for[0]} to be ready, since it starts after it", None)
            return False
        if first:  # each of them may take its whole time to be ready once it is on
            ends = [leg.s.incident.observed.get(other.id, ("", since))[1] for other in first]
            since = max([since, *ends]) + leg.s.timing.vm_start_s
        return is_started(leg, kept, since)
