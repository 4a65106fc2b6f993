"""The way in for Meraki's webhooks: a real server, and strangers who speak to it."""

import asyncio
import contextlib
import gzip
import json
import random
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from peers.meraki_bench import StepClock
from peers.meraki_description import described_paths, operation
from sim.wire.on_meraki import OnMeraki
from thermo_guard.adapters import webhook
from thermo_guard.adapters.webhook import GAP_S, MOST_BODY_BYTES, MOST_WRONG, WRONG_S, Webhook
from thermo_guard.ports import Transient

SECRET = "between-us"
ALERT = {
    "version": "0.1", "sharedSecret": SECRET, "sentAt": "2026-08-05T12:00:01Z", "alertTypeId": "sensor_alert",
    "deviceSerial": "Q3CA-0001-VIRT", "alertId": "000000000000000001", "occurredAt": "2026-08-05T12:00:00Z",
    "alertData": {"alertConfigId": 1, "triggerData": [], "startedAlerting": True},
}


class StoppedClock(StepClock):
    """One on which, while it `stops`, no wait ends."""

    def __init__(self) -> None:
        super().__init__()
        self.stops = False
        self.stopped = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if self.stops and seconds > 0:
            self.stopped.set()
            await asyncio.get_running_loop().create_future()
        await super().sleep(seconds)


class Desk:
    """The server, and a session of a stranger with it."""

    def __init__(self, clock: StoppedClock, session: aiohttp.ClientSession, port: int, hints: Webhook) -> None:
        self.clock = clock
        self.session = session
        self.port = port
        self.hints = hints
        self.url = f"http://127.0.0.1:{port}/meraki"

    async def post(self, **changes: Any) -> int:
        async with self.session.post(self.url, json=ALERT | changes) as response:
            return response.status

    async def send(self, body: bytes, **headers: str) -> int:
        async with self.session.post(self.url, data=body, headers=headers) as response:
            return response.status

    async def next(self) -> str:
        return await asyncio.wait_for(self.hints.next(), 5)

    async def is_quiet(self) -> bool:
        """No hint waits."""
        waiting = asyncio.ensure_future(self.hints.next())
        await asyncio.wait([waiting], timeout=0.05)
        is_quiet = not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        return is_quiet


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def desk(clock: StoppedClock) -> AsyncIterator[Desk]:
    hints = Webhook(0, SECRET, clock, host="127.0.0.1")
    port = await hints.listen()
    async with aiohttp.ClientSession() as session:
        yield Desk(clock, session, port, hints)
    await hints.aclose()


async def test_a_webhook_is_answered_before_anybody_looks(desk: Desk) -> None:
    """The answer waits for nobody who listens; the hint waits for him, and says whose it is."""
    assert await desk.post() == 200
    assert await desk.next() == "sensor_alert of Q3CA-0001-VIRT"


async def test_merakis_own_sample_is_a_hint(desk: Desk) -> None:
    """The example in Meraki's description of its webhooks is taken as it stands, but for the secret."""
    described = operation(described_paths(), "/organizations/1/webhooks/alertTypes")
    sample = described["responses"]["200"]["content"]["application/json"]["example"][0]["example"]
    body = json.dumps(sample | {"sharedSecret": SECRET}).encode()
    assert await desk.send(body, **{"Content-Type": "application/json"}) == 200
    assert (await desk.next()).startswith(f"{sample['alertTypeId']} of ")


@pytest.mark.parametrize("secret", [
    "", "wrong", "Ümlaut", "\ud800", SECRET + "x", SECRET[:-1], None, 7, [SECRET], {"a": SECRET},
])
async def test_without_the_secret_it_is_no_hint(desk: Desk, secret: Any) -> None:
    """Whoever does not know the secret learns nothing but that, and moves nothing."""
    async with desk.session.post(desk.url, json=ALERT | {"sharedSecret": secret}) as response:
        assert (response.status, await response.read()) == (401, b"")
    assert await desk.is_quiet()


async def test_an_empty_secret_lets_nobody_in(clock: StoppedClock) -> None:
    """A guard without a secret takes no hint, not even one with an empty secret too."""
    hints = Webhook(0, "", clock, host="127.0.0.1")
    async with aiohttp.ClientSession() as session:
        lonely = Desk(clock, session, await hints.listen(), hints)
        assert await lonely.post(sharedSecret="") == 401
        assert await lonely.is_quiet()
    await hints.aclose()


