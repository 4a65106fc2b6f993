"""The way back: one host, a watch, the others; vCenter's VM; HA and DRS; exactly the VMs that ran; admission control.

Nothing is commanded while power-on is not permitted. What was asked to stop before the goal turned may still be
stopping: it is waited for, and started once it is seen off.
"""

from collections.abc import Sequence

from .commands import VCENTER, Command, Outcome, Verb
from .events import Abandoned, Phase
from .plant import ClusterSettings, Power, Vm
from .snapshot import KeptHost, KeptVm
from .step import DIRECT_S, RESTORE_S, Leg, Situation, Step, last_answer
from .view import HostNow

_LIMIT_WINDOW_H = 24
LATE_VCENTER_S = 1800.0
"""Where vCenter was given up, so long is waited for it once the guests run: a refused login may be tried again after 20
minutes."""


def step_up(situation: Situation) -> Step:
    """The commands that are due while the goal is ON."""
    leg = Leg(situation, Phase.FIRST_HOST)
    if not situation.is_permitted:
        leg.begin(Phase.HELD)
        leg.wait(situation.snapshot.cluster, situation.why_not_permitted, None)
        return leg.step
    for phase in (_power_on_hosts, _start_vcenter, _restore, _start_guests, _restore_admission):
        if not phase(leg):
            return leg.step
    leg.begin(Phase.VERIFY)
    # Hosts that a person did not power on in all that time stay off: the report says so.
    leg.step.is_done = leg.step.needs_person is None or leg.now >= leg.since + leg.s.timing.host_boot_s
    return leg.step


def _kept_on(leg: Leg) -> list[KeptHost]:
    """Hosts that ran, vCenter's first: it carries what the others are commanded through."""
    first = {vm.host for vm in leg.s.snapshot.vcenter_vms}
    return sorted((host for host in leg.s.snapshot.hosts if host.is_on), key=lambda h: (h.name not in first, h.name))


def _is_going_down(leg: Leg, host: HostNow) -> bool:
    """It was told to stop before the goal turned and may do so at any moment."""
    told = leg.s.incident.stopping.get(host.name)
    return told is not None and leg.now < told + leg.s.timing.host_shutdown_s


def _power_on_hosts(leg: Leg) -> bool:
    """One first, the others after the room has stayed level, staggered."""
    hosts = [leg.s.plant.hosts[kept.name] for kept in _kept_on(leg) if kept.name in leg.s.plant.hosts]
    for host in hosts:
        leg.note("host", host.name, host.name, host.power, host.by, Verb.POWER_ON_HOST)
    up = [host for host in hosts if host.power is Power.ON and not _is_going_down(leg, host)]
    up_names = {host.name for host in up}
    missing = [host for host in hosts if host.name not in up_names and not leg.is_abandoned(host.name)]
    leg.begin(Phase.OTHER_HOSTS if up else Phase.FIRST_HOST)
    off = [host for host in missing if not _is_coming(leg, host) and not _cannot_be_started(leg, host)]
    startable = {host.name for host in off}
    coming = [host for host in missing if host.name not in startable and host.name not in leg.given_up
              and not (up and _is_seen_by_vcenter_alone(leg, host))]
    if (off or not up) and hosts and not _is_within_limit(leg):
        return bool(up) and not coming
    if not off and not coming:
        return _ask_given_up_hosts(leg, hosts, up)
    is_first = all(host.power is not Power.ON for host in hosts) and all(
        host.power is Power.UNKNOWN for host in coming  # a dead BMC delays no other host
    )
    if off and is_first:
        _power_on(leg, off[0])
        return False
    if off and up:
        watch = leg.s.watch(min(_on_since(leg, host) for host in up))
        if not watch.is_clear:
            leg.begin(Phase.WATCH)
            leg.wait("the room", watch.why, None)
        elif leg.now >= _last_power_on(leg) + leg.s.timing.host_stagger_s:
            _power_on(leg, off[0])
    return False


def _is_seen_by_vcenter_alone(leg: Leg, host: HostNow) -> bool:
    """It boots and takes no direct login: vCenter, which would show it, must not wait for it."""
    own = {vm.host for vm in leg.s.snapshot.vcenter_vms}
    is_booted = host.bmc_power is Power.ON and host.is_login_refused
    return is_booted and bool(own) and host.name not in own and leg.s.plant.settings is None


