"""What `check` says of vCenter, the account's privileges, the cluster and the hosts' own logins."""

from collections.abc import Iterator, Mapping

from .appliance import Appliance, find_vcenter
from .finding import Area, Finding, Way, fail, listed, ok, warn
from .plant import BmcSeen, ClusterSeen, ClusterSettings, Host, HostSeen, MissingPrivilege, Power, Trouble, Unseen
from .survey import Survey

_NAMED = 20
"""So many entities are named in one line."""
_FEW = 8

_NEEDED_FOR = {
    "Host.Inventory.EditCluster": (Way.DOWN, "HA and DRS could not be switched off, and would work against the guard"),
    "Host.Config.Maintenance": (Way.DOWN, "it could not be brought into maintenance mode nor shut down"),
    "VirtualMachine.Interact.PowerOff": (Way.DOWN, "it could not be shut down, and its host would stay up with it"),
    "VirtualMachine.Interact.PowerOn": (Way.BACK, "it would not be started again"),
}


def cluster_findings(
    survey: Survey, *, vcenter_vm: str | None, has_esxi_logins: bool, vm_shutdown_s: float,
    bmc_of: Mapping[str, str],
) -> tuple[Finding, ...]:
    cluster = survey.cluster
    if isinstance(cluster, Unseen):
        text = f"Nothing of the cluster could be seen: {cluster.reason}"
        return (fail(Area.VCENTER, Way.DOWN, text, _vcenter_remedy(cluster)),)
    appliance = find_vcenter(cluster.vms, vcenter_vm, cluster.addresses)
    return (
        ok(Area.VCENTER, "The login works"),
        *_of_appliance(cluster, appliance),
        *_of_privileges(survey.missing),
        *_of_cluster(cluster, vm_shutdown_s),
        *_of_silent(survey, cluster, bmc_of),
        *_of_hosts(survey, cluster, appliance, has_esxi_logins=has_esxi_logins),
    )


def _vcenter_remedy(unseen: Unseen) -> str:
    if unseen.is_refused:
        return "See VCENTER_USER (with its domain) and VCENTER_PASSWORD, and in vCenter whether the account is locked."
    match unseen.trouble:
        case Trouble.NO_NAME:
            return "See VCENTER_HOST and this machine's DNS; with an IP address vCenter is found without DNS."
        case Trouble.NOT_LISTENING:
            return "See the port in VCENTER_HOST (443 where none is given), and whether vCenter runs there."
        case Trouble.NO_ANSWER:
            return "See VCENTER_HOST, whether vCenter runs, and whether a firewall lets this machine through to it."
        case Trouble.UNTRUSTED:
            pin = f" It presents VCENTER_FINGERPRINT={unseen.shows}" if unseen.shows else ""
            return ("Run `thermo-guard pin`, which shows the certificate and trusts it once you have compared its "
                    "SHA-256 with the one on vCenter's own console; or set VCENTER_CA_FILE to its CA "
                    f"(https://VCENTER/certs/download.zip), or the fingerprint.{pin}")
        case Trouble.WRONG_PIN:
            return ("If the certificate was renewed, compare the new SHA-256 with the one on vCenter's own console, "
                    "then run `thermo-guard pin` with vCenter's address, or change VCENTER_FINGERPRINT where that is "
                    "set; if it was not renewed, someone stands in between.")
        case Trouble.WRONG_CLUSTER:
            return ("Set VCENTER_CLUSTER to one of the names above; where yours is not among them, give the account "
                    "its role on it.")
    return "See VCENTER_HOST, and whether vCenter runs and this machine reaches it."


