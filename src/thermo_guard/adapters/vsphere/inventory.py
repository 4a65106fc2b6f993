"""From what the property collector shows to the plant's values: hosts, VMs, settings."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from thermo_guard.core.plant import ClusterSettings, Host, Power, Role, Vcls, Vm

from .page import Value, each, text, truth
from .questions import question_of
from .trust import sha256

Properties = Mapping[str, Value]

CLUSTER_PATHS = ("name", "configurationEx")
"""The settings are read whole: `configurationEx` is declared as its base type, so that real servers answer
InvalidProperty to any path into it (the simulator does not)."""

HOST_FAST = ("name", "runtime.connectionState", "runtime.inMaintenanceMode", "runtime.powerState")
_LOCKDOWN, HOST_VSAN = "config.lockdownMode", "config.vsanHostConfig.enabled"
_HOST_SLOW = (
    "summary.config.name", "summary.config.port", "summary.hardware.uuid", "summary.hardware.otherIdentifyingInfo",
    "hardware.systemInfo", _LOCKDOWN, HOST_VSAN,
)
"""`hardware.systemInfo` is read whole, as its serial number came with 6.7 and an unknown path fails the call."""
_CERTIFICATE = "config.certificate"

VM_FAST = (
    "runtime.powerState", "runtime.connectionState", "runtime.host", "runtime.question", "guest.toolsRunningStatus",
    "guest.guestStateChangeSupported", "config.ftInfo.role",
)
"""The role in a fault-tolerant pair changes in the moment in which the primary's host dies."""
_VCLS_MARKERS = ('config.extraConfig["HDCS.agent"]', 'config.extraConfig["vCLSCRX.agent"]')
"""Two of the dozens of entries that a VM's extraConfig holds: read whole they would be most of a complete look. The
second is of vCLS as part of ESXi."""
VM_NAMES = (
    "name", "config.instanceUuid", "config.template", "config.files.vmPathName", "config.guestId", "config.managedBy",
    *_VCLS_MARKERS,
)
VM_GUEST = ("guest.net", "guest.ipAddress", "guest.hostName", "config.vAppConfig.product", "customValue")

_SERIALS = frozenset({"ServiceTag", "SerialNumber", "SerialNumberTag", "EnclosureSerialNumberTag", "AssetTag"})
_NO_SERIALS = frozenset(
    {"", "unknown", "none", "n/a", "not specified", "default string", "to be filled by o.e.m.", "no asset tag"}
)


UNIDENTIFIED = "unidentified:"
"""Before the reference of a VM whose instance UUID has never been seen."""

_VCLS_MANAGERS = frozenset({("com.vmware.vim.eam", "cluster-agent"), ("VirtualCenter", "vcls-entity")})
"""Extension and type of vCLS as VMs, and as part of ESXi since 8.0 U3 (KB 370219)."""
_AGENT_MANAGERS = ("com.vmware.vim.eam", "com.vmware.vsan")
"""Extensions that stop their VMs when the host enters maintenance mode and start them when it leaves: ESX Agent Manager
with the agents of every solution that uses it, and vSAN with its file services. An extension of another name (Cloud
Director, Site Recovery Manager, Supervisor, NSX) only says whose a VM is: nobody stops it for the host's sake, so it is
a workload."""
_LOST = frozenset({"inaccessible", "orphaned", "invalid"})


@dataclass(frozen=True, slots=True)
class VmFacts:
    """What changes slowly about a VM."""

    id: str
    name: str
    is_template: bool
    path: str | None
    addresses: tuple[str, ...] = ()
    guest_name: str | None = None
    product: str | None = None
    tier: int | None = None
    """Of its custom attribute."""
    role: Role = Role.WORKLOAD
    """Without fault tolerance, which changes fast."""
    managed_by: str = ""
    guest_os: str | None = None


def host_slow(*, is_verified: bool) -> tuple[str, ...]:
    """What changes slowly about a host. Its certificate is asked only of a vCenter that was itself verified: it is
    trusted later, and whoever may stand between could have put their own there.
    """
    return (*_HOST_SLOW, _CERTIFICATE) if is_verified else _HOST_SLOW


