"""Which sensor a MAC address is: asked of Meraki now and then, and remembered for when it does not answer.

A sensor that is heard over MQTT and one that is read from the API must be one sensor with one series, or it would vote
twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog

from thermo_guard.ports import Clock, Fault

from .memory import MqttMemory
from .message import mac_of

AGAIN_S = 86_400.0
"""So often the serial numbers are asked for again: sensors are exchanged, seldom."""
UNKNOWN_AGAIN_S = 600.0
"""The same while a sensor is heard that nobody knows."""
WITHIN_S = 20.0
"""So long a sensor that is heard for the first time waits for its name."""
MOST_UNKNOWN = 1000

log = structlog.get_logger()

Ask = Callable[[], Awaitable[Mapping[str, str | None]]]


class Serials:
    """:param ask: serial number and MAC address, as Meraki has it, of each sensor of the network; raises Fault."""

    def __init__(self, ask: Ask, memory: MqttMemory, clock: Clock) -> None:
        self._ask = ask
        self._memory = memory
        self._clock = clock
        self._asked_at: float | None = None
        self._asking: asyncio.Task[None] | None = None
        self._told: set[str] = set()

    async def of(self, macs: Collection[str]) -> Mapping[str, str]:
        """Serial number by MAC address, of those that are known. May be cancelled; raises nothing."""
        unknown = [mac for mac in macs if mac and mac not in self._memory.serials]
        self._ask_if_due(UNKNOWN_AGAIN_S if unknown else AGAIN_S)
        if self._asking is not None and not self._told.issuperset(unknown):
            await asyncio.wait({self._asking}, timeout=WITHIN_S)
        for mac in unknown:
            if mac not in self._memory.serials and mac not in self._told and len(self._told) < MOST_UNKNOWN:
                self._told.add(mac)
                log.warning("mqtt.sensor_unknown", sensor=mac,
                            what="it does not count: Meraki does not name its serial number, or has not yet")
        return self._memory.serials

    async def aclose(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    def _ask_if_due(self, every_s: float) -> None:
        now = self._clock.now()
        if self._asking is None and (self._asked_at is None or now - self._asked_at >= every_s):
            self._asked_at = now
            self._asking = asyncio.create_task(self._learn())
            self._asking.add_done_callback(self._end)

    def _end(self, _: asyncio.Task[None]) -> None:
        self._asking = None

    async def _learn(self) -> None:
        try:
            found = await self._ask()
        except Fault as fault:
            log.info("mqtt.serials_not_told", reason=str(fault))
            return
        self._memory.keep_serials({mac_of(mac): serial for serial, mac in found.items() if mac and mac_of(mac)})
