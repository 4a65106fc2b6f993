"""The plant as values: hosts, VMs, cluster settings, BMCs, as some look at them showed.

A host is known by its name in vCenter, which is also the name its direct connection goes to; a VM by its instance
UUID, which is the same on vCenter and on ESXi (managed object references are not).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Power(StrEnum):
    """MOVING is a state in transition and never counts as OFF; UNKNOWN is a value of its own, never a guess."""

    ON = "on"
    OFF = "off"
    MOVING = "moving"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """Whose a VM is: who stops it, and who starts it again."""

    WORKLOAD = "workload"
    """The guard's."""
    VCLS = "vcls"
    """One of vSphere's own cluster services: it starts itself anew until retreat mode takes it away."""
    AGENT = "agent"
    """Of another solution, which starts and stops it with its host."""
    FT_SECONDARY = "ft secondary"
    """Of a fault-tolerant pair: it follows its primary."""


class Vcls(StrEnum):
    """The vSphere cluster services of a cluster, small VMs that vCenter starts anew whenever they are stopped."""

    NONE = "none"
    """It has none, or needs no retreat mode: before 7.0 U1, and from 9.0 on."""
    ON = "on"
    RETREAT = "retreat"


@dataclass(frozen=True, slots=True)
class Question:
    """What a VM waits for a person's answer to; it stands still meanwhile."""

    id: str
    text: str
    default: str | None = None
    """Key of the answer that vSphere itself proposes; None where it proposes none."""
    choices: tuple[tuple[str, str], ...] = ()
    """(key, label) of each possible answer."""


@dataclass(frozen=True, slots=True)
class Vm:
    """A virtual machine as vCenter or its ESXi host shows it."""

    id: str
    """Instance UUID, lower case."""
    name: str
    host: str
    """Name of the host it is registered on."""
    power: Power
    """A suspended VM is OFF: it is neither stopped nor started."""
    can_shut_down_guest: bool = True
    """VMware Tools run and take a shutdown."""
    is_tools_running: bool = True
    is_template: bool = False
    is_reachable: bool = True
    """False while vCenter holds it disconnected, inaccessible, orphaned or invalid."""
    tier: int | None = None
    """From a tag or custom attribute `thermo-guard-tier`; 1 stops first; None where there is none."""
    tier_by: str = ""
    """'tag' or 'attribute', where there is a tier."""
    path: str | None = None
    """Of its .vmx file, `[datastore] folder/name.vmx`: with it a VM of a dead host is registered elsewhere."""
    addresses: tuple[str, ...] = ()
    """IP addresses that its tools report."""
    guest_name: str | None = None
    """Host name that its tools report."""
    product: str | None = None
    """Name of the appliance product, where it is one."""
    role: Role = Role.WORKLOAD
    managed_by: str = ""
    """Of an agent: the solution that manages it."""
    is_lost: bool = False
    """Orphaned, inaccessible or invalid: its files are not there, so nobody can stop or start it."""
    question: Question | None = None
    guest_os: str | None = None
    """vSphere's guestId, as `windows2019srv_64Guest`."""


@dataclass(frozen=True, slots=True)
class Host:
    """An ESXi host as vCenter shows it."""

    name: str
    address: str
    """host:port of its own API."""
    uuid: str
    """Of the hardware, lower case, as vSphere writes it."""
    serials: tuple[str, ...] = ()
    """Serial number, service tag, asset tag: whatever identifies the chassis."""
    is_connected: bool = True
    """vCenter has a heartbeat of it; False says nothing about its power."""
    in_maintenance: bool = False
    power: Power = Power.ON
    """As vCenter shows it: OFF only for standby; a host that does not answer is UNKNOWN."""
    thumbprint: str | None = None
    """SHA-256 of its certificate as vCenter shows it, hex without colons, where it does."""
    in_lockdown: bool = False
    """In lockdown mode, normal or strict, it lets only exception users log in directly."""
    is_let_go: bool = False
    """vCenter has let go of it ('disconnected') and takes it back only when it is asked to; False also for a host that
    merely does not respond, which vCenter takes back by itself."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """HA, DRS and DPM as they stand, in vSphere's own words; what is saved here is what is restored."""

    ha_enabled: bool
    ha_host_monitoring: str | None
    """'enabled' or 'disabled'."""
    ha_admission_control: bool | None
    drs_enabled: bool
    drs_behavior: str | None
    """'manual', 'partiallyAutomated' or 'fullyAutomated'."""
    drs_overrides: bool | None
    """Per-VM automation levels are honoured."""
    dpm_enabled: bool | None
    vcls: Vcls = Vcls.NONE


