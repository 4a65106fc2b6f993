"""The way down: disarm HA and DRS, guests by tier, hosts, vCenter's VM on its own host, that host.

Level-triggered: each tick asks what is still not where it should be; a phase is over as soon as its last target has
settled (seen where it is wanted, or abandoned at its deadline and told). What is abandoned holds nobody up but is still
asked as soon as there is a way to it: a host that boots late must not stay on in a hot room.
"""

from collections.abc import Iterable

from .commands import VCENTER, Command, Verb
from .events import Abandoned, Phase
from .plant import ClusterSettings, Power, Vm
from .step import DIRECT_S, DISARM_S, GIVE_UP_S, Leg, Situation, Step, last_answer
from .view import SILENT_S, HostNow

_MAINTENANCE_SLACK_S = 30.0


def step_down(situation: Situation) -> Step:
    """The commands that are due while the goal is OFF."""
    leg = Leg(situation, Phase.DISARM)
    phases = (_disarm, _stop_guests, _stop_hosts, _stop_vcenter, _stop_last_hosts)
    for phase in phases:
        if not phase(leg):
            return leg.step
    leg.begin(Phase.ALL_OFF)
    leg.step.is_done = True
    return leg.step


def _disarm(leg: Leg) -> bool:
    """HA off, DRS manual. A failure is told and never stops the shutdown."""
    leg.begin(Phase.DISARM)
    plant, cluster = leg.s.plant, leg.s.snapshot.cluster
    if leg.is_abandoned(cluster):
        if plant.settings is not None:  # vCenter is back: still worth asking, no longer worth waiting
            _ask_disarm(leg, plant.settings)
        return True
    if plant.settings is not None and is_disarmed(plant.settings):
        return True
    if plant.settings is None and leg.s.incident.phase not in {None, Phase.DISARM}:
        return True  # it was settled, and vCenter has gone silent since: its own VM is stopped last
    if plant.settings is not None:
        _ask_disarm(leg, plant.settings)
    until = leg.since + DISARM_S
    if leg.now < until:
        leg.wait(cluster, "HA off and DRS manual" if plant.settings else "vCenter to answer", until)
        return False
    why = "vCenter does not answer" if plant.settings is None else "HA or DRS would not be disarmed"
    why += last_answer(leg.s.incident.intents, cluster, Verb.DISARM_HA, Verb.DISARM_DRS)
    leg.abandon(Abandoned("cluster", cluster, cluster, Phase.DISARM, why))
    return True


def is_disarmed(settings: ClusterSettings) -> bool:
    """HA restarts nothing and DRS moves nothing by itself."""
    return not settings.ha_enabled and not _drs_acts(settings)


def _drs_acts(settings: ClusterSettings) -> bool:
    if settings.dpm_enabled:
        return True
    return settings.drs_enabled and (settings.drs_behavior != "manual" or bool(settings.drs_overrides))


def _ask_disarm(leg: Leg, settings: ClusterSettings) -> None:
    cluster = leg.s.plant.cluster
    if settings.ha_enabled:
        leg.ask(Command(Verb.DISARM_HA, cluster, cluster, VCENTER))
    if _drs_acts(settings):
        leg.ask(Command(Verb.DISARM_DRS, cluster, cluster, VCENTER))


def _vcenter_vms(leg: Leg) -> list[Vm]:
    """The VM of vCenter, or each that could be; from the snapshot, so that it is known when vCenter is silent."""
    vms = leg.s.plant.vms
    return [vms[kept.id] for kept in leg.s.snapshot.vcenter_vms if kept.id in vms]


def _guard_hosts(leg: Leg) -> dict[str, str]:
    """Hosts that stay up, since the guard itself runs on them, each with the name of its VM."""
    vms = leg.s.plant.vms
    return {vms[kept.id].host if kept.id in vms else kept.host: kept.name for kept in leg.s.snapshot.guard_vms}


def _stop_guests(leg: Leg) -> bool:
    """Every VM that is on, tier by tier, but vCenter's and the guard's own."""
    last = {vm.id for vm in _vcenter_vms(leg)} | {kept.id for kept in leg.s.snapshot.guard_vms}
    by_tier: dict[int, list[Vm]] = {}
    for vm in leg.s.plant.vms.values():
        if vm.id in last or vm.is_template:
            continue
        tier = leg.kept[vm.id].tier if vm.id in leg.kept else leg.s.runbook.place_of(vm).tier
        by_tier.setdefault(tier, []).append(vm)
    for tier, vms in sorted(by_tier.items()):
        leg.begin(Phase.GUESTS, tier)
        pending = [vm for vm in sorted(vms, key=lambda vm: vm.name) if not _vm_is_off(leg, vm)]
        for vm in pending:
            _stop_vm(leg, vm, leg.s.plant.route_to(vm), leg.s.timing.vm_shutdown_s)
        if not all(leg.is_settled(vm.id) for vm in pending):
            return False
    return True


