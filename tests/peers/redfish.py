"""A BMC whose every answer the test writes: for firmware that misbehaves in ways that no emulator offers."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import trustme
from aiohttp import web

CA = trustme.CA()
ROOT = "/redfish/v1"
SYSTEM = f"{ROOT}/Systems/1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"


@dataclass(frozen=True)
class Reply:
    """`body` as bytes, or anything that JSON can hold."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


Answering = Callable[[web.Request], Awaitable[Reply]]


class WrittenBmc:
    """Serves `pages` over TLS on loopback; a page is a Reply, or a coroutine function that makes one.

    With no pages of its own it is a well-behaved BMC with one system that is off, until it is switched on.
    """

    def __init__(self, pages: Mapping[str, Reply | Answering] | None = None, *, listen: str = "127.0.0.1") -> None:
        self.power_state: str | None = "Off"
        self.pages: dict[str, Reply | Answering] = {
            ROOT: Reply(body={"Systems": {"@odata.id": f"{ROOT}/Systems"}}),
            f"{ROOT}/Systems": Reply(body={"Members": [{"@odata.id": SYSTEM}]}),
            SYSTEM: self.system,
            RESET: self.reset,
            **(pages or {}),
        }
        self.requests: list[web.Request] = []
        self.listen = listen
        self.address = ""
        leaf = CA.issue_cert(listen)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(self._tls)
        pem = leaf.cert_chain_pems[0].bytes().decode()
        self.fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(_app(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.listen, 0, ssl_context=self._tls).start()
        self.address = f"{self.listen}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def seen(self, method: str) -> list[str]:
        """Paths of the requests so far."""
        return [request.path for request in self.requests if request.method == method]

    async def system(self, _: web.Request) -> Reply:
        return Reply(body=self.system_body())

    def system_body(self, **more: object) -> dict[str, object]:
        reset = {"target": RESET, "ResetType@Redfish.AllowableValues": ["On", "ForceOff"]}
        return {"UUID": "4C4C4544-0035-3410-8050-C6C04F314733", "PowerState": self.power_state,
                "Actions": {"#ComputerSystem.Reset": reset}, **more}

    async def reset(self, _: web.Request) -> Reply:
        self.power_state = "On"
        return Reply(204, b"")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        await request.read()
        page = self.pages.get(request.path.rstrip("/"), Reply(404))
        reply = page if isinstance(page, Reply) else await page(request)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        return web.Response(status=reply.status, body=body, headers=dict(reply.headers))


def _app(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def hang_up(request: web.Request) -> Reply:
    """An answer that is lost."""
    if request.transport is not None:
        request.transport.abort()
    return Reply()


class Eavesdropper:
    """Shows a certificate, and writes down each byte that comes after the handshake; answers nothing.

    It does TLS by hand, so that a client that turns away in the handshake is seen to have come and to have gone.
    """

    def __init__(self, certificate: trustme.LeafCert, *, listen: str = "127.0.0.1") -> None:
        self.received = b""
        self.left = asyncio.Event()
        """A client has come and gone."""
        self.port = 0
        self._listen = listen
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._tls)

    @property
    def address(self) -> str:
        return f"{self._listen}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._meet, self._listen, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def overheard(self) -> bytes:
        """What came from the first client, once it is gone."""
        async with asyncio.timeout(10):
            await self.left.wait()
        return self.received

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._tls.wrap_bio(incoming, outgoing, server_side=True)
        is_open = False
        try:
            while not self.received and (data := await reader.read(65536)):
                incoming.write(data)
                try:
                    if not is_open:
                        tls.do_handshake()
                        is_open = True
                    plain = tls.read(65536)
                    if not plain:  # the client says goodbye
                        break
                    self.received += plain
                except ssl.SSLWantReadError:
                    writer.write(outgoing.read())
        except (ssl.SSLError, OSError):
            pass
        finally:
            writer.close()
            self.left.set()


def ca_file(folder: Path) -> Path:
    CA.cert_pem.write_to_path(folder / "ca.pem")
    return folder / "ca.pem"


class HandClock:
    """A clock that stands until it is moved; its sleeps end at once and are written down."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
