"""The Redfish service of one virtual BMC, over TLS with a certificate of its own.

Owns the listener, the logins and the resets; what the answers look like is `redfish_flavours`'. What a reset does to
the machine is the `Rack`'s, since another program may hold the truth about hosts. Source: DMTF DSP0266 1.20.
"""

import asyncio
import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from aiohttp import web

from thermo_guard.core.plant import Power
from thermo_guard.ports import Clock
from thermo_guard.sim.machines import BmcState, Stage
from thermo_guard.sim.world import World

from .certificates import self_signed
from .redfish_flavours import FLAVOURS, ROOT, ROOT_PAGE, SESSIONS, SESSIONS_PAGE, Body, Sight

MOST_SESSIONS = 8
SESSION_IDLE_S = 1800.0
"""As the pages of the session service say."""
MOST_BODY_BYTES = 64 * 1024
PATIENCE_S = 86400.0
"""For a handshake and an idle connection: on the time line of a fast site the usual minute is over at once."""
BY_BMC = "by its BMC"


class Rack(Protocol):
    """Who does to the hosts what a BMC is asked for; each by the host's name in the world."""

    async def power_on(self, host: str) -> None: ...

    async def cut(self, host: str) -> None:
        """Take its power at once."""

    async def press(self, host: str) -> None:
        """The power button of a host that runs: it goes down in good order."""


class WorldRack:
    """The hosts of a world that nothing else stands behind."""

    def __init__(self, world: World) -> None:
        self._cluster = world.cluster

    async def power_on(self, host: str) -> None:
        self._cluster.start(self._cluster.hosts[host], BY_BMC)

    async def cut(self, host: str) -> None:
        self._cluster.cut_power(self._cluster.hosts[host], f"cut {BY_BMC}")

    async def press(self, host: str) -> None:
        state = self._cluster.hosts[host]
        if state.stage is Stage.UP:
            self._cluster.shut_down(state, f"shut down {BY_BMC}")


@dataclass(slots=True)
class _Session:
    token: str
    used_at: float


