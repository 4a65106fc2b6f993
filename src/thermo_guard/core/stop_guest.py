"""How one VM is brought down: its question answered, its guest asked, forced at the end of its grace, given up."""

from collections.abc import Mapping, Sequence

from .commands import Command, Verb
from .events import Abandoned
from .plant import Power, Question, Role, Vm
from .snapshot import KeptVm
from .step import DIRECT_S, GIVE_UP_S, TERMINATE_S, Leg, last_answer, shortened

_STOPS = (Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM, Verb.TERMINATE_VM)


def is_stopped_by_guard(leg: Leg, vm: Vm) -> bool:
    """Whether it is one that the planner stops at all: not another's, not one that nobody can stop."""
    is_ours = not vm.is_template and vm.role is Role.WORKLOAD and leg.s.scope.has_vm(vm)
    return is_ours and not is_untouched(leg, vm)


def is_untouched(leg: Leg, vm: Vm) -> bool:
    """The runbook says so; of a VM that came after the snapshot it is asked now."""
    kept = leg.kept.get(vm.id)
    if kept is not None:
        return kept.is_untouched
    return leg.s.runbook.spares_any and leg.s.runbook.place_of(vm).is_untouched


def vm_is_off(leg: Leg, vm: Vm) -> bool:
    was_on = (kept := leg.kept.get(vm.id)) is not None and kept.is_on
    ours = leg.first_asked(vm.id, *_STOPS) is not None if not was_on or vm.power is Power.UNKNOWN else True
    if ours or was_on or vm.id in leg.s.incident.observed:
        leg.note("vm", vm.id, vm.name, vm.power, vm.host, *_measured(leg, vm))
    if vm.power is not Power.UNKNOWN:
        return vm.power is Power.OFF
    host = leg.s.plant.hosts.get(vm.host)
    if host is not None and host.power is Power.ON:
        return True  # its host answers and does not run it: moved out of the cluster, deleted, or not accessible
    # Its host is silent: what was seen off, or never ran, is not waited for.
    return leg.was_seen(vm.id, Power.OFF) or not (was_on or ours)


def _measured(leg: Leg, vm: Vm) -> tuple[Verb, ...]:
    """From which commands on its stop is measured: one that was forced in haste says nothing of its next one."""
    in_haste = leg.s.incident.haste < 1.0 and vm.power is Power.OFF
    return () if in_haste and leg.first_asked(vm.id, Verb.POWER_OFF_VM) is not None else _STOPS


def stop_vm(leg: Leg, vm: Vm, route: str | None, grace_s: float, since: float) -> None:
    """Ask the guest, force it at the end of its grace, give it up when it stands after that.

    :param since: from when on a VM that cannot be asked has its grace.
    """
    if vm.is_lost:
        leg.abandon(Abandoned("vm", vm.id, vm.name, leg.step.phase,
                              "it is orphaned or inaccessible: its files are not there, and nobody can stop it"))
        return
    asked = leg.first_asked(vm.id, Verb.SHUT_DOWN_GUEST)
    can_be_asked = vm.power is Power.ON and vm.can_shut_down_guest and vm.is_reachable
    if vm.question is not None and route is not None and _answer(leg, vm, vm.question, route):
        return
    if asked is None and can_be_asked and route is not None:  # its grace begins when it is asked, however late that is
        leg.ask_vm(Verb.SHUT_DOWN_GUEST, vm, route)
        leg.wait(vm.name, "guest to shut down, then forced power-off", leg.now + grace_s)
        return
    forced_at = (since if asked is None else asked) + grace_s
    is_cut_off = route is None and leg.now >= max(_cut_off_at(leg, vm), asked or 0.0)
    if (leg.now >= forced_at + GIVE_UP_S or is_cut_off) and leg.may_abandon(vm.id):
        why = "its host cannot be reached" if route is None else "it could not be powered off"
        why += last_answer(leg.s.incident.intents, vm.id, *_STOPS)
        leg.abandon(Abandoned("vm", vm.id, vm.name, leg.step.phase, why))
    if route is None:
        leg.wait(vm.name, "its host to answer", forced_at + GIVE_UP_S)
    elif leg.now >= forced_at:
        forced = leg.first_asked(vm.id, Verb.POWER_OFF_VM)
        hangs = forced is not None and leg.now >= forced + TERMINATE_S
        leg.ask_vm(Verb.TERMINATE_VM if hangs else Verb.POWER_OFF_VM, vm, route)
        leg.wait(vm.name, "its process to be killed" if hangs else "forced power-off", forced_at + GIVE_UP_S)
    elif can_be_asked:
        leg.ask_vm(Verb.SHUT_DOWN_GUEST, vm, route)
        leg.wait(vm.name, "guest to shut down, then forced power-off", forced_at)
    else:
        leg.wait(vm.name, _why_not_asked(vm), forced_at)


def _answer(leg: Leg, vm: Vm, question: Question, route: str) -> bool:
    """Answer what it waits for, where that is the policy and vSphere proposes an answer; whether it is being done."""
    if question.default is None or not leg.timing.answers_questions:
        return False
    asked = leg.intent(Verb.ANSWER_VM, vm.id)
    if asked is not None and leg.now >= asked.first_at + TERMINATE_S:
        return False  # it stands there still, or asks again and again
    leg.ask(Command(Verb.ANSWER_VM, vm.id, vm.name, route, answer=(question.id, question.default)))
    leg.wait(vm.name, f"its question to be answered: {question.text}", None)
    return True


def _why_not_asked(vm: Vm) -> str:
    if vm.question is not None:
        return f"forced power-off, since it waits for an answer: {vm.question.text}"
    return "forced power-off, since its VMware Tools take no shutdown"


def _cut_off_at(leg: Leg, vm: Vm) -> float:
    """When a VM without a way to it is given up: by the leg's time, so that a host out of reach costs that once."""
    host = leg.s.plant.hosts.get(vm.host)
    silent_since = host.silent_since if host is not None else None
    return max(leg.s.incident.goal_since, silent_since or 0.0) + DIRECT_S


def grace_s(leg: Leg, kept: KeptVm | None) -> float:
    """For a guest's own shutdown: as the runbook says of it, else as the setting, both as the haste allows."""
    if kept is None or kept.grace_s is None:
        return leg.timing.vm_shutdown_s
    return shortened(kept.grace_s, leg.s.incident.haste)


class Turns:
    """Who is stopped before whom within a tier: what starts after another is stopped before it."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._first: dict[str, list[KeptVm]] = {}
        """By id of a VM those that must be off before it is asked."""
        for kept in leg.s.snapshot.vms:
            for before in kept.after:
                self._first.setdefault(before, []).append(kept)

    def blockers_of(self, pending: Sequence[Vm]) -> Mapping[str, str]:
        """By id of each VM that has to wait the name of one that must be off first.

        Should a kept snapshot hold a circle all the same, nobody waits once nothing else is left.
        """
        if not self._first:
            return {}
        on = {vm.id for vm in pending}
        found = {vm.id: next((kept.name for kept in self._first.get(vm.id, ()) if kept.id in on), None)
                 for vm in pending}
        blocked = {vm_id: name for vm_id, name in found.items() if name is not None}
        return {} if len(blocked) == len(pending) else blocked

    def since(self, vm: Vm) -> float:
        """When its turn came: the tier's, or later that of the last that was stopped before it."""
        if vm.id not in self._first:
            return self._leg.since
        observed = self._leg.s.incident.observed
        ends = [observed[kept.id][1] for kept in self._first[vm.id] if kept.id in observed]
        return max([self._leg.since, *ends])