def vm_facts(moref: str, seen: Properties, tier_key: int | None = None) -> VmFacts:
    """Read a VM's slow facts; `tier_key` is the number of the custom attribute that holds its tier.

    An inaccessible VM shows no instance UUID: it is named by its reference, so that it is seen and never lost.
    """
    uuid = _text(seen, "config.instanceUuid")
    products = each(seen.get("config.vAppConfig.product"), "VAppProductInfo")
    role, managed_by = _role(seen)
    return VmFacts(
        id=uuid.lower() if uuid else f"{UNIDENTIFIED}{moref}",
        name=_text(seen, "name") or moref,
        is_template=seen.get("config.template") is True,
        path=_text(seen, "config.files.vmPathName"),
        addresses=_addresses(seen),
        guest_name=_text(seen, "guest.hostName"),
        product=next((name for p in products if (name := text(p, "name"))), None),
        tier=_tier_attribute(seen, tier_key),
        role=role,
        managed_by=managed_by,
        guest_os=_text(seen, "config.guestId"),
    )


def known_or_read(
    vms: Mapping[str, Properties], known: Mapping[str, VmFacts], tier_key: int | None = None
) -> dict[str, VmFacts]:
    """Read the slow facts of VMs by their references.

    A VM whose files have gone out of reach no longer shows its configuration: it stays who it was.
    """
    return {
        m: known[m] if m in known and "config.instanceUuid" not in seen else vm_facts(m, seen, tier_key)
        for m, seen in vms.items()
    }


def vm_of(facts: VmFacts, seen: Properties, host: str, tier: int | None = None) -> Vm:
    """Join a VM's slow facts with what it does now; `tier` is that of its tag, which stands above its attribute."""
    connection = seen.get("runtime.connectionState", "connected")
    is_secondary = seen.get("config.ftInfo.role", "1") != "1"
    by_attribute = "" if facts.tier is None else "attribute"
    runs_tools = seen.get("guest.toolsRunningStatus") == "guestToolsRunning"
    return Vm(
        id=facts.id,
        name=facts.name,
        host=host,
        power=_VM_POWER.get(str(seen.get("runtime.powerState")), Power.UNKNOWN),
        can_shut_down_guest=runs_tools and seen.get("guest.guestStateChangeSupported") is not False,
        is_tools_running=runs_tools,
        is_template=facts.is_template,
        is_reachable=connection == "connected",
        tier=facts.tier if tier is None else tier,
        tier_by=by_attribute if tier is None else "tag",
        path=facts.path,
        addresses=facts.addresses,
        guest_name=facts.guest_name,
        product=facts.product,
        role=Role.FT_SECONDARY if is_secondary and facts.role is Role.WORKLOAD else facts.role,
        managed_by=facts.managed_by,
        is_lost=connection in _LOST,
        question=question_of(seen.get("runtime.question")),
        guest_os=facts.guest_os,
    )


def host_of(moref: str, seen: Properties) -> Host:
    name = _text(seen, "name") or moref
    connection = seen.get("runtime.connectionState")
    is_connected = connection == "connected"
    power = seen.get("runtime.powerState")
    shown = Power.ON if is_connected and power == "poweredOn" else Power.UNKNOWN
    return Host(
        name=name,
        address=_address(_text(seen, "summary.config.name") or name, _text(seen, "summary.config.port") or "443"),
        uuid=(_text(seen, "summary.hardware.uuid") or "").lower(),
        serials=_serials(seen),
        is_connected=is_connected,
        in_maintenance=seen.get("runtime.inMaintenanceMode") is True,
        power=Power.OFF if power == "standBy" else shown,
        thumbprint=_thumbprint(seen.get(_CERTIFICATE)),
        in_lockdown=seen.get(_LOCKDOWN, "lockdownDisabled") != "lockdownDisabled",
        is_let_go=connection == "disconnected",
    )


