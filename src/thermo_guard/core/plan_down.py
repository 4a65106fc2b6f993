"""The way down: disarm HA and DRS, guests by tier, vSphere's own services, hosts, vCenter's VM on its host, that host.

Level-triggered: each tick asks what is still not where it should be; a phase is over as soon as its last target has
settled (seen where it is wanted, or abandoned at its deadline and told). What is abandoned holds nobody up but is still
asked as soon as there is a way to it: a host that boots late must not stay on in a hot room.
"""

from collections.abc import Iterable
from operator import attrgetter

from .commands import VCENTER, Command, Verb
from .events import Abandoned, Phase
from .plant import ClusterSettings, Power, Role, Vcls, Vm
from .shedding import must_stay
from .step import DIRECT_S, DISARM_S, GIVE_UP_S, Leg, Situation, Step, last_answer
from .stop_guest import Turns, grace_s, is_stopped_by_guard, is_untouched, stop_vm, vm_is_off
from .stop_host import force_off, host_is_off, stop_host
from .view import HostNow
from .way import way_to

CLUSTER_SERVICES_S = 180.0
"""Removing them takes vCenter about a minute; a host on which one stays is shut down without maintenance mode."""
_VSAN = "vsan"


def step_down(situation: Situation) -> Step:
    """The commands that are due while the goal is OFF."""
    leg = Leg(situation, Phase.DISARM)
    phases = [_disarm, _stop_guests, _await_cluster_services, _stop_hosts, _stop_vcenter, _stop_last_hosts, _force_off]
    if situation.snapshot.has_vsan:
        phases[2:] = [] if situation.incident.is_limited else [_leave_vsan_hosts]
    for phase in phases:
        if not phase(leg):
            return leg.step
    leg.begin(Phase.ALL_OFF)
    leg.step.is_done = True
    return leg.step


def _disarm(leg: Leg) -> bool:
    """HA off, DRS manual, retreat mode. A failure is told and never stops the shutdown."""
    leg.begin(Phase.DISARM)
    if leg.s.snapshot.is_standalone or not leg.s.scope.has_settings:
        return True
    plant, cluster = leg.s.plant, leg.s.snapshot.cluster
    if leg.is_abandoned(cluster):
        if plant.settings is not None:  # vCenter is back: still worth asking, no longer worth waiting
            _ask_disarm(leg, plant.settings)
        return True
    if plant.settings is not None:
        _ask_disarm(leg, plant.settings)
        if is_disarmed(plant.settings):
            return True
    elif leg.s.incident.phase not in {None, Phase.DISARM}:
        return True  # it was settled, and vCenter has gone silent since: its own VM is stopped last
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
    """Retreat mode is asked for with the rest and not waited for: it takes effect while the guests stop."""
    cluster = leg.s.plant.cluster
    if settings.ha_enabled:
        leg.ask(Command(Verb.DISARM_HA, cluster, cluster, VCENTER))
    if _drs_acts(settings):
        leg.ask(Command(Verb.DISARM_DRS, cluster, cluster, VCENTER))
    if settings.vcls is Vcls.ON and not leg.s.snapshot.has_vsan:
        leg.ask(Command(Verb.RETREAT_VCLS, cluster, cluster, VCENTER))


def _vcenter_vms(leg: Leg) -> list[Vm]:
    """The VM of vCenter, or each that could be; from the snapshot, so that it is known when vCenter is silent."""
    vms = leg.s.plant.vms
    found = [vms[kept.id] for kept in leg.s.snapshot.vcenter_vms if kept.id in vms and not kept.is_untouched]
    return [vm for vm in found if leg.s.scope.has_vm(vm)]


