"""A TCP proxy between the guard and one of its servers, whose behaviour is switched while it runs.

It works in a thread with a loop of its own, since the tests that switch it are not asynchronous. It knows nothing of
what it carries, but for `Fault.ENDLESS`, in which it answers itself, in HTTP, behind a certificate of the tests.
"""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

CHUNK = 64 * 1024
SLOW_BYTE_S = 0.1
TLS_BEGINNING = 20
"""So many bytes of a server's hello that no handshake can go on."""


class Fault(StrEnum):
    """What it does to connections, those that stand as well as new ones."""

    PASS = "pass"
    BLACKHOLE = "blackhole"  # taken, and nothing is carried
    REFUSE = "refuse"
    RESET = "reset"  # RST in the middle of an answer
    SLOW = "slow"  # an answer comes byte by byte
    HALF_OPEN = "half_open"  # questions go on, the way back is closed
    TRUNCATED = "truncated"  # FIN in the middle of an answer
    ENDLESS = "endless"  # a good head and a body that never ends
    TLS_STALLED = "tls_stalled"  # the beginning of the server's hello, and no more


class Proxy:
    """At a port of its own on the server's IP address, as that stands in the server's certificate.

    :param address: host:port of the server.
    :param trusted: answers as the server where it must speak itself; None: the server speaks plain HTTP.
    """

    def __init__(self, address: str, trusted: ssl.SSLContext | None = None) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._trusted = trusted
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault = Fault.PASS
        self._own_port = 0
        self.tries = 0
        """Connections taken since the last switch."""
        self.sent = 0
        """Bytes of its own making since the last switch."""

    @property
    def address(self) -> str:
        return f"{self._host}:{self._own_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def switch(self, fault: Fault) -> None:
        """From now on; back to PASS every connection is cut, so that none goes on with half an answer."""
        self._do(self._switch(fault))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, self._own_port)
        self._own_port = self._server.sockets[0].getsockname()[1]

    async def _switch(self, fault: Fault) -> None:
        self._fault, self.tries, self.sent = fault, 0, 0
        if fault in {Fault.PASS, Fault.REFUSE, Fault.ENDLESS}:
            for writer in [*self._writers]:
                writer.transport.abort()
        if self._server is not None and fault is Fault.REFUSE:
            self._server.close()
            self._server = None
        elif self._server is None and fault is not Fault.REFUSE:
            await self._listen()

    async def _close(self) -> None:
        await self._switch(Fault.REFUSE)
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.tries += 1
        try:
            # What the far end does is what this is for: no end of a connection is an error here.
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                if self._fault is Fault.ENDLESS:
                    await self._answer_without_end(reader, writer)
                else:
                    await self._carry(reader, writer)
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(self._host, self._port)
        self._writers.add(forth)
        asking = asyncio.create_task(self._ask(reader, forth))
        try:
            await self._answer(back, writer, spare=self.tries % 4)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            forth.transport.abort()
            self._writers.discard(forth)

    async def _ask(self, reader: asyncio.StreamReader, forth: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self._fault is not Fault.BLACKHOLE:
                forth.write(data)
                await forth.drain()
        forth.transport.abort()

    async def _answer(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, spare: int) -> None:
        """:param spare: parts of answers left whole, so that a cut falls now into the handshake, now behind it."""
        while data := await back.read(CHUNK):
            match self._fault:
                case Fault.BLACKHOLE:
                    continue
                case Fault.RESET | Fault.TRUNCATED if spare <= 0:
                    await self._cut(data[: len(data) // 2], writer)
                    return
                case Fault.HALF_OPEN:
                    if not writer.is_closing() and writer.can_write_eof():
                        with suppress(OSError):
                            writer.write_eof()
                    continue
                case Fault.TLS_STALLED:
                    writer.write(data[:TLS_BEGINNING])
                    await asyncio.Event().wait()  # until it is switched, or the guard goes away
                case Fault.SLOW:
                    await self._drip(data, writer)
                case _:
                    spare -= 1
                    writer.write(data)
                    await writer.drain()

    async def _cut(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if self._fault is Fault.RESET:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            writer.close()
            await writer.wait_closed()

    async def _drip(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        for byte in data:
            if self._fault is not Fault.SLOW:
                return
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(SLOW_BYTE_S)

    async def _answer_without_end(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._trusted is not None:
            await writer.start_tls(self._trusted)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[")
        body = b'{"serial": "Q2AA-0000-0001"},' * 2000
        while self._fault is Fault.ENDLESS:
            writer.write(body)
            self.sent += len(body)
            await writer.drain()
