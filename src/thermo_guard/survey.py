"""Looks once at a whole site from every side, all sides at once, each within a bound; changes nothing.

It works against the ports, so that the virtual site is surveyed as the real one is. A side that fails becomes Unseen
with its reason. What depends on another side waits for it: nobody is asked for privileges, and no host for its login,
before vCenter has answered, so that a wrong password is tried once.
"""

import asyncio
import os
import shutil
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from .adapters import machine
from .adapters.journal import nearest_of
from .core.data_folder import storage_of
from .core.events import Entry
from .core.finding import Finding
from .core.infrastructure import Infrastructure
from .core.plant import BmcSeen, ClusterSeen, Host, HostSeen, MissingPrivilege, Trouble, Unseen
from .core.preflight import Terms, findings
from .core.readings import AlertCount, Poll, Reading
from .core.record import Record, fold
from .core.scope import scope_of
from .core.snapshot import Snapshot
from .core.survey import BrokerSeen, DataFolder, InletSeen, Memory, Network, Survey
from .engine.sources import HISTORY_S
from .ports import Clock, Fault, Hypervisor, Inlet, PowerController, RoomSensors, Unauthorized

SIDE_S = 90.0
"""Longest wait for one look: more than any adapter's own bound, which says better what is wrong."""
AT_ONCE = 16
"""Hosts and BMCs that are looked at together: each look of a BMC may take half a minute."""
TRIED_FIRST = 3
"""Hosts that an account of a domain is tried on, one after another, until one lets it in."""
MOST_REFUSED = 2
"""After so many refusals it is tried nowhere else: the usual lockout counts five."""

T = TypeVar("T")


class NamedInlet(Inlet, Protocol):
    """An inlet that says which sensor it is."""

    @property
    def inlet_sensor(self) -> str | None:
        """As the BMC names it; None before it was found."""
        ...


