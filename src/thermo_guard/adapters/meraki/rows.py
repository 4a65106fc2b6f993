"""What the answers say, judged: from decoded JSON to readings, rejections and counts.

Pure, and trusts nothing: any JSON whatsoever ends as readings, named rejections, or a `Refused`. It must not know how
an answer was fetched, nor whether the degrees are plausible: the policy judges that. Source: Meraki Dashboard API
v1.73.0, operations getOrganizationSensorReadingsLatest, getOrganizationSensorReadingsHistory,
getNetworkSensorAlertsCurrentOverviewByMetric, getNetwork and getOrganizationDevices.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from thermo_guard.core.readings import UNNAMED, Reading, Rejected
from thermo_guard.ports import Refused

FUTURE_TOLERANCE_S = 120.0
"""How far a measurement may stand ahead of the answer's own time and still count as now: clocks of gateways drift."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One decoded body, and the two clocks under which it came."""

    body: object
    seen_at: float
    """When its head arrived, seconds on the guard's line."""
    served_at: float
    """The same moment by the clock of the server, seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What a network says of itself."""

    name: str
    organisation_id: str


def judge_readings(
    pages: Iterable[Answer], network_id: str, sensors: tuple[str, ...] | None
) -> tuple[tuple[Reading, ...], tuple[Rejected, ...]]:
    """Judge all pages of one poll; every sensor comes out once, as a reading or as a rejection.

    `sensors` are the serial numbers of the settings (any case; they come out as spelt there) or None for every
    temperature sensor of the network. Of several measurements of one sensor the newest counts.

    :raises Refused: a page is no list.
    """
    spelling = None if sensors is None else {serial.upper(): serial for serial in sensors}
    found: dict[str, list[Reading | Rejected]] = {}
    for page in pages:
        if not isinstance(page.body, list):
            raise Refused("Meraki's sensor readings are not a list: nothing is known of any sensor")
        for row in page.body:
            for verdict in _judge_row(row, page, network_id, spelling):
                found.setdefault(verdict.sensor, []).append(verdict)
    for serial in sensors or ():
        found.setdefault(serial, [Rejected(serial, "missing from the answer")])
    verdicts = [_choose(found[sensor]) for sensor in sorted(found)]
    readings = tuple(verdict for verdict in verdicts if isinstance(verdict, Reading))
    return readings, tuple(verdict for verdict in verdicts if isinstance(verdict, Rejected))


def judge_history(
    pages: Iterable[Answer], network_id: str, sensors: tuple[str, ...] | None
) -> tuple[list[Reading], list[Rejected]]:
    """Judge pages of the history, in which each row is one measurement; in their order, each as often as it comes.

    :raises Refused: a page is no list.
    """
    spelling = None if sensors is None else {serial.upper(): serial for serial in sensors}
    readings: list[Reading] = []
    rejected: list[Rejected] = []
    for page in pages:
        if not isinstance(page.body, list):
            raise Refused("Meraki's history is not a list: nothing is known of the past")
        for row in page.body:
            as_latest = {**row, "readings": [row]} if isinstance(row, dict) else row
            for verdict in _judge_row(as_latest, page, network_id, spelling):
                if isinstance(verdict, Reading):
                    readings.append(verdict)
                else:
                    rejected.append(verdict)
    return readings, rejected