@pytest.mark.parametrize(("method", "path", "status"), [
    ("POST", "/", 404), ("POST", "/meraki/", 404), ("POST", "/Meraki", 404), ("GET", "/status", 404),
    ("GET", "/meraki", 405), ("HEAD", "/meraki", 405), ("PUT", "/meraki", 405), ("DELETE", "/meraki", 405),
])
async def test_there_is_one_way_in(desk: Desk, method: str, path: str, status: int) -> None:
    """Other paths and other methods are declined, whatever secret comes with them."""
    url = f"http://127.0.0.1:{desk.port}{path}"
    async with desk.session.request(method, url, json=ALERT) as response:
        assert response.status == status
    assert await desk.is_quiet()


@pytest.mark.parametrize(("body", "status"), [
    (b"", 400), (b"null", 400), (b"[]", 400), (b'"' + SECRET.encode() + b'"', 400), (b"{", 400), (b"\xff\xfe", 400),
    (b"[" * 60_000, 400), (b'{"a":' * 10_000, 400), (b"9" * 10_000, 400), (b"{}", 401),
    (json.dumps(ALERT | {"pad": "x" * MOST_BODY_BYTES}).encode(), 413),
])
async def test_a_body_that_is_none_is_declined(desk: Desk, body: bytes, status: int) -> None:
    """What is no JSON object of sensible size is declined as that, and the server lives on."""
    assert await desk.send(body) == status
    assert await desk.is_quiet()
    assert await desk.post() == 200


async def test_random_bodies_move_nothing(desk: Desk) -> None:
    """Whatever bytes are sent: no answer of 5xx and no hint, but for a webhook that is whole."""
    dice, whole, taken = random.Random(7), json.dumps(ALERT).encode(), 0
    for _ in range(300):
        body = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            at = dice.randrange(len(body))
            body[at:at + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 3))
        sent = bytes(body[:dice.randint(0, 2 * len(body))])
        status = await desk.send(sent)
        assert status in {200, 400, 401, 429}
        if status == 200:
            taken += 1
            assert json.loads(sent)["sharedSecret"] == SECRET
    assert 0 < taken < 100
    await desk.next()
    assert await desk.is_quiet()


async def test_hostile_words_stay_out_of_the_log(desk: Desk) -> None:
    """What a webhook says stands in the log only where it is one short word, and never is the secret."""
    hostile: tuple[Any, ...] = ("a b", "x" * 41, "line\nfeed", 7, None, {"a": []}, [[]] * 100, SECRET)
    for wrong in hostile:
        assert await desk.post(alertTypeId=wrong, deviceSerial=wrong, alertId=wrong, occurredAt=None) == 200
        assert await desk.next() == "? of ?"


