"""The edges of the program as Protocols, and the algebra of faults that adapters raise.

Adapters raise nothing but the four faults below for what a peer did or did not do, chained with `from` to the cause;
anything else that escapes one is a bug. No fault's text holds a secret.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from .core.commands import Command
from .core.events import Entry, Event
from .core.plant import BmcSeen, ClusterSeen, HostSeen, Trouble
from .core.plant import MissingPrivilege as MissingPrivilege  # noqa: PLC0414 - adapters take it from here
from .core.readings import AlertCount, Poll, Reading
from .core.snapshot import Snapshot
from .core.wishes import Wish


class Fault(Exception):  # noqa: N818 - the field says fault
    """Something at an edge went wrong; str() is for people."""

    trouble: Trouble | None = None
    """What a person has to mend, where the fault's cause does not show it."""

    def of(self, trouble: Trouble) -> Self:
        """The same, with what has to be mended."""
        self.trouble = trouble
        return self


class Transient(Fault):
    """Not done, and worth another try later: refused connection, 5xx, busy."""


class Refused(Fault):
    """Understood and declined; the same call would be declined again."""


class Unauthorized(Fault):
    """The login or a privilege was refused: do not try again at once, it locks accounts."""


class NoRoom(Transient):
    """The disk is full."""


class Displaced(Refused):
    """Another guard has taken the site: this one must not act on it any more."""


