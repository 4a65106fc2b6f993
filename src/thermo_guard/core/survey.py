"""One look at a whole site from every side, as values: what `check` judges and `plan` starts from.

A side that showed nothing is Unseen and says why; nothing in here knows how it was looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .data_folder import Storage
from .events import Took
from .infrastructure import Infrastructure
from .plant import BmcSeen, ClusterSeen, HostSeen, MissingPrivilege, Unseen
from .readings import AlertCount, Poll, Reading
from .record import Way
from .scope import Scope
from .snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Network:
    """The sensors' network as its dashboard describes it."""

    id: str
    name: str
    sensors: Mapping[str, str | None]
    """Name by serial number of each temperature sensor; None where nobody has named it."""


@dataclass(frozen=True, slots=True)
class BrokerSeen:
    """The broker to which gateways on site publish."""

    address: str
    """host:port."""
    heard: Mapping[str, float]
    """When each sensor last spoke over it, by serial number, or MAC address where that is not known."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The guard's folder on the disk."""

    path: str
    is_there: bool
    is_writable: bool
    """The folder, or where it is not there the one that it will be made in."""
    user_id: int
    free_bytes: int | None
    nearest: str = ""
    """What there is of it: the folder itself, or the first of its parents that is there."""
    is_folder: bool = True
    """`nearest` is one."""
    running: str | None = None
    """A guard that works on it now, in words."""
    storage: Storage = Storage.DISK
    in_container: bool = False
    """The guard runs in one, and the folder with it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the journal remembers."""

    sensors: tuple[str, ...] = ()
    """The voting sensors that it has learned, where the settings name none."""
    readings: tuple[Reading, ...] = ()
    bmc_of: Mapping[str, str] | None = None
    """BMC address by host name."""
    snapshot: Snapshot | None = None
    incident: str | None = None
    """The one that is open."""
    is_snapshot_closed: bool = False
    took: Mapping[Way, tuple[Took, ...]] = field(default_factory=dict)
    """How long things took in earlier incidents and rehearsals."""
    scope: Scope = field(default_factory=Scope)
    """What an alarm may touch."""


@dataclass(frozen=True, slots=True)
class InletSeen:
    """The inlet of a server, as its BMC showed it."""

    sensor: str | None
    """The one that is taken, as the BMC names it; None: none has been found yet."""
    poll: Poll


@dataclass(frozen=True, slots=True)
class Survey:
    """What each side showed."""

    at: float
    """When the last side had answered, on the guard's line."""
    network: Network | Unseen
    poll: Poll | Unseen
    alert_count: AlertCount | Unseen
    cluster: ClusterSeen | Unseen
    missing: tuple[MissingPrivilege, ...] | Unseen
    direct: Mapping[str, HostSeen | Unseen]
    """Of every host of the cluster, by name."""
    bmcs: Mapping[str, BmcSeen | Unseen]
    """Of every configured BMC, by address."""
    clock_ahead_s: float | None
    """How far the guard's clock is ahead of the sensors' source; None where that could not be told."""
    folder: DataFolder
    memory: Memory | Unseen
    """Unseen: there is a journal that cannot be read."""
    infrastructure: Infrastructure = field(default_factory=Infrastructure)
    broker: BrokerSeen | Unseen | None = None
    inlets: Mapping[str, InletSeen | Unseen] = field(default_factory=dict)
    """Of each BMC that answered, by address; empty where inlets are not asked for."""
    """None: none is configured."""
