"""DATA_DIR/mqtt.json: what must be known on the night on which Meraki cannot be asked.

The sensors' serial numbers by MAC address, when each last spoke, and under which name the guard connects. A file that
cannot be read or written costs only that: the guard goes on with what it knows, and says so once.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import structlog

MQTT_FILE = "mqtt.json"
KEPT_EVERY_S = 600.0
"""So seldom it is written that a sensor has spoken again: a NAS's disk shall sleep, and `check` needs no better."""
MOST_SENSORS = 1000

log = structlog.get_logger()


class MqttMemory:
    """:param data_dir: it is read at once; nothing is made in it before there is something to keep.
    :param is_guard: whoever else looks, as `check` does, writes nothing and has no name at the broker.
    """

    def __init__(self, data_dir: Path, *, is_guard: bool) -> None:
        self.is_guard = is_guard
        self._path = data_dir / MQTT_FILE
        self._is_told = False
        self._client_id = ""
        self._serials: dict[str, str] = {}
        self._heard: dict[str, float] = {}
        self._kept_at = -KEPT_EVERY_S
        try:
            found = json.loads(self._path.read_bytes())
            self._client_id = str(found["client_id"])
            self._serials = {str(mac): str(serial) for mac, serial in found["serials"].items()}
            self._heard = {str(mac): float(at) for mac, at in found["heard"].items()}
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.warning("mqtt.memory_not_read", file=str(self._path), reason=str(error))

    @property
    def client_id(self) -> str:
        """Of this data folder: two of one name would put each other off the broker for ever. Empty: no guard."""
        if not self.is_guard:
            return ""
        if not self._client_id:
            self._client_id = f"thermo-guard-{secrets.token_hex(4)}"
            self._keep()
        return self._client_id

    @property
    def serials(self) -> Mapping[str, str]:
        """By MAC address."""
        return self._serials

    @property
    def heard(self) -> Mapping[str, float]:
        """When a sensor last spoke, by MAC address, on the guard's line."""
        return self._heard

    def keep_serials(self, serials: Mapping[str, str]) -> None:
        """Take these; a sensor that is named no more keeps its name, as it may speak still."""
        known = {**self._serials, **serials}
        if known != self._serials:
            self._serials = known
            self._keep()

    def note_heard(self, spoke_at: Mapping[str, float], now: float) -> None:
        """Take when sensors spoke, by MAC address."""
        before = self._heard
        new = {mac: at for mac, at in spoke_at.items() if mac in before or len(before) < MOST_SENSORS}
        self._heard = {**before, **new}
        if self._heard.keys() != before.keys() or (new and now - self._kept_at >= KEPT_EVERY_S):
            self._kept_at = now
            self._keep()

    def _keep(self) -> None:
        """Put a whole new file in the place of the old one."""
        if not self.is_guard:
            return
        text = json.dumps({"client_id": self._client_id, "serials": self._serials, "heard": self._heard}, indent=2)
        beside = self._path.with_suffix(".tmp")
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.write(f"{text}\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            if not self._is_told:
                self._is_told = True
                log.warning("mqtt.memory_not_kept", file=str(self._path), reason=str(error))
