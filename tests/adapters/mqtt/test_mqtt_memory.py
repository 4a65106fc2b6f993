"""DATA_DIR/mqtt.json: what the guard knows of its sensors outlives the process, and is never needed."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from peers.meraki_bench import StepClock
from thermo_guard.adapters.mqtt import MqttMemory, Serials
from thermo_guard.adapters.mqtt.memory import MQTT_FILE


def test_what_is_known_outlives_the_process(tmp_path: Path) -> None:
    """Names, times and the guard's own name at the broker are those of the life before."""
    first = MqttMemory(tmp_path, is_guard=True)
    name = first.client_id
    first.keep_serials({"mac": "Q-1"})
    first.note_heard({"mac": 5.0}, 5.0)
    again = MqttMemory(tmp_path, is_guard=True)
    assert (again.serials, again.heard, again.client_id) == ({"mac": "Q-1"}, {"mac": 5.0}, name)
    assert MqttMemory(tmp_path / "other", is_guard=True).client_id != name


def test_who_only_looks_writes_nothing(tmp_path: Path) -> None:
    """`check` may run beside the guard: it takes neither its file nor its name."""
    memory = MqttMemory(tmp_path, is_guard=False)
    memory.keep_serials({"mac": "Q-1"})
    memory.note_heard({"mac": 5.0}, 5.0)
    assert memory.client_id == ""
    assert list(tmp_path.iterdir()) == []


def test_a_sensor_that_speaks_on_costs_a_write_in_ten_minutes(tmp_path: Path) -> None:
    """The disks of a NAS shall sleep."""
    memory = MqttMemory(tmp_path, is_guard=True)
    for at in (0.0, 300.0, 599.0):
        memory.note_heard({"mac": at}, at)
    assert MqttMemory(tmp_path, is_guard=True).heard == {"mac": 0.0}
    memory.note_heard({"mac": 600.0}, 600.0)
    assert MqttMemory(tmp_path, is_guard=True).heard == {"mac": 600.0}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"client_id": 1, "serials": [], "heard": {}}', "\x00"])
def test_a_damaged_file_costs_only_what_it_held(tmp_path: Path, text: str) -> None:
    """It is told, and the guard begins anew."""
    (tmp_path / MQTT_FILE).write_text(text)
    with capture_logs() as logs:
        memory = MqttMemory(tmp_path, is_guard=True)
    assert [log["event"] for log in logs] == ["mqtt.memory_not_read"]
    memory.keep_serials({"mac": "Q-1"})
    assert MqttMemory(tmp_path, is_guard=True).serials == {"mac": "Q-1"}


def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path) -> None:
    """The guard goes on with what it knows."""
    (tmp_path / MQTT_FILE).mkdir()
    with capture_logs() as logs:
        memory = MqttMemory(tmp_path, is_guard=True)
        memory.keep_serials({"mac": "Q-1"})
        memory.note_heard({"mac": 1.0}, 1.0)
    assert [log["event"] for log in logs] == ["mqtt.memory_not_read", "mqtt.memory_not_kept"]
    assert memory.serials == {"mac": "Q-1"}


async def test_a_sensor_waits_for_its_name_at_its_first_word(tmp_path: Path) -> None:
    """Named by its address first and by its serial number later it would be two sensors, and one of them silent."""
    async def ask() -> Mapping[str, str | None]:
        await asyncio.sleep(0)
        return {"Q-1": "00-18-0A-00-00-01", "Q-2": None}

    serials = Serials(ask, MqttMemory(tmp_path, is_guard=True), StepClock())
    assert await serials.of(["00:18:0a:00:00:01"]) == {"00:18:0a:00:00:01": "Q-1"}
    await serials.aclose()
