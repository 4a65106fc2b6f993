"""The Meraki Dashboard API as far as Thermo-Guard asks it, on the wire: a test heats its room and names its faults.

In a test's own loop:    async with MerakiPeer() as peer: peer.set_sensors({"Q2AA-0000-0001": {"celsius": 41}})
As a process:            python -m peers.meraki --port 0 --sensor Q2AA-0000-0001=21.5
                         prints one JSON line with its addresses and ends when its standard input does;
                         `peers.meraki_process` starts one so and speaks to its control endpoints.

Control, no key needed:
    POST /_control/sensors   {serial: {any field of `Sensor`} or null, which removes it}
    POST /_control/alerts    {"count": 4, "supported": ["temperature"]}
    POST /_control/fault     {"kind": ..., any other field of `Fault`}, or {"kind": "none"} to end them all
    GET  /_control/requests  every API request on record, oldest first

It is itself judged against Meraki's published description by test_meraki_spec.py, and stricter than the real one is: a
query that the description does not name is answered 400.
"""

import argparse
import asyncio
import json
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Self

from aiohttp import web
from multidict import MultiMapping

from peers.meraki_room import NETWORK, Sensor
from thermo_guard.sim.wire.meraki_paging import PAGING, complaint, declined, page

KEY = "4f5e6d7c8b9a0123456789abcdef0123456789ab"
ORGANISATION = "2930418"

FOREVER = -1
SHARD = "/shard"
"""Prefix of the shard that a plain-http peer redirects to; with TLS the shard is a port of its own."""

FAULTS = {
    "401": {"errors": ["Invalid API key"]},
    "400": {"errors": ["'perPage' is out of range"]},
    "403": {"errors": ["Access denied"]},
    "404": {"errors": ["Not found"]},
    "500": {"errors": ["Internal server error"]},
    "503": {"errors": ["Service unavailable"]},
}
ENDLESS = {"redirect-loop", "endless-pages"}

READING_QUERY = PAGING | {"networkIds[]", "serials[]", "metrics[]"}
HISTORY_QUERY = READING_QUERY | {"t0", "t1", "timespan"}
DEVICE_QUERY = PAGING | {"networkIds[]", "productTypes[]", "sensorMetrics[]"}


