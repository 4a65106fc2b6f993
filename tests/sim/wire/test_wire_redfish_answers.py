"""What virtual BMCs answer a stranger: the shapes of real ones, their refusals, logins and redirects."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from peers import shared
from sim.wire.on_redfish import HOST, LOGIN, PASSWORD, USERNAME, OnRedfish
from thermo_guard.core.plant import Power
from thermo_guard.ports import Refused
from thermo_guard.sim.blueprint import InletPlan
from thermo_guard.sim.inlets import InletFault
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.wire.redfish import MOST_SESSIONS, SESSION_IDLE_S
from thermo_guard.sim.wire.redfish_flavours import FLAVOURS, SESSIONS

CAPTURED = {"ilo5": "ilo5", "ilo6": "ilo6", "idrac": "dell"}
NEEDED = {"UUID", "SerialNumber", "SKU", "Manufacturer", "Model", "PowerState", "Actions", "Id", "Status"}


def differences(ours: Any, theirs: Any, where: str) -> Iterator[str]:
    """Where ours has a field or a type that theirs has not; the members of a list are as theirs' first of that name."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key not in theirs:
                yield f"{where}/{key} is not there"
            else:
                yield from differences(value, theirs[key], f"{where}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        for one in ours:
            named = [other for other in theirs if isinstance(one, dict) and other.get("Name") == one.get("Name")]
            yield from differences(one, (named or theirs or [one])[0], f"{where}[]")
    elif type(ours) is not type(theirs):
        yield f"{where} is {theirs!r}, not {ours!r}"


@pytest.mark.parametrize("flavour", CAPTURED)
async def test_the_answers_have_the_shapes_of_real_machines(flavour: str) -> None:
    """All that a face shows, a real machine of that vendor shows in the same place and with the same type."""
    tree = shared(f"data/redfish/{CAPTURED[flavour]}")
    async with OnRedfish(flavour) as on:
        system = FLAVOURS[flavour].system
        pages = ["", "/Systems", f"/Systems/{system}", "/Chassis", f"/Chassis/{system}", f"/Chassis/{system}/Thermal",
                 "/Managers", f"/Managers/{FLAVOURS[flavour].manager}", "/SessionService"]
        compared = 0
        for page in pages:
            ours = await on.get(f"/redfish/v1{page}/")
            file = tree / page.strip("/") / "index.json"
            if file.is_file():
                compared += 1
                assert list(differences(ours, json.loads(file.read_text()), page)) == []
        assert compared >= 6
        assert (await on.get(f"/redfish/v1/Systems/{system}")).keys() >= NEEDED


@pytest.mark.parametrize("flavour", CAPTURED)
async def test_the_resets_on_offer_are_the_vendors(flavour: str) -> None:
    """The allowable resets are those of the captured machine."""
    tree = shared(f"data/redfish/{CAPTURED[flavour]}")
    path = f"Systems/{FLAVOURS[flavour].system}"
    theirs = json.loads((tree / path / "index.json").read_text())["Actions"]["#ComputerSystem.Reset"]
    async with OnRedfish(flavour) as on:
        assert (await on.get(f"/redfish/v1/{path}"))["Actions"]["#ComputerSystem.Reset"] == theirs


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_the_inlet_follows_the_room(flavour: str) -> None:
    """The guard finds the inlet among all that a BMC shows, as the world has it, and what is wrong with it later."""
    async with OnRedfish(flavour) as on:
        inlet = on.world.inlets[on.state.plan.address]
        first = (await on.guard.inlet()).readings[0]
        assert (on.guard.inlet_sensor, first.celsius, first.is_running) == (
            FLAVOURS[flavour].inlet, inlet.shown_c, True)
        on.world.fail_cooling(7200.0)
        on.pass_by(1800.0)
        later = (await on.guard.inlet()).readings[0]
        assert later.celsius == inlet.shown_c
        assert later.celsius > first.celsius + 3
        on.world.set_inlet(HOST, InletFault.ZERO)
        assert [reading.celsius for reading in (await on.guard.inlet()).readings] == [0]
        on.world.set_inlet(HOST, InletFault.SILENT)
        assert not (await on.guard.inlet()).readings
        on.world.set_inlet(HOST, InletFault.NONE)
        on.set_power(is_on=False)
        assert [reading.is_running for reading in (await on.guard.inlet()).readings] == [False]


async def test_a_server_without_an_inlet_sensor() -> None:
    """Of what else its BMC shows nothing is taken for the inlet."""
    async with OnRedfish("supermicro", inlet=InletPlan(is_there=False)) as on:
        with pytest.raises(Refused, match="it shows CPU Temp, System Temp"):
            await on.guard.inlet()


@pytest.mark.parametrize(("flavour", "status", "word"), [
    ("ilo5", 400, "InvalidOperationForSystemState"), ("ilo6", 400, "InvalidOperationForSystemState"),
    ("idrac", 409, "PSU501"), ("supermicro", 200, "Success"),
])
async def test_a_redundant_reset_is_answered_as_the_vendor_does(flavour: str, status: int, word: str) -> None:
    """A reset that would change nothing is declined in the vendor's own words, or accepted, and changes nothing."""
    async with OnRedfish(flavour) as on:
        stage = on.host.epoch
        answered, body = await _reset(on, "On")
        assert (answered, body["error"]["@Message.ExtendedInfo"][0]["MessageId"].split(".")[-1]) == (status, word)
        assert on.host.epoch == stage


@pytest.mark.parametrize(("kind", "stage"), [
    ("GracefulShutdown", Stage.STOPPING), ("PushPowerButton", Stage.STOPPING), ("ForceOff", Stage.OFF),
    ("ForceRestart", Stage.BOOTING),
])
async def test_resets_do_to_the_host_what_they_say(kind: str, stage: Stage) -> None:
    """Each reset of a running host leads it where its name says."""
    async with OnRedfish("idrac") as on:
        assert await _reset(on, kind) == (204, None)
        assert on.host.stage is stage


async def test_the_button_starts_a_host_that_is_off() -> None:
    """The power button toggles."""
    async with OnRedfish("ilo5") as on:
        on.set_power(False)
        assert (await _reset(on, "PushPowerButton"))[0] == 200
        assert on.host.stage is Stage.BOOTING


@pytest.mark.parametrize(("sent", "word"), [
    (b"{", "MalformedJSON"), (b"[]", "MalformedJSON"), (b"{}", "ActionParameterMissing"),
    (b'{"ResetType": "Explode"}', "ActionParameterNotSupported"),
    (b'{"ResetType": ["On"]}', "ActionParameterNotSupported"),
    (b'{"ResetType": "Nmi"}', "ActionNotSupported"),
])
async def test_what_is_no_reset_is_declined(sent: bytes, word: str) -> None:
    """A reset that is none, or that the site does not know, is told so and does nothing."""
    async with OnRedfish("supermicro") as on:
        stage = on.host.epoch
        async with on.client.post(FLAVOURS["supermicro"].reset_path, data=sent, headers=LOGIN) as answer:
            body = await answer.json()
        assert answer.status == 400
        assert body["error"]["@Message.ExtendedInfo"][0]["MessageId"].endswith(f".{word}")
        assert on.host.epoch == stage


async def test_an_ilo_tells_where_post_stands() -> None:
    """PostState is off, in POST while the host boots, and finished when its operating system runs."""
    async with OnRedfish("ilo6") as on:
        told = []
        on.set_power(False)
        for seconds in (0.0, 30.0, 600.0):
            on.pass_by(seconds)
            told.append((await on.get("/redfish/v1/Systems/1"))["Oem"]["Hpe"]["PostState"])
            if not seconds:
                await on.guard.power_on()
        assert told == ["PowerOff", "InPost", "FinishedPost"]


async def test_an_ilo_sends_its_root_on() -> None:
    """An iLO answers the root without a slash with 308, and the others do not."""
    for flavour, status in (("ilo5", 308), ("idrac", 200)):
        async with OnRedfish(flavour) as on, on.client.get("/redfish/v1", allow_redirects=False) as answer:
            assert answer.status == status


async def test_only_the_root_is_open() -> None:
    """Without a login the root answers and nothing else does, be it there or not, and Basic is offered."""
    async with OnRedfish("ilo5") as on:
        async with on.client.get("/redfish/v1/") as answer:
            assert answer.status == 200
        for path in ("/redfish/v1/Systems", "/redfish/v1/Nowhere", SESSIONS, FLAVOURS["ilo5"].reset_path):
            async with on.client.get(path) as answer:
                assert (answer.status, answer.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        async with on.client.post(FLAVOURS["ilo5"].reset_path, json={"ResetType": "ForceOff"}) as answer:
            assert answer.status == 401
        assert (await on.guard.observe()).power is Power.ON


async def test_what_is_not_there_and_what_may_not_be_done() -> None:
    """A page that is not there is 404, and a method that a page does not know 405 with those it does."""
    async with OnRedfish("ilo5") as on:
        async with on.client.get("/redfish/v1/Nowhere", headers=LOGIN) as answer:
            assert answer.status == 404
        async with on.client.delete("/redfish/v1/Systems/1", headers=LOGIN) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_session_lets_in_until_it_is_ended_or_idle() -> None:
    """A token opens what Basic opens; it ends by DELETE, or when nobody has used it for its time-out."""
    async with OnRedfish("idrac") as on:
        for ends in ("deleted", "idle"):
            headers, place = await _session(on)
            async with on.client.get("/redfish/v1/Systems", headers=headers) as answer:
                assert answer.status == 200
            if ends == "deleted":
                async with on.client.delete(place, headers=headers) as answer:
                    assert answer.status == 204
            else:
                on.clock.time += SESSION_IDLE_S
            async with on.client.get("/redfish/v1/Systems", headers=headers) as answer:
                assert answer.status == 401


async def test_sessions_are_limited() -> None:
    """When all sessions are taken none is given, until one has ended."""
    async with OnRedfish("ilo5") as on:
        open_now = [await _session(on) for _ in range(MOST_SESSIONS)]
        login = {"UserName": USERNAME, "Password": PASSWORD}
        async with on.client.post(SESSIONS, json=login) as answer:
            assert answer.status == 503
        headers, place = open_now[0]
        async with on.client.delete(place, headers=headers) as answer:
            assert answer.status == 204
        await _session(on)
        async with on.client.post(SESSIONS, json=login | {"Password": "wrong"}) as answer:
            assert answer.status == 401


async def _session(on: OnRedfish) -> tuple[dict[str, str], str]:
    async with on.client.post(SESSIONS, json={"UserName": USERNAME, "Password": PASSWORD}) as answer:
        assert answer.status == 201
        return {"X-Auth-Token": answer.headers["X-Auth-Token"]}, answer.headers["Location"]


async def _reset(on: OnRedfish, kind: str) -> tuple[int, Any]:
    async with on.client.post(await _reset_path(on), json={"ResetType": kind}, headers=LOGIN) as answer:
        return answer.status, (await answer.json() if answer.status != 204 else None)


async def _reset_path(on: OnRedfish) -> str:
    systems = await on.get("/redfish/v1/Systems")
    system = await on.get(systems["Members"][0]["@odata.id"])
    return str(system["Actions"]["#ComputerSystem.Reset"]["target"])