def _vm_is_off(leg: Leg, vm: Vm) -> bool:
    ours = leg.first_asked(vm.id, Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM) is not None
    was_on = vm.id in leg.kept and leg.kept[vm.id].is_on
    if ours or was_on or vm.id in leg.s.incident.observed:
        leg.note("vm", vm.id, vm.name, vm.power, vm.host, Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM)
    if vm.power is not Power.UNKNOWN:
        return vm.power is Power.OFF
    host = leg.s.plant.hosts.get(vm.host)
    if host is not None and host.power is Power.ON:
        return True  # its host answers and does not run it: moved out of the cluster, deleted, or not accessible
    # Its host is silent: what was seen off, or never ran, is not waited for.
    return leg.was_seen(vm.id, Power.OFF) or not (was_on or ours)


def _stop_vm(leg: Leg, vm: Vm, route: str | None, grace_s: float) -> None:
    """Ask the guest, force it at the end of its grace, give it up when it stands after that."""
    asked = leg.first_asked(vm.id, Verb.SHUT_DOWN_GUEST)
    can_be_asked = vm.power is Power.ON and vm.can_shut_down_guest and vm.is_reachable
    if asked is None and can_be_asked and route is not None:  # its grace begins when it is asked, however late that is
        leg.ask(Command(Verb.SHUT_DOWN_GUEST, vm.id, vm.name, route))
        leg.wait(vm.name, "guest to shut down, then forced power-off", leg.now + grace_s)
        return
    forced_at = (leg.since if asked is None else asked) + grace_s
    is_cut_off = route is None and leg.now >= max(_cut_off_at(leg, vm), asked or 0.0)
    if leg.now >= forced_at + GIVE_UP_S or is_cut_off:
        why = "its host cannot be reached" if route is None else "it could not be powered off"
        why += last_answer(leg.s.incident.intents, vm.id, Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM)
        leg.abandon(Abandoned("vm", vm.id, vm.name, leg.step.phase, why))
    if leg.now >= forced_at and route is not None:
        leg.ask(Command(Verb.POWER_OFF_VM, vm.id, vm.name, route))
        leg.wait(vm.name, "forced power-off", forced_at + GIVE_UP_S)
        return
    if route is None:
        leg.wait(vm.name, "its host to answer", forced_at + GIVE_UP_S)
    elif can_be_asked:
        leg.ask(Command(Verb.SHUT_DOWN_GUEST, vm.id, vm.name, route))
        leg.wait(vm.name, "guest to shut down, then forced power-off", forced_at)
    else:
        leg.wait(vm.name, "forced power-off, since its VMware Tools take no shutdown", forced_at)


def _cut_off_at(leg: Leg, vm: Vm) -> float:
    """When a VM without a way to it is given up: by the leg's time, so that a host out of reach costs that once."""
    host = leg.s.plant.hosts.get(vm.host)
    silent_since = host.silent_since if host is not None else None
    return max(leg.s.incident.goal_since, silent_since or 0.0) + DIRECT_S


def _stop_hosts(leg: Leg) -> bool:
    """Every host but vCenter's, in parallel."""
    last = {vm.host for vm in _vcenter_vms(leg)}
    hosts = (host for name, host in sorted(leg.s.plant.hosts.items()) if name not in last)
    return _stop_each_host(leg, Phase.HOSTS, hosts, must_be_direct=False)


def _stop_vcenter(leg: Leg) -> bool:
    """The VM of vCenter, each candidate on its own host over that host's own API."""
    leg.begin(Phase.VCENTER)
    pending = [vm for vm in _vcenter_vms(leg) if not _vm_is_off(leg, vm)]
    for vm in pending:
        host = leg.s.plant.hosts.get(vm.host)
        if host is not None and host.is_direct:
            _stop_vm(leg, vm, host.name, leg.s.timing.vcenter_shutdown_s)
        elif host is not None and leg.now < leg.since + DIRECT_S and not host.is_login_refused:
            leg.wait(vm.name, f"a direct connection to {host.name}", leg.since + DIRECT_S)
        else:
            where = f"host {vm.host} takes no direct login" + (f" ({host.why_not_direct})" if host else "")
            why = f"{where}; vCenter and that host stay up and {vm.host} still heats the room"
            leg.abandon(Abandoned("vm", vm.id, vm.name, Phase.VCENTER, why))
    return all(leg.is_settled(vm.id) for vm in pending)


def _stop_last_hosts(leg: Leg) -> bool:
    vms = _vcenter_vms(leg)
    hosts = [leg.s.plant.hosts[name] for name in sorted({vm.host for vm in vms}) if name in leg.s.plant.hosts]
    return _stop_each_host(leg, Phase.LAST_HOST, hosts, must_be_direct=True)