def _ask_given_up_hosts(leg: Leg, hosts: Sequence[HostNow], up: Sequence[HostNow]) -> bool:
    """A host given up before its BMC could be asked is asked once that answers; without any host nothing goes on."""
    is_free = not up or (
        leg.now >= _last_power_on(leg) + leg.s.timing.host_stagger_s
        and leg.s.watch(min(_on_since(leg, host) for host in up)).is_clear
    )
    for host in hosts:
        asked = leg.intent(Verb.POWER_ON_HOST, host.name)
        was_taken = asked is not None and asked.outcome is Outcome.ACCEPTED
        is_off = host.power is Power.OFF and leg.is_abandoned(host.name)
        if is_off and host.bmc is not None and not was_taken and is_free:
            leg.ask(_power_on_command(host.name, host.bmc))
            break
    if hosts and not up:
        leg.wait(leg.s.snapshot.cluster, "any host to come up", None)
    return bool(up) or not hosts


def _is_coming(leg: Leg, host: HostNow) -> bool:
    """Neither up nor startable now: it boots, or it is still going down. Gives it up at its deadline."""
    if host.power in {Power.ON, Power.MOVING} and _is_going_down(leg, host):
        leg.wait(host.name, "host to finish its shutdown", leg.s.incident.stopping[host.name]
                 + leg.s.timing.host_shutdown_s)
        return True
    asked = leg.intent(Verb.POWER_ON_HOST, host.name)
    if asked is None and host.power is Power.OFF:
        return False
    began = max(asked.first_at if asked is not None else leg.since, _silent_since(leg, host))
    is_unknown = asked is None and host.power is Power.UNKNOWN
    until = began + (DIRECT_S if is_unknown else leg.s.timing.host_boot_s)
    if leg.now >= until and is_unknown:
        why = "neither it nor its BMC answers: a person must see to it"
        leg.abandon(Abandoned("host", host.name, host.name, leg.step.phase, why))
        return True
    if leg.now >= until:
        why = f"it was not back within {leg.s.timing.host_boot_s:g} s (its BMC says {host.bmc_power})"
        leg.abandon(Abandoned("host", host.name, host.name, leg.step.phase,
                              why + last_answer(leg.s.incident.intents, host.name, Verb.POWER_ON_HOST)))
        return True
    leg.wait(host.name, "ESXi to answer", until)
    if host.power is Power.OFF and host.bmc is not None:  # the one matched now: an address may change hands
        leg.ask(_power_on_command(host.name, host.bmc))
    return True


def _silent_since(leg: Leg, host: HostNow) -> float:
    """Since when a host that was up in this leg has not answered; its boot is not counted from the power-on then."""
    power, at = leg.s.incident.observed.get(host.name, ("", 0.0))
    return max(at, host.silent_since or leg.now) if power == Power.ON else 0.0


def _cannot_be_started(leg: Leg, host: HostNow) -> bool:
    if host.bmc is not None:
        return False
    why = "no BMC is matched to it: a person must power it on"
    leg.abandon(Abandoned("host", host.name, host.name, leg.step.phase, why))
    return True


def _is_within_limit(leg: Leg) -> bool:
    """Whether the site may still be powered on; said once where it may not, and then a person's until the leg ends."""
    limit, count = leg.s.timing.power_on_limit, len(leg.s.power_ons)
    if leg.s.incident.wished_by:
        return True  # the person that it needs has decided
    if leg.s.incident.is_powered_on or (count < limit and not leg.s.incident.is_held):
        return True
    leg.step.needs_person = (
        f"the site was powered on {max(limit, count)} times within {_LIMIT_WINDOW_H} hours: a person must decide"
    )
    leg.wait(leg.s.snapshot.cluster, leg.step.needs_person, None)
    return False


def _power_on(leg: Leg, host: HostNow) -> None:
    if host.bmc is not None:
        leg.ask(_power_on_command(host.name, host.bmc))
    leg.wait(host.name, "ESXi to answer", leg.now + leg.s.timing.host_boot_s)


def _power_on_command(host: str, bmc: str) -> Command:
    return Command(Verb.POWER_ON_HOST, host, host, bmc)


def _on_since(leg: Leg, host: HostNow) -> float:
    power, at = leg.s.incident.observed.get(host.name, ("", leg.now))
    return at if power == Power.ON else leg.now


def _last_power_on(leg: Leg) -> float:
    times = [i.at for (verb, _), i in leg.s.incident.intents.items() if verb is Verb.POWER_ON_HOST]
    return max(times, default=float("-inf"))


def _start_vcenter(leg: Leg) -> bool:
    """The VM of vCenter first, on its own host; then wait until vCenter answers."""
    leg.begin(Phase.START_VCENTER)
    if leg.s.plant.settings is not None:
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
        if not kept.is_on or vm is None or vm.power is Power.ON:
            continue
        host = leg.s.plant.hosts.get(vm.host)
        if host is not None and host.is_direct and host.in_maintenance and _should_leave_maintenance(leg, host.name):
            leg.ask(Command(Verb.EXIT_MAINTENANCE, host.name, host.name, host.name))
        else:
            _start_vm(leg, kept, vm)
    return False


