"""Ready-made virtual sites, and the days they go through."""

from dataclasses import replace

from thermo_guard.core.plant import ClusterSettings

from .blueprint import Blueprint, BmcPlan, HostPlan, Infrastructure, InletPlan, SensorPlan, VcenterPlan, VmPlan
from .physics import Cooling, Outage, Probe, room_of

PROTECTS_AT_C = 42.0
"""Inlet at which server firmware shuts down by default (HPE caution, Dell warning)."""

_OFFICE_VMS = (
    # name, host, seconds its guest takes to shut down, tier
    ("build-1", "esx1", 18, 1), ("build-2", "esx2", 20, 1), ("test-web", "esx3", 12, 1), ("print", "esx3", 15, 1),
    ("intranet", "esx1", 22, 2), ("mail", "esx2", 45, 2), ("erp-app", "esx3", 35, 2),
    ("erp-db", "esx1", 70, 3), ("files", "esx2", 40, 3), ("dc-1", "esx3", 30, 4),
)


def day_of_failing_cooling(plan: Blueprint, *, fails_after_s: float = 600.0, for_s: float = 3900.0) -> Blueprint:
    """The same site on a day on which the cooling fails and is repaired after about an hour."""
    return replace(plan, outages=(*plan.outages, Outage(fails_after_s, fails_after_s + for_s)))


def office(*, sensor_cadence_s: float = 60.0) -> Blueprint:
    """The small server room of an office: three hosts, twelve VMs and a template, vCenter among them.

    One VM is off and stays off, one guest hangs when it is told to shut down,
    one BMC writes its UUID the other way round, and a server in the same rack has nothing to do with vSphere.
    """
    hosts = tuple(
        HostPlan(
            name=f"esx{number}", cluster="Office", busy_kw=1.05, idle_kw=0.55, inlet_offset_k=0.5 * number,
            protects_at_c=PROTECTS_AT_C, serials=(f"CZ2D0V0{number}",), boot_s=150.0 + 15 * number, shut_s=45.0,
        ) for number in (1, 2, 3)
    )
    vms = (
        *(VmPlan(name, host, shut_s=shut_s, tier=tier, start_s=20.0 + shut_s / 2)
          for name, host, shut_s, tier in _OFFICE_VMS),
        VmPlan("legacy-fax", "esx2", hangs=True, tier=1),
        VmPlan("sandbox", "esx3", is_on=False),
        VmPlan("windows-template", "esx1", is_on=False, is_template=True),
        VmPlan("archive", "esx1", is_on=False, is_suspended=True),
        vcenter_vm("vcenter", "esx2"),
    )
    bmcs = (
        BmcPlan("ilo-c.virtual.invalid", "esx3", "ProLiant DL360 Gen10"),
        BmcPlan("ilo-a.virtual.invalid", "esx1", "ProLiant DL380 Gen10"),
        BmcPlan("ilo-x.virtual.invalid", None, "ProLiant ML30 Gen10"),
        BmcPlan("ilo-b.virtual.invalid", "esx2", "ProLiant DL360 Gen10", swaps_uuid=True,
                inlet=InletPlan(shows_when_off=False)),
    )
    return Blueprint(
        room=room_of(36.0, 1, outside_c=24.0), hosts=hosts, vms=vms, bmcs=bmcs, sensors=sensors(3, sensor_cadence_s),
        cluster="Office", vcenter=VcenterPlan(vm="vcenter"), cooling=Cooling(5.5), other_kw=0.45,
    )


def vcenter_outside(*, sensor_cadence_s: float = 60.0) -> Blueprint:
    """The office with vCenter elsewhere, a second cluster that is none of our business, no DRS, and serials only."""
    plan = office(sensor_cadence_s=sensor_cadence_s)
    others = HostPlan("other1", cluster="Other", busy_kw=0.6, idle_kw=0.4)
    vms = tuple(vm for vm in plan.vms if vm.name != "vcenter")
    settings = ClusterSettings(
        ha_enabled=True, ha_host_monitoring="enabled", ha_admission_control=False, drs_enabled=True,
        drs_behavior="partiallyAutomated", drs_overrides=False, dpm_enabled=False,
    )
    return replace(
        plan, hosts=(*plan.hosts, others), vcenter=VcenterPlan(), settings=settings,
        vms=(*vms, VmPlan("other-app", "other1"), VmPlan("other-db", "other1")),
        bmcs=tuple(replace(bmc, shows_uuid=False) for bmc in plan.bmcs),
    )


