"""Against a real mosquitto: readings come, and go on coming, whatever happens to the broker, the network and Meraki."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from peers.meraki_bench import ONE, TWO, StepClock
from peers.meraki_room import NETWORK
from peers.mosquitto import Mosquitto
from thermo_guard.adapters.mqtt import Broker, Mqtt, MqttMemory, Serials
from thermo_guard.core.plant import Trouble
from thermo_guard.core.readings import UNNAMED, Kind, Poll
from thermo_guard.ports import Refused, Transient, Unauthorized

MAC_ONE, MAC_TWO = "00:18:0a:00:00:00", "00:18:0a:00:00:01"
KNOWN = {ONE: MAC_ONE, TWO: MAC_TWO}
PASSWORD = "correct horse"

pytestmark = pytest.mark.peer


class Room:
    """The adapter on one broker, and what it was asked to do."""

    def __init__(self, peer: Mosquitto, folder: Path) -> None:
        self.peer = peer
        self.folder = folder
        self.clock = StepClock()
        self.asked = 0
        self.meraki: Mapping[str, str] | None = KNOWN
        """What Meraki says of its sensors; None: it does not answer."""

    async def serials(self) -> Mapping[str, str | None]:
        self.asked += 1
        if self.meraki is None:
            raise Transient("Meraki does not answer")
        return self.meraki

    @asynccontextmanager
    async def opened(
        self, broker: Broker | None = None, *, is_guard: bool = True, **how: Any
    ) -> AsyncIterator[Mqtt]:
        broker = broker or Broker("127.0.0.1", self.peer.port)
        memory = MqttMemory(self.folder, is_guard=is_guard)
        serials = Serials(self.serials, memory, self.clock)
        mqtt = Mqtt(broker, NETWORK, self.clock, memory, serials, **how)
        try:
            yield mqtt
        finally:
            await mqtt.aclose()

    def says(self, celsius: float, mac: str = MAC_ONE, **more: object) -> tuple[str, str]:
        return f"meraki/v1/mt/{NETWORK}/ble/{mac}/temperature", json.dumps({"celsius": celsius, **more})

    async def heard(self, mqtt: Mqtt, *messages: tuple[str, str]) -> Poll:
        """The next poll, with what is published while it is waited for."""
        asked = asyncio.create_task(mqtt.next())
        async with asyncio.timeout(10):
            while not await self.is_up(mqtt):
                pass
            await self.peer.publish(*messages)
            return await asked

    async def is_up(self, mqtt: Mqtt) -> bool:
        try:
            await mqtt.spoken()
        except Transient:
            await asyncio.sleep(0)
            return False
        return True


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    with Mosquitto(tmp_path / "broker") as peer:
        (tmp_path / "data").mkdir()
        yield Room(peer, tmp_path / "data")


async def test_a_reading_arrives_under_its_serial_number(room: Room) -> None:
    """What the API reads and what its gateway publishes is one sensor, with the sample's own time."""
    async with room.opened() as mqtt:
        poll = await room.heard(mqtt, room.says(22.5, MAC_ONE.upper(), ts=room.clock.now() - 30))
    reading, = poll.readings
    assert (reading.sensor, reading.celsius, reading.kind) == (ONE, 22.5, Kind.ROOM)
    assert (reading.stamp, reading.age_s) == (room.clock.now() - 30, 30)
    assert not poll.lists_all


async def test_what_the_broker_had_kept_comes_with_its_age(room: Room) -> None:
    """A kept message is delivered to each new subscriber: one without a time says nothing, one with it is that old."""
    await room.peer.publish(room.says(50.0, MAC_ONE), room.says(21.0, MAC_TWO, ts=room.clock.now() - 7200), retain=True)
    async with room.opened() as mqtt:
        reading, = (await asyncio.wait_for(mqtt.next(), 10)).readings
        assert (reading.sensor, reading.age_s) == (TWO, 7200)
        later, = (await room.heard(mqtt, room.says(23.0))).readings
        assert (later.sensor, later.celsius, later.age_s) == (ONE, 23.0, 0.0)