def _stop_each_host(leg: Leg, phase: Phase, hosts: Iterable[HostNow], *, must_be_direct: bool) -> bool:
    leg.begin(phase)
    pending = [host for host in hosts if not _host_is_off(leg, host)]
    in_grace, carriers = _hosts_of_guests_in_grace(leg), _guard_hosts(leg)
    for host in pending:
        if host.name in carriers:
            why = f"Thermo-Guard itself runs on it, in the VM {carriers[host.name]}: both stay up and heat the room"
            leg.abandon(Abandoned("host", host.name, host.name, phase, why))
            continue
        route = host.name if must_be_direct and host.is_direct else None if must_be_direct else host.route
        _stop_host(leg, host, route, may_force=host.name not in in_grace)
    return all(leg.is_settled(host.name) for host in pending)


def _hosts_of_guests_in_grace(leg: Leg) -> set[str]:
    """Hosts with a VM that was given up and could be asked after all: it is not waited for, but still has its time."""
    last = {vm.id for vm in leg.s.snapshot.vcenter_vms}
    hosts = set()
    for vm in leg.s.plant.vms.values():
        asked = leg.first_asked(vm.id, Verb.SHUT_DOWN_GUEST) if vm.power is Power.ON else None
        grace_s = leg.s.timing.vcenter_shutdown_s if vm.id in last else leg.s.timing.vm_shutdown_s
        if asked is not None and leg.now < asked + grace_s + GIVE_UP_S:
            hosts.add(vm.host)
    return hosts


def _host_is_off(leg: Leg, host: HostNow) -> bool:
    leg.note("host", host.name, host.name, host.power, host.by, Verb.SHUT_DOWN_HOST)
    if host.power is Power.OFF:
        return True
    was_on = leg.kept_hosts[host.name].is_on if host.name in leg.kept_hosts else True
    is_known_off = leg.was_seen(host.name, Power.OFF) or not was_on
    if host.power is Power.UNKNOWN and is_known_off and leg.first_asked(host.name, Verb.ENTER_MAINTENANCE) is None:
        return True  # it was off, and nothing has answered since
    if host.bmc is not None or host.power is not Power.UNKNOWN:
        return False
    asked = leg.intent(Verb.SHUT_DOWN_HOST, host.name)
    is_silent = host.silent_since is None or leg.now - host.silent_since >= SILENT_S
    if asked is not None and leg.now - asked.at >= SILENT_S and is_silent:
        leg.note("host", host.name, host.name, Power.OFF, "silence", Verb.SHUT_DOWN_HOST)
        return True
    return False


def _stop_host(leg: Leg, host: HostNow, route: str | None, *, may_force: bool) -> None:
    """Maintenance mode, then shutdown; outside maintenance mode only when that would not come."""
    timing = leg.s.timing
    asked = leg.first_asked(host.name, Verb.SHUT_DOWN_HOST)
    entering = leg.first_asked(host.name, Verb.ENTER_MAINTENANCE)
    in_maintenance_by = (leg.since if entering is None else entering) + timing.maintenance_s + _MAINTENANCE_SLACK_S
    until = (in_maintenance_by if asked is None else asked) + timing.host_shutdown_s
    is_deaf = route is None and asked is None and leg.now >= leg.since + DIRECT_S and host.power is not Power.MOVING
    is_locked = leg.step.phase is Phase.LAST_HOST and route is None and host.is_login_refused
    if leg.now >= until or is_deaf or is_locked:
        why = _why_still_up(host, route)
        why += last_answer(leg.s.incident.intents, host.name, Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST)
        leg.abandon(Abandoned("host", host.name, host.name, leg.step.phase, why))
    if route is None and leg.is_settled(host.name):
        return
    leg.wait(host.name, "host to go off" if asked else "maintenance mode" if route else "host to answer", until)
    if route is None:
        return
    if host.in_maintenance:
        leg.ask(Command(Verb.SHUT_DOWN_HOST, host.name, host.name, route))
    elif leg.now < in_maintenance_by or not may_force:
        leg.ask(Command(Verb.ENTER_MAINTENANCE, host.name, host.name, route, timeout_s=timing.maintenance_s))
    else:
        leg.ask(Command(Verb.SHUT_DOWN_HOST, host.name, host.name, route, force=True))


def _why_still_up(host: HostNow, route: str | None) -> str:
    if host.is_login_refused and route is None:
        return f"it takes no direct login ({host.why_not_direct}) and still heats the room"
    if host.power is Power.ON and route is None:
        return f"it takes no direct login ({host.why_not_direct or 'none configured'}) and still heats the room"
    if host.power is Power.ON:
        return "it did not go off and still heats the room"
    if host.bmc is None:
        return "ESXi is silent and it has no BMC that could confirm that it is off"
    return f"ESXi is silent but its BMC {host.bmc} says {host.bmc_power}"
