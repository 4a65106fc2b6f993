"""How the client meets BMCs that misbehave: slow, busy, rebooting, proxied, strict about logins."""

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from peers.redfish import CA, RESET, ROOT, SYSTEM, HandClock, Reply, WrittenBmc, ca_file, hang_up
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.plant import Power
from thermo_guard.ports import Ambiguous, Clock, Fault, Refused, Transient, Unauthorized

PASSWORD = "pass:wörd"
Opening = Callable[..., Awaitable[tuple[WrittenBmc, Bmc]]]


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[WrittenBmc]:
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


def guarding(address: str, clock: Clock, folder: Path, *, request_timeout_s: float = 5.0) -> Bmc:
    return Bmc(address, "guard", PASSWORD, clock, ca_file=ca_file(folder), connect_timeout_s=0.5,
               request_timeout_s=request_timeout_s)


# Power-on


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


# Looking


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


# Busy, silent, lost


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
    for address in ("127.0.0.1:1", "no-such-bmc.invalid"):
        guard = guarding(address, clock, tmp_path)
        with pytest.raises(Transient):
            await guard.observe()
        await guard.aclose()


# Whom it talks to


async def test_wrong_pin_sends_no_byte_of_http(tmp_path: Path, clock: HandClock) -> None:
    """With a wrong pin the connection ends after the handshake: not even the Authorization header is sent."""
    received = bytearray()
    ended = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read())
        writer.close()
        ended.set()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("127.0.0.1").configure_cert(tls)
    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    guard = Bmc(f"127.0.0.1:{port}", "guard", PASSWORD, clock, fingerprint="0f" * 32)
    with pytest.raises(Refused, match="another certificate"):
        await guard.observe()
    await guard.aclose()
    await asyncio.wait_for(ended.wait(), 5)
    assert bytes(received) == b""
    server.close()


@pytest.mark.parametrize("location", ["https://127.0.0.2:{port}/redfish/v1/", "https://127.0.0.1:1/", "//other/", "http://127.0.0.1:{port}/"])
async def test_redirect_to_another_origin_is_refused(
    peer: WrittenBmc, guard: Bmc, location: str
) -> None:
    """The login never follows a redirect to another host, port or scheme."""
    there = location.format(port=peer.address.rpartition(":")[2])
    peer.pages[f"{ROOT}/Systems"] = Reply(302, headers={"Location": there})
    async with WrittenBmc(listen="127.0.0.2") as other:
        with pytest.raises(Refused, match="another server"):
            await guard.observe()
        assert other.requests == []


async def test_links_to_another_origin_are_refused(peer: WrittenBmc, guard: Bmc) -> None:
    """A link in a body leads nowhere else either, the reset's target least of all."""
    actions = {"#ComputerSystem.Reset": {"target": "https://127.0.0.2/reset"}}
    peer.pages[SYSTEM] = Reply(body=peer.system_body(Actions=actions))
    with pytest.raises(Refused, match="another server"):
        await guard.power_on()
    assert peer.seen("POST") == []


async def test_redirects_at_home_are_followed(peer: WrittenBmc, guard: Bmc) -> None:
    """308 within the BMC, as iLO 4 gives for a missing slash, is followed by GET and POST; circles end."""
    peer.pages[f"{ROOT}/moved"] = peer.reset
    peer.pages[RESET] = Reply(308, headers={"Location": f"{ROOT}/moved"})
    await guard.power_on()
    assert peer.seen("POST") == [RESET, f"{ROOT}/moved"]
    peer.pages[SYSTEM] = Reply(308, headers={"Location": SYSTEM})
    with pytest.raises(Refused, match="without end"):
        await guard.observe()


# Logins


async def test_login_is_basic_in_utf8_and_not_sent_to_the_open_root(peer: WrittenBmc, guard: Bmc) -> None:
    """Basic goes with every request but the service root's, which is open to all."""
    await guard.observe()
    wanted = "Basic " + base64.b64encode(f"guard:{PASSWORD}".encode()).decode()
    assert [request.headers.get("Authorization") for request in peer.requests] == [None, wanted, wanted]


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_login_is_not_repeated_for_20_minutes(
    peer: WrittenBmc, guard: Bmc, clock: HandClock, status: int
) -> None:
    """After 401 or 403 the BMC is left alone for 20 minutes, so that nobody is locked out, and then asked again."""
    peer.pages[f"{ROOT}/Systems"] = Reply(status, headers={"WWW-Authenticate": 'Basic realm="iLO"'})
    with pytest.raises(Unauthorized, match="20 minutes") as first:
        await guard.observe()
    asked = len(peer.requests)
    clock.time += 1190
    with pytest.raises(Unauthorized, match="this process does not ask"):
        await guard.observe()
    assert len(peer.requests) == asked
    clock.time += 20
    with pytest.raises(Unauthorized):
        await guard.observe()
    assert len(peer.requests) == asked + 2
    assert PASSWORD not in str(first.value)


