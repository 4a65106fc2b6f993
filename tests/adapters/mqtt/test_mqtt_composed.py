"""The broker of the settings, as the composition root makes it: with Meraki's names, for the guard and for `check`."""

import asyncio
import json
from pathlib import Path

import pytest

from peers.meraki import KEY, MerakiPeer
from peers.meraki_bench import ONE
from peers.meraki_room import NETWORK
from peers.mosquitto import Mosquitto
from peers.settings_bench import good
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.names import SystemNames
from thermo_guard.core.survey import BrokerSeen
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.main import Site
from thermo_guard.preflight import real_sides


def test_without_a_broker_there_is_none() -> None:
    """Most sites have none, and nothing of it is made."""
    settings, clock = good(), SteadyClock()
    assert Site(settings, clock, logins=RefusedLogins(clock)).messages is None


@pytest.mark.peer
async def test_the_guard_hears_what_check_then_tells(tmp_path: Path) -> None:
    """The guard names the sensor as Meraki does, and remembers for `check` that it has spoken."""
    clock = SteadyClock()
    with Mosquitto(tmp_path / "broker", user="guard", password="pw-mqtt") as broker:
        async with MerakiPeer() as peer, asyncio.timeout(20):
            peer.set_sensors({ONE: {}})
            settings = good(
                MERAKI_API_KEY=KEY, MERAKI_NETWORK_ID=NETWORK, MERAKI_API_BASE_URL=peer.url, DATA_DIR=str(tmp_path),
                MQTT_BROKER=f"localhost:{broker.port}", MQTT_USER="guard", MQTT_PASSWORD="pw-mqtt",
            )
            names = SystemNames(clock)
            guard = Site(settings, clock, logins=RefusedLogins(clock), names=names, is_guard=True)
            assert guard.messages is not None
            await guard.messages.spoken()
            await broker.publish((f"meraki/v1/mt/{NETWORK}/ble/00180A000000/temperature", json.dumps({"celsius": 22})))
            (reading,) = (await guard.messages.next()).readings
            assert reading.sensor == ONE
            sides = real_sides(settings, clock, guard.sensors, guard.hypervisor, guard.bmcs, names,
                               messages=guard.messages)
            assert sides.broker is not None
            told = await sides.broker()
            assert isinstance(told, BrokerSeen)
            assert (told.address, set(told.heard)) == (f"localhost:{broker.port}", {ONE})
            await guard.aclose()