@dataclass(slots=True)
class Fault:
    """What the next requests get instead of, or around, a right answer."""

    kind: str
    """A key of FAULTS, or 429-seconds, 429-date, html, hang, drop, truncated, body, echo-400, redirect-cross-host,
    redirect-loop, shard-redirect, endless-pages, link-cross-host, cached, no-date."""
    count: int = 1
    """How many requests; FOREVER for all."""
    path: str = ""
    """Only requests whose path holds this."""
    retry_after_s: float | None = None
    age_s: float = 0.0
    """How long a cache on the way has kept the answer."""
    location: str = ""
    body: str = ""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """An API request as it came; the key itself is not kept."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    key: str
    """valid, wrong or absent."""
    user_agent: str
    shard: bool
    fault: str
    """The fault that it met, or an empty string."""


@dataclass
class MerakiPeer:
    """Both listeners of one organisation's API: the common address and a shard."""

    key: str = KEY
    host: str = "127.0.0.1"
    port: int = 0
    now: Callable[[], float] = time.time
    """Its clock: Date headers and measurement times come from here."""
    tls: ssl.SSLContext | None = None
    most_per_page: int = 1000
    sensors: dict[str, Sensor] = field(default_factory=dict)
    past: list[tuple[float, str, float]] = field(default_factory=list)
    """What is remembered: when, of which serial number, and the degrees; in the order of times."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    name: str = ""
    """The host name that it is known by; empty: its address."""
    alert_count: Any = 0
    supported: list[str] = field(default_factory=lambda: ["temperature", "humidity"])
    origin: str = ""
    shard_origin: str = ""

    @property
    def url(self) -> str:
        """What MERAKI_API_BASE_URL is set to."""
        return f"{self.origin}/api/v1"

    async def __aenter__(self) -> Self:
        self._closing = asyncio.Event()
        app = web.Application()
        for prefix in ("", SHARD):
            at = f"{prefix}/api/v1"
            app.router.add_get(f"{at}/networks/{{network}}", self._api(self._network))
            app.router.add_get(
                f"{at}/networks/{{network}}/sensor/alerts/current/overview/byMetric", self._api(self._overview)
            )
            app.router.add_get(f"{at}/organizations/{{org}}/sensor/readings/latest", self._api(self._readings))
            app.router.add_get(f"{at}/organizations/{{org}}/sensor/readings/history", self._api(self._history))
            app.router.add_get(f"{at}/organizations/{{org}}/devices", self._api(self._devices))
        app.router.add_post("/_control/{what}", self._control)
        app.router.add_get("/_control/requests", self._tell_requests)
        app.router.add_route("*", "/{rest:.*}", self._api(self._nothing))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self.origin = await self._listen(self.port)
        self.shard_origin = await self._listen(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await self._runner.cleanup()

    def set_sensors(self, changes: Mapping[str, Mapping[str, Any] | None]) -> None:
        for serial, change in changes.items():
            if change is None:
                self.sensors.pop(serial, None)
            else:
                self.sensors[serial] = replace(self.sensors.get(serial, Sensor(serial)), **change)

    def fail(self, kind: str, **how: Any) -> None:
        """Add a fault behind those that are still due; "none" ends them all."""
        if kind == "none":
            self.faults.clear()
        else:
            self.faults.append(Fault(kind, **({"count": FOREVER} if kind in ENDLESS else {}) | how))

    async def _listen(self, port: int) -> str:
        site = web.TCPSite(self._runner, self.host, port, ssl_context=self.tls)
        await site.start()
        taken = self._runner.addresses[-1][1]
        return f"{'https' if self.tls else 'http'}://{self.name or self.host}:{taken}"

    def _api(self, handler: Callable[[web.Request], web.Response]) -> Callable[[web.Request], Any]:
        """Put on record, let in, meet the due fault, answer."""

        async def answer(request: web.Request) -> web.StreamResponse:
            on_shard = str(request.url.origin()) == self.shard_origin or request.path.startswith(SHARD)
            sent = request.headers.get("Authorization")
            key = "absent" if sent is None else "valid" if sent == f"Bearer {self.key}" else "wrong"
            fault = self._due(request.path, on_shard=on_shard)
            self.requests.append(
                Request(
                    request.method,
                    request.path.removeprefix(SHARD),
                    tuple(request.query.items()),
                    key,
                    request.headers.get("User-Agent", ""),
                    on_shard,
                    fault.kind if fault else "",
                )
            )
            response = await self._misbehave(request, fault) if fault else None
            if response is None:
                response = handler(request) if key == "valid" else declined(401, "Invalid API key")
                self._bend(request, response, fault)
            response.headers["Date"] = formatdate(self.now(), usegmt=True)
            if fault and fault.kind == "cached":
                response.headers["Date"] = formatdate(self.now() - fault.age_s, usegmt=True)
                response.headers["Age"] = f"{fault.age_s:.0f}"
            if fault and fault.kind == "no-date":
                response.headers["Date"] = ""
            return response

        return answer

    def _due(self, path: str, *, on_shard: bool) -> Fault | None:
        for fault in self.faults:
            if fault.path in path and not (on_shard and fault.kind == "shard-redirect"):
                fault.count -= 1 if fault.count > 0 else 0
                if fault.count == 0:
                    self.faults.remove(fault)
                return fault
        return None

    async def _misbehave(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """Give the answer that the fault puts in place of the right one, if it is one of those."""
        match fault.kind:
            case "429-seconds" | "429-date":
                wait_s = 1.0 if fault.retry_after_s is None else fault.retry_after_s
                in_seconds = fault.kind == "429-seconds"
                asked = f"{wait_s:.0f}" if in_seconds else formatdate(self.now() + wait_s, usegmt=True)
                return declined(429, "API rate limit exceeded", {"Retry-After": asked})
            case "html":
                return web.Response(text="<html><body>Welcome to Hotel WiFi</body></html>", content_type="text/html")
            case "echo-400":
                return declined(400, f"bad key {self.key}")
            case "body":
                return web.Response(body=fault.body.encode(), headers={"Content-Type": fault.content_type})
            case "redirect-cross-host":
                return _moved(fault.location or "https://meraki.com.example.net/api/v1")
            case "redirect-loop":
                return _moved(str(request.url))
            case "shard-redirect":
                at = self.shard_origin if self.tls else f"{self.origin}{SHARD}"
                return _moved(f"{at}{request.rel_url}")
            case "hang":
                await self._closing.wait()
            case "drop" if request.transport is not None:
                request.transport.abort()
            case "truncated":
                response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
                await response.prepare(request)
                await response.write(b'[{"serial": "Q2')
                if request.transport is not None:
                    request.transport.close()
                return response
            case kind if kind in FAULTS:
                return web.json_response(FAULTS[kind], status=int(kind))
        return None

    def _bend(self, request: web.Request, response: web.Response, fault: Fault | None) -> None:
        """Change the right answer where the fault asks for that."""
        match fault:
            case Fault("endless-pages"):
                following = request.url.update_query(startingAfter=str(len(self.requests)))
                response.headers["Link"] = f"<{following}>; rel=next"
            case Fault("link-cross-host", location=location):
                response.headers["Link"] = f"<{location}>; rel=next"

    def _network(self, request: web.Request) -> web.Response:
        if request.match_info["network"] != NETWORK or request.query:
            return declined(404, "Not found")
        return web.json_response(
            {
                "id": NETWORK,
                "organizationId": ORGANISATION,
                "name": "Main Office",
                "productTypes": ["sensor", "switch"],
                "timeZone": "Europe/Berlin",
                "tags": ["server-room"],
                "isBoundToConfigTemplate": False,
            }
        )

    def _overview(self, request: web.Request) -> web.Response:
        if request.match_info["network"] != NETWORK or request.query:
            return declined(404, "Not found")
        counts = {"temperature": self.alert_count, "humidity": 0, "noise": {"ambient": 0}}
        return web.json_response({"supportedMetrics": self.supported, "counts": counts})

    def _readings(self, request: web.Request) -> web.Response:
        if wrong := self._complaint(request, READING_QUERY):
            return wrong
        metrics = request.query.getall("metrics[]", ["temperature"])
        serials = request.query.getall("serials[]", list(self.sensors))
        rows = [
            row
            for sensor in self._listed(request.query)
            if sensor.serial in serials and "temperature" in metrics and not sensor.missing
            for row in sensor.rows(self.now())
        ]
        return self._paged(request, rows)

    def _history(self, request: web.Request) -> web.Response:
        query = request.query
        if wrong := self._complaint(request, HISTORY_QUERY):
            return wrong
        if "timespan" in query:
            until = self.now()
            since = until - float(query["timespan"])
        else:
            since, until = (datetime.fromisoformat(query[name]).timestamp() for name in ("t0", "t1"))
        serials = query.getall("serials[]", [])
        rows = [
            {
                "serial": serial,
                "network": {"id": NETWORK, "name": "Main Office"},
                "ts": datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "metric": "temperature",
                "temperature": {"celsius": celsius, "fahrenheit": celsius * 1.8 + 32},
            }
            for at, serial, celsius in self.past
            if since <= at <= until and (not serials or serial in serials)
        ]
        return page(request, rows, lambda row: f"{row['ts']}_{row['serial']}", most_per_page=self.most_per_page)

    def _devices(self, request: web.Request) -> web.Response:
        if wrong := self._complaint(request, DEVICE_QUERY):
            return wrong
        rows = [
            {
                "name": sensor.name,
                "serial": sensor.serial,
                "mac": f"00:18:0a:00:00:{number % 256:02x}",
                "model": "MT10",
                "networkId": sensor.network,
                "productType": "sensor",
                "firmware": "Not running configured version",
                "tags": [],
            }
            for number, sensor in enumerate(self._listed(request.query))
        ]
        return self._paged(request, rows)

    def _nothing(self, _: web.Request) -> web.Response:
        return declined(404, "Not found")

    def _listed(self, query: MultiMapping[str]) -> list[Sensor]:
        networks = query.getall("networkIds[]", [])
        return [each for _, each in sorted(self.sensors.items()) if not networks or each.network in networks]

    def _complaint(self, request: web.Request, known: frozenset[str]) -> web.Response | None:
        if request.match_info["org"] != ORGANISATION:
            return declined(404, "Not found")
        return complaint(request.query, known)

    def _paged(self, request: web.Request, rows: list[dict[str, Any]]) -> web.Response:
        return page(request, rows, lambda row: str(row["serial"]), most_per_page=self.most_per_page)

    async def _control(self, request: web.Request) -> web.Response:
        asked = await request.json()
        match request.match_info["what"]:
            case "sensors":
                self.set_sensors(asked)
            case "alerts":
                self.alert_count = asked.get("count", self.alert_count)
                self.supported = asked.get("supported", self.supported)
            case "fault":
                self.fail(**asked)
            case _:
                return declined(404, "no such control")
        return web.json_response({})

    async def _tell_requests(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(each) for each in self.requests])


def _moved(location: str) -> web.Response:
    return web.Response(status=308, headers={"Location": location})


async def _serve(asked: argparse.Namespace) -> None:
    tls = None
    if asked.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(asked.cert, asked.keyfile)
    peer = MerakiPeer(asked.key, asked.host, asked.port, tls=tls, most_per_page=asked.per_page)
    for given in asked.sensor:
        serial, _, celsius = given.partition("=")
        peer.set_sensors({serial: {"celsius": float(celsius or 21.5), "cadence_s": asked.cadence}})
    async with peer:
        said = {"url": peer.url, "control": f"{peer.origin}/_control", "shard": peer.shard_origin}
        print(json.dumps(said), flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()


def main() -> None:
    parser = argparse.ArgumentParser(description="A Meraki Dashboard API with a room of its own; ends with its stdin.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default=KEY)
    parser.add_argument("--sensor", action="append", default=[], metavar="SERIAL=CELSIUS")
    parser.add_argument("--cadence", type=float, default=0.0, help="seconds between measurements; 0: at each question")
    parser.add_argument("--per-page", type=int, default=1000, help="most rows a page, whatever is asked for")
    parser.add_argument("--cert", help="certificate chain (PEM); serves https")
    parser.add_argument("--keyfile", help="private key of --cert (PEM)")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