def in_order(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """Oldest first, each measurement once; two that differ under one time are no measurement at all."""
    once: dict[tuple[str, float], Reading | None] = {}
    for reading in readings:
        known = once.setdefault((reading.sensor, reading.stamp), reading)
        if known is not None and known.celsius != reading.celsius:
            once[reading.sensor, reading.stamp] = None
    kept = [reading for reading in once.values() if reading is not None]
    return tuple(sorted(kept, key=lambda reading: (reading.stamp, reading.sensor)))


def judge_alert_count(body: object) -> int | None:
    """Return how many sensors Meraki holds in alarm for temperature; None where the network has no such metric.

    :raises Refused: the body is something else.
    """
    if isinstance(body, dict) and isinstance(supported := body.get("supportedMetrics"), list):
        if "temperature" not in supported:
            return None
        counts = body.get("counts")
        count = counts.get("temperature") if isinstance(counts, dict) else None
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
            return count
    raise Refused("Meraki's overview of alerts holds no count of temperature alarms: it is taken for unknown")


def judge_network(body: object, network_id: str) -> NetworkFacts:
    """:raises Refused: the body is no network, or its organisation could not stand in a path."""
    if isinstance(body, dict):
        organisation_id = body.get("organizationId")
        name = body.get("name")
        if isinstance(organisation_id, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", organisation_id):
            return NetworkFacts(name if isinstance(name, str) and name else network_id, organisation_id)
    raise Refused(f"Meraki's answer for network {network_id} does not name its organisation")


def judge_devices(pages: Iterable[Answer]) -> dict[str, tuple[str | None, str | None]]:
    """Return the devices' serial numbers with their names and MAC addresses, None where a device shows none.

    :raises Refused: a page is no list.
    """
    names: dict[str, tuple[str | None, str | None]] = {}
    for page in pages:
        if not isinstance(page.body, list):
            raise Refused("Meraki's list of devices is not a list")
        for device in page.body:
            if isinstance(device, dict) and isinstance(serial := device.get("serial"), str) and serial:
                name, mac = device.get("name"), device.get("mac")
                names[serial] = (name if isinstance(name, str) and name else None,
                                 mac if isinstance(mac, str) and mac else None)
    return names


def _judge_row(
    row: object, page: Answer, network_id: str, spelling: Mapping[str, str] | None
) -> Iterator[Reading | Rejected]:
    serial = row.get("serial") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(serial, str) or not serial.strip():
        yield Rejected(UNNAMED, "a row without a serial number")
        return
    serial = serial.strip()
    if spelling is not None and serial.upper() not in spelling:
        return
    sensor = serial if spelling is None else spelling[serial.upper()]
    network = row.get("network")
    if isinstance(network, dict) and network.get("id", network_id) != network_id:
        if spelling is not None:
            yield Rejected(sensor, "belongs to another network")
        return
    measurements = row.get("readings")
    if not isinstance(measurements, list):
        yield Rejected(sensor, "its readings are not a list")
        return
    degrees = [each for each in measurements if isinstance(each, dict) and each.get("metric") == "temperature"]
    # A sensor that measures other things only is none of the room's thermometers, unless the settings name it.
    if not degrees and (spelling is not None or not measurements):
        yield Rejected(sensor, "no temperature among its readings")
    for measurement in degrees:
        yield _judge_measurement(sensor, measurement, page)


def _judge_measurement(sensor: str, measurement: Mapping[str, object], page: Answer) -> Reading | Rejected:
    temperature = measurement.get("temperature")
    celsius = temperature.get("celsius") if isinstance(temperature, dict) else None
    if celsius is None:
        return Rejected(sensor, "no degrees Celsius in its reading")
    if isinstance(celsius, bool) or not isinstance(celsius, int | float):
        return Rejected(sensor, "its degrees Celsius are not a number")
    if not -sys.float_info.max <= celsius <= sys.float_info.max:
        return Rejected(sensor, "its degrees Celsius are not a finite number")
    stamp = _stamp(measurement.get("ts"))
    if stamp is None:
        return Rejected(sensor, "its time cannot be read")
    age_s = page.served_at - stamp
    if age_s < -FUTURE_TOLERANCE_S:
        return Rejected(sensor, "future: its time is ahead of the answer's")
    return Reading(sensor, float(celsius), stamp, page.seen_at, max(0.0, age_s))


def _choose(verdicts: list[Reading | Rejected]) -> Reading | Rejected:
    """Keep the newest measurement; two that differ under one time are no measurement at all."""
    readings = [verdict for verdict in verdicts if isinstance(verdict, Reading)]
    if not readings:
        return verdicts[-1]
    newest = max(readings, key=lambda reading: reading.stamp)
    if any(each.stamp == newest.stamp and each.celsius != newest.celsius for each in readings):
        return Rejected(newest.sensor, "duplicate: two different values bear the same time")
    return newest


def _stamp(ts: object) -> float | None:
    """Read ISO 8601 with or without fractions; a time without its zone could be hours off and is none."""
    if not isinstance(ts, str):
        return None
    try:
        at = datetime.fromisoformat(ts)
        return at.timestamp() if at.tzinfo is not None else None
    except ValueError:
        return None
