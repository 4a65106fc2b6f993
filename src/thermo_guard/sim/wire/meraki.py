"""The Meraki Dashboard API over virtual rooms: each room is a network of one organisation.

Owns the server, the key, the rate limit and the questions; shapes are `meraki_rows`', webhooks `meraki_webhooks`'. It
must not know who asks. Webhooks leave when a measurement is made, so whoever owns the worlds has to advance them also
while nobody asks. Source: Meraki Dashboard API v1.73.0, its documentation on rate limits and authorization.
"""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Self

from aiohttp import web
from multidict import MultiMapping
from yarl import URL

from thermo_guard.adapters.clock import monotonic_now
from thermo_guard.ports import Clock
from thermo_guard.sim.world import World

from .meraki_paging import PAGING, complaint, declined, page
from .meraki_rows import Network, Organisation
from .meraki_webhooks import MOST_RECEIVERS, Receiver, Webhooks

PREFIX = "/api/v1"

METRICS = frozenset({
    "apparentPower", "battery", "button", "co2", "current", "door", "downstreamPower", "frequency", "humidity",
    "indoorAirQuality", "noise", "pm25", "powerFactor", "rawTemperature", "realPower", "remoteLockoutSwitch",
    "temperature", "tvoc", "voltage", "water",
})
READING_QUERY = PAGING | {"networkIds[]", "serials[]", "metrics[]"}
HISTORY_QUERY = READING_QUERY | {"t0", "t1", "timespan"}
DEVICE_QUERY = PAGING | {"networkIds[]", "serials[]", "productTypes[]", "sensorMetrics[]"}
NETWORK_QUERY = PAGING | {"productTypes[]"}

LONGEST_TIMESPAN_S = 7 * 86400.0
DEFAULT_TIMESPAN_S = 2 * 3600.0

REQUESTS_PER_S = 10.0
"""Of one organisation, all its applications together; as many more may come in the first second."""

KEEP_ALIVE_S = 86400.0
"""An idle connection is held so long: on the time line of a fast site the usual minute is over at once."""