def settings_of(configuration: Element | None, vcls: Vcls) -> ClusterSettings:
    """Read HA, DRS and DPM from a ClusterConfigInfoEx; absent ones are off."""
    return ClusterSettings(
        ha_enabled=truth(configuration, "dasConfig/enabled") or False,
        ha_host_monitoring=text(configuration, "dasConfig/hostMonitoring"),
        ha_admission_control=truth(configuration, "dasConfig/admissionControlEnabled"),
        drs_enabled=truth(configuration, "drsConfig/enabled") or False,
        drs_behavior=text(configuration, "drsConfig/defaultVmBehavior"),
        drs_overrides=truth(configuration, "drsConfig/enableVmBehaviorOverrides"),
        dpm_enabled=truth(configuration, "dpmConfigInfo/enabled"),
        vcls=vcls,
    )


def has_vsan(configuration: Element | None, hosts: Iterable[Properties] = ()) -> bool:
    """Tell whether the cluster uses vSAN, or one of its hosts says so of itself."""
    return truth(configuration, "vsanConfigInfo/enabled") or any(host.get(HOST_VSAN) is True for host in hosts)


def tier_of(text: str) -> int | None:
    """Read a tier as a person writes it: a whole number from 1; anything else is none."""
    stripped = text.strip()
    return int(stripped) if stripped.isdecimal() and int(stripped) >= 1 else None


def _role(seen: Properties) -> tuple[Role, str]:
    """Whose a VM is by its markers, never by its name, and the extension that manages an agent."""
    managed_by, markers = seen.get("config.managedBy"), [seen.get(path) for path in _VCLS_MARKERS]
    manager = kind = None
    if isinstance(managed_by, Element):
        manager, kind = text(managed_by, "extensionKey"), text(managed_by, "type")
    marked = [text(m, "value") or "" for m in markers if isinstance(m, Element)]
    if any(value.strip().lower() == "true" for value in marked) or (manager, kind) in _VCLS_MANAGERS:
        return Role.VCLS, ""
    if manager is not None and manager.startswith(_AGENT_MANAGERS):
        return Role.AGENT, manager
    return Role.WORKLOAD, ""


_VM_POWER = {"poweredOn": Power.ON, "poweredOff": Power.OFF, "suspended": Power.OFF}


def _tier_attribute(seen: Properties, key: int | None) -> int | None:
    if key is None:
        return None
    values = each(seen.get("customValue"), "CustomFieldValue")
    return next((tier_of(text(v, "value") or "") for v in values if text(v, "key") == str(key)), None)


def _addresses(seen: Properties) -> tuple[str, ...]:
    found = [ip.text or "" for nic in each(seen.get("guest.net"), "GuestNicInfo") for ip in each(nic, "ipAddress")]
    return tuple(dict.fromkeys(ip for ip in [_text(seen, "guest.ipAddress") or "", *found] if ip))


def _serials(seen: Properties) -> tuple[str, ...]:
    """Whatever identifies the chassis, in the vendor's writing; placeholders are left out."""
    system = seen.get("hardware.systemInfo")
    found = [text(system, "serialNumber") or ""] if isinstance(system, Element) else []
    others = each(seen.get("summary.hardware.otherIdentifyingInfo"), "HostSystemIdentificationInfo")
    found += [text(o, "identifierValue") or "" for o in others if text(o, "identifierType/key") in _SERIALS]
    return tuple(dict.fromkeys(s.strip() for s in found if s.strip().lower() not in _NO_SERIALS))


def _address(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _thumbprint(certificate: Value | None) -> str | None:
    """SHA-256 of the certificate that vCenter holds of a host: PEM, as an array of signed bytes or as base64."""
    if not isinstance(certificate, Element):
        return None
    numbers = [b.text or "" for b in each(certificate, "byte")]
    try:
        pem = bytes(int(n) & 0xFF for n in numbers) if numbers else base64.b64decode(certificate.text or "")
        return sha256(pem.decode("ascii").strip())
    except ValueError:  # not numbers, not base64, not ASCII, not PEM
        return None


def _text(seen: Properties, path: str) -> str | None:
    """A property's text; None where it is unset or empty."""
    value = seen.get(path)
    return value if isinstance(value, str) and value else None


def runs_on(seen: Properties, names: Mapping[str, str]) -> str:
    """Name of the host that a VM is registered on, by the hosts' references."""
    return names.get(_text(seen, "runtime.host") or "", "")
