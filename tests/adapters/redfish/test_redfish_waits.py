"""BMCs that are busy, silent or gone: every wait ends, within its bound."""

import asyncio
import time
from pathlib import Path

import pytest
from aiohttp import web

from peers.redfish import ROOT, SYSTEM, HandClock, Reply, WrittenBmc
from peers.redfish_bench import guarding
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.ports import Transient


async def test_retry_after_is_honoured_and_capped(peer: WrittenBmc, guard: Bmc, clock: HandClock) -> None:
    """503 with Retry-After, in seconds or as a date, is waited for as told, but not past the cap."""
    date = "Sun, 06 Nov 2026 08:49:37 GMT"
    answers = iter([
        Reply(503, headers={"Retry-After": "2"}),
        Reply(429, headers={"Retry-After": "Sun, 06 Nov 2026 08:49:38 GMT", "Date": date}),
        Reply(body=peer.system_body()),
    ])

    async def busy(_: web.Request) -> Reply:
        return next(answers)

    peer.pages[SYSTEM] = busy
    await guard.observe()
    assert clock.slept == [2.0, 1.0]


async def test_busy_without_end_is_transient_within_the_time(
    peer: WrittenBmc, guard: Bmc, clock: HandClock
) -> None:
    """A BMC that stays busy, or asks for more time than there is, ends as Transient within the bound."""
    peer.pages[SYSTEM] = Reply(503, headers={"Retry-After": "3600"})
    began = clock.now()
    with pytest.raises(Transient, match="503"):
        await guard.observe()
    assert clock.now() - began <= 5.0


async def test_silent_bmc_ends_within_the_timeout(tmp_path: Path) -> None:
    """A BMC that accepts TCP and never speaks, as a rebooting one does, costs the connect timeout and no more."""
    released = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    guard = guarding(f"127.0.0.1:{port}", SteadyClock(), tmp_path)
    began = time.monotonic()
    with pytest.raises(Transient, match=r"within 0\.5 s"):
        await guard.observe()
    assert time.monotonic() - began < 3
    await guard.aclose()
    released.set()
    server.close()


async def test_bmc_that_stops_in_mid_answer_ends_within_the_timeout(peer: WrittenBmc, tmp_path: Path) -> None:
    """All requests of one look share one bound, however slowly they come."""

    async def never(_: web.Request) -> Reply:
        await asyncio.Event().wait()
        return Reply()

    peer.pages[f"{ROOT}/Systems"] = never
    guard = guarding(peer.address, SteadyClock(), tmp_path, request_timeout_s=0.4)
    began = time.monotonic()
    with pytest.raises(Transient, match=r"within 0\.4 s"):
        await guard.observe()
    assert time.monotonic() - began < 3
    await guard.aclose()


async def test_refused_connection_and_unknown_name_are_transient(tmp_path: Path, clock: HandClock) -> None:
    """A BMC that is not there now may be there later."""
    for address, why in (("127.0.0.1:1", "Connection refused"), ("no-such-bmc.invalid", "cannot be reached")):
        guard = guarding(address, clock, tmp_path)
        with pytest.raises(Transient, match=why):
            await guard.observe()
        await guard.aclose()
