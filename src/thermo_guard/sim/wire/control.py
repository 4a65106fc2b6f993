"""The control face of the virtual site: what a person, or fate, does to it while it runs, as plain HTTP on loopback.

    GET  /                     what there is
    GET  /state                time, and each room: air, sensors, inlets, hosts, VMs, heat
    GET  /log?room=&since=     what has happened in a room, after the entry `since`
    GET  /settings?room=       a guard's settings; as lines for a shell with format=env
    POST /do                   {"room": ..., "what": "break cooling", "target": ..., "for_s": ..., "how": ...}
    POST /clock                {"speed": 20} or {"jump_s": 3600}

What is wrong with a request is answered 400 with words.
"""

import asyncio
import json
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Self

from aiohttp import web

from thermo_guard.ports import Clock
from thermo_guard.sim.happenings import WHATS, Happening, befall
from thermo_guard.sim.loop import VirtualTimeLoop

from .site import Room, WireSite

LOG_LIMIT = 1000
"""Entries that one answer holds."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlFace:
    """Serves the control of one site.

    :param port: 0: any that is free.
    :raises OSError: on entering, the port is taken.
    """

    def __init__(self, site: WireSite, clock: Clock, *, port: int = 0) -> None:
        self._site = site
        self._clock = clock
        self._port = port
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[_told])
        app.router.add_get("/", self._index)
        app.router.add_get("/state", self._state)
        app.router.add_get("/log", self._log)
        app.router.add_get("/settings", self._settings)
        app.router.add_post("/do", self._do)
        app.router.add_post("/clock", self._set_clock)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _index(self, _: web.Request) -> web.Response:
        return web.json_response({
            "rooms": list(self._site.rooms),
            "get": ["/state", "/log?room=&since=", "/settings?room=&format=env"],
            "post": {
                "/do": {"room": "of several rooms, which", "what": list(WHATS), "target": "", "how": "", "for_s": 0},
                "/clock": {"speed": "site seconds for a real one", "jump_s": "seconds that pass at once"},
            },
        })

    async def _state(self, _: web.Request) -> web.Response:
        now = self._clock.now()
        for room in self._site.rooms.values():
            room.world.advance(now)
        return web.json_response({
            "now": now, "speed": _loop().speed,
            "rooms": {name: state_of(room) for name, room in self._site.rooms.items()},
        })

    async def _log(self, request: web.Request) -> web.Response:
        room = self._room(request.query.get("room", ""))
        since = _number(request.query.get("since", "0"), "since")
        room.world.advance(self._clock.now())
        entries = [
            {"n": n, "at": one.at, "kind": one.kind, "object": one.object, "detail": one.detail}
            for n, one in enumerate(room.world.log, start=1) if n > since
        ]
        return web.json_response(entries[:LOG_LIMIT])

    async def _settings(self, request: web.Request) -> web.Response:
        settings = self._site.settings(self._room(request.query.get("room", "")).name)
        if request.query.get("format") == "env":
            return web.Response(text=as_lines(settings))
        if request.query.get("format", "json") != "json":
            raise ValueError("format: env or json")
        return web.json_response(settings)

    async def _do(self, request: web.Request) -> web.Response:
        asked = await _body(request)
        room = self._room(str(asked.pop("room", "")))
        try:
            happening = Happening(**asked)
        except TypeError as error:
            raise ValueError(f"what, target, how and for_s are taken: {error}") from error
        room.world.advance(self._clock.now())
        await befall(room.world, RoomFaces(room), happening)
        if room.vsphere is not None:
            await room.vsphere.settle()
        return web.json_response({"ok": True})

    async def _set_clock(self, request: web.Request) -> web.Response:
        """Another speed from now on, or so many seconds at once: the rooms live through them."""
        asked = await _body(request)
        if unknown := set(asked) - {"speed", "jump_s"}:
            raise ValueError(f"{', '.join(sorted(unknown))}: only speed and jump_s are taken")
        if not asked:
            raise ValueError("speed or jump_s is wanted")
        if (speed := asked.get("speed")) is not None:
            await self._site.rescale(_positive(speed, "speed"))
            _loop().speed = _positive(speed, "speed")
        if (jump_s := asked.get("jump_s")) is not None:
            _loop().jump(_positive(jump_s, "jump_s"))
        return web.json_response({"now": self._clock.now(), "speed": _loop().speed})

    def _room(self, name: str) -> Room:
        rooms = self._site.rooms
        if not name and len(rooms) == 1:
            return next(iter(rooms.values()))
        if name not in rooms:
            raise ValueError(f"room: {name or 'which'}? There are {', '.join(rooms)}")
        return rooms[name]


class RoomFaces:
    """What can happen to the faces of one room, beside what happens in its world."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def kill_bmc(self, address: str) -> None:
        await self._room.bmcs[address].kill()

    async def hang_bmc(self, address: str) -> None:
        self._room.bmcs[address].hang()

    async def revive_bmc(self, address: str) -> None:
        await self._room.bmcs[address].revive()

    async def hang_guest(self, vm: str) -> None:
        if self._room.vsphere is not None:
            await self._room.vsphere.hang_guest(vm)


def state_of(room: Room) -> dict[str, Any]:
    """A room as it is now; kilowatts and degrees Celsius."""
    world = room.world
    return {
        "air_c": round(world.air_c, 2), "power_kw": round(world.power_kw, 3),
        "cooling": round(world.room.cooling_share, 3),
        "sensors": {serial: round(sensor.celsius, 1) for serial, sensor in world.room.sensors.items()},
        "inlets": {bmc.plan.host or address: world.inlets[address].shown_c
                   for address, bmc in world.cluster.bmcs.items()},
        "hosts": {name: host.stage.value for name, host in world.cluster.hosts.items()},
        "in_maintenance": [name for name, host in world.cluster.hosts.items() if host.in_maintenance],
        "vms": {vm.name: vm.is_on for vm in world.cluster.vms.values()},
        "peak_c": round(world.peak_c, 2), "own_hosts": sorted(world.own_hosts), "running": asdict(world.running()),
    }


def as_lines(settings: dict[str, str]) -> str:
    """For `set -a; . FILE`, and as a .env."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)


def _loop() -> VirtualTimeLoop:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualTimeLoop):
        raise ValueError("this site's time is not its own")  # noqa: TRY004 - answered as any wrong request
    return loop


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        asked = await request.json()
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is no JSON: {error}") from error
    if not isinstance(asked, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - answered as any wrong request
    return asked


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{name}: {text!r} is no whole number")
    return int(text)


def _positive(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise ValueError(f"{name}: {value!r} is no number above 0, and at most a thousand million")
    return float(value)