class RedfishFace:
    """One BMC on a port of its own.

    One that is dead in its plan takes connections and never answers, as firmware that hangs does, until it is revived.

    :param flavour: a key of FLAVOURS.
    :param host: IP address to listen on; the certificate is made out for it.
    :param port: 0: any that is free, and the same again after `revive`.
    :raises ValueError: no such flavour, or host is no IP address.
    """

    def __init__(  # noqa: PLR0913 - what one BMC is
        self, state: BmcState, world: World, clock: Clock, rack: Rack, *, username: str, password: str, flavour: str,
        host: str = "127.0.0.1", port: int = 0,
    ) -> None:
        if flavour not in FLAVOURS:
            raise ValueError(f"no BMC is of the flavour {flavour}; there are {', '.join(FLAVOURS)}")
        self._state = state
        self._world = world
        self._clock = clock
        self._rack = rack
        self._username = username
        self._password = password
        self._basic = b64encode(f"{username}:{password}".encode())
        self._flavour = FLAVOURS[flavour]
        self._host = host
        self._port = port
        self._awake = asyncio.Event()
        if not state.plan.is_dead:
            self._awake.set()
        certificate = self_signed(host, state.plan.model)
        self._tls = certificate.context()
        self.fingerprint = certificate.fingerprint
        """SHA-256 of its certificate, hex."""
        self._sessions: dict[str, _Session] = {}
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """host:port, as ILO_HOSTS has it."""
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def kill(self) -> None:
        """It is gone: its port is closed, what was being answered breaks off, and its sessions are lost."""
        self._sessions.clear()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()
        self._awake.set()  # nobody is left to be answered by those that waited

    def hang(self) -> None:
        """From now on it takes connections and never answers."""
        self._awake.clear()

    async def revive(self) -> None:
        """It has started anew, on the same port and with the same certificate, and answers."""
        await self.kill()
        await self._listen()

    async def _listen(self) -> None:
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=PATIENCE_S, shutdown_timeout=0.1)
        await self._runner.setup()
        if self._runner.server is None:
            raise RuntimeError("a runner that is set up has a server")
        self._server = await asyncio.get_running_loop().create_server(
            self._runner.server, self._host, self._port, ssl=self._tls, ssl_handshake_timeout=PATIENCE_S,
            reuse_address=True,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    # ---- requests ----

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not self._awake.is_set():
            await self._awake.wait()
            return web.Response(status=503)
        self._world.advance(self._clock.now())
        path = request.path.rstrip("/").lower()
        if self._flavour.has_slash_redirect and request.path == ROOT and request.method in ("GET", "HEAD"):
            return web.Response(status=308, headers={"Location": f"{ROOT}/"})
        if request.method == "POST" and path == SESSIONS_PAGE:
            return await self._log_in(request)
        is_open = path == ROOT_PAGE and request.method in ("GET", "HEAD")
        if not is_open and not self._is_allowed(request):
            return self._declined(401, "NoValidSession", headers={"WWW-Authenticate": f'Basic realm="{self._host}"'})
        if path == self._flavour.reset_path.lower():
            return await self._reset(request) if request.method == "POST" else self._not_so(request, "POST")
        if path.startswith(SESSIONS_PAGE):
            return self._session_page(request, path)
        page = self._flavour.pages(self._sight()).get(path)
        if page is None:
            return self._declined(404, "ResourceMissingAtURI", request.path)
        return _json(page) if request.method in ("GET", "HEAD") else self._not_so(request, "GET, HEAD")

    def _sight(self) -> Sight:
        state, world = self._state, self._world
        seen = state.seen(world.now, world.cluster.bmc_power(state))
        host, inlet = world.cluster.hosts.get(state.plan.host or ""), world.inlets[state.plan.address]
        stage = host.stage if host is not None else Stage.UP
        return Sight(seen, stage, world.air_c, inlet.shown_c, inlet.plan.is_there)

    def _declined(
        self, status: int, message: str, about: str = "", headers: Mapping[str, str] | None = None
    ) -> web.Response:
        return _json(self._flavour.error(message, about), status, headers)

    def _not_so(self, request: web.Request, allowed: str) -> web.Response:
        return self._declined(405, "OperationNotAllowed", request.method, {"Allow": allowed})

    # ---- logins ----

    def _is_allowed(self, request: web.Request) -> bool:
        token = request.headers.get("X-Auth-Token")
        if token is not None:
            return self._session_of(token) is not None
        scheme, _, login = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "basic" and hmac.compare_digest(login.encode("utf-8", "replace"), self._basic)

    def _is_login(self, username: object, password: object) -> bool:
        given, wanted = f"{username}\n{password}", f"{self._username}\n{self._password}"
        return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())

    def _session_of(self, token: str) -> str | None:
        """Id of the session, which is thereby in use."""
        self._end_idle_sessions()
        for number, session in self._sessions.items():
            if hmac.compare_digest(session.token.encode(), token.encode("utf-8", "replace")):
                session.used_at = self._clock.now()
                return number
        return None

    def _end_idle_sessions(self) -> None:
        since = self._clock.now() - SESSION_IDLE_S
        self._sessions = {number: one for number, one in self._sessions.items() if one.used_at > since}

    async def _log_in(self, request: web.Request) -> web.Response:
        login = await _payload(request)
        if login is None:
            return self._declined(400, "MalformedJSON")
        if not self._is_login(login.get("UserName"), login.get("Password")):
            return self._declined(401, "NoValidSession")
        self._end_idle_sessions()
        if len(self._sessions) >= MOST_SESSIONS:
            return self._declined(503, "SessionLimitExceeded")
        number, token = secrets.token_hex(4), secrets.token_hex(16)
        self._sessions[number] = _Session(token, self._clock.now())
        return _json(self._session_body(number), 201, {"X-Auth-Token": token, "Location": f"{SESSIONS}/{number}"})

    def _session_page(self, request: web.Request, path: str) -> web.Response:
        self._end_idle_sessions()
        if path == SESSIONS_PAGE:
            members = [{"@odata.id": f"{SESSIONS}/{number}"} for number in self._sessions]
            return _json({
                "@odata.id": SESSIONS, "@odata.type": "#SessionCollection.SessionCollection", "Name": "Sessions",
                "Members": members, "Members@odata.count": len(members),
            })
        number = path.removeprefix(f"{SESSIONS_PAGE}/")
        if number not in self._sessions:
            return self._declined(404, "ResourceMissingAtURI", request.path)
        if request.method == "DELETE":
            del self._sessions[number]
            return web.Response(status=204)
        return _json(self._session_body(number)) if request.method == "GET" else self._not_so(request, "GET, DELETE")

    def _session_body(self, number: str) -> Body:
        return {"@odata.id": f"{SESSIONS}/{number}", "@odata.type": "#Session.v1_0_0.Session", "Id": number,
                "Name": "User Session", "UserName": self._username}

    # ---- resets ----

    async def _reset(self, request: web.Request) -> web.Response:
        """Do it or say why not; a reset that changes nothing is answered as the vendor does."""
        flavour = self._flavour
        payload = await _payload(request)
        if payload is None:
            return self._declined(400, "MalformedJSON")
        kind = payload.get("ResetType")
        if kind is None:
            return self._declined(400, "ActionParameterMissing", "ResetType")
        if kind not in flavour.resets:
            return self._declined(400, "ActionParameterNotSupported", "ResetType")
        is_off = self._sight().seen.power is Power.OFF
        is_redundant = not is_off if kind in ("On", "ForceOn") else is_off and kind != "PushPowerButton"
        if is_redundant and flavour.redundant is not None:
            return self._declined(*flavour.redundant)
        if not is_redundant and not await self._does(kind, is_off=is_off):
            return self._declined(400, "ActionNotSupported", kind)
        if flavour.reset_status == 204:
            return web.Response(status=204)
        return _json(flavour.error("Success"), flavour.reset_status)

    async def _does(self, kind: str, *, is_off: bool) -> bool:
        """Whether the rack could be asked for it: not for a server outside the world, nor an Nmi or a warm restart."""
        host = self._state.plan.host
        if host is None:
            return False
        match kind:
            case "On" | "ForceOn":
                await self._rack.power_on(host)
            case "ForceOff":
                await self._rack.cut(host)
            case "GracefulShutdown":
                await self._rack.press(host)
            case "PushPowerButton":
                await (self._rack.power_on(host) if is_off else self._rack.press(host))
            case "ForceRestart" | "PowerCycle":
                await self._rack.cut(host)
                await self._rack.power_on(host)
            case _:
                return False
        return True


async def _payload(request: web.Request) -> Mapping[str, Any] | None:
    """What was sent, or None where it is no JSON object."""
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _json(body: Body, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(body, status=status, headers={"OData-Version": "4.0", **(headers or {})})