def _of_appliance(cluster: ClusterSeen, appliance: Appliance) -> Iterator[Finding]:
    if not appliance.is_certain:
        names = " or ".join(f"VCENTER_VM={vm.name}" for vm in cluster.vms if vm.id in appliance.vms)
        yield fail(
            Area.VCENTER, Way.LAST, f"Which VM is vCenter itself is not certain: {appliance.why}. It has to be stopped "
                                    "last, since without it the rest takes no commands",
            f"{names or 'VCENTER_VM=<its name as vCenter shows it>'}, or VCENTER_VM=external.",
        )
        return
    if appliance.against:
        yield fail(
            Area.VCENTER, Way.DOWN,
            f"{appliance.why}, but {appliance.against}. If vCenter is stopped with the other VMs, the guard is cut off "
            "in the middle of the shutdown",
            "Take VCENTER_VM out of the settings: then vCenter is looked for. Or let it name the right one.",
        )
        return
    if not appliance.vms and appliance.is_unproved:
        yield warn(
            Area.VCENTER,
            f"{appliance.why}, and a VM of this cluster is a vCenter by its product: of another site, as it seems",
            "See that it is not the one that VCENTER_HOST names.",
        )
        return
    if not appliance.vms:
        yield ok(Area.VCENTER, f"vCenter does not run in this cluster: {appliance.why}")
        return
    vm = next(vm for vm in cluster.vms if vm.id == appliance.vms[0])
    if appliance.is_unproved:
        yield warn(
            Area.VCENTER,
            f"{appliance.why}, and neither its address nor its guest's name nor its product shows that it is vCenter",
            "See VCENTER_VM, and whether VMware Tools run in that VM.",
        )
        return
    yield ok(Area.VCENTER, f"vCenter is the VM {vm.name} on {vm.host} ({appliance.why}): both are stopped last")


def _of_privileges(missing: tuple[MissingPrivilege, ...] | Unseen) -> Iterator[Finding]:
    if isinstance(missing, Unseen):
        yield fail(Area.PRIVILEGES, Way.DOWN, f"They cannot be asked for: {missing.reason}", "Check again.")
        return
    if not missing:
        yield ok(Area.PRIVILEGES, "All that is needed, on the cluster, each host and each VM")
    lacking: dict[tuple[str, str], list[str]] = {}
    for one in missing:
        lacking.setdefault((one.privilege, one.entity_kind), []).append(one.entity)
    for (privilege, kind), entities in sorted(lacking.items()):
        way, harm = _NEEDED_FOR.get(privilege, (Way.DOWN, "a step of the shutdown needs it"))
        word = {"vm": "VM", "host": "host"}.get(kind, kind) + ("s" if len(entities) > 1 else "")
        yield fail(Area.PRIVILEGES, way, f"{privilege} is missing on the {word} {listed(entities, _NAMED)}: {harm}",
                   f"Add {privilege} to the role of the guard's account there; a permission on the object itself "
                   "overrides the one above (docs/PRIVILEGES.md).")


def _of_cluster(cluster: ClusterSeen, vm_shutdown_s: float) -> Iterator[Finding]:
    if not cluster.hosts:
        yield fail(Area.CLUSTER, Way.DOWN, f"{cluster.name} has no host", "See VCENTER_CLUSTER.")
        return
    vms = [vm for vm in cluster.vms if not vm.is_template]
    running = [vm for vm in vms if vm.power is Power.ON]
    yield ok(Area.CLUSTER, f"{cluster.name}: {len(cluster.hosts)} hosts, {len(vms)} VMs, {len(running)} of them on")
    yield ok(Area.CLUSTER, _settings_in_words(cluster.settings))
    if toolless := [vm.name for vm in running if not vm.can_shut_down_guest and vm.is_reachable]:
        yield warn(Area.CLUSTER, f"{len(toolless)} VMs that run cannot be asked to shut down, they are powered off "
                                 f"after {vm_shutdown_s:.0f} s: {listed(toolless, _FEW)}",
                   "See that VMware Tools are installed and run in them.")
    silent = {host.name for host in _silent(cluster)}
    if lost := [vm.name for vm in vms if not vm.is_reachable and vm.host not in silent]:
        yield warn(Area.CLUSTER, f"{len(lost)} VMs are orphaned, inaccessible or invalid: {listed(lost, _FEW)}",
                   "See to them in vCenter.")


def _silent(cluster: ClusterSeen) -> list[Host]:
    return [host for host in cluster.hosts if not host.is_connected and host.power is not Power.OFF]