async def test_garbage_is_rejected_and_ends_nothing(room: Room) -> None:
    """Anybody may publish anything: it is told with a reason, and the next message is heard."""
    async with room.opened() as mqtt:
        with capture_logs() as logs:
            poll = await room.heard(mqtt, (room.says(0)[0], "{"), (f"meraki/v1/mt/{NETWORK}/ble/rack/temperature", "1"))
            rejected = {each.reason for each in poll.rejected}
            while len(rejected) < 2:
                rejected |= {each.reason for each in (await asyncio.wait_for(mqtt.next(), 10)).rejected}
        assert {each.sensor for each in poll.rejected} == {UNNAMED}
        assert rejected == {f"{ONE} over MQTT: its message is no JSON", "an MQTT topic without a MAC address"}
        assert [log["said"] for log in logs if log["event"] == "mqtt.not_understood"] == ["{", "1"]
        assert (await room.heard(mqtt, room.says(22.0))).readings


async def test_it_goes_on_when_the_broker_is_back(room: Room) -> None:
    """A broker that is gone is one fault for each try, tries become rarer, and nobody has to start the guard anew."""
    async with room.opened() as mqtt:
        await room.heard(mqtt, room.says(22.0))
        room.peer.kill()
        began = room.clock.now()
        for _ in range(12):
            with pytest.raises(Transient) as fault:
                await asyncio.wait_for(mqtt.next(), 10)
        assert fault.value.__cause__ is not None
        assert str(room.peer.port) in str(fault.value)
        assert room.clock.now() - began > 180  # without waits it would be a tight loop
        assert max(room.clock.slept) <= 60
        room.peer.start()
        assert (await room.heard(mqtt, room.says(23.0))).readings[0].celsius == 23.0


async def test_a_wrong_password_is_not_tried_again_at_once(room: Room) -> None:
    """A refused login is told as one, is tried again after five minutes only, and is nowhere in what is told."""
    room.peer.kill()
    room.peer.user, room.peer.password = "guard", PASSWORD
    room.peer.configure()
    room.peer.start()
    wrong = Broker("127.0.0.1", room.peer.port, "guard", "wrong battery")
    async with room.opened(wrong) as mqtt:
        for waited_s in (0, 300):
            with capture_logs() as logs, pytest.raises(Unauthorized) as fault:
                await asyncio.wait_for(mqtt.next(), 10)
            assert sum(room.clock.slept) == waited_s
        with pytest.raises(Unauthorized):
            await mqtt.spoken()
    assert "wrong battery" not in f"{fault.value!r} {logs} {wrong}"
    async with room.opened(Broker("127.0.0.1", room.peer.port, "guard", PASSWORD)) as mqtt:
        assert (await room.heard(mqtt, room.says(22.0))).readings


async def test_it_speaks_tls_with_whom_the_ca_vouches_for(room: Room, tmp_path: Path) -> None:
    """With an own CA the broker is trusted by its name, whatever address it has; without it nothing is sent to it."""
    room.peer.kill()
    room.peer.ca, room.peer.name = trustme.CA(), "broker.example"
    room.peer.configure()
    room.peer.start()
    names = _Names({"broker.example": ("127.0.0.1",), "other.example": ("127.0.0.1",)})
    ca_file = room.peer.folder / "ca.pem"
    trusted = Broker("broker.example", room.peer.port, tls=True, ca_file=ca_file)
    room.meraki = {f"Q2TT-{n}": f"00:18:0a:00:01:{n:02x}" for n in range(50)}
    async with room.opened(trusted, names=names) as mqtt:
        burst = [room.says(20.0 + n, mac) for n, mac in enumerate(room.meraki.values())]
        sensors = {each.sensor for each in (await room.heard(mqtt, *burst)).readings}
        while len(sensors) < len(burst):
            sensors |= {each.sensor for each in (await asyncio.wait_for(mqtt.next(), 10)).readings}
    for broker in (Broker("broker.example", room.peer.port, tls=True),
                   Broker("other.example", room.peer.port, tls=True, ca_file=ca_file)):
        async with room.opened(broker, names=names) as mqtt:
            with pytest.raises(Transient, match="certificate verify failed") as fault:
                await asyncio.wait_for(mqtt.next(), 10)
            assert fault.value.trouble is Trouble.UNTRUSTED
    async with room.opened(Broker("broker.example", 1, tls=True, ca_file=tmp_path / "none.pem"), names=names) as mqtt:
        with pytest.raises(Refused, match=r"none\.pem"):
            await mqtt.next()