@dataclass(frozen=True, slots=True)
class Sides:
    """Where the site is looked at from."""

    clock: Clock
    sensors: RoomSensors
    hypervisor: Hypervisor
    bmcs: Sequence[PowerController]
    describe: Callable[[], Awaitable[Network]]
    """The sensors' network, as its dashboard has it."""
    clock_ahead_s: Callable[[], float | None]
    """What the sensors' source last said of the time, against the guard's clock."""
    vcenter_certificate: Callable[[], Awaitable[str]] | None = None
    """SHA-256 of what vCenter presents, asked for only where that is not trusted."""
    infrastructure: Callable[[], Awaitable[Infrastructure]] | None = None
    """What this machine shows of what the guard leans on; asked for last, when names and logins have been tried."""
    broker: Callable[[], Awaitable[BrokerSeen]] | None = None
    """Who has spoken over the broker on site; None: there is none."""
    inlets: Sequence[NamedInlet] = ()
    """Those of BMCs among `bmcs`; each is asked only once its BMC has answered."""
    is_one_account: bool = False
    """The hosts' own login is an account of a domain: what each of them refuses counts against the same one."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """A survey that is judged at once: what a guard asks of its own edges before it arms, and now and then after.

    It changes nothing. Call it in quiet time only and one at a time: a look takes the failures of tasks with it that
    an incident would want to hear of. It may be cancelled at any await.
    """

    sides: Sides
    terms: Terms
    folder: Callable[[], DataFolder]
    memory: Callable[[], Awaitable[Memory | Unseen]]
    at_once: int = AT_ONCE

    async def __call__(self) -> tuple[Finding, ...]:
        """Everything that can be said now; a side that does not answer is a finding, nothing is raised."""
        seen = await survey(self.sides, self.folder(), await self.memory(), at_once=self.at_once)
        return findings(seen, self.terms)


class Remembers(Protocol):
    """The share of a journal that is read for a survey."""

    def entries(self) -> Sequence[Entry]: ...

    def readings(self, since: float) -> Sequence[Reading]: ...

    def snapshot(self) -> Snapshot | None: ...


def memory_of(journal: Remembers, now: float) -> Memory | Unseen:
    """What a journal remembers."""
    try:
        record = fold(Record(), journal.entries())
        return Memory(
            sensors=record.sensors, readings=tuple(journal.readings(now - HISTORY_S)), bmc_of=record.bmc_of,
            snapshot=journal.snapshot(), incident=None if record.incident is None else record.incident.id,
            is_snapshot_closed=record.incident is not None and record.incident.is_snapshot_closed,
            took=record.took, scope=scope_of(replace(record, incident=None)),
        )
    except Fault as fault:
        return Unseen(now, str(fault))


async def survey(
    sides: Sides, folder: DataFolder, memory: Memory | Unseen, *, at_once: int = AT_ONCE
) -> Survey:
    """Look once; ends within a few times SIDE_S, whatever hangs.

    :param at_once: so many single looks together.
    """
    looks = _Looks(sides.clock, at_once)
    (poll, network, count), broker, (cluster, missing, direct), (bmcs, inlets) = await asyncio.gather(
        _look_at_room(looks, sides), _look_at_broker(looks, sides), _look_at_cluster(looks, sides),
        _look_at_bmcs(looks, sides),
    )
    leans_on = None if sides.infrastructure is None else await looks.at(sides.infrastructure)
    return Survey(
        at=sides.clock.now(), network=network, poll=poll, alert_count=count, cluster=cluster, missing=missing,
        direct=direct, bmcs=bmcs,
        clock_ahead_s=sides.clock_ahead_s(), folder=folder, memory=memory,
        infrastructure=leans_on if isinstance(leans_on, Infrastructure) else Infrastructure(), broker=broker,
        inlets=inlets,
    )


def look_at_folder(path: Path, running: str | None) -> DataFolder:
    """See whether the guard could work in the folder; writes nothing.

    :param running: a guard that works in it now, in words.
    """
    nearest, is_folder = nearest_of(path)
    try:
        free: int | None = shutil.disk_usage(nearest).free
    except OSError:
        free = None
    return DataFolder(
        path=str(path.absolute()), is_there=is_folder and nearest == path.absolute(),
        is_writable=is_folder and os.access(nearest, os.W_OK | os.X_OK),
        user_id=os.getuid(), free_bytes=free, nearest=str(nearest), is_folder=is_folder, running=running,
        storage=storage_of(machine.mounts(), os.path.realpath(path)), in_container=machine.is_container(),
    )


class _Looks:
    """Single looks, each bounded and a few at a time."""

    def __init__(self, clock: Clock, at_once: int) -> None:
        self.clock = clock
        self._slots = asyncio.Semaphore(at_once)

    async def at(self, ask: Callable[[], Awaitable[T]]) -> T | Unseen:
        async with self._slots:
            try:
                async with asyncio.timeout(SIDE_S):
                    return await ask()
            except Fault as fault:
                is_refused = isinstance(fault, Unauthorized)
                return Unseen(self.clock.now(), str(fault), is_refused, None if is_refused else trouble_of(fault))
            except TimeoutError:
                return Unseen(self.clock.now(), f"no answer within {SIDE_S:g} s", trouble=Trouble.NO_ANSWER)


def trouble_of(fault: Fault) -> Trouble | None:
    """What has to be mended, as the fault says or the first of its causes that does."""
    if fault.trouble is not None:
        return fault.trouble
    cause: BaseException | None = fault
    while cause is not None:
        match cause:
            case socket.gaierror():
                return Trouble.NO_NAME
            case ConnectionRefusedError():
                return Trouble.NOT_LISTENING
            case ssl.SSLCertVerificationError():
                return Trouble.UNTRUSTED
            case TimeoutError():
                return Trouble.NO_ANSWER
        cause = cause.__cause__
    return None


async def _look_at_room(
    looks: _Looks, sides: Sides
) -> tuple[Poll | Unseen, Network | Unseen, AlertCount | Unseen]:
    """The description first: a wrong key or network is then told once."""
    network = await looks.at(sides.describe)
    if isinstance(network, Unseen) and network.is_refused:
        return network, network, network
    poll, count = await asyncio.gather(looks.at(sides.sensors.poll), looks.at(sides.sensors.alert_count))
    return poll, network, count


async def _look_at_broker(looks: _Looks, sides: Sides) -> BrokerSeen | Unseen | None:
    return None if sides.broker is None else await looks.at(sides.broker)


async def _look_at_bmcs(
    looks: _Looks, sides: Sides
) -> tuple[dict[str, BmcSeen | Unseen], dict[str, InletSeen | Unseen]]:
    found = await asyncio.gather(*(looks.at(bmc.observe) for bmc in sides.bmcs))
    bmcs = {bmc.address: look for bmc, look in zip(sides.bmcs, found, strict=True)}
    asked = [inlet for inlet in sides.inlets if isinstance(bmcs.get(inlet.address), BmcSeen)]
    shown = await asyncio.gather(*(looks.at(inlet.inlet) for inlet in asked))
    return bmcs, {
        inlet.address: poll if isinstance(poll, Unseen) else InletSeen(inlet.inlet_sensor, poll)
        for inlet, poll in zip(asked, shown, strict=True)
    }


async def _look_at_cluster(
    looks: _Looks, sides: Sides
) -> tuple[ClusterSeen | Unseen, tuple[MissingPrivilege, ...] | Unseen, dict[str, HostSeen | Unseen]]:
    cluster = await looks.at(sides.hypervisor.observe)
    if isinstance(cluster, Unseen):
        if cluster.trouble is Trouble.UNTRUSTED and sides.vcenter_certificate is not None:
            shown = await looks.at(sides.vcenter_certificate)
            cluster = cluster if isinstance(shown, Unseen) else replace(cluster, shows=shown)
        return cluster, cluster, {}

    missing, direct = await asyncio.gather(
        looks.at(sides.hypervisor.missing_privileges), _look_at_hosts(looks, sides, cluster.hosts)
    )
    return cluster, missing, direct


async def _look_at_hosts(looks: _Looks, sides: Sides, hosts: Sequence[Host]) -> dict[str, HostSeen | Unseen]:
    """All at once; with an account of a domain only after one of them has let it in.

    A wrong password that is tried on each host would lock that account in the whole domain.
    """
    found: dict[str, HostSeen | Unseen] = {}
    left = list(hosts) if sides.is_one_account else []
    refused: list[str] = []
    while left and len(found) < TRIED_FIRST and len(refused) < MOST_REFUSED:
        host = left.pop(0)
        look = found[host.name] = await looks.at(_asker(sides.hypervisor, host))
        if isinstance(look, HostSeen):
            refused = []
            break
        refused += [host.name] if look.is_refused else []
    if refused:
        text = f"not tried, as {' and '.join(refused)} refused the same account of a domain: each try may lock it"
        return found | {host.name: Unseen(looks.clock.now(), text, is_refused=True) for host in left}
    others = [host for host in hosts if host.name not in found]
    shown = await asyncio.gather(*(looks.at(_asker(sides.hypervisor, host)) for host in others))
    return found | {host.name: look for host, look in zip(others, shown, strict=True)}


def _asker(hypervisor: Hypervisor, host: Host) -> Callable[[], Awaitable[HostSeen]]:
    return lambda: hypervisor.look_at_host(host.name, host.address, host.thumbprint)
