"""What is due now: the one planner that the engine executes, `plan` prints and the estimate runs forward."""

from .events import Goal
from .plan_down import step_down
from .plan_up import step_up
from .plant import Power
from .record import Incident
from .snapshot import Snapshot
from .step import Situation, Step
from .view import PlantNow
from .way import refused_through_vcenter


def next_step(situation: Situation) -> Step:
    """Given the goal, what is seen and what is on record: which commands are due now, and what is waited for."""
    return step_down(situation) if situation.incident.goal is Goal.OFF else step_up(situation)


def direct_looks(plant: PlantNow, snapshot: Snapshot, incident: Incident | None = None) -> tuple[str, ...]:
    """Hosts that must be looked at over their own API now: vCenter's own, each that vCenter does not show, and each
    that would not obey it.
    """
    unruly = refused_through_vcenter(incident.intents.values()) if incident is not None else frozenset()
    own = {plant.vms[vm.id].host if vm.id in plant.vms else vm.host for vm in snapshot.vcenter_vms}
    names = []
    for host in plant.hosts.values():
        if host.power is Power.OFF and host.bmc_power is Power.OFF and host.silent_since is None:
            continue  # known without it; what rests on its silence too would be in doubt again without the look
        is_doubtful = host.route is None or host.is_direct or host.bmc_power is Power.OFF
        if is_doubtful or host.name in own or host.name in unruly:
            names.append(host.name)
    return tuple(sorted(names))
