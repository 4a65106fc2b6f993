"""What `check` says of vCenter, the account's privileges and the cluster; of its VMs and hosts their own modules do."""

from collections.abc import Iterator, Mapping

from .appliance import Appliance, find_vcenter
from .finding import Area, Finding, Way, fail, listed, ok, warn
from .plant import ClusterSeen, ClusterSettings, MissingPrivilege, Power, Trouble, Unseen
from .preflight_hosts import host_findings, hosts_remedy, silent_hosts
from .preflight_vms import vm_findings
from .runbook import Runbook
from .survey import Survey

_NAMED = 20
"""So many entities are named in one line."""

NEEDED_FOR: Mapping[str, tuple[Way | None, str]] = {
    "Host.Inventory.EditCluster": (Way.DOWN, "HA and DRS could not be switched off, and would work against the guard"),
    "Host.Config.Maintenance": (Way.DOWN, "it could not be brought into maintenance mode nor shut down"),
    "Host.Config.Connection": (Way.BACK, "should vCenter have let go of it, it would not be taken back"),
    "VirtualMachine.Interact.PowerOff": (Way.DOWN, "it could not be shut down, and its host would stay up with it"),
    "VirtualMachine.Interact.PowerOn": (Way.BACK, "it would not be started again"),
    "VirtualMachine.Interact.AnswerQuestion": (
        Way.BACK, ("a question that it asks at its start would keep it off, and one that it asks before has it powered "
                  "off")
    ),
    "Global.Settings": (
        None, ("the cluster services (vCLS) would not go, and the hosts that they run on are shut down without "
              "maintenance mode")
    ),
}
"""What a right is for, and what its absence stands in the way of; None: of nothing that a person would miss."""


def cluster_findings(
    survey: Survey, *, vcenter_vm: str | None, has_esxi_logins: bool, vm_shutdown_s: float, answers_questions: bool,
    runbook: Runbook, bmc_of: Mapping[str, str], has_vcenter: bool = True,
) -> tuple[Finding, ...]:
    """All that can be said of the cluster.

    :param bmc_of: BMC by host, of those that answer and are proved.
    :param has_vcenter: the settings name one.
    """
    cluster = survey.cluster
    if isinstance(cluster, Unseen):
        if not has_vcenter:
            return (fail(Area.HOSTS, Way.DOWN, f"Nothing could be seen: {cluster.reason}", hosts_remedy(cluster)),)
        text = f"Nothing of the cluster could be seen: {cluster.reason}"
        return (fail(Area.VCENTER, Way.DOWN, text, _vcenter_remedy(cluster)),)
    appliance = find_vcenter(cluster.vms, vcenter_vm, cluster.addresses)
    if cluster.is_standalone:  # no VM of theirs is the vCenter that there is not
        appliance = Appliance((), "there is no vCenter", is_certain=True)
    return (
        *(() if cluster.is_standalone else (ok(Area.VCENTER, "The login works"), *_of_appliance(cluster, appliance))),
        *_of_privileges(survey.missing, is_standalone=cluster.is_standalone),
        *_of_cluster(cluster),
        *vm_findings(
            cluster, appliance, runbook, {host.name for host in silent_hosts(cluster)}, vm_shutdown_s=vm_shutdown_s,
            answers_questions=answers_questions,
        ),
        *host_findings(survey, cluster, appliance, has_esxi_logins=has_esxi_logins, bmc_of=bmc_of),
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


def _of_privileges(
    missing: tuple[MissingPrivilege, ...] | Unseen, *, is_standalone: bool
) -> Iterator[Finding]:
    if isinstance(missing, Unseen):
        yield fail(Area.PRIVILEGES, Way.DOWN, f"They cannot be asked for: {missing.reason}", "Check again.")
        return
    if not missing:
        yield ok(Area.PRIVILEGES,
                 f"All that is needed, on {'' if is_standalone else 'the cluster, '}each host and each VM")
    lacking: dict[tuple[str, str], list[str]] = {}
    for one in missing:
        lacking.setdefault((one.privilege, one.entity_kind), []).append(one.entity)
    for (privilege, kind), entities in sorted(lacking.items()):
        way, harm = NEEDED_FOR.get(privilege, (Way.DOWN, "a step of the shutdown needs it"))
        word = {"vm": "VM", "host": "host"}.get(kind, kind) + ("s" if len(entities) > 1 else "")
        text = f"{privilege} is missing on the {word} {listed(entities, _NAMED)}: {harm}"
        remedy = (f"Add {privilege} to the role of the guard's account there, as `thermo-guard role` prints it; a "
                  "permission on the object itself overrides the one above (docs/PRIVILEGES.md).")
        yield warn(Area.PRIVILEGES, text, remedy) if way is None else fail(Area.PRIVILEGES, way, text, remedy)


def _of_cluster(cluster: ClusterSeen) -> Iterator[Finding]:
    if not cluster.hosts:
        yield fail(Area.CLUSTER, Way.DOWN, f"{cluster.name} has no host", "See VCENTER_CLUSTER.")
        return
    vms = [vm for vm in cluster.vms if not vm.is_template]
    running = sum(vm.power is Power.ON for vm in vms)
    hosts = f"{len(cluster.hosts)} hosts{', without vCenter' if cluster.is_standalone else ''}"
    yield ok(Area.CLUSTER, f"{cluster.name}: {hosts}, {len(vms)} VMs, {running} of them on; what is off or suspended "
                           "stays so")
    if not cluster.is_standalone:
        yield ok(Area.CLUSTER, _settings_in_words(cluster.settings))
    if cluster.has_vsan:
        yield fail(
            Area.CLUSTER, Way.HOSTS,
            "It runs on vSAN, of which this version stops the VMs only: its hosts and vCenter stay up and go on "
            "heating the room",
            "Once the VMs are off, have someone choose Shut down cluster in vCenter (vSAN 7.0 U3 or later), and cool "
            "the room.",
        )


def _settings_in_words(settings: ClusterSettings) -> str:
    admission = " with admission control" if settings.ha_admission_control else ""
    ha = f"HA is on{admission}" if settings.ha_enabled else "HA is off"
    overrides = ", with levels of their own for single VMs" if settings.drs_overrides else ""
    drs = f"DRS is {settings.drs_behavior}{overrides}" if settings.drs_enabled else "DRS is off"
    dpm = ", DPM is on" if settings.dpm_enabled else ""
    if not (settings.ha_enabled or settings.drs_enabled or settings.dpm_enabled):
        return f"{ha}, {drs}: there is nothing to disarm"
    return (f"{ha}, {drs}{dpm}; that is saved, disarmed before the first VM is stopped, and what will be restored and "
            "read back")