def _hosts_that_stay(leg: Leg) -> dict[str, str]:
    """Hosts that stay up for the sake of a VM that is not stopped, each with why."""
    stay: dict[str, str] = {}
    vms = leg.s.plant.vms
    spares_any = leg.s.runbook.spares_any or any(kept.is_untouched for kept in leg.s.snapshot.vms)
    for vm in vms.values() if spares_any else ():
        if vm.power is not Power.OFF and not vm.is_template and is_untouched(leg, vm):
            stay[vm.host] = (f"the VM {vm.name} on it is never touched, as the runbook says: both stay up and heat the "
                             "room")
    for kept in leg.s.snapshot.guard_vms:
        host = vms[kept.id].host if kept.id in vms else kept.host
        stay[host] = f"Thermo-Guard itself runs on it, in the VM {kept.name}: both stay up and heat the room"
    return stay


def _stop_guests(leg: Leg) -> bool:
    """Every VM that is on, tier by tier, but vCenter's, the guard's own and those that are left to others."""
    last = {kept.id for kept in leg.s.snapshot.vms if kept.is_vcenter or kept.is_guard}
    by_tier: dict[int, list[Vm]] = {}
    for vm in leg.s.plant.vms.values():
        if vm.id in last or not is_stopped_by_guard(leg, vm):
            continue
        tier = leg.kept[vm.id].tier if vm.id in leg.kept else leg.s.runbook.place_of(vm).tier
        by_tier.setdefault(tier, []).append(vm)
    turns, route_to = Turns(leg), leg.s.plant.route_to
    for tier, vms in sorted(by_tier.items()):
        leg.begin(Phase.GUESTS, tier)
        pending = sorted((vm for vm in vms if not vm_is_off(leg, vm)), key=attrgetter("name"))
        blockers = turns.blockers_of([vm for vm in pending if not leg.is_settled(vm.id)])
        for vm in pending:
            if vm.id in blockers:
                leg.wait(vm.name, f"{blockers[vm.id]} to be off, since it starts after it", None)
            else:
                stop_vm(leg, vm, route_to(vm), grace_s(leg, leg.kept.get(vm.id)), turns.since(vm))
        if not all(leg.is_settled(vm.id) for vm in pending):
            return False
    return True


def _await_cluster_services(leg: Leg) -> bool:
    """Until vCenter has removed its cluster services' VMs: one that is left keeps its host out of maintenance mode.

    Where vCenter is silent nobody starts them anew, nor do the managers of agents stop those with their hosts: both are
    powered off on their hosts.
    """
    cluster, settings = leg.s.plant.cluster, leg.s.plant.settings
    roles = {Role.VCLS} if settings is not None else {Role.VCLS, Role.AGENT}
    left = [vm for vm in leg.s.plant.vms.values()
            if vm.role in roles and vm.power is Power.ON and leg.s.scope.has_vm(vm) and not is_untouched(leg, vm)]
    if not left:
        return True
    leg.begin(Phase.CLUSTER_SERVICES)
    if settings is None:
        for vm in left:
            if (route := leg.s.plant.route_to(vm)) is not None:
                leg.ask(Command(Verb.POWER_OFF_VM, vm.id, vm.name, route))
    asked = leg.first_asked(cluster, Verb.RETREAT_VCLS)
    bound_s = CLUSTER_SERVICES_S if settings is not None else GIVE_UP_S
    until = (leg.since if asked is None else max(asked, leg.since - bound_s)) + bound_s
    if leg.now < until:
        leg.wait(cluster, f"{len(left)} VMs of vSphere's own and of other solutions to be gone", until)
        return False
    return True


def _leave_vsan_hosts(leg: Leg) -> bool:
    """A cluster with vSAN is switched off by vCenter's own procedure as a whole or not at all: only its VMs stop."""
    leg.begin(Phase.HOSTS)
    leg.abandon(Abandoned("cluster", _VSAN, leg.s.snapshot.cluster, Phase.HOSTS, (
        "it has vSAN, and this version stops its VMs only: vCenter and all hosts stay up and heat the room. Shut the "
        "cluster down in vCenter (vSAN, Shutdown cluster), or cool the room"
    )))
    return True


