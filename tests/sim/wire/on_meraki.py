"""A virtual room behind its Meraki face, on clocks that a test turns by hand, and a stranger with the key."""

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

import aiohttp
from yarl import URL

from peers.meraki_bench import StepClock
from thermo_guard.sim.plans import office
from thermo_guard.sim.wire.meraki import MerakiFace
from thermo_guard.sim.world import World

KEY = "0123456789abcdef0123456789abcdef01234567"
ROOM = "N_1"


class OnMeraki:
    def __init__(self) -> None:
        self.clock = StepClock()
        self.real = StepClock()
        """What stands for real time: the rate limit's."""
        self.world = World(1, office(), self.clock.at)
        self.face = MerakiFace({ROOM: self.world}, self.clock, key=KEY, limit_clock=self.real.now)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.face)
            self._session = await stack.enter_async_context(
                aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"})
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def get(self, path: str) -> aiohttp.ClientResponse:
        """Ask for a path below the base, or for a whole address."""
        async with self._session.get(URL(self.face.url + "/").join(URL(path))) as response:
            await response.read()
            return response

    async def post(self, path: str, body: Mapping[str, Any] | str) -> aiohttp.ClientResponse:
        sent = body if isinstance(body, str) else json.dumps(body)
        async with self._session.post(f"{self.face.url}/{path}", data=sent) as response:
            await response.read()
            return response
