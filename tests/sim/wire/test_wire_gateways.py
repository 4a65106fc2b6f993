"""The virtual rooms' gateways publish to a real broker what the guard's own adapter reads there."""

import asyncio
from pathlib import Path

import pytest

from peers.mosquitto import Mosquitto
from sim.wire.on_meraki import ROOM, OnMeraki
from thermo_guard.adapters.mqtt import Broker, Mqtt, MqttMemory, Serials
from thermo_guard.sim.wire.gateways import Gateways

pytestmark = pytest.mark.peer


async def test_a_measurement_reaches_the_guard_with_the_way_out_down(tmp_path: Path) -> None:
    """What a virtual sensor measures comes under its serial number and time, though Meraki cannot be asked."""
    with Mosquitto(tmp_path / "broker") as peer:
        async with OnMeraki() as on, Gateways(on.face.networks, f"127.0.0.1:{peer.port}", speed=1):
            network = on.face.networks[ROOM]
            on.world.network.cut_wan()
            sensors = {sensor.plan.serial: sensor for sensor in network.listed}

            async def macs() -> dict[str, str | None]:
                return {serial: network.mac(serial) for serial in sensors}

            memory = MqttMemory(tmp_path, is_guard=True)
            mqtt = Mqtt(Broker("127.0.0.1", peer.port), ROOM, on.clock, memory, Serials(macs, memory, on.clock))
            await mqtt.spoken()
            seen: set[str] = set()
            async with asyncio.timeout(20):
                while seen != set(sensors):
                    on.clock.at += 60
                    on.world.advance(on.clock.at)
                    for reading in (await mqtt.next()).readings:
                        seen.add(reading.sensor)
                        assert (reading.stamp, reading.celsius) in sensors[reading.sensor].history
            await mqtt.aclose()
