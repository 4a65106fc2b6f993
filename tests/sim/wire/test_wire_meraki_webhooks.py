"""The webhooks of a virtual room arrive at a real receiver, and hold up nothing where they do not."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest
from aiohttp import web

from peers.meraki_description import described_paths, operation, strict, validator
from sim.wire.on_meraki import ROOM, OnMeraki
from thermo_guard.sim.room import SensorFault
from thermo_guard.sim.wire.meraki_webhooks import WAITS_S

SERVERS = f"networks/{ROOM}/webhooks/httpServers"
SECRET = "between us"


class Listener:
    """A receiver of webhooks."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.status = 200
        self.is_mute = False
        self.tries = 0
        self._tried = asyncio.Condition()
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        async with self._tried:
            self.tries += 1
            self._tried.notify_all()
        body = json.loads(await request.read())
        if self.is_mute:
            await self._closing.wait()
        if self.status == 200:
            self.got.put_nowait(body)
        return web.Response(status=self.status)

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.got.get(), 10)

    async def until_tried(self, times: int) -> None:
        async with asyncio.timeout(10), self._tried:
            await self._tried.wait_for(lambda: self.tries == times)


@pytest.fixture
async def on() -> AsyncIterator[OnMeraki]:
    async with OnMeraki() as opened:
        yield opened


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with Listener() as opened:
        yield opened


async def register(on: OnMeraki, listener: Listener) -> None:
    response = await on.post(SERVERS, {"name": "Guard", "url": listener.url, "sharedSecret": SECRET})
    assert response.status == 201


def pass_time(on: OnMeraki, seconds: float) -> None:
    on.clock.at += seconds
    on.world.advance(on.clock.at)


async def test_an_alert_is_told_when_it_begins_and_when_it_ends(on: OnMeraki, listener: Listener) -> None:
    """Each sensor's crossing of the profile's threshold is told once each way, in the site's time, with the secret."""
    await register(on, listener)
    profile = (await (await on.get(f"networks/{ROOM}/sensor/alerts/profiles")).json())[0]
    threshold = profile["conditions"][0]["threshold"]["temperature"]["celsius"]
    on.world.fail_cooling(2400.0)
    pass_time(on, 2400)
    began = [await listener.next() for _ in range(3)]
    pass_time(on, 7200)
    ended = [await listener.next() for _ in range(3)]
    for told, is_start in ((began, True), (ended, False)):
        assert len({each["deviceSerial"] for each in told}) == 3
        for each in told:
            trigger = each["alertData"]["triggerData"][0]["trigger"]
            assert each["alertData"]["startedAlerting"] is is_start
            assert (trigger["sensorValue"] >= threshold) is is_start
            assert (each["sharedSecret"], each["alertTypeId"], each["networkId"]) == (SECRET, "sensor_alert", ROOM)
            assert (trigger["ts"], trigger["sensorValue"]) in on.world.room.sensors[each["deviceSerial"]].history
    assert {each["alertId"] for each in began} == {each["alertId"] for each in ended}
    assert {each["sentAt"] for each in ended} == {"2026-08-05T14:40:00.000000Z"}
    assert listener.got.empty()
    assert len({(each["alertId"], each["occurredAt"]) for each in began + ended}) == 6


async def test_a_webhook_fits_the_description(on: OnMeraki, listener: Listener) -> None:
    """A webhook has no key that Meraki's description of webhooks does not have, and all the types that it has."""
    described = operation(described_paths(), "/organizations/1/webhooks/alertTypes")
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]["items"]["properties"]["example"]
    await register(on, listener)
    on.world.fail_cooling(2400.0)
    pass_time(on, 2400)
    body = await listener.next()
    free = body["alertData"]
    judge = validator({"responses": {"200": {"content": {"application/json": {"schema": strict(schema)}}}}})
    judge.validate({**body, "alertData": {}})
    assert set(free) == {"alertConfigId", "alertConfigName", "triggerData", "startedAlerting"}


