"""What the loop is given: how it was told to work, and everything outside that it works with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from thermo_guard.core.finding import Finding
from thermo_guard.core.goal import Mode
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.restart_rules import RestartRules
from thermo_guard.core.runbook import Runbook
from thermo_guard.core.step import Timing
from thermo_guard.ports import (
    Clock,
    Hints,
    Hypervisor,
    Inlet,
    Journal,
    Messages,
    Names,
    Notifier,
    Past,
    PowerController,
    RoomSensors,
    StatusBoard,
    TcpPorts,
)

from .ledger import Listener
from .logins import RefusedLogins

Preflight = Callable[[], Awaitable[Sequence[Finding]]]
"""Looks at the whole site once and says what stands in the way; changes nothing."""


Aside = Callable[[Callable[[], float]], Awaitable[float]]
"""Does a long sum beside the loop."""


async def at_once(work: Callable[[], float]) -> float:
    """Where nothing has to wait for it, as in virtual time."""
    return work()


MinuteOfDay = Callable[[float], int]
"""The minute of the local day at a time in seconds since 1970 UTC."""


def utc_minute_of_day(at: float) -> int:
    """Where the site's own time is of no matter."""
    return int(at // 60) % (24 * 60)


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What the loop was told; seconds."""

    policy: PolicySettings
    timing: Timing
    runbook: Runbook = field(default_factory=Runbook)
    mode: Mode = Mode.ARMED
    poll_s: float = 60.0
    snapshot_s: float = 600.0
    active_s: float = 2.0
    arm_after_s: float = 900.0
    vcenter_vm: str | None = None
    guard_vm: str | None = None
    inlet_s: float = 30.0
    restart: RestartRules = field(default_factory=RestartRules)
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
    preflight: Preflight | None = None
    """None: the site cannot prove itself; only an operator arms the guard."""
    names: Names | None = None
    ports: TcpPorts | None = None
    """None: whether a TCP port answers is not known, and its VM's time is waited out."""
    logins: RefusedLogins | None = None
    own_addresses: Callable[[], Sequence[str]] = tuple
    """By which the guard reaches its peers: what VM it runs in is found by them."""
    aside: Aside = at_once
    inlets: Sequence[Inlet] = ()
    past: Past | None = None
    messages: Messages | None = None
    hints: Hints | None = None
    minute_of_day: MinuteOfDay = utc_minute_of_day
    listeners: tuple[Listener, ...] = ()
