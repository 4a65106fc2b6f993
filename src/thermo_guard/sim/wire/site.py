"""The virtual site over the wire: one or many rooms, each with its vSphere and its BMCs, and Meraki for all of them.

    async with WireSite(rooms, clock, speed=1, folder=folder) as site: site.settings("Office"), site.rooms, ...

All faces of a room show one world. Everything listens on loopback, by IP address: nobody needs a resolver for it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from yarl import URL

from thermo_guard.ports import Clock
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.world import World

from .meraki import MerakiFace
from .redfish import RedfishFace, WorldRack
from .vsphere import VsphereFace

KEY = "5ec2e7f0d1a94b3c8e6f7a1b2c3d4e5f60718293"
BMC_USER = "thermo-guard"
BMC_PASSWORD = "Virtual-Site-1"  # noqa: S105 - of a virtual site on loopback, and meant to be known
FLAVOUR = "ilo5"
PACE_S = 0.2
"""Real time between two steps of every world, whether or not anybody asks."""


class RoomPlan(Protocol):
    """A room as a plant file has it."""

    @property
    def name(self) -> str: ...

    @property
    def blueprint(self) -> Blueprint: ...

    @property
    def flavours(self) -> Mapping[str, str]:
        """Of its BMCs, by their address in the blueprint."""
        ...


@dataclass(frozen=True, slots=True)
class Room:
    """A room that is served."""

    name: str
    network: str
    """Meraki's id of it."""
    world: World
    vsphere: VsphereFace | None
    bmcs: Mapping[str, RedfishFace]
    """By their address in the blueprint."""

    @property
    def host_addresses(self) -> Mapping[str, str]:
        """host:port of each host's own API, by the name that the plant file has for it."""
        return {} if self.vsphere is None else self.vsphere.host_addresses

    @property
    def bmc_addresses(self) -> Mapping[str, str]:
        """host:port of each host's BMC, by the host's name."""
        states = self.world.cluster.bmcs
        return {host: face.address for address, face in self.bmcs.items() if (host := states[address].plan.host)}


class WireSite:
    """Rooms on loopback.

    :param clock: the site's own time.
    :param speed: its seconds for a real one, as the loop has it that runs this.
    :param folder: where the simulators' files are written.
    :param broker: host:port of an MQTT broker that is there, for what gateways publish; empty: they publish nothing.
    :param webhook: URL and shared secret of a receiver for every room's alerts; an empty URL: there is none.
    :param has_vsphere: False: sensors and BMCs alone, which need no Go program.
    :raises OverlayMissing: on entering, there is no simulator of vSphere here.
    """

    def __init__(
        self, plans: Sequence[RoomPlan], clock: Clock, *, speed: float, folder: Path, has_vsphere: bool = True,
        seed: int = 1, broker: str = "", webhook: tuple[str, str] = ("", ""),
    ) -> None:
        self._plans = plans
        self._clock = clock
        self._speed = speed
        self._folder = folder
        self._has_vsphere = has_vsphere
        self._seed = seed
        self._broker = broker
        self._webhook = webhook
        self._stack = AsyncExitStack()
        self.rooms: dict[str, Room] = {}
        """By name, once it is entered."""
        self.meraki: MerakiFace

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for number, plan in enumerate(self._plans, start=1):
                self.rooms[plan.name] = await self._open(stack, number, plan)
            worlds = {room.network: room.world for room in self.rooms.values()}
            self.meraki = await stack.enter_async_context(
                MerakiFace(worlds, self._clock, key=KEY, limit_clock=self._clock.now)
            )
            if self._webhook[0]:
                self.meraki.add_receiver(*self._webhook)
            if self._broker:
                from .gateways import Gateways  # noqa: PLC0415 - its library is large, and seldom needed

                await stack.enter_async_context(Gateways(self.meraki.networks, self._broker, self._speed))
            pace = asyncio.create_task(self._pace())
            stack.callback(pace.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self, stack: AsyncExitStack, number: int, plan: RoomPlan) -> Room:
        world = World(self._seed + number, plan.blueprint, self._clock.now())
        vsphere: VsphereFace | None = None
        if self._has_vsphere:
            vsphere = await stack.enter_async_context(VsphereFace(
                world, self._clock, speed=self._speed, folder=self._folder / f"room{number}", hosts_net=number
            ))
        rack = WorldRack(world) if vsphere is None else vsphere.rack
        bmcs = {
            address: await stack.enter_async_context(RedfishFace(
                state, world, self._clock, rack, username=BMC_USER, password=BMC_PASSWORD,
                flavour=plan.flavours.get(address, FLAVOUR),
            )) for address, state in world.cluster.bmcs.items()
        }
        return Room(plan.name, f"N_{number:012}", world, vsphere, bmcs)

    def settings(self, name: str) -> dict[str, str]:
        """Everything that a guard of this room needs, by its environment variables."""
        room = self.rooms[name]
        ilo_hosts = [
            {"host": face.address, "username": BMC_USER, "password": BMC_PASSWORD, "fingerprint": face.fingerprint}
            for face in room.bmcs.values()
        ]
        return {
            "MERAKI_API_KEY": KEY, "MERAKI_NETWORK_ID": room.network, "MERAKI_API_BASE_URL": self.meraki.url,
            **({} if room.vsphere is None else room.vsphere.settings()), "ILO_HOSTS": json.dumps(ilo_hosts),
            **({"MQTT_BROKER": self._broker} if self._broker else {}),
            **self._webhook_settings(),
        }

    def _webhook_settings(self) -> dict[str, str]:
        """Of a guard that takes them itself; where the URL is https somebody stands before it."""
        url, secret = URL(self._webhook[0]), self._webhook[1]
        is_direct = url.scheme == "http" and secret
        return {"WEBHOOK_PORT": str(url.port), "MERAKI_WEBHOOK_SECRET": secret} if is_direct else {}

    async def rescale(self, speed: float) -> None:
        """Have vSphere take its time at another speed; the loop's is the caller's to set."""
        self._speed = speed
        for room in self.rooms.values():
            if room.vsphere is not None:
                await room.vsphere.rescale(speed)

    async def _pace(self) -> None:
        """Let time pass in every room: alerts go out and hosts protect themselves when nobody looks, too."""
        while True:
            for room in self.rooms.values():
                room.world.advance(self._clock.now())
            await self._clock.sleep(PACE_S * self._speed)
