"""Looks at the world beside the loop: each in a task of its own, bounded, never two of one kind at once.

A look that hangs delays nobody: the loop takes what has come in and plans with that. What is shown is made Unseen once
it is too old to act on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import structlog

from thermo_guard.core.plant import BmcSeen, ClusterSeen, HostSeen, Sight, Unseen
from thermo_guard.core.readings import AlertCount, Poll
from thermo_guard.ports import Clock, Fault, Hypervisor, PowerController, RoomSensors, TcpPorts, Transient, Unauthorized

log = structlog.get_logger()

LOOK_VALID_S = 10.0
"""In an incident, a look that is older than this and has not been renewed is no longer acted on."""
MISSES = 2
"""So many looks in a row that vCenter or a host did not answer outweigh what it showed before: it has gone. One may be
a hiccup; to wait until the last showing is too old would cost the same 10 s again at each server that is shut down."""

T = TypeVar("T")


class Look(Generic[T]):
    """One thing that is looked at again and again; keeps the last showing and why the last try failed."""

    def __init__(
        self, name: str, ask: Callable[[], Awaitable[T]], clock: Clock, *, misses: int | None = None
    ) -> None:
        """:param misses: so many failed looks in a row make it Unseen; None: only time does."""
        self.name = name
        self.ask = ask
        self.clock = clock
        self.misses = misses
        self.missed = 0
        self.task: asyncio.Task[T] | None = None
        self.started_at: float | None = None
        self.shown: T | None = None
        self.shown_at: float | None = None
        self.fault: Fault | None = None
        self.failing_since: float | None = None
        self.tried_at: float | None = None
        """When it was last answered or failed."""
        self.took_s = 0.0
        self.tries = 0
        self.failures = 0

    def start_if_due(self, every_s: float) -> None:
        now = self.clock.now()
        if self.task is None and (self.started_at is None or now - self.started_at >= every_s):
            self.started_at = now
            self.tries += 1
            self.task = asyncio.ensure_future(self.ask())

    def due_in_s(self, every_s: float) -> float:
        """Seconds until it should be asked again; infinite while it is being asked."""
        if self.task is not None:
            return float("inf")
        return 0.0 if self.started_at is None else max(0.0, self.started_at + every_s - self.clock.now())

    def take(self) -> T | None:
        """What has newly come in, once; None where nothing has."""
        if self.task is None or not self.task.done():
            return None
        task, self.task = self.task, None
        self.tried_at = self.clock.now()
        try:
            shown = task.result()
        except Fault as fault:
            if self.failing_since is None:
                log.warning("look.failed", look=self.name, reason=str(fault), fault=type(fault).__name__)
            self._miss(fault)
            return None
        except Exception as error:
            broken = Transient(f"its answer could not be read: {type(error).__name__}, see the log")
            if str(broken) != str(self.fault):
                log.exception("look.broken", look=self.name)
            self._miss(broken)
            return None
        if self.failing_since is not None:
            log.info("look.recovered", look=self.name)
        self.fault = self.failing_since = None
        self.missed = 0
        self.shown, self.shown_at = shown, self.clock.now()
        self.took_s = self.shown_at - (self.started_at if self.started_at is not None else self.shown_at)
        return shown

    def _miss(self, fault: Fault) -> None:
        self.failures += 1
        self.missed += 1
        if self.failing_since is None:
            self.failing_since = self.clock.now()
        self.fault = fault

    def ask_again(self) -> None:
        """Make it due now."""
        self.started_at = None

    @property
    def has_looked(self) -> bool:
        """It has shown something or failed, at least once."""
        return self.tried_at is not None

    def value(self, valid_s: float) -> T | Unseen:
        """What it shows, unless that is too old to act on or has been missed too often since."""
        now = self.clock.now()
        bound_s = max(valid_s, 2 * self.took_s)
        has_gone = self.misses is not None and self.missed >= self.misses
        if not has_gone and self.shown is not None and self.shown_at is not None and now - self.shown_at <= bound_s:
            return self.shown
        since_when = self.shown_at if self.shown_at is not None else self.failing_since
        return Unseen(
            since=since_when if since_when is not None else now,
            reason=str(self.fault) if self.fault is not None else "no answer yet",
            is_refused=isinstance(self.fault, Unauthorized),
        )

    def call_off(self) -> None:
        """End a look that is under way without its answer; it is due again."""
        if self.task is not None:
            self.task.cancel()
            self.task = self.started_at = None

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


class Lookout:
    """All looks of one site."""

    def __init__(
        self, clock: Clock, sensors: RoomSensors, hypervisor: Hypervisor, bmcs: Iterable[PowerController],
        tcp: TcpPorts | None = None,
    ) -> None:
        self.clock = clock
        self._tcp = tcp
        self.hypervisor = hypervisor
        self.polls: Look[Poll] = Look("sensors", sensors.poll, clock)
        self.counts: Look[AlertCount] = Look("alert count", sensors.alert_count, clock)
        self.cluster: Look[ClusterSeen] = Look("vCenter", hypervisor.observe, clock, misses=MISSES)
        self.bmcs: Mapping[str, Look[BmcSeen]] = {
            bmc.address: Look(f"BMC {bmc.address}", bmc.observe, clock) for bmc in bmcs
        }
        self.direct: dict[str, Look[HostSeen]] = {}
        self.ports: dict[str, Look[bool]] = {}
        """By id of the VM whose port is waited for."""
        self._wanted_ports: Mapping[str, tuple[Sequence[str], int]] = {}

    def look_at_hosts(self, hosts: Mapping[str, tuple[str, str | None]]) -> None:
        """Set which hosts are looked at directly: name to (address, thumbprint)."""
        for name, (address, thumbprint) in hosts.items():
            if name not in self.direct:
                ask = self._asker(name, address, thumbprint)
                self.direct[name] = Look(f"host {name}", ask, self.clock, misses=MISSES)
        for name in [name for name, look in self.direct.items() if name not in hosts and look.task is None]:
            del self.direct[name]

    def look_at_ports(self, wanted: Mapping[str, tuple[Sequence[str], int]]) -> None:
        """Set which TCP ports are looked at: VM id to (IP addresses, port). What has answered once is not forgotten."""
        self._wanted_ports = wanted
        for vm_id in wanted.keys() - self.ports.keys() if self._tcp is not None else ():
            self.ports[vm_id] = Look(f"port {wanted[vm_id][1]}", self._knocker(vm_id), self.clock)

    def forget_ports(self) -> None:
        """None is waited for any more."""
        for look in self.ports.values():
            look.call_off()
        self.ports.clear()

    def _knocker(self, vm_id: str) -> Callable[[], Awaitable[bool]]:
        async def is_open() -> bool:
            addresses, port = self._wanted_ports.get(vm_id, ((), 0))  # a VM may come up with another address
            assert self._tcp is not None  # noqa: S101 - nothing is looked at without it
            return any(await asyncio.gather(*(self._tcp.is_open(address, port) for address in addresses)))

        return is_open

    def _asker(self, name: str, address: str, thumbprint: str | None) -> Callable[[], Awaitable[HostSeen]]:
        return lambda: self.hypervisor.look_at_host(name, address, thumbprint)

    def all(self) -> list[Look[Any]]:
        return [self.polls, self.counts, self.cluster, *self.bmcs.values(), *self.direct.values(), *self.ports.values()]

    def sight(self, valid_s: float) -> Sight:
        """Everything as it was last shown; what is older than `valid_s` is Unseen."""
        return Sight(
            cluster=self.cluster.value(valid_s),
            direct={name: look.value(valid_s) for name, look in self.direct.items()},
            bmcs={address: look.value(2 * valid_s) for address, look in self.bmcs.items()},
            ready=frozenset(vm_id for vm_id, look in self.ports.items() if look.shown),
        )

    @property
    def has_looked(self) -> bool:
        """The plant has been looked at from every side that is configured, with or without success."""
        return self.cluster.has_looked and all(look.has_looked for look in self.bmcs.values())

    async def aclose(self) -> None:
        for look in self.all():
            await look.stop()