async def test_a_webhook_counts_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is sent again is none; beginning and end of an alert are two; what is remembered of them is bounded."""
    monkeypatch.setattr(webhook, "MOST_REMEMBERED", 3)
    assert await desk.post() == 200
    await desk.next()
    assert await desk.post(sentAt="2026-08-05T12:00:09Z") == 200
    assert await desk.is_quiet()
    assert await desk.post(occurredAt="2026-08-05T12:30:00Z") == 200
    await desk.next()
    for number in range(3):
        await desk.post(alertId=f"{number}")
    await desk.next()
    assert await desk.post() == 200
    await desk.next()


async def test_a_flood_is_one_look_in_five_seconds(desk: Desk) -> None:
    """However many come, hints are given at one pace, and what waits is given as one."""
    for number in range(40):
        assert await desk.post(alertId=f"{number}") == 200
    assert await desk.next() == "sensor_alert of Q3CA-0001-VIRT, and 39 more"
    assert desk.clock.slept[1:] == []
    for number in range(40, 60):
        assert await desk.post(alertId=f"{number}") == 200
    assert (await desk.next()).endswith("and 19 more")
    assert desk.clock.slept[-1] == GAP_S


async def test_who_stops_waiting_loses_no_hint(desk: Desk) -> None:
    """The loop may call off its wait at any time, also while a hint is held back."""
    assert await desk.is_quiet()
    assert await desk.post() == 200
    assert not await desk.is_quiet(), "this one was taken"
    assert await desk.post(alertId="2") == 200
    desk.clock.stops = True
    waiting = asyncio.ensure_future(desk.hints.next())
    await asyncio.wait_for(desk.clock.stopped.wait(), 5)
    waiting.cancel()
    await asyncio.wait([waiting])
    desk.clock.stops = False
    assert await desk.next() == "sensor_alert of Q3CA-0001-VIRT"


async def test_guessing_is_slowed_and_shuts_nobody_out(desk: Desk) -> None:
    """Wrong secrets of one address are counted and told once, without the secret; the right one still comes in."""
    with capture_logs() as logs:
        statuses = [await desk.post(sharedSecret=f"guess {number}") for number in range(MOST_WRONG + 5)]
        assert statuses == [401] * MOST_WRONG + [429] * 5
        assert await desk.post() == 200
        away = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(connector=away) as other:
            assert await Desk(desk.clock, other, desk.port, desk.hints).post(sharedSecret="guess") == 401
        desk.clock.at += WRONG_S
        assert await desk.post(sharedSecret="guess") == 401
    assert [each["event"] for each in logs] == ["webhook.declined"] * 2
    assert SECRET not in str(logs)
    assert "guess" not in str(logs)


async def hung_up(reader: asyncio.StreamReader) -> bytes:
    """What came until the server ended the connection."""
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return b""


async def test_a_busy_connection_has_its_time_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody keeps one of the few places by going on asking."""
    monkeypatch.setattr(webhook, "LIVES_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                await writer.drain()
                await reader.readline()
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"POST /meraki HTTP/1.1\r\nHost: x\r\nX-A:", b"\x16\x03\x01\x02", b"GET"])
async def test_a_connection_has_its_time(desk: Desk, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """Who sends nothing, or a head without an end, is hung up on."""
    monkeypatch.setattr(webhook, "LIVES_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(sent)
    assert b" 200 " not in await hung_up(reader)
    writer.close()


async def test_a_body_has_its_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that comes by drops is given up."""
    monkeypatch.setattr(webhook, "BODY_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(b"POST /meraki HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_connections_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """More connections than may be open are hung up on, and those that are open are served."""
    monkeypatch.setattr(webhook, "MOST_CONNECTIONS", 2)
    assert await desk.post() == 200  # its connection stays open for the next
    held = await asyncio.open_connection("127.0.0.1", desk.port)
    third = await asyncio.open_connection("127.0.0.1", desk.port)
    assert await hung_up(third[0]) == b""
    assert await desk.post(alertId="2") == 200
    for _, writer in (held, third):
        writer.close()


async def test_a_bomb_is_not_unpacked(desk: Desk) -> None:
    """A packed body is no JSON: it is not unpacked to see what it holds."""
    assert await desk.send(gzip.compress(b" " * 10_000_000), **{"Content-Encoding": "gzip"}) == 400


async def test_a_port_that_is_taken_is_tried_again(clock: StoppedClock) -> None:
    """A taken port is a fault of the hints alone, in words, and goes away with its cause."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        hints = Webhook(taken.getsockname()[1], SECRET, clock, host="127.0.0.1")
        for _ in range(2):
            with pytest.raises(Transient, match=r"WEBHOOK_PORT .* cannot be listened on: Address already in use"):
                await hints.next()
    assert clock.slept[-1] == webhook.AGAIN_S
    assert await hints.listen()
    await hints.aclose()


async def test_every_interface_listens(clock: StoppedClock) -> None:
    """Without a host the port is open on all interfaces."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hints = Webhook(port, SECRET, clock)
    await hints.listen()
    async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.3:{port}/meraki", json={}) as answer:
        assert answer.status == 401
    await hints.aclose()


async def test_an_alert_of_the_virtual_site_is_a_hint(desk: Desk) -> None:
    """A virtual sensor that gets too hot sends what is taken here, to the receiver that `site --webhook` names."""
    async with OnMeraki() as on:
        on.face.add_receiver(desk.url, SECRET)
        on.world.fail_cooling(2400.0)
        on.clock.at += 2400
        on.world.advance(on.clock.at)
        assert (await desk.next()).startswith("sensor_alert of Q3CA-000")