async def test_a_registered_receiver_is_shown(on: OnMeraki, listener: Listener) -> None:
    """A receiver stands in the list and in the profile, without its secret, and is taken once."""
    paths = described_paths()
    response = await on.post(SERVERS, {"name": "Guard", "url": listener.url, "sharedSecret": SECRET})
    shown = await response.json()
    validator(operation(paths, f"/{SERVERS}", "post"), "201").validate(shown)
    assert await (await on.get(SERVERS)).json() == [shown]
    assert SECRET not in json.dumps(shown)
    profiles = await (await on.get(f"networks/{ROOM}/sensor/alerts/profiles")).json()
    assert profiles[0]["recipients"]["httpServerIds"] == [shown["id"]]
    assert (await on.post(SERVERS, {"name": "Again", "url": listener.url})).status == 400


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"name": "One", "url": "ftp://127.0.0.1/"}', '{"name": "One", "url": "http://["}',
             '{"name": 1, "url": "http://127.0.0.1/"}',
             '{"name": "One", "url": "http://127.0.0.1/", "payloadTemplate": {"payloadTemplateId": "wpt_00002"}}'],
)
async def test_what_is_no_receiver_is_declined(on: OnMeraki, body: str) -> None:
    """A receiver that could never be told anything is declined when it is registered."""
    assert (await on.post(SERVERS, body)).status == 400
    assert await (await on.get(SERVERS)).json() == []


async def test_nothing_leaves_a_room_without_its_way_out(on: OnMeraki, listener: Listener) -> None:
    """While the WAN is cut no webhook is sent; the first measurement after it is mended tells that it is hot."""
    await register(on, listener)
    on.world.cut_wan()
    on.world.fail_cooling(7200.0)
    pass_time(on, 2400)
    assert all(sensor.celsius > 35 for sensor in on.world.room.sensors.values())
    on.world.mend_wan()
    assert listener.tries == 0
    mended_at = on.clock.at
    pass_time(on, 60)
    for told in [await listener.next() for _ in range(3)]:
        assert told["alertData"]["triggerData"][0]["trigger"]["ts"] >= int(mended_at)
    assert listener.got.empty()


async def test_a_sensor_that_is_not_heard_alerts_nobody(on: OnMeraki, listener: Listener) -> None:
    """What is offline, not listed or no temperature crosses no threshold."""
    await register(on, listener)
    for serial, fault in zip(
        on.world.room.sensors, (SensorFault.OFFLINE, SensorFault.MISSING, SensorFault.NONSENSE), strict=True
    ):
        on.world.set_sensor(serial, fault)
    on.world.fail_cooling(7200.0)
    pass_time(on, 2400)
    for serial in list(on.world.room.sensors)[:1]:
        on.world.set_sensor(serial, SensorFault.NONE)
    pass_time(on, 60)
    assert (await listener.next())["deviceSerial"] == next(iter(on.world.room.sensors))
    assert listener.tries == 1


async def test_a_receiver_that_fails_is_tried_again_and_then_disabled(on: OnMeraki, listener: Listener) -> None:
    """Tries have a bound, and a receiver that takes nothing several times in a row is told nothing more."""
    await register(on, listener)
    listener.status = 500
    on.world.fail_cooling(2400.0)
    pass_time(on, 2400)
    await listener.until_tried(3 * len(WAITS_S))
    pass_time(on, 7200)
    await listener.until_tried(6 * len(WAITS_S))
    async with asyncio.timeout(10):
        while (await (await on.get(SERVERS)).json())[0]["enabled"]:
            on.real.at += 1
    async with Listener() as other:
        await register(on, other)
        on.world.fail_cooling(2400.0)
        pass_time(on, 2400)
        for _ in range(3):
            await other.next()
    assert listener.tries == 6 * len(WAITS_S)


async def test_a_receiver_that_hangs_holds_up_nobody(on: OnMeraki, listener: Listener) -> None:
    """While a receiver keeps its answer to itself, the site answers and other receivers are told."""
    listener.is_mute = True
    await register(on, listener)
    async with Listener() as other:
        await register(on, other)
        on.world.fail_cooling(2400.0)
        pass_time(on, 2400)
        await other.next()
        await listener.until_tried(3)
        assert (await on.get("organizations")).status == 200
