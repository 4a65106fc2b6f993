"""What the tests of the Redfish adapter share: a BMC whose answers they write, and the adapter on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peers.redfish import HandClock, WrittenBmc
from peers.redfish_bench import guarding
from thermo_guard.adapters.redfish import Bmc


@pytest.fixture
async def peer() -> AsyncIterator[WrittenBmc]:
    async with WrittenBmc() as bmc:
        yield bmc


@pytest.fixture
async def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def guard(peer: WrittenBmc, clock: HandClock, tmp_path: Path) -> AsyncIterator[Bmc]:
    bmc = guarding(peer.address, clock, tmp_path)
    yield bmc
    await bmc.aclose()
