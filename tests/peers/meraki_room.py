"""The thermometers of the Meraki peer: what each says, and how it misbehaves."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

NETWORK = "N_24329156"


@dataclass(slots=True)
class Sensor:
    """One thermometer, and how it misbehaves."""

    serial: str
    celsius: Any = 21.5
    """Degrees; any other JSON value stands in the answer as it is."""
    name: str = ""
    network: str = NETWORK
    cadence_s: float = 0.0
    """Time between measurements; 0 measures at each question."""
    age_s: float = 0.0
    """How old each measurement is when it is asked for; negative stands in the future."""
    frozen: bool = False
    """Says its last measurement for ever."""
    missing: bool = False
    empty: bool = False
    """Has a row without readings."""
    ts_form: str = "micros"
    """micros, seconds, or offset (+05:30)."""
    ts: Any = None
    """Stands in the answer as the time where not None."""
    duplicate: dict[str, Any] | None = None
    """A second row, by this row's fields changed, e.g. {"celsius": 99, "age_s": 600}."""
    raw: Any = None
    """Stands in the answer as the one reading where not None."""
    last: dict[str, Any] | None = None
    last_at: float = 0.0

    def reading(self, now: float) -> Any:
        if self.raw is not None:
            return self.raw
        if self.last is None or not (self.frozen or now < self.last_at + self.cadence_s):
            self.last_at = now
            warm = isinstance(self.celsius, int | float) and not isinstance(self.celsius, bool)
            temperature = {"celsius": self.celsius, "fahrenheit": self.celsius * 1.8 + 32 if warm else self.celsius}
            stamp = self.ts if self.ts is not None else _iso(now - self.age_s, self.ts_form)
            self.last = {"ts": stamp, "metric": "temperature", "temperature": temperature}
        return self.last

    def rows(self, now: float) -> list[dict[str, Any]]:
        row = {
            "serial": self.serial,
            "network": {"id": self.network, "name": "Main Office"},
            "readings": [] if self.empty else [self.reading(now)],
        }
        if self.duplicate is None:
            return [row]
        return [row, *replace(self, duplicate=None, last=None, **self.duplicate).rows(now)]


def _iso(at: float, form: str) -> str:
    match form:
        case "seconds":
            return datetime.fromtimestamp(int(at), UTC).isoformat().replace("+00:00", "Z")
        case "offset":
            return datetime.fromtimestamp(at, timezone(timedelta(hours=5, minutes=30))).isoformat()
        case _:
            return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