MOST_BODY_BYTES = 64 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MerakiFace:
    """The API of one organisation, on loopback, without TLS.

    :param rooms: worlds by network id.
    :param clock: the site's; Date headers and webhooks bear its time.
    :param limit_clock: the line on which requests are counted; default real time, whatever the site's speed.
    """

    def __init__(
        self,
        rooms: Mapping[str, World],
        clock: Clock,
        *,
        key: str,
        organisation_id: str = "1000001",
        host: str = "127.0.0.1",
        port: int = 0,
        limit_clock: Callable[[], float] = monotonic_now,
    ) -> None:
        self._organisation = Organisation(organisation_id)
        self.networks = {
            network_id: Network(network_id, number, rooms[network_id], self._organisation)
            for number, network_id in enumerate(sorted(rooms))
        }
        """By Meraki's id."""
        self._clock = clock
        self._key = key
        self._host = host
        self._port = port
        self._limit = _RateLimit(limit_clock)
        self._webhooks = Webhooks(self.networks, clock)
        self.url = ""
        """What MERAKI_API_BASE_URL is set to; known once entered."""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._as_in_life], client_max_size=MOST_BODY_BYTES)
        organisation, network = f"{PREFIX}/organizations/{{org}}", f"{PREFIX}/networks/{{network}}"
        app.router.add_routes([
            web.get(f"{PREFIX}/organizations", self._organisations),
            web.get(f"{organisation}/networks", self._list_networks),
            web.get(f"{organisation}/devices", self._devices),
            web.get(f"{organisation}/sensor/readings/latest", self._latest),
            web.get(f"{organisation}/sensor/readings/history", self._history),
            web.get(network, self._show_network),
            web.get(f"{network}/sensor/alerts/current/overview/byMetric", self._overview),
            web.get(f"{network}/sensor/alerts/profiles", self._profiles),
            web.get(f"{network}/webhooks/httpServers", self._list_receivers),
            web.post(f"{network}/webhooks/httpServers", self._add_receiver),
        ])
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, keepalive_timeout=KEEP_ALIVE_S
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.url = f"http://{self._host}:{self._runner.addresses[0][1]}{PREFIX}"
        self._webhooks.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._webhooks.aclose()
        await self._runner.cleanup()

    def add_receiver(self, url: str, secret: str) -> None:
        """Register a receiver for every room, as its dashboard does."""
        for network_id, known in self._webhooks.receivers.items():
            known.append(Receiver("The guard", url, secret, network_id))

    # ---- every request ----

    @web.middleware
    async def _as_in_life(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Move the worlds to now; then drop, decline or answer, under the site's time."""
        now = self._clock.now()
        for network in self.networks.values():
            network.world.advance(now)
        if self._is_cut_off(request):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        response = self._refusal(request)
        if response is None:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = declined(404, "Not found") if error.status == 405 else declined(error.status, error.reason)
        response.headers["Date"] = formatdate(int(now), usegmt=True)
        return response

    def _is_cut_off(self, request: web.Request) -> bool:
        """Say whether none of the rooms that are asked about has its way out."""
        named = request.query.getall("networkIds[]", [])
        if "network" in request.match_info:
            named = [request.match_info["network"]]
        asked = [self.networks[each] for each in named if each in self.networks] or list(self.networks.values())
        return bool(asked) and not any(network.world.network.is_wan_up for network in asked)

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        sent = request.headers.get("Authorization")
        key = request.headers.get("X-Cisco-Meraki-API-Key") if sent is None else sent.removeprefix("Bearer ")
        if key is None:
            return declined(401, "Missing API key")
        if not hmac.compare_digest(key.encode(errors="surrogateescape"), self._key.encode()) or sent == key:
            return declined(401, "Invalid API key")
        if not self._limit.takes_one():
            return declined(429, "API rate limit exceeded for organization", {"Retry-After": "1"})
        if request.match_info.get("org", self._organisation.id) != self._organisation.id:
            return declined(404, "Not found")
        if request.match_info.get("network", "") not in {"", *self.networks}:
            return declined(404, "Not found")
        return None

    # ---- of the organisation ----

    async def _organisations(self, request: web.Request) -> web.Response:
        if wrong := complaint(request.query, PAGING, most_per_page=9000):
            return wrong
        return page(request, [self._organisation.row()], lambda row: str(row["id"]))

    async def _list_networks(self, request: web.Request) -> web.Response:
        if wrong := complaint(request.query, NETWORK_QUERY, most_per_page=100_000):
            return wrong
        is_wanted = "sensor" in request.query.getall("productTypes[]", ["sensor"])
        rows = [network.row() for network in self.networks.values()] if is_wanted else []
        return page(request, rows, lambda row: str(row["id"]))

    async def _devices(self, request: web.Request) -> web.Response:
        query = request.query
        if wrong := complaint(query, DEVICE_QUERY, most_per_page=5000):
            return wrong
        is_wanted = "sensor" in query.getall("productTypes[]", ["sensor"])
        is_wanted &= "temperature" in query.getall("sensorMetrics[]", ["temperature"])
        serials = query.getall("serials[]", [])
        rows = [
            network.device(sensor)
            for network in self._asked(query) for sensor in network.listed
            if is_wanted and (not serials or sensor.plan.serial in serials)
        ]
        return page(request, sorted(rows, key=_serial), _serial)

    async def _latest(self, request: web.Request) -> web.Response:
        if wrong := complaint(request.query, READING_QUERY) or _strange_metric(request.query):
            return wrong
        rows = [
            network.latest(sensor)
            for network in self._asked(request.query) for sensor in network.listed
            if _is_asked_for(sensor.plan.serial, request.query)
        ]
        return page(request, sorted(rows, key=_serial), _serial)

    async def _history(self, request: web.Request) -> web.Response:
        query = request.query
        if wrong := complaint(query, HISTORY_QUERY) or _strange_metric(query):
            return wrong
        try:
            since, until = _span(query, self._clock.now())
        except ValueError as error:
            return declined(400, str(error))
        rows = [
            row
            for network in self._asked(query) for sensor in network.listed
            if _is_asked_for(sensor.plan.serial, query)
            for row in network.history(sensor, since, until)
        ]
        return page(request, sorted(rows, key=_moment), _moment)

    def _asked(self, query: MultiMapping[str]) -> list[Network]:
        ids = query.getall("networkIds[]", [])
        return [network for network in self.networks.values() if not ids or network.id in ids]

    # ---- of a network ----

    async def _show_network(self, request: web.Request) -> web.Response:
        return web.json_response(self._network_of(request).row())

    async def _overview(self, request: web.Request) -> web.Response:
        return web.json_response(self._network_of(request).overview())

    async def _profiles(self, request: web.Request) -> web.Response:
        network = self._network_of(request)
        ids = [receiver.id for receiver in self._webhooks.receivers[network.id]]
        return web.json_response([network.profile(ids)])

    async def _list_receivers(self, request: web.Request) -> web.Response:
        receivers = self._webhooks.receivers[self._network_of(request).id]
        return web.json_response([receiver.row() for receiver in receivers])

    async def _add_receiver(self, request: web.Request) -> web.Response:
        """Register a receiver of every alert of the network.

        Meraki takes https only; here http is taken also, since a receiver beside the site may have nothing else.
        """
        network = self._network_of(request)
        known = self._webhooks.receivers[network.id]
        try:
            receiver = _receiver(await request.text(), network.id)
        except ValueError as error:
            return declined(400, str(error))
        if len(known) >= MOST_RECEIVERS or receiver.url in {each.url for each in known}:
            return declined(400, "Url has already been taken, or there are too many HTTP servers")
        known.append(receiver)
        return web.json_response(receiver.row(), status=201)

    def _network_of(self, request: web.Request) -> Network:
        return self.networks[request.match_info["network"]]


class _RateLimit:
    """A bucket that holds a second's requests and fills at their rate: 20 in the first second, 10 in each further."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left = REQUESTS_PER_S
        self._at = now()

    def takes_one(self) -> bool:
        now = self._now()
        self._left = min(REQUESTS_PER_S, self._left + (now - self._at) * REQUESTS_PER_S)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def _strange_metric(query: MultiMapping[str]) -> web.Response | None:
    strange = set(query.getall("metrics[]", [])) - METRICS
    return declined(400, f"'metrics' must not hold {sorted(strange)}") if strange else None


def _is_asked_for(serial: str, query: MultiMapping[str]) -> bool:
    return serial in query.getall("serials[]", [serial]) and "temperature" in query.getall("metrics[]", ["temperature"])


def _serial(row: Mapping[str, Any]) -> str:
    return str(row["serial"])


def _moment(row: Mapping[str, Any]) -> str:
    return f"{row['ts']}_{row['serial']}"


def _span(query: MultiMapping[str], now: float) -> tuple[float, float]:
    """Read which time is asked for.

    :raises ValueError: what is asked for makes no sense, in words for the one who asks.
    """
    if "timespan" in query:
        if "t0" in query or "t1" in query:
            raise ValueError("specify either 'timespan', or 't0' and 't1'")
        try:
            timespan_s = float(query["timespan"])
        except ValueError as error:
            raise ValueError("'timespan' must be a number of seconds") from error
        if not 0.0 < timespan_s <= LONGEST_TIMESPAN_S:
            raise ValueError("'timespan' must be at most 7 days")
        return now - timespan_s, now
    until = _time(query["t1"], "t1") if "t1" in query else now
    since = _time(query["t0"], "t0") if "t0" in query else until - DEFAULT_TIMESPAN_S
    if not 0.0 <= until - since <= LONGEST_TIMESPAN_S:
        raise ValueError("'t1' must be at most 7 days after 't0'")
    return since, until


def _time(text: str, name: str) -> float:
    """Read seconds since 1970 UTC, or ISO 8601, which is UTC where it does not say otherwise."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"'{name}' must be a time") from error
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def _receiver(body: str, network_id: str) -> Receiver:
    """Read the description of a receiver.

    :raises ValueError: it is none, in words for the one who sent it.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the body is not JSON") from error
    if not isinstance(asked, dict):
        raise ValueError("the body is no object")  # noqa: TRY004 - a mistake of the sender, not of ours
    name, url, secret = asked.get("name"), asked.get("url"), asked.get("sharedSecret", "")
    if not isinstance(name, str) or not name or not isinstance(secret, str):
        raise ValueError("'name' and 'sharedSecret' must be texts")
    if not isinstance(url, str) or URL(url).scheme not in {"http", "https"} or not URL(url).host:
        raise ValueError("'url' must be an http or https URL")
    template = asked.get("payloadTemplate", {})
    if not isinstance(template, dict) or template.get("payloadTemplateId", "wpt_00001") != "wpt_00001":
        raise ValueError("only the payload template wpt_00001 is known here")
    return Receiver(name, url, secret, network_id)
