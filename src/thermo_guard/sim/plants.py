"""Ready-made virtual sites, each with the traps of one kind of real cluster: small, and quiet until the cooling fails.

Hosts carry round-robin what runs; however many of them do, they heat the same room alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from thermo_guard.core.plant import Question, Role, Vcls

from .blueprint import SETTINGS, Blueprint, BmcPlan, HostPlan, VcenterPlan, VmPlan
from .physics import Cooling, room_of
from .plans import PROTECTS_AT_C, sensors, vcenter_vm

_VMS = (
    # name, seconds its guest takes to shut down, tier
    ("web-1", 12.0, 1), ("web-2", 15.0, 1), ("app-1", 25.0, 2), ("app-2", 30.0, 2), ("files", 40.0, 3),
    ("db-1", 60.0, 3), ("dc-1", 20.0, 4),
)
_ASKS = Question("q-1", "A disk of this VM is full.", default="0", choices=(("0", "Retry"), ("1", "Cancel")))
_ASKS_BACK = Question("q-2", "A device was removed.", choices=(("0", "Yes"), ("1", "No")))


class VclsKind(StrEnum):
    DEPLOYED = "deployed"
    """Three VMs with files of their own: 7.0 U1 to 8.0 U2."""
    EMBEDDED = "embedded"
    """Two VMs: 8.0 U3."""
    NONE = "none"
    """vSphere 9: no VMs, and no retreat mode."""


class HostTrouble(StrEnum):
    """What is wrong with a host, which also names it and its VM (`app-<trouble>`)."""

    REFUSES_MAINTENANCE = "refuses-maintenance"
    REFUSES_VCENTER = "refuses-vcenter"
    HANGS_DOWN = "hangs-down"
    LET_GO = "let-go"
    STANDBY = "standby"
    IN_MAINTENANCE = "in-maintenance"
    LOCKDOWN = "lockdown"
    BMC_SAYS_OFF = "bmc-says-off"
    BMC_DEAD = "bmc-dead"


_EMPTY = {HostTrouble.STANDBY, HostTrouble.IN_MAINTENANCE}


def vcenter_inside(*, moves_every_s: float = 1200.0) -> Blueprint:
    """The cluster that vCenter manages runs it, and DRS moves its VM now and then."""
    plan = _plant(_hosts(3))
    return replace(plan, vcenter=replace(plan.vcenter, moves_every_s=moves_every_s))


def strict_ha() -> Blueprint:
    """Strict admission control, full automation with a VM that has its own, DPM on, and a fourth host asleep."""
    hosts = _hosts(4)
    plan = _plant((*hosts[:3], replace(hosts[3], is_standby=True)))
    vms = tuple(replace(vm, drs_automated=vm.name == "app-2") for vm in plan.vms)
    return replace(plan, vms=vms, settings=replace(SETTINGS, dpm_enabled=True))


def vcls(kind: VclsKind) -> Blueprint:
    """Cluster services come back whenever they are stopped, and keep hosts out of maintenance mode."""
    count = {VclsKind.DEPLOYED: 3, VclsKind.EMBEDDED: 2, VclsKind.NONE: 0}[kind]
    hosts = _hosts(3)
    services = tuple(
        VmPlan(f"vCLS-{number}", host.name, role=Role.VCLS, has_tools=False, shut_s=1.0)
        for number, host in enumerate(hosts[:count], start=1)
    )
    return replace(_plant(hosts, services), settings=replace(SETTINGS, vcls=Vcls.ON if count else Vcls.NONE))


def vsan() -> Blueprint:
    """The VMs' disks lie on the hosts themselves: they must not be shut down one after the other."""
    return replace(_plant(_hosts(3)), has_vsan=True)


def troubled_vms() -> Blueprint:
    """VMs that will not stop, cannot be asked, ask back, belong to others, or are not there; another cluster beside."""
    hosts = _hosts(3)
    one, two, three = (host.name for host in hosts)
    vms = (
        VmPlan("no-tools", one, has_tools=False, tier=1),
        VmPlan("lying-tools", two, hangs=True, tier=1),
        VmPlan("hard-to-kill", three, hangs=True, hangs_power_off=True, tier=1),
        VmPlan("asks", one, asks=_ASKS, tier=1),
        VmPlan("asks-back", two, asks=_ASKS_BACK, tier=1),
        VmPlan("inaccessible", one, is_on=False, is_lost=True),
        VmPlan("suspended", two, is_on=False, is_suspended=True),
        VmPlan("template", three, is_on=False, is_template=True),
        VmPlan("ft-app", one, tier=2),
        VmPlan("ft-app-secondary", two, ft_primary="ft-app"),
        VmPlan("filter-agent", three, role=Role.AGENT, managed_by="com.vmware.vim.eam"),
        VmPlan("other-app", "other1"),
    )
    return _plant((*hosts, HostPlan("other1", cluster="Other", busy_kw=0.3, idle_kw=0.2)), vms, names=_VMS[-2:])


