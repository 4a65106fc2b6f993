"""What is read from the captured answers of real iLOs and an iDRAC."""

from pathlib import Path

import pytest
from aiohttp import web

from peers import shared
from peers.redfish import HandClock, Reply, WrittenBmc
from peers.redfish_bench import guarding
from thermo_guard.core.plant import BmcSeen, Power

WANTED = {
    "ilo5": BmcSeen(0, "", Power.ON, "39383250-3834-584d-5132-333930524857", ("MXQ2390RHW",), (), "LastState",
                    "ProLiant DL360 Gen10 Plus - SIMULATED"),
    "ilo6": BmcSeen(0, "", Power.ON, "39343550-3330-4d32-3244-324a30304c34", ("2M2D2J00L4",), (), "LastState",
                    "ProLiant DL380a Gen11 -- SIMULATED"),
    "ilo7": BmcSeen(0, "", Power.ON, "52544c55-4c41-4153-4e4a-414353434d00", ("SANJACSCM",), (), "LastState",
                    "HPE Alletra Storage Server 4220 Gen12 - SIMULATED"),
    "dell": BmcSeen(0, "", Power.ON, "4c4c4544-0035-3410-8050-c6c04f314733", ("CNIVC0014M0388", "F54P1G3"), (), None,
                    "PowerEdge R750"),
}


@pytest.mark.parametrize("machine", WANTED)
async def test_captured_machine(machine: str, tmp_path: Path) -> None:
    """Identity, power, resets and mains policy of a real machine are read right; a product number is no identity."""
    tree = shared(f"data/redfish/{machine}")

    async def page(request: web.Request) -> Reply:
        file = tree / request.path.removeprefix("/redfish/v1").strip("/") / "index.json"
        return Reply(body=file.read_bytes()) if file.is_file() else Reply(404)

    pages = {f"/redfish/v1{path}": page for path in ("", "/Systems", "/Systems/1", "/Systems/System.Embedded.1")}
    async with WrittenBmc(pages) as peer:
        guard = guarding(peer.address, HandClock(0), tmp_path)
        seen = await guard.observe()
        await guard.power_on()
        await guard.aclose()
    wanted = WANTED[machine]
    assert (seen.power, seen.uuid, seen.serials, seen.auto_power_on, seen.model) == (
        wanted.power, wanted.uuid, wanted.serials, wanted.auto_power_on, wanted.model
    )
    assert {"On", "ForceOff", "GracefulShutdown"} <= set(seen.allowed_resets)
    assert peer.seen("POST") == []
