"""Where Meraki's webhooks arrive: the Hints port.

A webhook only says that it is worth looking now. Whoever knows the shared secret can make the guard poll once in five
seconds, and nothing else; what a webhook says of temperatures is not even read. It owns the server, and must not know
what is looked at. Source: Meraki's documentation on webhooks (the secret stands in the body; an alert is told by
alertId and occurredAt; a receiver that does not answer 2xx soon is disabled).
"""

import asyncio
import hmac
import json
import logging
import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AsyncExitStack

import structlog
from aiohttp import web

from thermo_guard.ports import Clock, Transient

PATH = "/meraki"
MOST_BODY_BYTES = 64 * 1024
"""A webhook has about two thousand."""
BODY_S = 5.0
LIVES_S = 10.0
"""A connection is closed after this long, whatever it has sent: Meraki needs one only for one request."""
MOST_CONNECTIONS = 50
GAP_S = 1.0
"""Between two hints: a flood must not use up Meraki's rate limit, which all its customers' programs share."""
MOST_REMEMBERED = 1000
"""Alerts by which a webhook is known again when it is sent once more."""
MOST_WRONG = 10
WRONG_S = 60.0
"""So many wrong secrets of one address within this time are answered 401, the rest 429."""
MOST_ADDRESSES = 1000
AGAIN_S = 30.0
"""Before a port that could not be had is tried again."""

log = structlog.get_logger()


class Webhook:
    """Implements `ports.Hints`; listens from the first `next` to `aclose`.

    :param secret: as the dashboard has it; an empty one lets nobody in.
    :param host: None: all interfaces.
    """

    def __init__(self, port: int, secret: str, clock: Clock, *, host: str | None = None) -> None:
        self._port = port
        self._secret = secret
        self._clock = clock
        self._host = host
        self._stack: AsyncExitStack | None = None
        self._not_before = 0.0
        self._came = asyncio.Event()
        self._first, self._more = "", 0
        self._told_at: float | None = None
        self._remembered: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """By address: since when, and how often."""
        self._complained_at: float | None = None

    async def next(self) -> str:
        """As `ports.Hints`; several that wait come as one.

        :raises Transient: the port cannot be had; tried again after half a minute.
        """
        await self.listen()
        await self._came.wait()
        if self._told_at is not None:
            await self._clock.sleep(max(0.0, self._told_at + GAP_S - self._clock.now()))
        # Nothing is awaited from here on, so that no hint can be lost.
        said = f"{self._first}, and {self._more} more" if self._more else self._first
        self._told_at, self._more = self._clock.now(), 0
        self._came.clear()
        return said

    async def listen(self) -> int:
        """Take the port unless it is taken already; its number.

        :raises Transient: as `next`.
        """
        if self._stack is None:
            await self._clock.sleep(max(0.0, self._not_before - self._clock.now()))
            try:
                await self._open()
            except OSError as error:
                self._not_before = self._clock.now() + AGAIN_S
                why = os.strerror(error.errno) if error.errno else str(error)
                raise Transient(f"WEBHOOK_PORT {self._port} cannot be listened on: {why}") from error
            log.info("webhook.listening", port=self._port)
        return self._port

    async def aclose(self) -> None:
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.aclose()

    async def _open(self) -> None:
        """:raises OSError: the port cannot be had."""
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_post(PATH, self._take)
        quiet = logging.getLogger(f"{__name__}.http")  # what strangers send stands in its messages
        quiet.disabled = True
        async with AsyncExitStack() as stack:
            runner = web.AppRunner(
                app, access_log=None, logger=quiet, shutdown_timeout=0.5, keepalive_timeout=1.0, lingering_time=1.0,
                auto_decompress=False,
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            listener = await self._bind(runner)
            stack.callback(listener.close)
            self._port = listener.sockets[0].getsockname()[1]
            self._stack = stack.pop_all()

    async def _bind(self, runner: web.AppRunner) -> asyncio.Server:
        """Listen on every interface; without IPv6 where the machine has none.

        :raises OSError: neither way.
        """
        running = asyncio.get_running_loop()

        def connect() -> asyncio.BaseProtocol:
            server = runner.server
            if server is None or len(server.connections) >= MOST_CONNECTIONS:
                return _Full()
            protocol = server()
            running.call_later(LIVES_S, protocol.force_close)
            return protocol

        try:
            return await running.create_server(connect, self._host, self._port)
        except OSError:
            if self._host is not None:
                raise
            return await running.create_server(connect, "0.0.0.0", self._port)

    async def _take(self, request: web.Request) -> web.Response:
        """Answer at once; what follows from it is another's to do, later."""
        try:
            async with asyncio.timeout(BODY_S):
                said = _read(await request.read())
        except TimeoutError:
            return web.Response(status=408)
        if said is None:
            return web.Response(status=400)
        if not self._is_known(said.get("sharedSecret")):
            return web.Response(status=self._declined(request.remote or ""))
        self._hear(said)
        return web.Response()

    def _is_known(self, secret: object) -> bool:
        if not isinstance(secret, str) or not self._secret:
            return False
        sent, ours = (each.encode(errors="surrogatepass") for each in (secret, self._secret))
        return hmac.compare_digest(sent, ours)

    def _declined(self, address: str) -> int:
        """How a wrong secret is answered. A right one never is refused for the wrong ones before it: behind a proxy
        all come from one address.
        """
        now = self._clock.now()
        since, times = self._wrong.pop(address, (now, 0))
        if now - since >= WRONG_S:
            since, times = now, 0
        self._wrong[address] = since, times + 1
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)
        if self._complained_at is None or now - self._complained_at >= WRONG_S:
            self._complained_at = now
            log.warning("webhook.declined", reason="the shared secret is wrong: see MERAKI_WEBHOOK_SECRET", by=address)
        return 401 if times < MOST_WRONG else 429

    def _hear(self, said: Mapping[str, object]) -> None:
        """Keep one hint, unless it has been heard before."""
        alert, occurred = said.get("alertId"), said.get("occurredAt")
        if isinstance(alert, str) and isinstance(occurred, str):
            known = alert[:64], occurred[:64]
            if known in self._remembered:
                return
            self._remembered[known] = None
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        if self._came.is_set():
            self._more += 1
        else:
            self._first = f"{self._word(said, 'alertTypeId')} of {self._word(said, 'deviceSerial')}"
            self._came.set()

    def _word(self, said: Mapping[str, object], name: str) -> str:
        """A short word for the log, or a question mark."""
        word = said.get(name)
        is_fit = isinstance(word, str) and re.fullmatch(r"[A-Za-z0-9_.:-]{1,40}", word) and self._secret not in word
        return str(word) if is_fit else "?"


class _Full(asyncio.Protocol):
    """Hangs up at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


def _read(body: bytes) -> Mapping[str, object] | None:
    """None: it is no JSON object."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
