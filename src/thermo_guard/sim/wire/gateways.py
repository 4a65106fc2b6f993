"""The gateways of virtual rooms: they publish what their sensors measure to a broker that is there already.

They do so whatever becomes of the way out. What is measured while the broker is gone is lost, as a gateway keeps
nothing.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Self

import aiomqtt
import structlog

from thermo_guard.sim.room import Sensor

from .meraki_rows import Network, iso

AGAIN_S = 1.0
ANSWER_S = 10.0
"""Both in real time: a broker runs no faster because the site does."""
MOST_WAITING = 1000

log = structlog.get_logger()


class Gateways:
    """Works while it is entered.

    :param broker: host:port; it takes anybody.
    :param speed: the site's seconds for a real one.
    """

    def __init__(self, networks: Mapping[str, Network], broker: str, speed: float) -> None:
        self._networks = networks
        self._host, _, self._port = broker.rpartition(":")
        self._speed = speed
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue(MOST_WAITING)
        self._watchers: dict[str, Callable[[Sensor], None]] = {
            network_id: partial(self._hear, network) for network_id, network in networks.items()
        }

    async def __aenter__(self) -> Self:
        for network_id, watcher in self._watchers.items():
            self._networks[network_id].world.room.watchers.append(watcher)
        self._task = asyncio.create_task(self._publish())
        return self

    async def __aexit__(self, *_: object) -> None:
        for network_id, watcher in self._watchers.items():
            self._networks[network_id].world.room.watchers.remove(watcher)
        self._task.cancel()
        await asyncio.wait({self._task})

    def _hear(self, network: Network, sensor: Sensor) -> None:
        if not self._waiting.full():
            topic = f"meraki/v1/mt/{network.id}/ble/{network.mac(sensor.plan.serial).upper()}/temperature"
            self._waiting.put_nowait((topic, json.dumps({"ts": iso(sensor.stamp), "celsius": sensor.sent_c})))

    async def _publish(self) -> None:
        was_up = True
        while True:
            try:
                async with aiomqtt.Client(self._host, int(self._port), timeout=ANSWER_S * self._speed) as client:
                    was_up = True
                    while True:
                        await client.publish(*await self._waiting.get())
            except aiomqtt.MqttError as error:
                if was_up:
                    log.warning("gateways.broker_gone", broker=f"{self._host}:{self._port}", reason=str(error))
                was_up = False
            await asyncio.sleep(AGAIN_S * self._speed)
