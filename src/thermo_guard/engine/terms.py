"""What the loop is given: how it was told to work, and everything outside that it works with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from thermo_guard.core.goal import Mode
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.step import Timing
from thermo_guard.core.tiers import Tiers
from thermo_guard.ports import Clock, Hypervisor, Journal, Notifier, PowerController, RoomSensors, StatusBoard

from .ledger import Listener


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What the loop was told; seconds."""

    policy: PolicySettings
    timing: Timing
    tiers: Tiers = field(default_factory=Tiers)
    mode: Mode = Mode.ARMED
    poll_s: float = 60.0
    snapshot_s: float = 600.0
    active_s: float = 2.0
    vcenter_vm: str | None = None
    bmc_overrides: Mapping[str, str] = field(default_factory=dict)
    """`esxi_host` by BMC address."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Everything outside that the loop works with."""

    clock: Clock
    sensors: RoomSensors
    hypervisor: Hypervisor
    bmcs: Sequence[PowerController]
    journal: Journal
    notifier: Notifier
    board: StatusBoard
    listeners: tuple[Listener, ...] = ()
