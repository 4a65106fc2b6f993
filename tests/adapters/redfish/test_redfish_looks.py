"""What a look shows: the right computer, its power, its identity, and no more requests than that needs."""

import asyncio

import pytest
from aiohttp import web

from peers.redfish import RESET, ROOT, SYSTEM, Reply, WrittenBmc
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.plant import Power


@pytest.mark.parametrize(("word", "power"), [
    ("On", Power.ON), ("Off", Power.OFF), ("PoweringOn", Power.MOVING), ("PoweringOff", Power.MOVING),
    ("Paused", Power.ON), ("Reset", Power.MOVING), ("Unknown", Power.UNKNOWN), (None, Power.UNKNOWN),
    ("off", Power.UNKNOWN), (0, Power.UNKNOWN), (["Off"], Power.UNKNOWN),
])
async def test_only_off_is_off(peer: WrittenBmc, guard: Bmc, word: str | None, power: Power) -> None:
    """Each PowerState maps to its own value; what is not exactly Off never counts as off."""
    peer.power_state = word
    assert (await guard.observe()).power is power


async def test_placeholders_identify_nothing(peer: WrittenBmc, guard: Bmc) -> None:
    """UUIDs of zeros and serials that the vendor left blank are not handed on as identity."""
    peer.pages[SYSTEM] = Reply(body={
        "UUID": "00000000-0000-0000-0000-000000000000", "SerialNumber": "To be filled by O.E.M.", "PowerState": "On",
    })
    seen = await guard.observe()
    assert (seen.uuid, seen.serials) == (None, ())


async def test_the_computer_is_told_from_its_accelerators(peer: WrittenBmc, guard: Bmc) -> None:
    """Of several systems the one with identity, power and reset is taken, wherever it stands in the list."""
    peer.pages[f"{ROOT}/Systems"] = Reply(body={"Members": [
        {"@odata.id": f"{ROOT}/Systems/Baseboard_0"}, {"@odata.id": SYSTEM}, {"@odata.id": f"{ROOT}/Systems/DPU"},
    ]})
    peer.pages[f"{ROOT}/Systems/Baseboard_0"] = Reply(body={"PowerState": "On", "SystemType": "Physical"})
    peer.pages[f"{ROOT}/Systems/DPU"] = Reply(body=peer.system_body(SystemType="DPU"))
    peer.power_state = "Off"
    await guard.power_on()
    assert peer.seen("POST") == [RESET]


@pytest.mark.parametrize(("body", "policy"), [
    ({"PowerRestorePolicy": "AlwaysOn"}, "AlwaysOn"),
    ({"Oem": {"Hpe": {"PowerAutoOn": "PowerOn"}}}, "AlwaysOn"),
    ({"Oem": {"Hp": {"PowerAutoOn": "RemainOff"}}}, "AlwaysOff"),
    ({"Oem": {"Hpe": {"PowerAutoOn": "Restore"}}}, "LastState"),
    ({"Bios": {"@odata.id": f"{SYSTEM}/Bios"}}, "AlwaysOn"),
    ({"PowerRestorePolicy": "Elsewise"}, "Elsewise"),
    ({}, None),
])
async def test_what_it_does_when_the_mains_return(
    peer: WrittenBmc, guard: Bmc, body: dict[str, object], policy: str | None
) -> None:
    """The policy is found where each vendor keeps it and told in one vocabulary."""
    peer.pages[SYSTEM] = Reply(body=peer.system_body(**body))
    peer.pages[f"{SYSTEM}/Bios"] = Reply(body={"Attributes": {"AcPwrRcvry": "On"}})
    assert (await guard.observe()).auto_power_on == policy


async def test_forbidden_detail_does_not_stop_the_looking(peer: WrittenBmc, guard: Bmc) -> None:
    """An account that may not read the BIOS settings sees the power all the same."""
    peer.pages[SYSTEM] = Reply(body=peer.system_body(Bios={"@odata.id": f"{SYSTEM}/Bios"}))
    peer.pages[f"{SYSTEM}/Bios"] = Reply(403)
    for _ in range(2):
        assert (await guard.observe()).auto_power_on is None


async def test_a_look_costs_one_request_once_the_system_is_known(peer: WrittenBmc, guard: Bmc) -> None:
    """Discovery is done once, and again when the system has moved."""
    await guard.observe()
    await guard.observe()
    assert peer.seen("GET") == [f"{ROOT}/", f"{ROOT}/Systems", SYSTEM, SYSTEM]
    moved = f"{ROOT}/Systems/Self"
    peer.pages[f"{ROOT}/Systems"] = Reply(body={"Members": [{"@odata.id": moved}]})
    peer.pages[moved] = peer.pages.pop(SYSTEM)
    assert (await guard.observe()).power is Power.OFF
    assert peer.seen("GET")[-1] == moved


async def test_one_operation_at_a_time(peer: WrittenBmc, guard: Bmc) -> None:
    """Two looks at once never put two requests to one BMC at once."""
    running, most = 0, 0

    async def slow(_: web.Request) -> Reply:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return Reply(body=peer.system_body())

    peer.pages[SYSTEM] = slow
    await asyncio.gather(*(guard.observe() for _ in range(4)))
    assert most == 1
