"""The room's thermometers as Meraki knows them: the ports RoomSensors and Past.

Degrees come from the readings; the overview's count of alarms is only corroboration. It owns which questions are asked,
and must not know what the degrees mean for the room.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from thermo_guard.core.readings import AlertCount, Poll, Reading
from thermo_guard.ports import Clock, Names, Refused

from .rows import (
    Answer,
    NetworkFacts,
    in_order,
    judge_alert_count,
    judge_devices,
    judge_history,
    judge_network,
    judge_readings,
)
from .transport import Transport

DEFAULT_BASE_URL = "https://api.meraki.com/api/v1"

PER_PAGE = 1000

MOST_SERIALS_IN_URL = 200
"""Above it the address would overflow; the whole network is fetched and sifted here."""

WINDOW_S = 6 * 3600.0
"""Of the history, what is fetched under one deadline: of 130 sensors that measure once a minute it fills 47 of the 50
pages that a list may have. Two hours after a start are one question, seven days 28."""

OVERLAP_S = 60.0
"""By which a window reaches into the next, since the server's clock is known to some seconds only."""

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SensorDescription:
    serial: str
    name: str | None
    """None where nobody has named it in the dashboard."""
    mac: str | None = None
    """As Meraki writes it: 00:18:0a:00:00:01."""


@dataclass(frozen=True, slots=True)
class NetworkDescription:
    """What the dashboard knows of the watched network, for `check`."""

    network_id: str
    name: str
    organisation_id: str
    sensors: tuple[SensorDescription, ...]
    """Its temperature sensors, by serial number, whatever the settings name."""


class Meraki:
    """Temperature sensors of one Meraki network.

    `sensors` are serial numbers, or None for every temperature sensor of the network. `deadline_s` bounds one call with
    all its pages and waits, `request_timeout_s` one try. `ca_file` is trusted beside the system's own CAs.
    `names` resolves the hosts of Meraki, those that it redirects to included; None: as aiohttp does it.
    Refused logins are remembered: for five minutes the same `Unauthorized` is raised without asking Meraki.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        api_key: str,
        network_id: str,
        clock: Clock,
        *,
        base_url: str = DEFAULT_BASE_URL,
        sensors: tuple[str, ...] | None = None,
        ca_file: Path | None = None,
        names: Names | None = None,
        deadline_s: float = 45.0,
        request_timeout_s: float = 15.0,
    ) -> None:
        self._network_id = network_id
        self._clock = clock
        self._sensors = sensors or None
        self._network: NetworkFacts | None = None
        self._transport = Transport(api_key, clock, base_url, ca_file, names, deadline_s, request_timeout_s)

    async def poll(self) -> Poll:
        """Fetch the latest measurement of every watched sensor, however old it is.

        :raises Transient: no answer in time, or Meraki is busy or out of order.
        :raises Refused: what came is no answer, or the network does not exist for this key.
        :raises Unauthorized: the key was refused.
        """
        async with self._transport.deadline() as until:
            pages = await self._measurements("latest", {}, until)
        readings, rejected = judge_readings(pages, self._network_id, self._sensors)
        logger.debug("meraki.polled", pages=len(pages), readings=len(readings), rejected=len(rejected))
        return Poll(self._clock.now(), readings, rejected)

    async def history(self, for_s: float) -> Sequence[Reading]:
        """Fetch what was measured in the last `for_s` seconds, oldest first; Meraki keeps about a year.

        The deadline bounds each window, not the whole.

        :raises Fault: as `poll`; also where only some of it came.
        """
        kept: list[Reading] = []
        rejected = 0
        for span in self._windows(for_s):
            async with self._transport.deadline() as until:
                pages = await self._measurements("history", span, until)
            readings, nonsense = judge_history(pages, self._network_id, self._sensors)
            kept += readings
            rejected += len(nonsense)
        history = in_order(kept)
        logger.debug("meraki.remembered", for_s=for_s, readings=len(history), rejected=rejected)
        return history

    def _windows(self, for_s: float) -> Iterator[dict[str, str]]:
        """Spell the last `for_s` seconds as queries, newest first; the newest ends now by the server's own clock."""
        yield {"timespan": f"{max(1.0, min(for_s, WINDOW_S)):.0f}"}
        # The first answer has told the server's time by now. What it took on its way only adds to the overlap.
        server_now = self._clock.now() - (self.clock_ahead_s or 0.0)
        begins_s = WINDOW_S
        while begins_s < for_s:
            ends_s, begins_s = begins_s, min(for_s, begins_s + WINDOW_S)
            yield {"t0": _iso(server_now - begins_s), "t1": _iso(server_now - ends_s + OVERLAP_S)}

    async def _measurements(self, which: str, span: dict[str, str], until: float) -> list[Answer]:
        """Fetch all pages of the readings of the watched sensors."""
        query: dict[str, object] = {
            "metrics[]": "temperature",
            "networkIds[]": self._network_id,
            "perPage": PER_PAGE,
            **span,
        }
        if self._sensors is not None and len(self._sensors) <= MOST_SERIALS_IN_URL:
            query["serials[]"] = list(self._sensors)
        organisation_id = (await self._find_network(until)).organisation_id
        try:
            return await self._transport.get_pages(
                ("organizations", organisation_id, "sensor", "readings", which), query, until
            )
        except Refused:
            # The network may have been moved to another organisation: the next call asks for it afresh.
            self._network = None
            raise

    async def alert_count(self) -> AlertCount:
        """Fetch how many sensors stand in alarm by the profiles of the dashboard.

        :raises Fault: as `poll`.
        """
        path = ("networks", self._network_id, "sensor", "alerts", "current", "overview", "byMetric")
        async with self._transport.deadline() as until:
            answer = await self._transport.get(path, until)
        return AlertCount(self._clock.now(), judge_alert_count(answer.body))

    async def describe(self) -> NetworkDescription:
        """Fetch what the dashboard knows of the network and of its temperature sensors.

        :raises Fault: as `poll`.
        """
        query: dict[str, object] = {
            "networkIds[]": self._network_id,
            "productTypes[]": "sensor",
            "sensorMetrics[]": "temperature",
            "perPage": PER_PAGE,
        }
        async with self._transport.deadline() as until:
            network = await self._find_network(until)
            path = ("organizations", network.organisation_id, "devices")
            pages = await self._transport.get_pages(path, query, until)
        known = judge_devices(pages)
        sensors = tuple(SensorDescription(serial, *known[serial]) for serial in sorted(known))
        return NetworkDescription(self._network_id, network.name, network.organisation_id, sensors)

    @property
    def clock_ahead_s(self) -> float | None:
        """How far the guard's clock is ahead of Meraki's, to about a second; None before the first answer."""
        return self._transport.clock_ahead_s

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _find_network(self, until: float) -> NetworkFacts:
        """Derive the organisation from the network, once."""
        if self._network is None:
            answer = await self._transport.get(("networks", self._network_id), until)
            self._network = judge_network(answer.body, self._network_id)
        return self._network


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