def _is_vcenter_of_no_use(leg: Leg) -> bool:
    """It runs and refuses the login, and there is another way: whom it asks for passwords may be among the guests."""
    vms = [leg.s.plant.vms.get(kept.id) for kept in leg.s.snapshot.vcenter_vms if kept.is_on]
    is_started = all(vm is None or vm.power is Power.ON for vm in vms)
    return leg.s.plant.is_vcenter_refused and is_started and any(host.is_direct for host in leg.s.plant.hosts.values())


def _should_leave_maintenance(leg: Leg, name: str) -> bool:
    return any(host.name == name and host.is_on and not host.in_maintenance for host in leg.s.snapshot.hosts)


def _restore(leg: Leg) -> bool:
    """Maintenance mode left where it was not before; HA, then DRS, as they were, verified by reading."""
    leg.begin(Phase.RESTORE)
    until = leg.since + RESTORE_S
    settled = True
    for host in leg.s.plant.hosts.values():
        if not (host.in_maintenance and host.power is Power.ON and _should_leave_maintenance(leg, host.name)):
            continue
        if leg.now >= until:
            why = "it did not leave maintenance mode"
            leg.abandon(Abandoned("host", host.name, host.name, Phase.RESTORE,
                                  why + last_answer(leg.s.incident.intents, host.name, Verb.EXIT_MAINTENANCE)))
        elif host.route is not None:
            leg.ask(Command(Verb.EXIT_MAINTENANCE, host.name, host.name, host.route))
        if not leg.is_abandoned(host.name) and leg.now < until:
            leg.wait(host.name, "host to leave maintenance mode", until)
            settled = False
    wanted = leg.s.snapshot.settings
    return _restore_settings(leg, _unrestored(leg.s.plant.settings, wanted), until) and settled


def _restore_admission(leg: Leg) -> bool:
    """Admission control, and whatever else vCenter could not be asked for before the guests ran."""
    leg.begin(Phase.RESTORE)
    now, kept = leg.s.plant.settings, leg.s.snapshot.settings
    given_up = leg.s.incident.abandoned.get(leg.s.snapshot.cluster)
    if given_up is not None and given_up.phase is Phase.START_VCENTER:
        return _restore_late(leg, now, kept)
    verbs = [Verb.RESTORE_ADMISSION] if now is not None and not is_admission_restored(now, kept) else []
    return _restore_settings(leg, verbs, leg.since + RESTORE_S)


def _restore_late(leg: Leg, now: ClusterSettings | None, kept: ClusterSettings) -> bool:
    """After the guests ran without vCenter: a domain controller among them may be what its login waited for."""
    cluster, until = leg.s.snapshot.cluster, leg.since + LATE_VCENTER_S
    is_over = leg.now >= until or leg.s.incident.phase is Phase.VERIFY
    if is_over or not (kept.ha_enabled or kept.drs_enabled):
        return True
    if now is None:
        leg.wait(cluster, "vCenter to answer, for HA and DRS", until)
        return False
    verbs = _unrestored(now, kept)
    if not verbs and not is_admission_restored(now, kept):
        verbs = [Verb.RESTORE_ADMISSION]
    for verb in verbs:
        leg.ask(Command(verb, cluster, cluster, VCENTER, settings=kept))
    if verbs:
        leg.wait(cluster, "HA and DRS as they were", until)
    return not verbs


def is_admission_restored(now: ClusterSettings, kept: ClusterSettings) -> bool:
    """Also where it is not known how it stood: there is nothing to restore then."""
    return not kept.ha_enabled or kept.ha_admission_control in {None, now.ha_admission_control}


def is_ha_restored(now: ClusterSettings, kept: ClusterSettings) -> bool:
    return not kept.ha_enabled or (now.ha_enabled and now.ha_host_monitoring == kept.ha_host_monitoring)


def is_drs_restored(now: ClusterSettings, kept: ClusterSettings) -> bool:
    if kept.dpm_enabled and not now.dpm_enabled:
        return False
    return not kept.drs_enabled or (
        (now.drs_behavior, bool(now.drs_overrides)) == (kept.drs_behavior, bool(kept.drs_overrides))
    )


def _unrestored(now: ClusterSettings | None, kept: ClusterSettings) -> list[Verb]:
    if now is None:
        return []
    verbs = [] if is_ha_restored(now, kept) else [Verb.RESTORE_HA]
    return verbs if is_drs_restored(now, kept) else [*verbs, Verb.RESTORE_DRS]