def _stop_hosts(leg: Leg) -> bool:
    """Every host but vCenter's, in parallel."""
    last = {vm.host for vm in _vcenter_vms(leg)}
    hosts = (host for name, host in sorted(leg.s.plant.hosts.items()) if name not in last)
    return _stop_each_host(leg, Phase.HOSTS, hosts, must_be_direct=False)


def _stop_vcenter(leg: Leg) -> bool:
    """The VM of vCenter, each candidate on its own host over that host's own API."""
    leg.begin(Phase.VCENTER)
    pending = [vm for vm in _vcenter_vms(leg) if not vm_is_off(leg, vm)]
    for vm in pending:
        host = leg.s.plant.hosts.get(vm.host)
        if host is not None and host.is_direct:
            stop_vm(leg, vm, host.name, leg.timing.vcenter_shutdown_s, leg.since)
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
    pending = []
    in_grace, stay, scope = _hosts_of_guests_in_grace(leg), _hosts_that_stay(leg), leg.s.scope
    for host in hosts:
        if not scope.has_host(host.name):
            if scope.why_not and host.power is not Power.OFF:
                leg.abandon(Abandoned("host", host.name, host.name, phase, scope.why_not))
            continue
        if host_is_off(leg, host):
            continue
        if leg.s.incident.is_shed and not _may_shed(leg, host):
            continue
        pending.append(host)
        if host.name in stay:
            leg.abandon(Abandoned("host", host.name, host.name, phase, stay[host.name]))
            continue
        # A host that is no longer empty must not take what has come to it down.
        may_force = host.name not in in_grace and not leg.s.incident.is_limited
        stop_host(leg, host, way_to(leg, host, must_be_direct=must_be_direct), may_force=may_force)
    return all(leg.is_settled(host.name) for host in pending)


def _may_shed(leg: Leg, host: HostNow) -> bool:
    """Enough others are up, and it is empty or was when asked; while vCenter is silent nobody sees what comes to it."""
    stay = [one for one in leg.s.plant.hosts.values()
            if one.power is Power.ON and not one.in_maintenance and not leg.s.scope.has_host(one.name)]
    if len(stay) < must_stay(leg.s.snapshot):
        return False
    if leg.first_asked(host.name, Verb.ENTER_MAINTENANCE) is not None:
        return True
    if leg.s.plant.settings is None and not leg.s.snapshot.is_standalone:
        return False
    others = {Role.VCLS, Role.AGENT}
    return not any(vm.host == host.name and vm.power is not Power.OFF and vm.role not in others and not vm.is_template
                   for vm in leg.s.plant.vms.values())


def _hosts_of_guests_in_grace(leg: Leg) -> set[str]:
    """Hosts with a VM that was given up and could be asked after all: it is not waited for, but still has its time."""
    last = {vm.id for vm in leg.s.snapshot.vcenter_vms}
    hosts = set()
    for vm in leg.s.plant.vms.values():
        asked = leg.first_asked(vm.id, Verb.SHUT_DOWN_GUEST) if vm.power is Power.ON else None
        its_grace_s = leg.timing.vcenter_shutdown_s if vm.id in last else grace_s(leg, leg.kept.get(vm.id))
        if asked is not None and leg.now < asked + its_grace_s + GIVE_UP_S:
            hosts.add(vm.host)
    return hosts


def _force_off(leg: Leg) -> bool:
    """By explicit setting only, and last: what has had its time and is not off loses its power."""
    if not leg.timing.force_bmc_off or leg.s.incident.is_limited:
        return True
    leg.begin(Phase.FORCE_OFF)
    spared = _hosts_of_guests_in_grace(leg) | _hosts_that_stay(leg).keys()
    hosts = [host for name, host in sorted(leg.s.plant.hosts.items())
             if leg.s.scope.has_host(name) and name not in spared and not host_is_off(leg, host)]
    return all([force_off(leg, host) for host in hosts])  # noqa: C419 - each must be asked