def troubled_hosts(*troubles: HostTrouble) -> Blueprint:
    """A host for each trouble, every one where none is named, beside two sound ones with vCenter on the first."""
    wanted = troubles or tuple(HostTrouble)
    hosts = _hosts(2 + len(wanted))
    troubled = tuple(_troubled(host, trouble) for host, trouble in zip(hosts[2:], wanted, strict=True))
    vms = tuple(VmPlan(f"app-{trouble}", trouble.value, tier=1) for trouble in wanted if trouble not in _EMPTY)
    plan = _plant((*hosts[:2], *troubled), vms, carriers=2)
    return replace(plan, bmcs=tuple(
        replace(bmc, says_off=bmc.host == HostTrouble.BMC_SAYS_OFF, is_dead=bmc.host == HostTrouble.BMC_DEAD)
        for bmc in plan.bmcs
    ))


def troubled_vcenter(*, latency_s: float = 4.0, idle_s: float = 120.0, never_returns: bool = True) -> Blueprint:
    """A vCenter that takes its time for every answer, ends sessions early, and stays silent once it has been off."""
    plan = _plant(_hosts(3))
    return replace(plan, vcenter=replace(
        plan.vcenter, latency_s=latency_s, idle_s=idle_s, never_returns=never_returns
    ))


def standalone(hosts: int = 3) -> Blueprint:
    """ESXi hosts that no vCenter holds together."""
    return replace(_plant(_hosts(hosts), is_vcenter_inside=False), is_standalone=True)


def _troubled(host: HostPlan, trouble: HostTrouble) -> HostPlan:
    flags: Mapping[HostTrouble, HostPlan] = {
        HostTrouble.REFUSES_MAINTENANCE: replace(host, refuses_maintenance=True),
        HostTrouble.REFUSES_VCENTER: replace(host, refuses_vcenter=True),
        HostTrouble.HANGS_DOWN: replace(host, hangs_down=True),
        HostTrouble.LET_GO: replace(host, is_let_go=True),
        HostTrouble.STANDBY: replace(host, is_standby=True),
        HostTrouble.IN_MAINTENANCE: replace(host, in_maintenance=True),
        HostTrouble.LOCKDOWN: replace(host, in_lockdown=True),
    }
    return replace(flags.get(trouble, host), name=trouble.value, serials=(f"SN-{trouble}",))


def _hosts(count: int) -> tuple[HostPlan, ...]:
    return tuple(
        HostPlan(
            f"esx{number}", cluster="Plant", protects_at_c=PROTECTS_AT_C, serials=(f"CZ3D0V{number:02d}",),
            boot_s=120.0 + 10 * number, shut_s=45.0,
        ) for number in range(1, count + 1)
    )


def _plant(
    hosts: Sequence[HostPlan], vms: Sequence[VmPlan] = (), *, names: Sequence[tuple[str, float, int]] = _VMS,
    carriers: int = 3, is_vcenter_inside: bool = True,
) -> Blueprint:
    """The common part; `names` run on the first so many hosts, vCenter on the first of them."""
    carrying = [host.name for host in hosts[:carriers]]
    usual = tuple(
        VmPlan(name, carrying[number % len(carrying)], shut_s=shut_s, tier=tier, start_s=20.0 + shut_s / 2)
        for number, (name, shut_s, tier) in enumerate(names)
    )
    inside = (vcenter_vm("vcenter", hosts[0].name),) if is_vcenter_inside else ()
    ours = [host for host in hosts if host.cluster == "Plant"]
    running = sum(not host.is_standby for host in ours)
    warm = tuple(
        replace(host, busy_kw=3.15 / running, idle_kw=1.65 / running) if host in ours else host for host in hosts
    )
    return Blueprint(
        room=room_of(36.0, 1, outside_c=24.0), hosts=warm,
        vms=(*usual, VmPlan("retired", hosts[0].name, is_on=False), *vms, *inside),
        bmcs=tuple(BmcPlan(f"ilo-{host.name}.virtual.invalid", host.name) for host in ours), sensors=sensors(3, 60.0),
        cluster="Plant", vcenter=VcenterPlan(vm="vcenter" if is_vcenter_inside else None), cooling=Cooling(5.5),
        other_kw=0.45,
    )