def _restore_settings(leg: Leg, verbs: Sequence[Verb], until: float) -> bool:
    cluster = leg.s.plant.cluster
    if not verbs:
        return True
    for verb in verbs:
        leg.ask(Command(verb, cluster, cluster, VCENTER, settings=leg.s.snapshot.settings))
    if leg.is_abandoned(cluster):
        return True
    if leg.now < until:
        leg.wait(cluster, "HA and DRS as they were", until)
        return False
    why = "HA and DRS could not be restored" + last_answer(leg.s.incident.intents, cluster, *verbs)
    leg.abandon(Abandoned("cluster", cluster, cluster, Phase.RESTORE, why))
    return True


def _start_guests(leg: Leg) -> bool:
    """Exactly the VMs that ran, last tier first, each tier until its tools run or its time is over."""
    by_tier: dict[int, list[KeptVm]] = {}
    for kept in leg.s.snapshot.vms:
        if kept.is_on:
            by_tier.setdefault(kept.tier, []).append(kept)
    for tier, kept_vms in sorted(by_tier.items(), reverse=True):
        leg.begin(Phase.START_GUESTS, tier)
        if not all([_is_started(leg, kept) for kept in kept_vms]):  # noqa: C419 - each must be asked
            return False
    return True


def _is_started(leg: Leg, kept: KeptVm) -> bool:
    vm = leg.s.plant.vms.get(kept.id)
    if vm is None:
        leg.abandon(Abandoned("vm", kept.id, kept.name, leg.step.phase, "it is no longer in the inventory"))
        return True
    asked = leg.intent(Verb.POWER_ON_VM, vm.id)
    leg.note("vm", vm.id, vm.name, vm.power, vm.host, Verb.POWER_ON_VM)
    if vm.power is Power.ON:
        told = leg.s.incident.stopping.get(vm.id)
        if told is not None and leg.now < told + leg.s.timing.vm_shutdown_s:
            leg.wait(vm.name, "guest that was told to shut down", told + leg.s.timing.vm_shutdown_s)
            return False
        if vm.is_tools_running or not kept.has_tools or asked is None:
            return True
        until = asked.first_at + leg.s.timing.vm_start_s
        leg.wait(vm.name, "its tools to run", until)
        return leg.now >= until
    if leg.is_abandoned(vm.id):
        _start_vm(leg, kept, vm)
        return True
    began = asked.first_at if asked is not None else leg.since
    until = began + leg.s.timing.vm_start_s
    if leg.now >= until:
        why = "it did not start" + last_answer(leg.s.incident.intents, vm.id, Verb.ADOPT_VM, Verb.POWER_ON_VM)
        leg.abandon(Abandoned("vm", vm.id, vm.name, leg.step.phase, why))
        return True
    leg.wait(vm.name, "VM to start", until)
    _start_vm(leg, kept, vm)
    return False


def _start_vm(leg: Leg, kept: KeptVm, vm: Vm) -> None:
    """Power the VM on where it is registered; have another host take it where that one is not back."""
    host = leg.s.plant.hosts.get(vm.host)
    if host is not None and host.power is Power.ON and not host.in_maintenance and host.route is not None:
        if vm.power is Power.OFF:
            leg.ask(Command(Verb.POWER_ON_VM, vm.id, vm.name, host.route))
        return
    is_lost = host is None or leg.is_abandoned(host.name)
    path = vm.path or kept.path
    taker = _taker(leg, vm) if is_lost and path is not None else None
    if taker is not None and leg.ask(Command(Verb.ADOPT_VM, vm.id, vm.name, taker, path=path)):
        _loads(leg)[taker] += 1


def _taker(leg: Leg, vm: Vm) -> str | None:
    """The host that answers and carries the fewest VMs; the one asked before, while it stands."""
    loads = _loads(leg)
    before = leg.intent(Verb.ADOPT_VM, vm.id)
    if before is not None and before.command.via in loads and before.command.via != vm.host:
        return before.command.via
    return min((name for name in loads if name != vm.host), key=lambda name: (loads[name], name), default=None)


def _loads(leg: Leg) -> dict[str, int]:
    """How many VMs run on each host that could take one, with those that it is asked to take in this step."""
    if leg.loads is None:
        leg.loads = {
            host.name: 0 for host in leg.s.plant.hosts.values()
            if host.power is Power.ON and host.route is not None and not host.in_maintenance
        }
        for vm in leg.s.plant.vms.values():
            if vm.host in leg.loads and vm.power is Power.ON:
                leg.loads[vm.host] += 1
    return leg.loads
