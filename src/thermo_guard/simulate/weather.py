"""What lies between a life of the guard and the virtual site's edges: faults by the call, and the guard's own clock.

The site's own `Faults` make an edge silent, slow or closed; here answers come late, are given again, or are lost now
and then, orders are carried out twice, and sensors lie. Each call says that it passes: a process may end there.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import BmcSeen, ClusterSeen, HostSeen
from thermo_guard.core.readings import AlertCount, Poll, Reading
from thermo_guard.ports import Clock, Fault, MissingPrivilege, Transient
from thermo_guard.sim.edges import SENSORS
from thermo_guard.sim.machines import BmcState
from thermo_guard.sim.site import SiteBmc, VirtualSite

from .life import Life
from .promises import Promises
from .scenario import Kind, Trouble

T = TypeVar("T")
S = TypeVar("S", AlertCount, BmcSeen, ClusterSeen, HostSeen)


@dataclass(slots=True)
class Weather:
    """What goes wrong by the call at present."""

    clock: Clock
    """Of the world."""
    chance: random.Random
    _until: dict[tuple[Kind, str], tuple[float, float]] = field(default_factory=dict)
    _sensors: list[tuple[Trouble, float, float]] = field(default_factory=list)
    _spiked: dict[str, float] = field(default_factory=dict)

    def turn(self, trouble: Trouble) -> None:
        """Let it begin now."""
        until = self.clock.now() + trouble.for_s
        if trouble.kind is Kind.SENSOR:
            self._sensors.append((trouble, self.clock.now(), until))
        else:
            self._until[trouble.kind, trouble.target] = (until, trouble.amount)

    def clear(self) -> None:
        self._until.clear()
        self._sensors.clear()

    def amount(self, kind: Kind, edge: str = "") -> float | None:
        """What a trouble says of an edge now; None where there is none."""
        until, amount = self._until.get((kind, edge), (0.0, 0.0))
        return amount if self.clock.now() < until else None

    def felt(self, reading: Reading) -> Reading:
        """What a sensor that spikes, drifts or lies says in place of what it measured."""
        for trouble, since, until in self._sensors:
            if trouble.target in {"", reading.sensor} and since <= self.clock.now() < until:
                reading = replace(reading, celsius=self._bent(trouble, since, reading))
        return reading

    def _bent(self, trouble: Trouble, since: float, reading: Reading) -> float:
        match trouble.how:
            case "lie":
                return trouble.amount
            case "drift":
                return reading.celsius + trouble.amount * (self.clock.now() - since) / 1200.0
            case "spike":
                at = self._spiked.setdefault(f"{reading.sensor} {since}", reading.stamp)
                return reading.celsius + (trouble.amount if reading.stamp == at else 0.0)
            case _:
                return reading.celsius


@dataclass(slots=True)
class Passage:
    """The way of every call of one life."""

    life: Life
    weather: Weather
    promises: Promises
    ahead_s: float
    """By how much this life's clock is ahead of the world's."""

    async def go(self, edge: str, call: Callable[[], Awaitable[T]]) -> T:
        """:raises Transient: lost on the way, as a flaky edge loses it."""
        weather = self.weather
        self.life.passes("before call")
        if weather.amount(Kind.FLAKY, edge) is not None and weather.chance.random() < 1 / 3:
            await asyncio.sleep(weather.chance.uniform(0.0, 5.0))
            raise Transient("the connection was lost")
        try:
            return await call()
        finally:
            if not self.life.is_over and (late_s := weather.amount(Kind.LATE, edge)) is not None:
                await asyncio.sleep(weather.chance.uniform(0.0, late_s))
            self.life.passes("after call")

    def placed(self, seen: S) -> S:
        """The same on the line of this life's clock."""
        return seen if self.ahead_s == 0.0 else replace(seen, at=seen.at + self.ahead_s)

    async def act(self, edge: str, call: Callable[[], Awaitable[None]]) -> None:
        """The same for an order, which may be carried out twice."""
        await self.go(edge, call)
        if self.weather.amount(Kind.TWICE) is not None:
            try:
                await call()
            except Fault:
                return  # the answer to the first is what the guard has


class FeltSensors:
    """ports.RoomSensors of one life."""

    def __init__(self, site: VirtualSite, way: Passage) -> None:
        self._sensors = site.sensors
        self._way = way
        self._last: Poll | None = None

    async def poll(self) -> Poll:
        way = self._way
        poll = await way.go(SENSORS, self._sensors.poll)
        if self._last is not None and way.weather.amount(Kind.AGAIN) is not None:
            poll = replace(poll, readings=tuple(
                replace(one, seen_at=poll.at, age_s=max(0.0, poll.at - one.stamp)) for one in self._last.readings
            ))
        self._last = poll
        felt = tuple(self._placed(way.weather.felt(one)) for one in poll.readings)
        answer = replace(poll, at=poll.at + way.ahead_s, readings=felt)
        way.promises.polled(answer)
        return answer

    def _placed(self, reading: Reading) -> Reading:
        ahead_s = self._way.ahead_s
        return reading if ahead_s == 0.0 else replace(reading, seen_at=reading.seen_at + ahead_s)

    async def alert_count(self) -> AlertCount:
        return self._way.placed(await self._way.go(SENSORS, self._sensors.alert_count))

    async def aclose(self) -> None:
        return


class FeltHypervisor:
    """ports.Hypervisor of one life."""

    def __init__(self, site: VirtualSite, way: Passage) -> None:
        self._hypervisor = site.hypervisor
        self._way = way

    async def observe(self) -> ClusterSeen:
        seen = await self._way.go(VCENTER, self._hypervisor.observe)
        self._way.promises.saw_plant()
        return self._way.placed(seen)

    async def look_at_host(self, name: str, address: str, thumbprint: str | None = None) -> HostSeen:
        return self._way.placed(
            await self._way.go(name, lambda: self._hypervisor.look_at_host(name, address, thumbprint))
        )

    async def missing_privileges(self) -> tuple[MissingPrivilege, ...]:
        return await self._way.go(VCENTER, self._hypervisor.missing_privileges)

    async def execute(self, command: Command, address: str | None = None) -> None:
        self._way.life.passes("before call")
        self._way.promises.commanded(command)
        await self._way.act(command.via, lambda: self._hypervisor.execute(command, address))

    async def aclose(self) -> None:
        return


class FeltBmc:
    """ports.PowerController of one life."""

    def __init__(self, bmc: SiteBmc, state: BmcState, way: Passage) -> None:
        self._bmc = bmc
        self._host = state.plan.host
        self._way = way

    @property
    def address(self) -> str:
        return self._bmc.address

    async def observe(self) -> BmcSeen:
        return self._way.placed(await self._way.go(self.address, self._bmc.observe))

    async def power_on(self) -> None:
        await self._do(Verb.POWER_ON_HOST, self._bmc.power_on)

    async def force_off(self) -> None:
        await self._do(Verb.FORCE_OFF_HOST, self._bmc.force_off)

    async def _do(self, verb: Verb, call: Callable[[], Awaitable[None]]) -> None:
        self._way.life.passes("before call")
        host = self._host or f"the server of {self.address}"
        self._way.promises.commanded(Command(verb, host, host, self.address))
        await self._way.act(self.address, call)

    async def aclose(self) -> None:
        return


def felt_bmcs(site: VirtualSite, way: Passage) -> Sequence[FeltBmc]:
    states = site.world.cluster.bmcs.values()
    return [FeltBmc(bmc, state, way) for bmc, state in zip(site.bmcs, states, strict=True)]
