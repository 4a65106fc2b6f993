"""A virtual BMC behind its Redfish face, on a clock that a test turns by hand, and the adapter on it."""

from base64 import b64encode
from dataclasses import replace
from typing import Any, Self

import aiohttp

from peers.redfish import HandClock
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.sim.plans import office
from thermo_guard.sim.wire.redfish import RedfishFace, WorldRack
from thermo_guard.sim.world import World

USERNAME, PASSWORD = "guard", "pass:wörd"
LOGIN = {"Authorization": "Basic " + b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()}
HOST = "esx1"


class OnRedfish:
    """The BMC of esx1 in the office.

    :param plan: fields of its BmcPlan.
    """

    def __init__(self, flavour: str, **plan: Any) -> None:
        self.clock = HandClock()
        office_plan = office()
        bmcs = tuple(replace(bmc, **plan) if bmc.host == HOST else bmc for bmc in office_plan.bmcs)
        self.world = World(1, replace(office_plan, bmcs=bmcs), self.clock.time)
        self.state = next(bmc for bmc in self.world.cluster.bmcs.values() if bmc.plan.host == HOST)
        self.host = self.world.cluster.hosts[HOST]
        self.face = RedfishFace(
            self.state, self.world, self.clock, WorldRack(self.world), username=USERNAME, password=PASSWORD,
            flavour=flavour,
        )

    async def __aenter__(self) -> Self:
        await self.face.__aenter__()
        self.guard = self.opened()
        self.client = aiohttp.ClientSession(
            f"https://{self.face.address}",
            connector=aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(bytes.fromhex(self.face.fingerprint))),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.guard.aclose()
        await self.client.close()
        await self.face.__aexit__()

    def opened(self, **how: Any) -> Bmc:
        """The adapter, as it comes up anew."""
        settings = {"fingerprint": self.face.fingerprint, "logins": RefusedLogins(self.clock),
                    "request_timeout_s": 1.0, **how}
        return Bmc(self.face.address, USERNAME, settings.pop("password", PASSWORD), self.clock, **settings)

    def set_power(self, is_on: bool) -> None:
        """The machine is on or off, and it was not its BMC that did it."""
        if is_on:
            self.world.press_power(HOST)
        else:
            self.world.cut_power(HOST)
        self.pass_by(60.0)

    def pass_by(self, seconds: float) -> None:
        self.clock.time += seconds
        self.world.advance(self.clock.time)

    async def get(self, path: str) -> Any:
        """What a stranger with the login reads there."""
        async with self.client.get(path, headers=LOGIN, raise_for_status=True) as answer:
            return await answer.json()