class _Sessions:
    """A service that takes sessions and not Basic."""

    def __init__(self, peer: WrittenBmc, password: str = PASSWORD) -> None:
        self.peer, self.password = peer, password
        self.tokens: set[str] = set()
        self.logins = 0
        peer.pages[ROOT] = Reply(body={
            "Systems": {"@odata.id": f"{ROOT}/Systems"}, "SessionService": {"@odata.id": f"{ROOT}/SessionService"},
            "Links": {"Sessions": {"@odata.id": f"{ROOT}/SessionService/Sessions"}},
        })
        for path in (f"{ROOT}/Systems", SYSTEM, RESET):
            peer.pages[path] = self.guarded(peer.pages[path])
        peer.pages[f"{ROOT}/SessionService/Sessions"] = self.log_in

    def guarded(self, page: object) -> Callable[[web.Request], Awaitable[Reply]]:
        async def answer(request: web.Request) -> Reply:
            if request.headers.get("X-Auth-Token") not in self.tokens:
                return Reply(401)
            return page if isinstance(page, Reply) else await page(request)  # type: ignore[operator]
        return answer

    async def log_in(self, request: web.Request) -> Reply:
        self.logins += 1
        assert "Authorization" not in request.headers
        if await request.json() != {"UserName": "guard", "Password": self.password}:
            return Reply(401)
        token = f"token{self.logins}"
        self.tokens.add(token)
        here = f"{ROOT}/SessionService/Sessions/{token}"
        self.peer.pages[here] = self.log_out
        return Reply(201, headers={"X-Auth-Token": token, "Location": here})

    async def log_out(self, request: web.Request) -> Reply:
        if request.method == "DELETE":
            self.tokens.discard(request.headers["X-Auth-Token"])
        return Reply(204, b"")


async def test_session_where_basic_is_refused_and_log_out(peer: WrittenBmc, guard: Bmc) -> None:
    """Where Basic is off and sessions are offered one session serves all, is renewed when it ends, and is ended."""
    service = _Sessions(peer)
    await guard.power_on()
    await guard.observe()
    assert service.logins == 1
    service.tokens.clear()
    await guard.observe()
    assert service.logins == 2
    await guard.aclose()
    assert service.tokens == set()


async def test_wrong_password_for_a_session_is_tried_once(peer: WrittenBmc, guard: Bmc) -> None:
    """A session login that is refused is not repeated either."""
    service = _Sessions(peer, password="another")
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await guard.observe()
    assert service.logins == 1


async def test_no_session_is_tried_where_basic_is_offered(peer: WrittenBmc, guard: Bmc) -> None:
    """Where the 401 offers Basic the password is wrong, and a second failed login would only hasten a lock-out."""
    service = _Sessions(peer)
    peer.pages[f"{ROOT}/Systems"] = Reply(401, headers={"WWW-Authenticate": "Basic"})
    with pytest.raises(Unauthorized):
        await guard.observe()
    assert service.logins == 0


# Settings


@pytest.mark.parametrize("host", [
    "ilo1", "ilo1:8443", "https://ilo1", "https://ilo1:8443/", "10.0.0.1", "[fe80::1]:443", "fe80::1", " ilo1 ",
])
async def test_addresses_that_are_taken(host: str, clock: HandClock) -> None:
    """Each way to write a BMC's address is taken and handed back as it was written."""
    assert Bmc(host, "u", "p", clock).address == host


@pytest.mark.parametrize("host", [
    "", "http://ilo1", "https://ilo1/redfish", "ilo1:port", "https://user:hunter2@ilo1", "user:hunter2@ilo1", "ilo1:0",
    "https://", "ilo 1", "ilo1?x",
])
async def test_addresses_that_are_none(host: str, clock: HandClock) -> None:
    """What is no https address is told at once, without a password that stood in it."""
    with pytest.raises(ValueError, match="BMC address") as refused:
        Bmc(host, "u", "p", clock)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("fingerprint", "why"), [
    ("ab" * 20, "SHA-1"), ("ab" * 31, "62 digits"), ("zz" * 32, "hexadecimal"), ("a", "1 digits"),
])
async def test_malformed_pin_is_refused_at_construction(fingerprint: str, why: str, clock: HandClock) -> None:
    """A pin that cannot be right is never silently ignored."""
    with pytest.raises(ValueError, match=f"BMC ilo1.*{why}"):
        Bmc("ilo1", "u", "p", clock, fingerprint=fingerprint)


async def test_ca_file_that_is_none_is_refused_at_construction(tmp_path: Path, clock: HandClock) -> None:
    """A missing or senseless ca_file is told before the first night."""
    (tmp_path / "empty.pem").write_text("no certificate")
    for name in ("absent.pem", "empty.pem"):
        with pytest.raises(ValueError, match=name):
            Bmc("ilo1", "u", "p", clock, ca_file=tmp_path / name)
