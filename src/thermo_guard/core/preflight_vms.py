"""What `check` says of the VMs: which are left to whom, which make trouble, what of the runbook cannot be followed."""

from collections.abc import Collection, Iterator

from .appliance import Appliance
from .finding import Area, Finding, Way, fail, listed, ok, warn
from .plant import ClusterSeen, Power, Role, Vcls, Vm
from .runbook import Runbook

_FEW = 8
"""So many VMs are named in one line."""
_LONGEST_QUESTION = 200
"""Characters; vSphere's own texts may be a page long."""


def vm_findings(
    cluster: ClusterSeen, appliance: Appliance, runbook: Runbook, silent: Collection[str], *,
    vm_shutdown_s: float, answers_questions: bool,
) -> tuple[Finding, ...]:
    """All that can be said of the VMs of a cluster that is seen.

    :param silent: names of the hosts that do not answer; what is lost with them is told with them.
    """
    vms = [vm for vm in cluster.vms if not vm.is_template]
    return (
        *_of_untouched(vms, appliance, runbook),
        *_of_runbook(cluster, runbook),
        *_of_trouble(vms, silent, vm_shutdown_s, answers_questions=answers_questions),
        *_of_roles(vms),
        *_of_services(cluster),
    )


def _of_untouched(vms: list[Vm], appliance: Appliance, runbook: Runbook) -> Iterator[Finding]:
    """A host never goes down under a VM that nobody may stop."""
    kept = [vm for vm in vms if vm.power is Power.ON and vm.role is Role.WORKLOAD and runbook.place_of(vm).is_untouched]
    homes = {vm.host for vm in vms if vm.id in appliance.vms}
    remedy = "Take never_touch off it in the runbook, or switch it off, or move it to a host outside of the cluster."
    for vm in (vm for vm in kept if vm.id in appliance.vms):
        yield fail(Area.VMS, Way.LAST, f"{vm.name} is vCenter's own VM, and never_touch of the runbook keeps it on: it "
                                       f"and its host {vm.host} would stay up and heat the room", remedy)
    there = [vm for vm in kept if vm.host in homes and vm.id not in appliance.vms]
    if there:
        yield fail(Area.VMS, Way.LAST, f"never_touch of the runbook keeps {_with_hosts(there)} on, which is vCenter's "
                                       "own host: it would stay up and heat the room", remedy)
    others = [vm for vm in kept if vm.host not in homes and vm.id not in appliance.vms]
    if others:
        yield fail(Area.VMS, Way.PART, f"never_touch of the runbook keeps {_with_hosts(others)} on: with "
                                       f"{'it its host' if len(others) == 1 else 'them their hosts'} would stay up and "
                                       "heat the room", remedy)


def _with_hosts(vms: list[Vm]) -> str:
    return listed((f"{vm.name} on {vm.host}" for vm in vms), _FEW)


def _of_runbook(cluster: ClusterSeen, runbook: Runbook) -> Iterator[Finding]:
    for problem in runbook.orderings(cluster.vms)[1]:
        yield warn(Area.VMS, f"The runbook cannot be followed to the letter: {problem}", "Mend it in the runbook.")
    if unmatched := runbook.unmatched(cluster.vms):
        yield warn(Area.VMS, f"Patterns of the runbook or of VM_TIERS fit no VM: {listed(unmatched, _FEW)}. What they "
                             "say is done to none", "Compare them with the VMs' names as vCenter shows them.")


def _of_trouble(
    vms: list[Vm], silent: Collection[str], vm_shutdown_s: float, *, answers_questions: bool
) -> Iterator[Finding]:
    """VMs that cannot be stopped in good order as they stand now."""
    ours = [vm for vm in vms if vm.role is Role.WORKLOAD]
    for vm in ours:
        if vm.question is None:
            continue
        text = " ".join(vm.question.text.split())[:_LONGEST_QUESTION]
        is_answered = answers_questions and vm.question.default is not None
        then = "it would be answered as vSphere proposes" if is_answered else (
            f"it would be powered off after {vm_shutdown_s:.0f} s, since nobody answers")
        yield warn(Area.VMS, f'{vm.name} stands still until someone answers "{text}": at a shutdown {then}',
                   "Answer it in vCenter.")
    running = [vm for vm in ours if vm.power is Power.ON and vm.question is None]
    if toolless := [vm.name for vm in running if not vm.can_shut_down_guest and vm.is_reachable and not vm.is_lost]:
        yield warn(Area.VMS, f"{len(toolless)} VMs that run cannot be asked to shut down, they are powered off "
                             f"after {vm_shutdown_s:.0f} s: {listed(toolless, _FEW)}",
                   "See that VMware Tools are installed and run in them.")
    if lost := [vm.name for vm in vms if (vm.is_lost or not vm.is_reachable) and vm.host not in silent]:
        yield warn(Area.VMS, f"{len(lost)} VMs are orphaned, inaccessible or invalid, so that nobody can stop or start "
                             f"them: {listed(lost, _FEW)}", "See to them in vCenter.")


def _of_roles(vms: list[Vm]) -> Iterator[Finding]:
    """VMs that somebody else starts and stops."""
    if pairs := [vm.name for vm in vms if vm.role is Role.FT_SECONDARY]:
        yield ok(Area.VMS, f"{len(pairs)} fault-tolerant pairs: the primary is stopped and started, the secondary "
                           f"follows it: {listed(pairs, _FEW)}")
    agents: dict[str, list[str]] = {}
    for vm in vms:
        if vm.role is Role.AGENT:
            agents.setdefault(vm.managed_by or "another solution", []).append(vm.name)
    for manager, names in sorted(agents.items()):
        yield ok(Area.VMS, f"{len(names)} agents are left to their manager, {manager}, which stops and starts them "
                           f"with their hosts: {listed(names, _FEW)}")


def _of_services(cluster: ClusterSeen) -> Iterator[Finding]:
    if cluster.is_standalone:
        return
    running = sum(vm.role is Role.VCLS and vm.power is Power.ON for vm in cluster.vms)
    match cluster.settings.vcls:
        case Vcls.ON if cluster.has_vsan:
            how = "left as they are, with the hosts"
        case Vcls.ON:
            how = "removed at a shutdown by retreat mode, which is ended on the way back"
        case Vcls.RETREAT:
            how = "in retreat mode already, and stay so"
        case Vcls.NONE:  # pragma: no branch - there is no other
            how = "stopped with their hosts" if running else "none that would need retreat mode"
    yield ok(Area.VMS, f"Cluster services (vCLS), {running} VMs: {how}")
