"""A webhook makes the guard look at once, and is authority for nothing else; on real time and a real port."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
from structlog.testing import capture_logs

from engine.rig import SETTINGS, Board, Outbox
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.webhook import Webhook
from thermo_guard.core.readings import AlertCount, Poll
from thermo_guard.engine.loop import Loop
from thermo_guard.engine.terms import Edges
from thermo_guard.sim.plans import office
from thermo_guard.sim.site import SiteSensors, VirtualSite
from thermo_guard.sim.world import World

SECRET = "between-us"


class CountedSensors:
    """ports.RoomSensors that says when it is polled."""

    def __init__(self, sensors: SiteSensors) -> None:
        self._sensors = sensors
        self.polls = 0
        self._asked = asyncio.Condition()

    async def poll(self) -> Poll:
        async with self._asked:
            self.polls += 1
            self._asked.notify_all()
        return await self._sensors.poll()

    async def alert_count(self) -> AlertCount:
        return await self._sensors.alert_count()

    async def aclose(self) -> None:
        return

    async def until(self, holds: Callable[[int], bool]) -> None:
        async with asyncio.timeout(10), self._asked:
            await self._asked.wait_for(lambda: holds(self.polls))


@asynccontextmanager
async def guarding(
    folder: Path, hints: Webhook, clock: SteadyClock, poll_s: float = 60.0
) -> AsyncIterator[tuple[CountedSensors, Loop]]:
    """A guard of a cool room that has polled once."""
    site = VirtualSite(World(1, office(), clock.now()), clock)
    site.begin_process()
    sensors, stop = CountedSensors(site.sensors), asyncio.Event()
    journal = SqlJournal.open(folder)
    loop = Loop(replace(SETTINGS, poll_s=poll_s), Edges(
        clock=clock, sensors=sensors, hypervisor=site.hypervisor, bmcs=site.bmcs, journal=journal, notifier=Outbox(),
        board=Board(), hints=hints,
    ))
    running = asyncio.ensure_future(loop.run(stop))
    try:
        await sensors.until(lambda polls: polls == 1)
        yield sensors, loop
        assert not running.done()
    finally:
        stop.set()
        await running
        await hints.aclose()
        journal.close()


async def test_a_webhook_makes_the_guard_look_within_a_second(tmp_path: Path) -> None:
    """The next poll begins within a second of the receipt, not after the minute; what the webhook says is not taken."""
    clock = SteadyClock()
    hints = Webhook(0, SECRET, clock, host="127.0.0.1")
    url = f"http://127.0.0.1:{await hints.listen()}/meraki"
    trigger = {"ts": clock.now(), "type": "temperature", "sensorValue": 99.0}
    body = {"sharedSecret": SECRET, "alertTypeId": "sensor_alert", "deviceSerial": "Q3CA-0001-VIRT", "alertId": "1",
            "occurredAt": "2026-08-05T12:00:00Z", "alertData": {"triggerData": [{"trigger": trigger}]}}
    with capture_logs() as logs:
        async with guarding(tmp_path, hints, clock) as (sensors, loop), aiohttp.ClientSession() as session:
            async with session.post(url, json=body | {"sharedSecret": "wrong"}) as response:
                assert response.status == 401
            posted_at = time.monotonic()
            async with session.post(url, json=body) as response:
                assert response.status == 200
            await sensors.until(lambda polls: polls == 2)
            assert time.monotonic() - posted_at <= 1.0
            assert max(track.last.celsius for track in loop.sources.room.tracks.values()) < 30.0
    said = json.dumps(logs, default=str)
    assert "sensor_alert of Q3CA-0001-VIRT" in said
    assert SECRET not in said


async def test_a_port_that_is_taken_blinds_nobody(tmp_path: Path) -> None:
    """The guard begins without its webhooks, and says once why they do not come."""
    clock = SteadyClock()
    with capture_logs() as logs, socket.create_server(("127.0.0.1", 0)) as taken:
        hints = Webhook(taken.getsockname()[1], SECRET, clock, host="127.0.0.1")
        async with guarding(tmp_path, hints, clock, poll_s=0.5) as (sensors, _):
            await sensors.until(lambda polls: polls == 3)
    said = [each["reason"] for each in logs if each["event"] == "look.failed" and each["look"] == "webhooks"]
    assert len(said) == 1
    assert "WEBHOOK_PORT" in said[0]