def _of_silent(survey: Survey, cluster: ClusterSeen, bmc_of: Mapping[str, str]) -> Iterator[Finding]:
    """Hosts that vCenter has lost: one that is off runs nothing, one with a direct login is stopped over that."""
    remedy = "Reconnect it in vCenter, or see to the host."
    told: dict[str, list[str]] = {"off": [], "direct": [], "neither": []}
    for host in _silent(cluster):
        bmc = survey.bmcs.get(bmc_of.get(host.name, ""))
        is_off = isinstance(bmc, BmcSeen) and bmc.power is Power.OFF
        is_seen = isinstance(survey.direct.get(host.name), HostSeen)
        told["direct" if is_seen else "off" if is_off else "neither"].append(host.name)
    if off := told["off"]:
        yield warn(Area.CLUSTER, f"vCenter has no connection to {listed(off, _NAMED)}; by the BMC the power is off",
                   remedy)
    if direct := told["direct"]:
        yield warn(Area.CLUSTER, f"vCenter has no connection to {listed(direct, _NAMED)}: what runs there could only "
                                 "be stopped over the direct login, which works", remedy)
    if neither := told["neither"]:
        is_all = len(neither) == len(cluster.hosts)  # one dead host does not hold up the rest, nor its guard
        yield fail(Area.CLUSTER, Way.DOWN if is_all else Way.PART,
                   f"vCenter has no connection to {listed(neither, _NAMED)}, and no direct login works: what runs "
                   "there can be neither shown nor stopped",
                   "Reconnect it in vCenter, or set a login that works (ESXI_USER and ESXI_PASSWORD); take a host that "
                   "is gone out of the cluster.")


def _settings_in_words(settings: ClusterSettings) -> str:
    admission = " with admission control" if settings.ha_admission_control else ""
    ha = f"HA is on{admission}" if settings.ha_enabled else "HA is off"
    drs = f"DRS is {settings.drs_behavior}" if settings.drs_enabled else "DRS is off"
    dpm = ", DPM is on" if settings.dpm_enabled else ""
    return f"{ha}, {drs}{dpm}; that is what will be restored"


def _of_hosts(
    survey: Survey, cluster: ClusterSeen, appliance: Appliance, *, has_esxi_logins: bool
) -> Iterator[Finding]:
    """The VM of vCenter and its host are stopped over the host's own API, wherever DRS has moved them by then."""
    homes = {vm.host for vm in cluster.vms if vm.id in appliance.vms}
    if not has_esxi_logins:
        text = "No login for the hosts themselves is configured"
        if homes:
            yield fail(Area.HOSTS, Way.LAST, f"{text}: vCenter's VM and its host ({listed(homes, _FEW)}) would stay up "
                                             "and heat the room", "Set ESXI_USER and ESXI_PASSWORD.")
        else:
            yield warn(Area.HOSTS, f"{text}: should vCenter not answer when the alarm comes, nothing could be stopped",
                       "Set ESXI_USER and ESXI_PASSWORD.")
        return
    for host in cluster.hosts:
        yield _of_host(host, survey.direct.get(host.name), homes)


def _of_host(host: Host, look: HostSeen | Unseen | None, homes: set[str]) -> Finding:
    if isinstance(look, HostSeen):
        state = ", in maintenance mode" if look.in_maintenance else ""
        running = sum(vm.power is Power.ON for vm in look.vms)
        return ok(Area.HOSTS, f"{host.name}: the direct login works; {running} VMs on{state}")
    why = "it was not looked at" if look is None else look.reason
    if look is not None and look.is_refused:
        remedy = ("See ESXI_USER and ESXI_PASSWORD (or this host's in ILO_HOSTS), and in lockdown mode its exception "
                  "users.")
    elif look is not None and look.trouble in {Trouble.UNTRUSTED, Trouble.WRONG_PIN}:
        remedy = ("It is trusted by the certificate that vCenter shows of it, and presents another: reconnect it in "
                  "vCenter if its certificate was renewed, and see who answers there if not.")
    else:
        remedy = "See whether this machine reaches the host's management address."
    if host.name in homes:
        return fail(Area.HOSTS, Way.LAST, f"{host.name}: no direct login ({why}). vCenter runs there: its VM and this "
                                          "host would stay up and heat the room", remedy)
    if homes and host.is_connected:
        return fail(Area.HOSTS, Way.LAST, f"{host.name}: no direct login ({why}). vCenter's VM can be moved there at "
                                          "any time; then it and this host would stay up", remedy)
    return warn(Area.HOSTS, f"{host.name}: no direct login ({why}). It is only needed where vCenter does not answer",
                remedy)
