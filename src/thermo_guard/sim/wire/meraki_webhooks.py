"""The webhooks of virtual rooms: who is told that a sensor has begun to alert, or has ended, and how hard it is tried.

A webhook is sent beside everything else, so that a receiver that hangs holds up nobody. Meraki does not publish how
often it tries again, only that it does and that it disables receivers that stay unhealthy; the numbers are ours.
"""

import asyncio
import base64
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from thermo_guard.ports import Clock
from thermo_guard.sim.loop import VirtualTimeLoop
from thermo_guard.sim.room import Sensor

from .meraki_paging import Row
from .meraki_rows import Network, iso

WAITS_S = (0.0, 5.0, 30.0)
"""Before each try, in the site's time."""

ANSWER_WITHIN_S = 10.0
"""In real time: a receiver runs no faster because the site does."""

MOST_UNDER_WAY = 200
"""Webhooks that are on their way or wait for the next try; more are dropped, and logged."""

UNHEALTHY_AFTER = 5
"""Webhooks in a row that a receiver did not take; then it is disabled."""

MOST_RECEIVERS = 50
"""Of one network."""

logger = structlog.get_logger()


@dataclass(slots=True)
class Receiver:
    """An HTTP server that was registered for webhooks."""

    name: str
    url: str
    secret: str
    network_id: str
    is_enabled: bool = True
    failures: int = 0
    """Webhooks in a row that it did not take."""

    @property
    def id(self) -> str:
        return base64.b64encode(self.url.encode()).decode()

    def row(self) -> Row:
        return {
            "id": self.id,
            "name": self.name,
            "url": self.url,
            "enabled": self.is_enabled,
            "networkId": self.network_id,
            "payloadTemplate": {"payloadTemplateId": "wpt_00001", "name": "Meraki (included)"},
        }


class Webhooks:
    """The alerts of all networks, and their receivers; works between `open` and `aclose`."""

    def __init__(self, networks: Mapping[str, Network], clock: Clock) -> None:
        self._networks = networks
        self._clock = clock
        self.receivers: dict[str, list[Receiver]] = {network_id: [] for network_id in networks}
        self._alerts: dict[tuple[str, str], str] = {}
        """Id of the alert in which a sensor of a network stands."""
        self._count = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._watchers = {
            network_id: lambda sensor, network=network: self._watch(network, sensor)
            for network_id, network in networks.items()
        }

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        speed = (loop.speed or 1.0) if isinstance(loop, VirtualTimeLoop) else 1.0
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S * speed), cookie_jar=aiohttp.DummyCookieJar()
        )
        for network_id, network in self._networks.items():
            network.world.room.watchers.append(self._watchers[network_id])

    async def aclose(self) -> None:
        for network_id, network in self._networks.items():
            network.world.room.watchers.remove(self._watchers[network_id])
        for task in self._under_way:
            task.cancel()
        for task in list(self._under_way):
            with suppress(asyncio.CancelledError):
                await task
        await self._session.close()

    def _watch(self, network: Network, sensor: Sensor) -> None:
        """Begin or end an alert; a measurement that does not get out of the room does neither."""
        if not network.world.network.is_wan_up:
            return
        key = (network.id, sensor.plan.serial)
        is_hot = sensor.celsius >= network.world.plan.alert_c
        if is_hot == (key in self._alerts):
            return
        if is_hot:
            self._count += 1
            self._alerts[key] = f"{self._count:018d}"
        alert_id = self._alerts[key]
        if not is_hot:
            del self._alerts[key]
        body = network.alert(sensor, alert_id, is_start=is_hot)
        for receiver in self.receivers[network.id]:
            if receiver.is_enabled:
                self._send(network, receiver, body)

    def _send(self, network: Network, receiver: Receiver, body: Mapping[str, Any]) -> None:
        if len(self._under_way) >= MOST_UNDER_WAY:
            logger.warning("webhook.dropped", target=receiver.url, alert=body["alertId"])
            return
        task = asyncio.get_running_loop().create_task(self._deliver(network, receiver, body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _deliver(self, network: Network, receiver: Receiver, body: Mapping[str, Any]) -> None:
        why = ""
        for attempt, wait_s in enumerate(WAITS_S, start=1):
            if wait_s:
                await self._clock.sleep(wait_s)
            why = await self._try(network, receiver, body)
            if not why:
                receiver.failures = 0
                logger.info("webhook.sent", target=receiver.url, alert=body["alertId"], attempt=attempt)
                return
        receiver.failures += 1
        receiver.is_enabled = receiver.failures < UNHEALTHY_AFTER
        logger.warning("webhook.given_up", target=receiver.url, reason=why, is_enabled=receiver.is_enabled)

    async def _try(self, network: Network, receiver: Receiver, body: Mapping[str, Any]) -> str:
        """Send it once; why it was not taken, empty where it was."""
        if not network.world.network.is_wan_up:
            return "the way out is cut"
        sent = {**body, "sharedSecret": receiver.secret, "sentAt": iso(self._clock.now())}
        try:
            async with self._session.post(receiver.url, json=sent, allow_redirects=False) as response:
                return "" if 200 <= response.status < 300 else f"answered {response.status}"
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            return str(error) or type(error).__name__