async def test_it_goes_on_while_meraki_is_out_of_reach(room: Room) -> None:
    """A guard that starts while the way out is down still names the sensors that an earlier life has learned."""
    async with room.opened() as mqtt:
        await room.heard(mqtt, room.says(22.0))
    room.meraki = None
    async with room.opened() as mqtt:
        reading, = (await room.heard(mqtt, room.says(23.0, MAC_TWO))).readings
        assert reading.sensor == TWO
    assert room.asked == 2


async def test_a_sensor_that_nobody_knows_does_not_count(room: Room) -> None:
    """Under its address it would vote a second time once Meraki is read: it is told once, and counts once named."""
    room.meraki = {TWO: MAC_TWO}
    async with room.opened() as mqtt:
        with capture_logs() as logs:
            for celsius in (22.0, 23.0):
                reading, = (await room.heard(mqtt, room.says(celsius), room.says(celsius, MAC_TWO))).readings
                assert reading.sensor == TWO
        assert [log["sensor"] for log in logs if log["event"] == "mqtt.sensor_unknown"] == [MAC_ONE]
        room.meraki = KNOWN
        room.clock.at += 600
        await room.heard(mqtt, room.says(24.0), room.says(24.0, MAC_TWO))
        reading, = (await room.heard(mqtt, room.says(24.0))).readings
        assert reading.sensor == ONE


async def test_only_the_sensors_of_the_settings_count(room: Room) -> None:
    """MERAKI_SENSORS holds for both ways, as it is spelt there; who is not named, and who is not known, has no vote."""
    async with room.opened(sensors=(TWO.lower(),)) as mqtt:
        poll = await room.heard(mqtt, room.says(99.0), room.says(99.0, "00:18:0a:ff:ff:ff"), room.says(22.0, MAC_TWO))
        assert [(each.sensor, each.celsius) for each in poll.readings] == [(TWO.lower(), 22.0)]


async def test_whoever_waits_may_be_cancelled(room: Room) -> None:
    """Cancelled at any await, `next` loses no message and no connection."""
    with capture_logs() as logs:
        async with room.opened() as mqtt:
            await room.heard(mqtt, room.says(22.0))
            await room.peer.publish(room.says(23.0))
            async with asyncio.timeout(10):
                for turns in range(1000):
                    asked = asyncio.create_task(mqtt.next())
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    if asked.done():
                        break
                    asked.cancel()
                    await asyncio.wait({asked})
            assert [each.celsius for each in asked.result().readings] == [23.0]
    assert [log["event"] for log in logs].count("mqtt.connected") == 1


async def test_a_flood_costs_one_reading_a_sensor_and_second(room: Room) -> None:
    """However fast somebody publishes, the newest of each sensor is read at one pace, and of a thousand at most."""
    async with room.opened() as mqtt:
        polls = [await room.heard(mqtt, room.says(22.0))]
        await room.peer.publish(*(room.says(20.0 + n / 100) for n in range(500)))
        while polls[-1].readings[0].celsius < 24.99:
            polls.append(await asyncio.wait_for(mqtt.next(), 10))
        assert {len(poll.readings) for poll in polls} == {1}
        assert all(after.at - before.at >= 1.0 for before, after in pairwise(polls))
        strangers = [room.says(22.0, f"00:18:0a:01:{n // 256:02x}:{n % 256:02x}") for n in range(1100)]
        reading, = (await room.heard(mqtt, *strangers, room.says(22.0))).readings
        assert reading.sensor == ONE


async def test_it_says_who_has_spoken(room: Room) -> None:
    """`check` hears of every sensor that the guard has heard, and does not put the guard off the broker."""
    stamp = room.clock.now() - 60
    with capture_logs() as logs:
        async with room.opened() as guard:
            await room.heard(guard, room.says(22.0, ts=stamp))
            async with room.opened(is_guard=False) as check:
                assert await check.spoken() == {ONE: stamp}
            assert (await room.heard(guard, room.says(23.0))).readings
    assert [log["event"] for log in logs].count("mqtt.connected") == 2


class _Names:
    """Implements ports.Names for a few."""

    def __init__(self, known: Mapping[str, tuple[str, ...]]) -> None:
        self._known = known

    async def resolve(self, host: str) -> tuple[str, ...]:
        return self._known.get(host, (host,))

    def known(self) -> Mapping[str, tuple[str, ...]]:
        return self._known

    def recall(self, names: Mapping[str, tuple[str, ...]]) -> None:
        raise AssertionError(names)
