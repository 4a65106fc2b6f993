"""The room's thermometers as their gateways publish them: the Messages port."""

from collections.abc import Callable, Iterable, Mapping

import structlog

from thermo_guard.core.readings import UNNAMED, Poll, Reading, Rejected
from thermo_guard.ports import Clock, Names

from .broker import Broker, Subscription
from .memory import MqttMemory
from .message import Message, judge, topic_of
from .serials import Serials

GAP_S = 1.0
"""Between two polls: a flood of messages is read at this pace, the newest of each sensor."""
LISTEN_S = 5.0
"""How long `spoken` listens on a new connection: long enough for what the broker has kept."""
MOST_TOLD = 100
"""Sensors whose messages are logged because they are not understood."""

log = structlog.get_logger()


class Mqtt:
    """Implements `ports.Messages`. A sensor is named by its serial number, and does not count while that is unknown.

    Under another name, as its MAC address, it would be a second sensor once Meraki is read too, and vote twice.

    :param sensors: serial numbers that count, any case; they come out as spelt there. None: every sensor.
    :param ahead_s: how far the guard's clock is ahead of Meraki's, by which the gateways are set; None: not known.
    """

    def __init__(
        self, broker: Broker, network_id: str, clock: Clock, memory: MqttMemory, serials: Serials, *,
        sensors: tuple[str, ...] | None = None, ahead_s: Callable[[], float | None] = lambda: None,
        names: Names | None = None,
    ) -> None:
        self.address = broker.address
        self._clock = clock
        self._memory = memory
        self._serials = serials
        self._spelling = None if sensors is None else {serial.upper(): serial for serial in sensors}
        self._ahead_s = ahead_s
        self._polled_at: float | None = None
        self._told: set[str] = set()
        self._subscription = Subscription(broker, topic_of(network_id), clock, names, memory.client_id)

    async def next(self) -> Poll:
        """As `ports.Messages`.

        :raises Transient: the broker does not answer, or has gone.
        :raises Unauthorized: it refuses the login; tried again after five minutes.
        :raises Refused: the CA file is of no use.
        """
        newest = self._subscription.newest
        while True:
            await self._subscription.came()
            if self._polled_at is not None:
                await self._clock.sleep(max(0.0, self._polled_at + GAP_S - self._clock.now()))
            macs = tuple(newest)
            serials = await self._serials.of(macs)
            self._polled_at = self._clock.now()
            # Nothing is awaited from here on, so that nothing that is taken can be lost.
            verdicts = self._judged([newest.pop(mac) for mac in macs if mac in newest], serials)
            readings = {mac: verdict for mac, verdict in verdicts.items() if isinstance(verdict, Reading)}
            self._memory.note_heard({mac: reading.measured_at for mac, reading in readings.items()}, self._polled_at)
            rejected = tuple(verdict for verdict in verdicts.values() if isinstance(verdict, Rejected))
            if verdicts:
                return Poll(self._polled_at, tuple(readings.values()), rejected, lists_all=False)

    async def spoken(self) -> Mapping[str, float]:
        """See that the broker answers; when each sensor last spoke, by its name, on the guard's line.

        One that nobody knows is there by its MAC address, although it does not count.

        :raises Fault: as `next`.
        """
        await self._subscription.up()
        if not self._memory.is_guard:
            await self._clock.sleep(LISTEN_S)
        newest = self._subscription.newest
        serials = await self._serials.of({*newest, *self._memory.heard})
        strangers = {message.mac: message.arrived_at for message in newest.values()
                     if self._spelling is None and message.mac and message.mac not in serials}
        heard = {name: at for mac, at in self._memory.heard.items() if (name := self._name(mac, serials)) is not None}
        verdicts = self._judged(newest.values(), serials).values()
        said = {verdict.sensor: verdict.measured_at for verdict in verdicts if isinstance(verdict, Reading)}
        return strangers | heard | said

    async def aclose(self) -> None:
        await self._subscription.aclose()
        await self._serials.aclose()

    def _name(self, mac: str, serials: Mapping[str, str]) -> str | None:
        """None: it is not one of the sensors that count."""
        name = serials.get(mac)
        return name if name is None or self._spelling is None else self._spelling.get(name.upper())

    def _judged(self, messages: Iterable[Message], serials: Mapping[str, str]) -> Mapping[str, Reading | Rejected]:
        """By MAC address; without those that say nothing, and those of sensors that do not count."""
        verdicts = {}
        for message in messages:
            name = self._name(message.mac, serials) if message.mac else UNNAMED
            verdict = None if name is None else judge(message, name, self._ahead_s() or 0.0)
            if verdict is not None:
                verdicts[message.mac] = verdict
            if isinstance(verdict, Rejected) and verdict.sensor == UNNAMED and len(self._told) < MOST_TOLD:
                if message.mac not in self._told:
                    said = message.payload[:200].decode(errors="replace")
                    log.warning("mqtt.not_understood", reason=verdict.reason, said=said)
                self._told.add(message.mac)
        return verdicts
