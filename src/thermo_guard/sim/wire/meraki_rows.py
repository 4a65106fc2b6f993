"""What the Meraki Dashboard API says of a virtual room: the shapes of its answers and of its webhooks.

Pure: it must not know how anything is asked for or sent. Source: Meraki Dashboard API v1.73.0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from thermo_guard.sim.room import Sensor, SensorFault
from thermo_guard.sim.world import World

from .meraki_paging import Row

PROFILE_ID = "1"
PROFILE = "Server room too hot"
MODEL = "MT10"
DASHBOARD = "https://dashboard.meraki.com"


@dataclass(frozen=True, slots=True)
class Organisation:
    id: str
    name: str = "Virtual site"

    @property
    def url(self) -> str:
        return f"{DASHBOARD}/o/{self.id}/manage/organization/overview"

    def row(self) -> Row:
        return {
            "id": self.id,
            "name": self.name,
            "url": self.url,
            "api": {"enabled": True},
            "licensing": {"model": "co-term"},
            "cloud": {"region": {"name": "Virtual", "host": {"name": "Virtual"}}},
            "management": {"details": []},
        }


@dataclass(frozen=True, slots=True)
class Network:
    """One room as a network of the organisation."""

    id: str
    number: int
    """Its place in the organisation, 0-255: the MAC addresses of its sensors hang on it."""
    world: World
    organisation: Organisation

    @property
    def name(self) -> str:
        return self.world.plan.cluster

    @property
    def url(self) -> str:
        return f"{DASHBOARD}/{self.id}/manage/sensors/overview"

    @property
    def listed(self) -> list[Sensor]:
        """The sensors that Meraki knows of, by serial number."""
        sensors = self.world.room.sensors
        return [sensors[serial] for serial in sorted(sensors) if sensors[serial].fault is not SensorFault.MISSING]

    def row(self) -> Row:
        return {
            "id": self.id,
            "organizationId": self.organisation.id,
            "name": self.name,
            "productTypes": ["sensor"],
            "timeZone": "Etc/UTC",
            "tags": [],
            "url": self.url,
            "isBoundToConfigTemplate": False,
        }

    def device(self, sensor: Sensor) -> Row:
        serial = sensor.plan.serial
        return {
            "name": "",
            "serial": serial,
            "mac": self.mac(serial),
            "model": MODEL,
            "networkId": self.id,
            "productType": "sensor",
            "firmware": "Not running configured version",
            "tags": [],
        }

    def latest(self, sensor: Sensor) -> Row:
        return {
            "serial": sensor.plan.serial,
            "network": {"id": self.id, "name": self.name},
            "readings": [_reading(sensor.stamp, sensor.sent_c)],
        }

    def history(self, sensor: Sensor, since: float, until: float) -> Iterator[Row]:
        """What was measured in [since, until], oldest first."""
        for stamp, celsius in sensor.history:
            if since <= stamp <= until:
                yield {
                    "serial": sensor.plan.serial,
                    "network": {"id": self.id, "name": self.name},
                    **_reading(stamp, celsius),
                }

    def overview(self) -> Row:
        return {
            "supportedMetrics": ["temperature"],
            "counts": {"temperature": self.world.room.alert_count().temperature},
        }

    def profile(self, receiver_ids: Sequence[str]) -> Row:
        """The one alert profile that every room has."""
        return {
            "profileId": PROFILE_ID,
            "name": PROFILE,
            "conditions": [
                {
                    "metric": "temperature",
                    "threshold": {"temperature": _degrees(self.world.plan.alert_c)},
                    "direction": "above",
                    "duration": 0,
                }
            ],
            "recipients": {"emails": [], "smsNumbers": [], "httpServerIds": list(receiver_ids)},
            "serials": [sensor.plan.serial for sensor in self.listed],
            "includeSensorUrl": True,
            "message": "",
        }

    def alert(self, sensor: Sensor, alert_id: str, *, is_start: bool) -> dict[str, Any]:
        """The body of a webhook about what the sensor has just measured; whoever sends it adds its time and secret."""
        mac = self.mac(sensor.plan.serial)
        trigger = {
            "ts": sensor.stamp,
            "type": "temperature",
            "nodeId": int(mac.replace(":", ""), 16),
            "sensorValue": sensor.celsius,
        }
        return {
            "version": "0.1",
            "organizationId": self.organisation.id,
            "organizationName": self.organisation.name,
            "organizationUrl": self.organisation.url,
            "networkId": self.id,
            "networkName": self.name,
            "networkUrl": self.url,
            "networkTags": [],
            "deviceSerial": sensor.plan.serial,
            "deviceMac": mac,
            "deviceName": "",
            "deviceUrl": f"{self.url}/{sensor.plan.serial}",
            "deviceTags": [],
            "deviceModel": MODEL,
            "alertId": alert_id,
            "alertType": "Sensor change detected",
            "alertTypeId": "sensor_alert",
            "alertLevel": "informational",
            "occurredAt": iso(sensor.stamp),
            "alertData": {
                "alertConfigId": int(PROFILE_ID),
                "alertConfigName": PROFILE,
                "triggerData": [{"conditionId": 1, "trigger": trigger}],
                "startedAlerting": is_start,
            },
        }

    def mac(self, serial: str) -> str:
        place = list(self.world.room.sensors).index(serial)
        return f"00:18:0a:{self.number % 256:02x}:{place // 256 % 256:02x}:{place % 256:02x}"


def iso(at: float) -> str:
    """Write seconds since 1970 UTC as Meraki does."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _reading(stamp: float, celsius: float) -> dict[str, Any]:
    return {"ts": iso(stamp), "metric": "temperature", "temperature": _degrees(celsius)}


def _degrees(celsius: float) -> dict[str, float]:
    return {"celsius": celsius, "fahrenheit": round(celsius * 1.8 + 32.0, 2)}