class Ambiguous(Fault):
    """The answer was lost: it may have happened. Look before repeating."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since 1970 UTC on a steady line: anchored once at start, then monotonic."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Names(Protocol):
    """Host names to IP addresses, with a memory for the night on which the DNS server is one of the machines that are
    off.
    """

    async def resolve(self, host: str) -> tuple[str, ...]:
        """IP addresses of a host name, as the resolver says now; those known from before where it does not answer.

        An IP address stands for itself.

        :raises Transient: the name stands for no address and never did (`Trouble.NO_NAME`).
        """
        ...

    def known(self) -> Mapping[str, tuple[str, ...]]:
        """Every name that has been resolved, lower case, with its addresses."""
        ...

    def recall(self, names: Mapping[str, tuple[str, ...]]) -> None:
        """Take in what the journal remembers; what was resolved since stands."""
        ...


class Pins(Protocol):
    """The certificates that a person has trusted."""

    def pin_of(self, endpoint: str) -> str | None:
        """SHA-256 of the one certificate that is trusted at host:port (lower case); hex without colons."""
        ...


class Logins(Protocol):
    """The memory of refused logins, which outlives the process. `endpoint` is host:port, lower case."""

    def refusal(self, endpoint: str, user: str) -> str | None:
        """Why this account must not be tried there now, with the time until then; None where it may be."""
        ...

    def refused(self, endpoint: str, user: str, why: str) -> str:
        """Remember that it was refused now; the text of `refusal`."""
        ...

    def accepted(self, endpoint: str, user: str) -> None:
        """Forget what was refused."""
        ...


class RoomSensors(Protocol):
    """A source of room temperatures."""

    async def poll(self) -> Poll:
        """:raises Fault: no usable answer; nothing is known of any sensor."""
        ...

    async def alert_count(self) -> AlertCount:
        """:raises Fault: no usable answer."""
        ...

    async def aclose(self) -> None: ...


class Past(Protocol):
    """A source that remembers, so that a guard that has just started knows which way the room is going."""

    async def history(self, for_s: float) -> Sequence[Reading]:
        """Every measurement of the last `for_s` seconds that is kept, oldest first.

        :raises Fault: no usable answer.
        """
        ...


class Inlet(Protocol):
    """The air inlet of one server, as its BMC measures it."""

    @property
    def address(self) -> str:
        """The BMC, as in ILO_HOSTS; it names the sensor."""
        ...

    async def inlet(self) -> Poll:
        """Its server's inlet temperature, of kind BMC under the BMC's address; empty where it shows none now.

        :raises Fault: it does not answer, or refuses the login; Refused: it has no inlet sensor.
        """
        ...


class Messages(Protocol):
    """Sensors that speak by themselves, over a broker."""

    async def next(self) -> Poll:
        """Wait for the next measurements; of kind ROOM, and `lists_all` is False.

        :raises Fault: the broker cannot be reached, or refuses; the next call tries again.
        """
        ...

    async def aclose(self) -> None: ...


class Hints(Protocol):
    """Someone outside says that it is worth looking now; never more than that."""

    async def next(self) -> str:
        """Wait for the next hint: whose it is, for the log.

        :raises Fault: no hint can come now; the next call tries again.
        """
        ...

    async def aclose(self) -> None: ...


class Hypervisor(Protocol):
    """One vSphere cluster, through vCenter and, for each of its hosts, directly."""

    async def observe(self) -> ClusterSeen:
        """Look at the whole cluster through vCenter.

        :raises Fault: vCenter does not answer, refuses the login, or does not have the cluster.
        """
        ...

    async def look_at_host(self, name: str, address: str, thumbprint: str | None = None) -> HostSeen:
        """Look at one host over its own API; `address` is host:port.

        :raises Fault: it does not answer, or refuses the login.
        """
        ...

    async def missing_privileges(self) -> tuple[MissingPrivilege, ...]:
        """Ask vCenter which of the rights that the whole runbook needs are not there, per entity.

        :raises Fault: as `observe`.
        """
        ...

    async def execute(self, command: Command, address: str | None = None) -> None:
        """Ask for one act and return when the server has taken it, not when it is done.

        `address` is the host:port of `command.via` where that is a host.

        :raises Fault: as the algebra says.
        """
        ...

    async def aclose(self) -> None:
        """Log out everywhere."""
        ...


class PowerController(Protocol):
    """One BMC."""

    @property
    def address(self) -> str: ...

    async def observe(self) -> BmcSeen:
        """:raises Fault: it does not answer, or refuses the login."""
        ...

    async def power_on(self) -> None:
        """Ask for On unless it is on or coming on already; never a power button, never off.

        :raises Fault: as the algebra says.
        """
        ...

    async def force_off(self) -> None:
        """Cut the power, whatever runs: ForceOff, unless it is off already. Only by explicit setting.

        :raises Fault: as the algebra says.
        """
        ...

    async def aclose(self) -> None: ...


class TcpPorts(Protocol):
    """Whether something listens."""

    async def is_open(self, address: str, port: int) -> bool:
        """A TCP connection to an IP address is taken within a few seconds; False for every other end."""
        ...


class Journal(Protocol):
    """Append-only and durable: when a call returns, a loss of power no longer takes it back."""

    def entries(self) -> Sequence[Entry]:
        """Everything since the record was last compacted, oldest first."""
        ...

    def append(self, at: float, *events: Event) -> Sequence[Entry]:
        """Write the events in one transaction.

        :raises Fault: Refused where another owner has taken the site, Transient where the disk would not.
        """
        ...

    def snapshot(self) -> Snapshot | None: ...

    def keep_snapshot(self, snapshot: Snapshot) -> None: ...

    def readings(self, since: float) -> Sequence[Reading]:
        """Kept measurements seen since then, oldest first."""
        ...

    def keep_readings(self, readings: Sequence[Reading]) -> None:
        """Keep new measurements; one (sensor, stamp) is kept once."""
        ...

    def wishes(self, after: int) -> Sequence[Wish]:
        """The operator's orders with a number above `after`, oldest first.

        :raises Fault: as the database.
        """
        ...

    def give_back_reserve(self) -> bool:
        """Delete the file that keeps some room on a full disk; False where there is none."""
        ...

    def close(self) -> None: ...


class StatusBoard(Protocol):
    """Where the loop shows what it is doing; read by `status`, the container's health check and later pages."""

    def publish(self, facts: Mapping[str, object], tick_bound_s: float) -> None:
        """Put it in the place of the one before; the next comes within `tick_bound_s`.

        :raises Fault: it could not be shown.
        """
        ...


class Notifier(Protocol):
    def tell(self, title: str, body: str, *, urgent: bool = False) -> None:
        """Put one message in the outbox and return at once, whatever the outlets do."""
        ...

    async def aclose(self, within_s: float) -> None:
        """Deliver what is left, for at most this long."""
        ...


