"""A virtual site as it is planned: frozen values from which a world is built.

Durations are what the thing takes on average; each is varied by the world's seed.
"""

import math
from dataclasses import dataclass, field

from thermo_guard.core.plant import ClusterSettings, Question, Role
from thermo_guard.ports import MissingPrivilege

from .physics import Cooling, Outage, Probe, Room

SETTINGS = ClusterSettings(
    ha_enabled=True, ha_host_monitoring="enabled", ha_admission_control=True, drs_enabled=True,
    drs_behavior="fullyAutomated", drs_overrides=True, dpm_enabled=False,
)

NO_SETTINGS = ClusterSettings(
    ha_enabled=False, ha_host_monitoring=None, ha_admission_control=None, drs_enabled=False, drs_behavior=None,
    drs_overrides=None, dpm_enabled=None,
)
"""Of hosts that no vCenter holds together."""


@dataclass(frozen=True, slots=True)
class HostPlan:
    """An ESXi host and the server it runs on."""

    name: str
    cluster: str = "virtual"
    """Hosts of any other cluster than the site's are not shown, but they run, and heat the room."""
    is_on: bool = True
    in_maintenance: bool = False
    boot_s: float = 180.0
    """From power-on until its API answers."""
    power_moves_s: float = 15.0
    """From power-on until its BMC calls it on."""
    shut_s: float = 60.0
    """From the command until it has no power; its API is silent from the command on."""
    busy_kw: float = 0.6
    idle_kw: float = 0.35
    off_kw: float = 0.015
    inlet_offset_k: float = 1.0
    """Its inlet against the room's air: the higher in the rack, the warmer."""
    protects_at_c: float = math.inf
    """Inlet at which its firmware shuts it down; 42 on most, see `plans`."""
    serials: tuple[str, ...] = ()
    thumbprint: str | None = None
    address: str = ""
    """The host name by which vCenter knows it; empty: its IP address."""
    is_standby: bool = False
    """DPM has put it to sleep: it has no power, and vCenter says why."""
    is_let_go: bool = False
    """vCenter has let go of it, and takes it back only when it is asked to."""
    in_lockdown: bool = False
    """It takes no direct login."""
    refuses_maintenance: bool = False
    """It declines maintenance mode, whoever asks."""
    refuses_vcenter: bool = False
    """It declines what vCenter asks of it, and obeys directly."""
    hangs_down: bool = False
    """Told to shut down, it falls silent and keeps its power until that is cut."""


@dataclass(frozen=True, slots=True)
class VmPlan:
    name: str
    host: str
    is_on: bool = True
    shut_s: float = 25.0
    """What the guest takes to shut down."""
    start_s: float = 40.0
    """From power-on until its tools run."""
    has_tools: bool = True
    hangs: bool = False
    """The guest takes the shutdown and never ends it; a forced power-off works."""
    hangs_power_off: bool = False
    """A forced power-off is taken and never ends; killing its process works."""
    is_stuck: bool = False
    """Nothing works."""
    is_template: bool = False
    is_suspended: bool = False
    tier: int | None = None
    addresses: tuple[str, ...] = ()
    guest_name: str | None = None
    product: str | None = None
    guest_os: str | None = None
    """vSphere's guestId."""
    role: Role = Role.WORKLOAD
    managed_by: str = ""
    """Of an agent: the solution that manages it."""
    ft_primary: str | None = None
    """Name of the VM whose fault-tolerance secondary it is; its role is then FT_SECONDARY."""
    drs_automated: bool = False
    """Its own automation level is full, whatever the cluster's is."""
    is_lost: bool = False
    """Its files are not there: nobody can do anything with it."""
    asks: Question | None = None
    """What it asks when its guest is told to shut down, and stands still until it is answered."""
    ports: tuple[int, ...] = ()
    """TCP ports that answer at its addresses while it runs."""
    ready_s: float = 60.0
    """From power-on until they answer."""


@dataclass(frozen=True, slots=True)
class InletPlan:
    """The sensor at a server's air inlet, which its BMC shows."""

    is_there: bool = True
    shows_when_off: bool = True
    """It shows the air around it also while its server is off; otherwise nothing."""
    bias_k: float | None = None
    """What it is off by; None: drawn by the seed."""
    step_c: float = 1.0
    """Degrees that one count stands for."""


@dataclass(frozen=True, slots=True)
class BmcPlan:
    address: str
    host: str | None
    """The host it is built into; None: a server that has nothing to do with vSphere."""
    model: str = "Virtual BMC"
    swaps_uuid: bool = False
    """It writes the UUID's first three fields in the other byte order."""
    shows_uuid: bool = True
    auto_power_on: str | None = "Restore"
    says_off: bool = False
    """It says Off whatever its server does."""
    is_dead: bool = False
    """It never answers."""
    inlet: InletPlan = InletPlan()


@dataclass(frozen=True, slots=True)
class SensorPlan:
    serial: str
    cadence_s: float = 60.0
    probe: Probe = field(default_factory=Probe)


@dataclass(frozen=True, slots=True)
class VcenterPlan:
    address: str = "vcenter.virtual.invalid"
    ip: str = "192.0.2.10"
    vm: str | None = None
    """The VM that runs it; None: it runs elsewhere and never stops."""
    start_s: float = 240.0
    """From power-on of its VM until it answers."""
    heartbeat_s: float = 30.0
    """How long it goes on showing a silent host as connected."""
    rejoin_s: float = 10.0
    """From a host's first answer until it shows it as connected."""
    user: str = "thermo-guard@virtual"
    """VCENTER_USER."""
    idle_s: float = 1800.0
    """A session that nobody uses ends after this."""
    latency_s: float = 0.0
    """What each call to it takes, on top of what every call takes."""
    moves_every_s: float = math.inf
    """So often DRS moves its VM to another host, while it is in full automation."""
    never_returns: bool = False
    """Once its VM has been off, it does not answer again until a person mends it."""


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """What the guard leans on, and which VM of the cluster carries it: each is off while its VM is.

    None: it stands elsewhere and never stops.
    """

    dns: str | None = None
    """The VM that answers the guard's questions for names."""
    domain_controller: str | None = None
    """The VM that vCenter asks about VCENTER_USER's password. Without it, who is logged in stays so, and nobody else
    gets in."""
    mail: str | None = None
    guard: str | None = None
    """The VM that the guard runs in; its addresses are the guard's own."""
    is_wan_up: bool = True
    """The way to the sensors' source."""
    sensors_address: str = "sensors.virtual.invalid"
    """Host name of the sensors' source."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One site. Times in `outages` are seconds from the world's start."""

    room: Room
    hosts: tuple[HostPlan, ...]
    vms: tuple[VmPlan, ...]
    bmcs: tuple[BmcPlan, ...]
    sensors: tuple[SensorPlan, ...]
    cluster: str = "virtual"
    settings: ClusterSettings = SETTINGS
    vcenter: VcenterPlan = VcenterPlan()
    infrastructure: Infrastructure = Infrastructure()
    cooling: Cooling | None = None
    outages: tuple[Outage, ...] = ()
    other_kw: float = 0.2
    """Switches, storage, the NAS: what no guard switches off."""
    denied: tuple[MissingPrivilege, ...] = ()
    """Rights that the guard's account lacks."""
    alert_c: float = 35.0
    """Where Meraki's own alert stands."""
    has_vsan: bool = False
    is_standalone: bool = False
    """There is no vCenter, and none of its services: each host is asked by itself."""