@dataclass(frozen=True, slots=True)
class CommandFailure:
    """A task that was accepted and then failed, in the server's words."""

    verb: str
    target: str
    text: str


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """One look through vCenter at the cluster: its hosts, the VMs on them, its settings."""

    at: float
    name: str
    hosts: tuple[Host, ...]
    vms: tuple[Vm, ...]
    settings: ClusterSettings
    addresses: tuple[str, ...] = ()
    """Where vCenter itself was reached: its host name and the IP addresses that this name stands for."""
    failures: tuple[CommandFailure, ...] = ()
    has_vsan: bool = False
    is_standalone: bool = False
    """There is no vCenter: the hosts were asked one by one, each over its own API."""


@dataclass(frozen=True, slots=True)
class HostSeen:
    """One look at a host over its own API."""

    at: float
    name: str
    uuid: str
    in_maintenance: bool
    vms: tuple[Vm, ...]
    failures: tuple[CommandFailure, ...] = ()
    managed_by: str = ""
    """IP address of the vCenter that manages it; empty where none does."""


@dataclass(frozen=True, slots=True)
class MissingPrivilege:
    """A right that the account lacks on one entity."""

    entity_kind: str
    """'cluster', 'host' or 'vm'."""
    entity: str
    privilege: str
    """vSphere's id of it, e.g. VirtualMachine.Interact.PowerOff."""


@dataclass(frozen=True, slots=True)
class BmcSeen:
    """One look at a BMC: what it is built into and its power."""

    at: float
    address: str
    """As in ILO_HOSTS; identifies the BMC."""
    power: Power
    uuid: str | None = None
    serials: tuple[str, ...] = ()
    allowed_resets: tuple[str, ...] = ()
    auto_power_on: str | None = None
    model: str | None = None


class Trouble(StrEnum):
    """What a person mends differently, where a look shows nothing."""

    NO_NAME = "no name"
    """The host name stands for no address."""
    NOT_LISTENING = "not listening"
    """The machine refuses the connection."""
    NO_ANSWER = "no answer"
    UNTRUSTED = "untrusted"
    """Its certificate is not trusted."""
    WRONG_PIN = "wrong pin"
    """Its certificate is another one than the pinned one."""
    WRONG_CLUSTER = "wrong cluster"


@dataclass(frozen=True, slots=True)
class Unseen:
    """A look that showed nothing, and why."""

    since: float
    """When it was last seen, or first looked for; on the guard's line."""
    reason: str
    is_refused: bool = False
    """The login was refused: looking again soon would only lock the account."""
    trouble: Trouble | None = None
    """Where it is known."""
    shows: str = ""
    """SHA-256 of the certificate that it presents, where that is not trusted."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything the last looks showed. A look older than its kind's bound has been made Unseen by the engine."""

    cluster: ClusterSeen | Unseen
    direct: Mapping[str, HostSeen | Unseen] = field(default_factory=dict)
    """By host name; a host that was not looked at directly is absent."""
    bmcs: Mapping[str, BmcSeen | Unseen] = field(default_factory=dict)
    """By BMC address."""
    ready: frozenset[str] = frozenset()
    """VMs whose TCP port answers, where the runbook waits for one."""
