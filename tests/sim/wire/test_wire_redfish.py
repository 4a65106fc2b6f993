"""Our own adapter on virtual BMCs: it sees and does through them what it does through BMCs that nobody here wrote."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Iterator

import pytest
import trustme

from peers import absent
from peers.sushy import FakeSystem, SushyBmc
from sim.wire.on_redfish import OnRedfish
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.plant import Power
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Refused, Transient, Unauthorized
from thermo_guard.sim.machines import Stage, other_byte_order
from thermo_guard.sim.wire.redfish_flavours import FLAVOURS

UUID = "27946b59-9e44-4fa7-8e91-f3527a1ef094"


@pytest.fixture(scope="module")
def sushy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SushyBmc]:
    if importlib.util.find_spec("sushy_tools") is None:
        absent("sushy-emulator", "sushy-tools is not installed")
    with SushyBmc(tmp_path_factory.mktemp("sushy"), trustme.CA(), [FakeSystem(UUID)], delay_s=0) as bmc:
        yield bmc


class OnSushy:
    """What the contract asks of a machine, on sushy-emulator."""

    def __init__(self, bmc: SushyBmc) -> None:
        self._bmc = bmc
        self.set_power = bmc.set_power
        self.guard = self.opened(bmc.password)

    def opened(self, password: str) -> Bmc:
        clock, bmc = SteadyClock(), self._bmc
        return Bmc(bmc.address, bmc.username, password, clock, logins=RefusedLogins(clock), fingerprint=bmc.fingerprint)

    def pass_by(self, seconds: float) -> None:
        """Its resets take no time."""


@pytest.fixture(params=[*FLAVOURS, pytest.param("sushy", marks=pytest.mark.peer)])
async def machine(request: pytest.FixtureRequest) -> AsyncIterator[OnRedfish | OnSushy]:
    if request.param == "sushy":
        on_sushy = OnSushy(request.getfixturevalue("sushy"))
        yield on_sushy
        await on_sushy.guard.aclose()
        return
    async with OnRedfish(request.param) as on:
        yield on


async def test_power_is_seen(machine: OnRedfish | OnSushy) -> None:
    """A look shows the power as it is, with a UUID and the resets that the guard needs."""
    for is_on in (True, False):
        machine.set_power(is_on)
        seen = await machine.guard.observe()
        assert seen.power is (Power.ON if is_on else Power.OFF)
        assert seen.uuid is not None
        assert {"On", "ForceOff"} <= set(seen.allowed_resets)


async def test_on_and_forced_off_again(machine: OnRedfish | OnSushy) -> None:
    """What is asked for happens, and asking again when it has happened is no fault."""
    machine.set_power(False)
    for _ in range(2):
        await machine.guard.power_on()
        machine.pass_by(60.0)
        assert (await machine.guard.observe()).power is Power.ON
    for _ in range(2):
        await machine.guard.force_off()
        assert (await machine.guard.observe()).power is Power.OFF


async def test_a_wrong_password_is_unauthorized(machine: OnRedfish | OnSushy) -> None:
    """A login that is wrong is refused as such."""
    stranger = machine.opened(password="wrong")
    with pytest.raises(Unauthorized, match="refuses the login"):
        await stranger.observe()
    await stranger.aclose()


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("plan", [{}, {"swaps_uuid": True}, {"shows_uuid": False}, {"says_off": True}])
async def test_the_wire_shows_what_the_world_shows(flavour: str, plan: dict[str, bool]) -> None:
    """Through the wire the guard sees the identity, power and model that it sees of the virtual BMC in one process."""
    async with OnRedfish(flavour, **plan) as on:
        seen = await on.guard.observe()
        wanted = on.state.seen(on.world.now, on.world.cluster.bmc_power(on.state))
        assert (seen.power, seen.uuid, seen.serials, seen.model) == (
            wanted.power, wanted.uuid, wanted.serials, wanted.model
        )
        assert (seen.uuid == other_byte_order(on.state.uuid)) is ("swaps_uuid" in plan)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(("planned", "wanted"), [
    ("PowerOn", "AlwaysOn"), ("AlwaysOff", "AlwaysOff"), ("Restore", "LastState"), (None, None),
])
async def test_what_it_does_when_the_mains_return(flavour: str, planned: str | None, wanted: str | None) -> None:
    """Each vendor tells the planned policy where and as it keeps it, and the guard finds it."""
    async with OnRedfish(flavour, auto_power_on=planned) as on:
        assert (await on.guard.observe()).auto_power_on == wanted


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_start_is_moving_first(flavour: str) -> None:
    """A host that was told On is neither off nor on until its power has moved, and its operating system comes later."""
    async with OnRedfish(flavour) as on:
        on.set_power(False)
        await on.guard.power_on()
        assert (await on.guard.observe()).power is Power.MOVING
        on.pass_by(on.host.plan.power_moves_s)
        assert (await on.guard.observe()).power is Power.ON
        assert on.host.stage is Stage.BOOTING


async def test_a_look_advances_the_world() -> None:
    """What is due by the clock has happened before the BMC answers, whoever else looks at the world or not."""
    async with OnRedfish("ilo5") as on:
        on.world.cluster.shut_down(on.host)
        on.clock.time += 2 * on.host.plan.shut_s
        assert (await on.guard.observe()).power is Power.OFF


async def test_a_killed_bmc_comes_back_as_it_was() -> None:
    """A killed BMC's port is closed; revived it answers at the same address with the same certificate."""
    async with OnRedfish("ilo6") as on:
        before = await on.guard.observe()
        await on.face.kill()
        with pytest.raises(Transient, match=r"cannot be reached|broke"):
            await on.guard.observe()
        await on.face.revive()
        assert await on.guard.observe() == before


async def test_a_dead_or_hanging_bmc_takes_connections_and_never_answers() -> None:
    """Firmware that hangs costs the guard its time-out, and nothing is known of the machine."""
    async with OnRedfish("idrac", is_dead=True) as on:
        with pytest.raises(Transient, match="no answer within"):
            await on.guard.observe()
        await on.face.revive()
        await on.guard.observe()
        on.face.hang()
        with pytest.raises(Transient, match="no answer within"):
            await on.guard.observe()
    async with asyncio.timeout(5):  # none waits on after its client and its BMC are gone
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


async def test_each_bmc_has_a_certificate_of_its_own() -> None:
    """A pin of one BMC does not vouch for the next."""
    async with OnRedfish("ilo5") as one, OnRedfish("ilo5") as other:
        await one.guard.observe()
        mistaken = one.opened(fingerprint=other.face.fingerprint)
        with pytest.raises(Refused, match="another certificate"):
            await mistaken.observe()
        await mistaken.aclose()
