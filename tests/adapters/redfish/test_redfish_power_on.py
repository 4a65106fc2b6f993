"""Power-on: asked once, for On and nothing else, and judged by the power that is then seen."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from peers.redfish import RESET, SYSTEM, HandClock, Reply, WrittenBmc, hang_up
from peers.redfish_bench import Diary, guarding
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.plant import Power
from thermo_guard.ports import Ambiguous, Fault, Refused, Transient, Unauthorized


@pytest.mark.parametrize(("state", "posts"), [
    ("On", 0), ("PoweringOn", 0), ("Reset", 0), ("Off", 1), ("PoweringOff", 1), ("Unknown", 1), (None, 1),
])
async def test_power_on_asks_unless_on_or_coming(
    peer: WrittenBmc, guard: Bmc, state: str | None, posts: int
) -> None:
    """Only a machine that is on or coming on is left alone; an unknown state is asked, since On does no harm."""
    peer.power_state = state
    await guard.power_on()
    assert len(peer.seen("POST")) == posts


@pytest.mark.parametrize(("offered", "sent"), [
    (["On", "ForceOn", "PushPowerButton"], "On"), (["ForceOn", "ForceOff"], "ForceOn"), ([], "On"),
])
async def test_power_on_takes_on_or_force_on(
    peer: WrittenBmc, guard: Bmc, offered: list[str], sent: str
) -> None:
    """ForceOn stands in where only it is offered; where nothing is listed On is asked."""
    actions = {"#ComputerSystem.Reset": {"target": RESET, "ResetType@Redfish.AllowableValues": offered}}
    peer.pages[SYSTEM] = Reply(body=peer.system_body(Actions=actions))
    asked: list[object] = []

    async def reset(request: web.Request) -> Reply:
        asked.append(await request.json())
        return Reply(200)

    peer.pages[RESET] = reset
    await guard.power_on()
    assert asked == [{"ResetType": sent}]


async def test_power_button_is_never_pushed(peer: WrittenBmc, guard: Bmc) -> None:
    """Where neither On nor ForceOn is offered nothing is asked: a power button toggles."""
    actions = {"#ComputerSystem.Reset": {"target": RESET, "ResetType@Redfish.AllowableValues": ["PushPowerButton"]}}
    peer.pages[SYSTEM] = Reply(body=peer.system_body(Actions=actions))
    with pytest.raises(Refused, match="PushPowerButton"):
        await guard.power_on()
    assert peer.seen("POST") == []


async def test_resets_are_read_from_action_info(peer: WrittenBmc, guard: Bmc) -> None:
    """Where the resets stand on a page of their own they are read there and obeyed."""
    info = f"{SYSTEM}/ResetActionInfo"
    actions = {"#ComputerSystem.Reset": {"target": RESET, "@Redfish.ActionInfo": info}}
    peer.pages[SYSTEM] = Reply(body=peer.system_body(Actions=actions))
    peer.pages[info] = Reply(body={"Parameters": [{"Name": "ResetType", "AllowableValues": ["ForceOn", "Nmi"]}]})
    assert (await guard.observe()).allowed_resets == ("ForceOn", "Nmi")


@pytest.mark.parametrize("status", [400, 409, 500, 503])
async def test_power_state_decides_and_not_the_status(peer: WrittenBmc, guard: Bmc, status: int) -> None:
    """A reset answered with an error is no fault when the machine then shows that it is coming on."""

    async def reset(_: web.Request) -> Reply:
        peer.power_state = "PoweringOn"
        return Reply(status, {"error": {"code": "iLO.0.10.ExtendedInfo"}})

    peer.pages[RESET] = reset
    await guard.power_on()
    assert len(peer.seen("POST")) == 1


@pytest.mark.parametrize(("status", "fault"), [
    (400, Refused), (404, Refused), (405, Refused), (501, Refused), (409, Transient), (429, Transient),
    (500, Transient), (503, Transient), (502, Ambiguous), (504, Ambiguous), (302, Refused),
])
async def test_declined_power_on_says_what_it_means(
    peer: WrittenBmc, guard: Bmc, status: int, fault: type[Fault]
) -> None:
    """Still off after a declined reset: refused, busy or unknown by the status, with the BMC's own word, asked once."""
    extended = {"@Message.ExtendedInfo": [{"MessageID": "iLO.0.10.InvalidOperationForSystemState"}]}
    peer.pages[RESET] = Reply(status, {"error": extended})
    with pytest.raises(fault, match="InvalidOperationForSystemState"):
        await guard.power_on()
    assert len(peer.seen("POST")) == 1


async def test_post_is_never_replayed(peer: WrittenBmc, guard: Bmc) -> None:
    """A POST whose connection breaks goes out once; still off afterwards is Ambiguous."""
    peer.pages[RESET] = hang_up
    with pytest.raises(Ambiguous):
        await guard.power_on()
    assert len(peer.seen("POST")) == 1


async def test_post_without_an_answer_is_looked_after(peer: WrittenBmc, tmp_path: Path) -> None:
    """A POST that times out is settled by looking: the machine came on, so all is well."""

    async def reset(_: web.Request) -> Reply:
        peer.power_state = "On"
        await asyncio.Event().wait()
        return Reply()

    peer.pages[RESET] = reset
    guard = guarding(peer.address, SteadyClock(), tmp_path, request_timeout_s=0.5)
    await guard.power_on()
    await guard.aclose()
    assert len(peer.seen("POST")) == 1


async def test_account_without_the_reset_right_can_still_look(peer: WrittenBmc, guard: Bmc, clock: HandClock) -> None:
    """403 on the reset alone stops resets for 20 minutes, while the power stays visible."""
    peer.pages[RESET] = Reply(403, {"error": {"code": "Base.1.0.InsufficientPrivilege"}})
    for _ in range(2):
        with pytest.raises(Unauthorized, match="may not reset"):
            await guard.power_on()
    assert len(peer.seen("POST")) == 1
    assert (await guard.observe()).power is Power.OFF
    clock.time += 1201
    peer.pages[RESET] = peer.reset
    await guard.power_on()
    assert len(peer.seen("POST")) == 2


async def test_a_missing_right_to_reset_is_no_refused_login(
    peer: WrittenBmc, clock: HandClock, tmp_path: Path
) -> None:
    """It locks no account, so it is kept by the process alone, whose text says so; the login stays on no record."""
    peer.pages[RESET] = Reply(403)
    diary = Diary(clock)
    for _ in range(2):
        guard = guarding(peer.address, clock, tmp_path, logins=diary.process())
        for _ in range(2):
            with pytest.raises(Unauthorized, match="asked again in 20 minutes, or as soon as the guard is started"):
                await guard.power_on()
        await guard.aclose()
    assert len(peer.seen("POST")) == 2
    assert diary.events == []
