"""Who carries out what happens to the plant from outside: a power cut, a person's hand, firmware, fate.

In one process it is the cluster itself. Where another program holds the truth about hosts and VMs, `Hands` are that
program's, and the cluster shows what came of it.
"""

from typing import TYPE_CHECKING, Protocol

from thermo_guard.core.plant import Question

from .machines import HostState, Stage, VmState

if TYPE_CHECKING:
    from .cluster import VirtualCluster

CRITICAL_OVER_K = 5.0
"""So much above its orderly shutdown, a host's hardware cuts the power."""


class Hands(Protocol):
    def start(self, host: HostState, by: str) -> None:
        """Give it power, as its BMC or a person at the button does."""

    def shut_down(self, host: HostState, why: str) -> None:
        """Let ESXi go down in good order, as its power button does."""

    def cut_power(self, host: HostState, why: str) -> None: ...

    def let_go(self, host: HostState) -> None:
        """Let vCenter disconnect it."""

    def lock_down(self, host: HostState, *, is_on: bool) -> None: ...

    def power_on(self, vm: VmState, why: str) -> None: ...

    def switch_off(self, vm: VmState, how: str) -> None:
        """Take its power at once."""

    def move(self, vm: VmState, host: str, why: str) -> None: ...

    def ask(self, vm: VmState, question: Question) -> None: ...

    def lose(self, vm: VmState) -> None:
        """Take its files away."""

    def break_vcenter(self, *, is_broken: bool) -> None: ...


def protect_from(cluster: "VirtualCluster", air_c: float) -> None:
    """What each host's firmware does of its own accord at this temperature of the air."""
    for host in cluster.hosts.values():
        inlet_c = air_c + host.plan.inlet_offset_k
        if inlet_c < host.plan.protects_at_c:
            continue
        if inlet_c >= host.plan.protects_at_c + CRITICAL_OVER_K:
            if host.stage is not Stage.OFF:
                cluster.hands.cut_power(host, f"cut by its hardware at {inlet_c:.1f} degC inlet")
        elif host.stage is Stage.UP:
            cluster.hands.shut_down(host, f"shut down by its firmware at {inlet_c:.1f} degC inlet")
