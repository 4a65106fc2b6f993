"""Logins: Basic or a session, and a refused one is not repeated, neither by this process nor by the next."""

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from peers.redfish import RESET, ROOT, SYSTEM, HandClock, Reply, WrittenBmc
from peers.redfish_bench import PASSWORD, Diary, guarding
from thermo_guard.adapters.redfish import Bmc, endpoint_of
from thermo_guard.core.events import LoginRefused
from thermo_guard.core.plant import Power
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Unauthorized


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
    with pytest.raises(Unauthorized, match="not tried again before") as first:
        await guard.observe()
    asked = len(peer.requests)
    clock.time += 1190
    with pytest.raises(Unauthorized, match="not tried again before"):
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


# What outlives the process


@pytest.mark.parametrize("kind", ["basic", "session"])
async def test_a_restart_does_not_repeat_a_refused_login(
    peer: WrittenBmc, clock: HandClock, tmp_path: Path, kind: str
) -> None:
    """Within 20 minutes of a refused login a new process sends the BMC nothing at all; after that it tries once."""
    if kind == "session":
        _Sessions(peer, password="another")
    else:
        peer.pages[f"{ROOT}/Systems"] = Reply(401, headers={"WWW-Authenticate": "Basic"})
    diary = Diary(clock)
    for _ in range(3):
        guard = guarding(peer.address, clock, tmp_path, logins=diary.process())
        for act in (guard.observe, guard.power_on):
            with pytest.raises(Unauthorized, match="not tried again before"):
                await act()
        await guard.aclose()
        clock.time += 300
    heard = len(peer.requests)
    assert peer.seen("GET").count(f"{ROOT}/Systems") == 1
    clock.time += 301
    guard = guarding(peer.address, clock, tmp_path, logins=diary.process())
    with pytest.raises(Unauthorized):
        await guard.observe()
    await guard.aclose()
    assert len(peer.requests) > heard
    refused = [event for event in diary.events if isinstance(event, LoginRefused)]
    assert [(event.endpoint, event.user) for event in refused] == [(peer.address, "guard")] * 2
    assert PASSWORD not in repr(diary.events)


async def test_a_login_that_works_again_is_told_once(peer: WrittenBmc, clock: HandClock, tmp_path: Path) -> None:
    """The first look that succeeds after a refused login takes it off the record; the next ones write nothing."""
    right = peer.pages[f"{ROOT}/Systems"]
    peer.pages[f"{ROOT}/Systems"] = Reply(401, headers={"WWW-Authenticate": "Basic"})
    diary = Diary(clock)
    guard = guarding(peer.address, clock, tmp_path, logins=diary.process())
    with pytest.raises(Unauthorized):
        await guard.observe()
    peer.pages[f"{ROOT}/Systems"] = right
    clock.time += 1201
    for _ in range(3):
        await guard.observe()
    await guard.aclose()
    assert [event.kind for event in diary.events] == ["login.refused", "login.accepted"]


async def test_a_page_that_may_not_be_read_is_not_told_over_and_over(
    peer: WrittenBmc, clock: HandClock, tmp_path: Path
) -> None:
    """An account that lists the systems and may read none has not been accepted in between."""
    peer.pages[SYSTEM] = Reply(403)
    diary = Diary(clock)
    guard = guarding(peer.address, clock, tmp_path, logins=diary.process())
    for _ in range(2):
        with pytest.raises(Unauthorized, match="account's rights"):
            await guard.observe()
        clock.time += 1201
    await guard.aclose()
    assert [event.kind for event in diary.events] == ["login.refused", "login.refused"]


async def test_a_person_who_mended_it_need_not_wait(peer: WrittenBmc, clock: HandClock, tmp_path: Path) -> None:
    """What `thermo-guard resume` forgives is asked at the next look."""
    right = peer.pages[f"{ROOT}/Systems"]
    peer.pages[f"{ROOT}/Systems"] = Reply(401, headers={"WWW-Authenticate": "Basic"})
    logins = RefusedLogins(clock)
    guard = guarding(peer.address, clock, tmp_path, logins=logins)
    with pytest.raises(Unauthorized):
        await guard.observe()
    peer.pages[f"{ROOT}/Systems"] = right
    logins.forgive()
    assert (await guard.observe()).power is Power.OFF
    await guard.aclose()


async def test_one_bmc_does_not_answer_for_another(peer: WrittenBmc, clock: HandClock, tmp_path: Path) -> None:
    """The same account goes on being used at the BMCs that have not refused it."""
    logins = RefusedLogins(clock)
    async with WrittenBmc({f"{ROOT}/Systems": Reply(401)}) as strict:
        refused = guarding(strict.address, clock, tmp_path, logins=logins)
        with pytest.raises(Unauthorized):
            await refused.observe()
        await refused.aclose()
    guard = guarding(peer.address, clock, tmp_path, logins=logins)
    assert (await guard.observe()).power is Power.OFF
    await guard.aclose()


@pytest.mark.parametrize(("address", "endpoint"), [
    ("iLO1.Example", "ilo1.example:443"), ("https://ILO1:8443/", "ilo1:8443"), ("10.0.0.1", "10.0.0.1:443"),
    ("FE80::1", "[fe80::1]:443"), ("[fe80::1]:8443", "[fe80::1]:8443"),
])
def test_one_endpoint_has_one_name(address: str, endpoint: str) -> None:
    """However a BMC's address is written, what is remembered of it is found under host:port in lower case."""
    assert endpoint_of(address) == endpoint
