"""What ran, where, and how HA and DRS stood: taken in quiet time, closed at the trip, the measure of the way back."""

from dataclasses import dataclass

from .plant import ClusterSettings


@dataclass(frozen=True, slots=True)
class KeptHost:
    """A host as the snapshot keeps it."""

    name: str
    address: str
    uuid: str
    serials: tuple[str, ...]
    is_on: bool
    in_maintenance: bool
    thumbprint: str | None = None
    off_since: float | None = None
    """Since when it has been seen off while still kept as on."""


@dataclass(frozen=True, slots=True)
class KeptVm:
    """A VM as the snapshot keeps it."""

    id: str
    name: str
    host: str
    is_on: bool
    tier: int
    """Resolved: 1 stops first and starts last."""
    path: str | None = None
    is_vcenter: bool = False
    off_since: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster at one time, with what the heat has taken since still in it."""

    at: float
    cluster: str
    hosts: tuple[KeptHost, ...]
    vms: tuple[KeptVm, ...]
    settings: ClusterSettings
