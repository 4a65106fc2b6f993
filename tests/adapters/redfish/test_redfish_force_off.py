"""Force-off: ForceOff and nothing else, where it is offered, at the computer that was looked at."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from peers import absent, shared
from peers.redfish import RESET, SYSTEM, HandClock, Reply, WrittenBmc, hang_up
from peers.redfish_bench import guarding
from peers.sushy import FakeSystem, SushyBmc
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.plant import Power
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Ambiguous, Fault, PowerController, Refused, Transient, Unauthorized

SUPERMICRO = ["On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "Nmi", "ForceOn"]
"""Allowable values of an X11 and an X12 board."""


@pytest.mark.parametrize(("state", "posts"), [
    ("Off", 0), ("On", 1), ("PoweringOn", 1), ("PoweringOff", 1), ("Reset", 1), ("Unknown", 1), (None, 1),
])
async def test_force_off_asks_unless_off(peer: WrittenBmc, guard: Bmc, state: str | None, posts: int) -> None:
    """Only a machine that is off is left alone; one that hangs on its way off is asked, since it is for that."""
    peer.power_state = state
    await guard.force_off()
    assert len(peer.seen("POST")) == posts


@pytest.mark.parametrize("offered", [SUPERMICRO, ["PushPowerButton", "ForceOff"], []])
async def test_force_off_sends_force_off_and_no_other_kind(
    peer: WrittenBmc, guard: Bmc, offered: list[str]
) -> None:
    """It is ForceOff whatever else is on offer, and also where the BMC lists nothing."""
    actions = {"#ComputerSystem.Reset": {"target": RESET, "ResetType@Redfish.AllowableValues": offered}}
    peer.power_state = "On"
    peer.pages[SYSTEM] = Reply(body=peer.system_body(Actions=actions))
    asked: list[object] = []

    async def reset(request: web.Request) -> Reply:
        asked.append(await request.json())
        return Reply(204)

    peer.pages[RESET] = reset
    await guard.force_off()
    assert asked == [{"ResetType": "ForceOff"}]


async def test_a_bmc_without_force_off_is_asked_for_nothing(peer: WrittenBmc, guard: Bmc) -> None:
    """Where it is not offered the refusal says so and what is offered instead, and no power button is pushed."""
    offered = ["On", "GracefulShutdown", "PushPowerButton"]
    actions = {"#ComputerSystem.Reset": {"target": RESET, "ResetType@Redfish.AllowableValues": offered}}
    peer.power_state = "On"
    peer.pages[SYSTEM] = Reply(body=peer.system_body(Actions=actions))
    with pytest.raises(Refused, match="no reset of type ForceOff, only On, GracefulShutdown, PushPowerButton"):
        await guard.force_off()
    assert peer.seen("POST") == []


async def test_another_computer_is_never_forced_off(peer: WrittenBmc, guard: Bmc) -> None:
    """An address that has passed to another computer since the last look cuts nobody's power."""
    peer.power_state = "On"
    await guard.observe()
    peer.pages[SYSTEM] = Reply(body=peer.system_body(UUID="11111111-2222-3333-4444-555555555555"))
    with pytest.raises(Refused, match="another computer"):
        await guard.force_off()
    assert peer.seen("POST") == []


@pytest.mark.parametrize(("status", "fault"), [
    (400, Refused), (404, Refused), (409, Transient), (503, Transient), (502, Ambiguous), (403, Unauthorized),
])
async def test_declined_force_off_says_what_it_means(
    peer: WrittenBmc, guard: Bmc, status: int, fault: type[Fault]
) -> None:
    """Still on after a declined reset: the same faults as a power-on, asked once."""
    peer.power_state = "On"
    peer.pages[RESET] = Reply(status, {"error": {"code": "Base.1.0.ActionNotSupported"}})
    with pytest.raises(fault, match="ActionNotSupported"):
        await guard.force_off()
    assert len(peer.seen("POST")) == 1


async def test_lost_answer_of_a_force_off_is_ambiguous_until_it_is_seen_off(peer: WrittenBmc, guard: Bmc) -> None:
    """A broken connection is never asked again: still on is Ambiguous, and off is what was wanted."""
    peer.power_state = "On"
    peer.pages[RESET] = hang_up
    with pytest.raises(Ambiguous):
        await guard.force_off()
    assert len(peer.seen("POST")) == 1

    async def done_and_lost(request: web.Request) -> Reply:
        peer.power_state = "Off"
        return await hang_up(request)

    peer.pages[RESET] = done_and_lost
    await guard.force_off()
    assert len(peer.seen("POST")) == 2


@pytest.mark.parametrize("machine", ["ilo5", "ilo6", "ilo7", "dell"])
async def test_force_off_at_a_captured_machine(machine: str, tmp_path: Path) -> None:
    """Real machines, iLO 5 to 7 and an iDRAC, offer ForceOff, and are asked for it at the target that they name."""
    tree = shared(f"data/redfish/{machine}")
    asked: list[tuple[str, object]] = []

    async def page(request: web.Request) -> Reply:
        if request.method == "POST":
            asked.append((request.path.rstrip("/"), await request.json()))
            return Reply(200)
        file = tree / request.path.removeprefix("/redfish/v1").strip("/") / "index.json"
        return Reply(body=file.read_bytes()) if file.is_file() else Reply(404)

    path = "/redfish/v1/Systems/System.Embedded.1" if machine == "dell" else "/redfish/v1/Systems/1"
    reset = f"{path}/Actions/ComputerSystem.Reset"
    pages = dict.fromkeys(("/redfish/v1", "/redfish/v1/Systems", path, reset), page)
    async with WrittenBmc(pages) as peer:
        guard = guarding(peer.address, HandClock(0), tmp_path)
        await guard.force_off()
        await guard.aclose()
    assert asked == [(reset, {"ResetType": "ForceOff"})]


@pytest.fixture(scope="module")
def sushy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SushyBmc]:
    if importlib.util.find_spec("sushy_tools") is None:
        absent("sushy-emulator", "sushy-tools is not installed")
    system = FakeSystem("27946B59-9E44-4FA7-8E91-F3527A1EF095")
    with SushyBmc(tmp_path_factory.mktemp("sushy"), trustme.CA(), [system], listen="127.0.0.10", delay_s=0) as bmc:
        yield bmc


@pytest.mark.peer
async def test_force_off_at_a_bmc_that_nobody_here_wrote(sushy: SushyBmc) -> None:
    """sushy-emulator: one POST of ForceOff and the power is gone, none once it is off, a lost answer is told apart."""
    clock = SteadyClock()
    guard: PowerController = Bmc(
        sushy.address, sushy.username, sushy.password, clock, logins=RefusedLogins(clock), ca_file=sushy.ca_file,
    )
    await guard.force_off()
    await guard.force_off()
    assert [post.body for post in sushy.posts()] == ['{"ResetType": "ForceOff"}']
    assert (await guard.observe()).power is Power.OFF
    sushy.set_power(True)
    sushy.lose_next_post(is_done=False)
    with pytest.raises(Ambiguous):
        await guard.force_off()
    sushy.lose_next_post(is_done=True)
    await guard.force_off()
    assert not sushy.power()
    assert len(sushy.posts()) == 3
    await guard.aclose()
