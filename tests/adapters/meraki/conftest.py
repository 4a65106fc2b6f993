"""What the tests of the Meraki adapter share: a room of two sensors on the wire, and the adapter on it."""

from collections.abc import AsyncIterator

import pytest

from peers.meraki import MerakiPeer
from peers.meraki_bench import ONE, TWO, StepClock, adapter
from thermo_guard.adapters.meraki import Meraki


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
async def peer(clock: StepClock) -> AsyncIterator[MerakiPeer]:
    async with MerakiPeer(now=clock.now) as started:
        started.set_sensors({ONE: {"celsius": 21.5}, TWO: {"celsius": 22.5}})
        yield started


@pytest.fixture
async def meraki(peer: MerakiPeer, clock: StepClock) -> AsyncIterator[Meraki]:
    async with adapter(peer, clock) as opened:
        yield opened