def infrastructure(
    *, dns_tier: int = 1, is_guard_inside: bool = False, is_vcenter_inside: bool = True, sensor_cadence_s: float = 60.0,
) -> Blueprint:
    """The office as many are: what the guard leans on runs on the cluster that the guard switches off.

    Every machine is known by name, and the DNS server is a VM, by default of the first tier that stops. vCenter asks
    the domain controller `dc-1` for VCENTER_USER's password, and messages go out by the VM `mail`.

    :param is_guard_inside: the guard runs in the VM `nas` on esx1; otherwise on a machine of its own.
    """
    plan = office(sensor_cadence_s=sensor_cadence_s) if is_vcenter_inside else vcenter_outside(
        sensor_cadence_s=sensor_cadence_s
    )
    addresses = {"dc-1": ("192.0.2.20",), "mail": ("192.0.2.25",)}
    vms = tuple(replace(vm, addresses=addresses.get(vm.name, vm.addresses)) for vm in plan.vms)
    guard = (VmPlan("nas", "esx1", tier=1, addresses=("192.0.2.60", "2001:db8::60")),) if is_guard_inside else ()
    return replace(
        plan, hosts=tuple(replace(host, address=f"{host.name}.virtual.invalid") for host in plan.hosts),
        vms=(*vms, VmPlan("dns", "esx3", tier=dns_tier, shut_s=10.0, addresses=("192.0.2.53",)), *guard),
        vcenter=replace(plan.vcenter, user="thermo-guard@office.virtual.invalid"),
        infrastructure=Infrastructure(
            dns="dns", domain_controller="dc-1", mail="mail", guard="nas" if is_guard_inside else None
        ),
    )


def big(hosts: int, vms: int, *, tiers: int = 3, is_vcenter_inside: bool = True) -> Blueprint:
    """A hall: many hosts, many VMs that are spread over them and over the tiers."""
    host_plans = tuple(
        HostPlan(
            f"esx{number:03d}", cluster="Hall", inlet_offset_k=1.0 + 0.5 * (number % 5), protects_at_c=PROTECTS_AT_C
        )
        for number in range(1, hosts + 1)
    )
    vm_plans = tuple(
        VmPlan(f"vm{number:05d}", host_plans[number % hosts].name, shut_s=10.0 + number * 7 % 50,
               tier=1 + number % tiers)
        for number in range(1, vms + 1)
    )
    inside = (vcenter_vm("vcenter", host_plans[0].name),) if is_vcenter_inside else ()
    racks = max(1, -(-hosts // 12))
    load_kw = 0.6 * hosts
    return Blueprint(
        room=room_of(30.0 * racks + 20.0, racks, leak_kw_per_k=0.05 * racks + 0.1), hosts=host_plans,
        vms=(*vm_plans, *inside), sensors=sensors(max(3, racks), 60.0),
        bmcs=tuple(BmcPlan(f"bmc{host.name[3:]}.virtual.invalid", host.name) for host in reversed(host_plans)),
        cluster="Hall", vcenter=VcenterPlan(vm="vcenter" if is_vcenter_inside else None),
        cooling=Cooling(1.6 * load_kw + 2.0), other_kw=0.03 * load_kw,
    )


def sensors(count: int, cadence_s: float) -> tuple[SensorPlan, ...]:
    """So many room sensors, each a little different."""
    return tuple(
        SensorPlan(
            f"Q3CA-{number:04d}-VIRT", cadence_s,
            Probe(tau_s=80.0 + 20 * (number % 4), bias_c=(-0.3, 0.2, 0.5, 0.0)[number % 4], near_k_per_kw=0.1),
        ) for number in range(1, count + 1)
    )


def vcenter_vm(name: str, host: str) -> VmPlan:
    """The appliance that runs vCenter, as its tools and its product name show it."""
    vcenter = VcenterPlan()
    return VmPlan(
        name, host, shut_s=90.0, start_s=60.0, addresses=(vcenter.ip,), guest_name=vcenter.address,
        product="VMware vCenter Server Appliance",
    )
