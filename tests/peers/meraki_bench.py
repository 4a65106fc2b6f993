"""The Meraki adapter as its tests open it, on a clock that they move."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from peers.meraki import KEY, MerakiPeer
from peers.meraki_room import NETWORK
from thermo_guard.adapters.meraki import Meraki

ONE, TWO = "Q2AA-0000-0001", "Q2AA-0000-0002"


class StepClock:
    """A clock that stands still but for sleeping, so that waits are exact and take no time."""

    def __init__(self) -> None:
        self.at = 1_785_931_200.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def adapter(peer: MerakiPeer, clock: StepClock, **how: Any) -> AsyncIterator[Meraki]:
    key = how.pop("key", KEY)
    meraki = Meraki(key, how.pop("network_id", NETWORK), clock, base_url=how.pop("base_url", peer.url), **how)
    try:
        yield meraki
    finally:
        await meraki.aclose()
