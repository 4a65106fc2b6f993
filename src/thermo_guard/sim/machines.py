"""Hosts and VMs of the virtual site as they are at one time: plain state, and what it looks like from outside.

What changes them is in `cluster`.
"""

import math
import uuid
from dataclasses import dataclass
from enum import StrEnum

from thermo_guard.core.plant import BmcSeen, Power, Question, Role, Vm

from .blueprint import BmcPlan, HostPlan, VmPlan

_Key = tuple[str, bool, bool, bool, bool, Question | None]


class Stage(StrEnum):
    """Where a host is between off and on."""

    OFF = "off"
    BOOTING = "booting"
    UP = "up"
    STOPPING = "stopping"


@dataclass(slots=True)
class HostState:
    plan: HostPlan
    uuid: str
    address: str
    stage: Stage
    in_maintenance: bool
    epoch: int = 0
    """Counts its changes of stage: what was planned before the last of them is void."""
    stage_since: float = -math.inf
    silent_since: float = -math.inf
    """When it last stopped answering."""
    entering_until: float | None = None
    """It is entering maintenance mode, and gives up then; inf without a bound."""
    entering: int = 0
    """Counts the attempts to enter."""
    entered_via: str = ""
    is_broken: bool = False
    """It has power and never gets to an operating system."""
    ip: str = ""
    is_standby: bool = False
    is_let_go: bool = False
    in_lockdown: bool = False

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def attempt(self) -> tuple[int, int]:
        """Which attempt to enter maintenance mode the present one is."""
        return (self.epoch, self.entering)

    @property
    def takes_vms(self) -> bool:
        return self.stage is Stage.UP and not self.in_maintenance and self.entering_until is None

    def load_kw(self, share: float) -> float:
        """Heat it gives off; `share` of its usual VMs run."""
        if self.stage is Stage.OFF:
            return self.plan.off_kw
        if self.stage is Stage.UP:
            return self.plan.idle_kw + (self.plan.busy_kw - self.plan.idle_kw) * min(1.0, share)
        return self.plan.idle_kw

    def bmc_power(self, now: float) -> Power:
        if self.stage is Stage.OFF:
            return Power.OFF
        if self.stage is Stage.BOOTING and now < self.stage_since + self.plan.power_moves_s:
            return Power.MOVING
        return Power.ON

    def is_seen_connected(self, now: float, heartbeat_s: float, rejoin_s: float) -> bool:
        """Whether vCenter shows it as connected, which lags both ways."""
        if self.is_let_go or self.is_standby:
            return False
        if self.stage is Stage.UP:
            return now >= self.stage_since + rejoin_s
        if self.stage is Stage.STOPPING:
            return now < self.stage_since + heartbeat_s
        return self.stage is Stage.OFF and now < self.silent_since + heartbeat_s


@dataclass(slots=True)
class VmState:
    plan: VmPlan
    id: str
    host: str
    is_on: bool
    epoch: int = 0
    on_since: float = -math.inf
    is_stopping: bool = False
    was_on: bool = False
    """It ran when vCenter last knew: what that goes on showing until the host is back."""
    is_lost: bool = False
    """Its files are not there."""
    question: Question | None = None
    """What it waits for an answer to; it stands still meanwhile."""
    _shown: tuple[_Key, Vm] | None = None
    """How it was last shown, and what makes it look so: in a tick of a large site hardly any looks different."""

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def role(self) -> Role:
        return self.plan.role if self.plan.ft_primary is None else Role.FT_SECONDARY

    def serves(self, now: float) -> bool:
        """What it runs for others answers: it is up, and has not been told to shut down."""
        runs = self.is_on and not self.is_stopping and self.question is None
        return runs and now >= self.on_since + self.plan.start_s

    def has_tools(self, now: float) -> bool:
        runs = self.is_on and self.question is None and not self.is_lost
        return runs and self.plan.has_tools and now >= self.on_since + self.plan.start_s

    def listens(self, now: float, port: int) -> bool:
        """Whether this TCP port of it answers."""
        runs = self.is_on and not self.is_stopping and self.question is None
        return runs and port in self.plan.ports and now >= self.on_since + self.plan.ready_s

    def seen(self, now: float, *, is_reachable: bool = True, is_known: bool = True) -> Vm:
        """How it is shown; `is_known` False: the last known power, since its host does not answer."""
        is_on = self.is_on if is_known else (self.is_on or self.was_on)
        is_reachable = is_reachable and not self.is_lost
        tools = self.has_tools(now) and is_reachable
        key = (self.host, is_on, is_reachable, tools, self.is_lost, self.question if is_known else None)
        if self._shown is None or self._shown[0] != key:
            self._shown = (key, self._vm(*key))
        return self._shown[1]

    def _vm(
        self, host: str, is_on: bool, is_reachable: bool, tools: bool, is_lost: bool, question: Question | None,
    ) -> Vm:
        plan = self.plan
        return Vm(
            id=self.id, name=plan.name, host=host, power=Power.ON if is_on else Power.OFF,
            can_shut_down_guest=tools, is_tools_running=tools, is_template=plan.is_template, is_reachable=is_reachable,
            tier=plan.tier, tier_by="" if plan.tier is None else "tag", path=f"[virtual] {plan.name}/{plan.name}.vmx",
            addresses=plan.addresses if tools else (), guest_name=plan.guest_name if tools else None,
            product=plan.product, guest_os=plan.guest_os, role=self.role, managed_by=plan.managed_by, is_lost=is_lost,
            question=question,
        )


@dataclass(slots=True)
class BmcState:
    plan: BmcPlan
    uuid: str
    serials: tuple[str, ...]
    ip: str = ""

    def seen(self, now: float, power: Power) -> BmcSeen:
        shown = other_byte_order(self.uuid) if self.plan.swaps_uuid else self.uuid
        power = Power.OFF if self.plan.says_off else power
        return BmcSeen(
            at=now, address=self.plan.address, power=power, uuid=shown if self.plan.shows_uuid else None,
            serials=self.serials, allowed_resets=("On", "ForceOff", "GracefulShutdown"),
            auto_power_on=self.plan.auto_power_on, model=self.plan.model,
        )


def other_byte_order(text: str) -> str:
    """The UUID with its first three fields in the other byte order, as some firmware writes it."""
    return str(uuid.UUID(bytes=uuid.UUID(text).bytes_le))
