"""One standing connection to a broker, and what it sends of one topic.

Owns the connection, its trust and its pace of trying again; it must not know what a message says. The connection lives
in a task of its own, so that whoever waits for a message may be cancelled. The client library is imported at the first
connection: it costs 60 ms and 2 MB, and most sites have no broker.
"""

import asyncio
import random
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Clock, Fault, Names, Refused, Transient, Unauthorized

from .message import Message, mac_of

if TYPE_CHECKING:
    import aiomqtt

KEEPALIVE_S = 30
"""A broker that says nothing for twice as long is gone."""
ANSWER_S = 10.0
"""For each of its answers; a connection has five seconds."""
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
"""Before it is tried again: the double each time, and something between the half and the whole of it."""
REFUSED_S = 300.0
"""The same after a login was refused."""
STEADY_S = 30.0
"""A connection that has stood so long was a good one: the waits begin anew."""
MOST_SENSORS = 1000
"""Messages that are kept until they are taken, one a sensor: beyond it the oldest goes."""
BAD_LOGIN = frozenset({4, 5, 134, 135})
"""CONNACK: wrong user or password, not authorised, in MQTT 3.1.1 and as the library renders it in those of 5."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Broker:
    """Where it is, and as whom it is spoken to."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None
    """Trusted beside the system's own CAs."""

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Subscription:
    """The newest message of each sensor; works from the first `came` to `aclose`.

    :param client_id: stable, and no one else's; empty: the broker gives one.
    """

    def __init__(self, broker: Broker, topic: str, clock: Clock, names: Names | None, client_id: str) -> None:
        self.newest: dict[str, Message] = {}
        """By MAC address; empty for topics that name none."""
        self._broker = broker
        self._topic = topic
        self._clock = clock
        self._names = names
        self._client_id = client_id
        self._jitter = random.Random()  # noqa: S311 - spreads retries; nothing secret hangs on it
        self._failures = 0
        self._not_before = 0.0
        self._fault: Fault | None = None
        """Why it is down."""
        self._is_up = False
        self._task: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()

    async def came(self) -> None:
        """Wait until there is something in `newest`.

        :raises Fault: the connection has failed, once each time; the next call waits its turn and tries again.
        """
        while not self.newest:
            await self._stir()

    async def up(self) -> None:
        """Wait until it is connected.

        :raises Fault: it is not, and why.
        """
        while not self._is_up:
            if self._fault is not None:
                raise self._fault.with_traceback(None)
            await self._stir()

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _stir(self) -> None:
        """Until something has happened."""
        if self._task is None:
            self._task = asyncio.create_task(self._try())
            self._task.add_done_callback(lambda _: self._stirred.set())
        await self._stirred.wait()
        self._stirred.clear()
        if self._task is not None and self._task.done() and not self.newest:
            ended, self._task = self._task, None
            ended.result()

    async def _try(self) -> None:
        """Connect when it is time to, and listen for as long as it lasts: ends with a fault."""
        await self._clock.sleep(max(0.0, self._not_before - self._clock.now()))
        began = self._clock.now()
        try:
            await self._listen()
        except Fault as fault:
            now = self._clock.now()
            self._failures = 0 if self._is_up and now - began >= STEADY_S else self._failures + 1
            self._is_up, self._fault = False, fault
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(self._failures, 10)) * self._jitter.uniform(0.5, 1.0)
            self._not_before = now + (REFUSED_S if isinstance(fault, Unauthorized) else wait_s)
            raise

    async def _listen(self) -> None:
        """:raises Fault: always."""
        from aiomqtt.exceptions import MqttError  # noqa: PLC0415 - see above

        at = self._broker.address
        try:
            async with AsyncExitStack() as stack:
                client = await self._connect(stack)
                for granted in await client.subscribe(self._topic, qos=1):
                    if not isinstance(granted, int) and granted.is_failure:
                        raise Unauthorized(f"The MQTT broker {at} does not let this user read {self._topic}.")
                self._is_up, self._fault = True, None
                self._stirred.set()
                log.info("mqtt.connected", broker=at, topic=self._topic)
                async for message in client.messages:
                    self._take(message)
        except MqttError as error:
            raise self._fault_of(error) from error.__cause__ or error.__context__ or error

    def _fault_of(self, error: "aiomqtt.MqttError") -> Fault:
        from aiomqtt.exceptions import MqttConnectError  # noqa: PLC0415 - see above

        at = self._broker.address
        if isinstance(error, MqttConnectError):
            is_login = getattr(error.rc, "value", error.rc) in BAD_LOGIN
            return (Unauthorized if is_login else Transient)(f"The MQTT broker {at} refuses the connection: {error}")
        if self._is_up:
            return Transient(f"The connection to the MQTT broker {at} has ended.")
        fault = Transient(f"The MQTT broker {at} cannot be reached: {error}")
        is_untrusted = isinstance(error.__context__, ssl.SSLCertVerificationError)
        return fault.of(Trouble.UNTRUSTED) if is_untrusted else fault

    async def _connect(self, stack: AsyncExitStack) -> "aiomqtt.Client":
        """Whichever of its addresses answers first, one after another.

        :raises Fault: its name or its CA file is of no use.
        :raises aiomqtt.MqttError: none answers.
        """
        import aiomqtt  # noqa: PLC0415 - see above
        from aiomqtt.exceptions import MqttConnectError  # noqa: PLC0415

        broker = self._broker
        tls = await asyncio.to_thread(_trust, broker) if broker.tls else None
        addresses = (broker.host,) if self._names is None else await self._names.resolve(broker.host)
        for place, address in enumerate(addresses, start=1):
            client = aiomqtt.Client(
                address, broker.port, username=broker.user, password=broker.password, identifier=self._client_id,
                clean_session=True, keepalive=KEEPALIVE_S, timeout=ANSWER_S, tls_context=tls,
                max_queued_incoming_messages=MOST_SENSORS,
            )
            try:
                return await stack.enter_async_context(client)
            except MqttConnectError:
                raise
            except aiomqtt.MqttError:
                if place == len(addresses):
                    raise
        raise Transient(f"The name {broker.host} stands for no address.").of(Trouble.NO_NAME)

    def _take(self, message: "aiomqtt.Message") -> None:
        mac = mac_of(message.topic.value.split("/")[-2])
        self.newest.pop(mac, None)
        if len(self.newest) >= MOST_SENSORS:
            del self.newest[next(iter(self.newest))]
        self.newest[mac] = Message(mac, message.payload, message.retain, self._clock.now())
        self._stirred.set()


class _Trust(ssl.SSLContext):
    """Wants the certificate of a name, whatever address of it is called."""

    name = ""

    def wrap_socket(self, *given: Any, **how: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*given, **{**how, "server_hostname": self.name})


def _trust(broker: Broker) -> _Trust:
    """:raises Refused: the CA file cannot be used."""
    context = _Trust(ssl.PROTOCOL_TLS_CLIENT)
    context.name = broker.host
    context.load_default_certs()
    try:
        if broker.ca_file is not None:
            context.load_verify_locations(broker.ca_file)
    except OSError as error:
        raise Refused(f"the CA file {broker.ca_file} cannot be used: {error}") from error
    return context
