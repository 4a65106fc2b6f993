"""How one VM is brought back: started where it is registered or adopted by another host, until it is ready."""

from .commands import Command, Verb
from .events import Abandoned
from .plant import Power, Vm
from .record import Intent
from .snapshot import KeptVm
from .step import Leg, last_answer


def is_started(leg: Leg, kept: KeptVm, since: float) -> bool:
    """Whether it is ready, or has had its time; starts it where it is not on.

    :param since: when its turn came.
    """
    vm = leg.s.plant.vms.get(kept.id)
    if vm is None:
        leg.abandon(Abandoned("vm", kept.id, kept.name, leg.step.phase, "it is no longer in the inventory"))
        return True
    asked = leg.intent(Verb.POWER_ON_VM, vm.id)
    leg.note("vm", vm.id, vm.name, vm.power, vm.host, Verb.POWER_ON_VM)
    if vm.power is Power.ON:
        return _is_ready(leg, kept, vm, asked)
    if leg.is_abandoned(vm.id):
        start_vm(leg, kept, vm)
        return True
    until = (asked.first_at if asked is not None else since) + leg.s.timing.vm_start_s
    if leg.now >= until:
        why = "it did not start" + last_answer(leg.s.incident.intents, vm.id, Verb.ADOPT_VM, Verb.POWER_ON_VM)
        leg.abandon(Abandoned("vm", vm.id, vm.name, leg.step.phase, why))
        return True
    leg.wait(vm.name, "VM to start", until)
    start_vm(leg, kept, vm)
    return False


def _is_ready(leg: Leg, kept: KeptVm, vm: Vm, asked: Intent | None) -> bool:
    """It is on; what the guard has started is ready once its tools run and its port answers, or its time is over."""
    told = leg.s.incident.stopping.get(vm.id)
    if told is not None and leg.now < told + leg.s.timing.vm_shutdown_s:
        leg.wait(vm.name, "guest that was told to shut down", told + leg.s.timing.vm_shutdown_s)
        return False
    if asked is None:
        return True
    until = asked.first_at + leg.s.timing.vm_start_s
    if kept.waits_for_tools and kept.has_tools and not vm.is_tools_running:
        leg.wait(vm.name, "its tools to run", until)
        return leg.now >= until
    if kept.port is not None and vm.id not in leg.s.plant.ready:
        leg.step.ports[vm.id] = (vm.addresses or kept.addresses, kept.port)
        leg.wait(vm.name, f"its TCP port {kept.port} to answer", until)
        return leg.now >= until
    return True


def start_vm(leg: Leg, kept: KeptVm, vm: Vm) -> None:
    """Power the VM on where it is registered; have another host take it where that one is not back."""
    if leg.is_full:
        return
    host = leg.s.plant.hosts.get(vm.host)
    if host is not None and host.power is Power.ON and not host.in_maintenance and host.route is not None:
        if vm.power is Power.OFF:
            leg.ask(Command(Verb.POWER_ON_VM, vm.id, vm.name, host.route))
        return
    path = vm.path or kept.path
    taker = _taker(leg, vm) if path is not None and is_lost(leg, vm) else None
    if taker is not None and leg.ask(Command(Verb.ADOPT_VM, vm.id, vm.name, taker, path=path)):
        _loads(leg)[taker] += 1


def is_lost(leg: Leg, vm: Vm) -> bool:
    """The host that it is registered on is not coming back, as far as this leg knows."""
    return vm.host not in leg.s.plant.hosts or leg.is_abandoned(vm.host)


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
            and leg.s.scope.has_host(host.name)
        }
        for vm in leg.s.plant.vms.values():
            if vm.host in leg.loads and vm.power is Power.ON:
                leg.loads[vm.host] += 1
    return leg.loads
