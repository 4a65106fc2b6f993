"""What a poll of a well-meaning API shows: degrees with their age, and each sensor for itself."""

import math
from dataclasses import replace
from typing import Any

import pytest

from peers.meraki import FOREVER, ORGANISATION, MerakiPeer
from peers.meraki_bench import ONE, TWO, StepClock, adapter
from peers.meraki_room import NETWORK
from thermo_guard.adapters.meraki import Meraki, NetworkDescription, SensorDescription
from thermo_guard.ports import Refused


async def test_degrees_of_every_sensor(peer: MerakiPeer, meraki: Meraki, clock: StepClock) -> None:
    """A poll gives each sensor's degrees with their age, and derives the organisation once."""
    peer.set_sensors({TWO: {"age_s": 90}})
    for _ in range(2):
        poll = await meraki.poll()
    assert [(each.sensor, each.celsius, each.age_s) for each in poll.readings] == [(ONE, 21.5, 0), (TWO, 22.5, 90)]
    assert poll.rejected == ()
    assert poll.at == clock.now()
    assert [each.path.removeprefix("/api/v1") for each in peer.requests] == [
        f"/networks/{NETWORK}",
        *[f"/organizations/{ORGANISATION}/sensor/readings/latest"] * 2,
    ]
    assert all(each.user_agent.startswith("ThermoGuard/0.") and each.key == "valid" for each in peer.requests)


async def test_only_named_sensors_are_asked_for(peer: MerakiPeer, clock: StepClock) -> None:
    """Named sensors stand in the query, and one that does not answer is rejected by name."""
    async with adapter(peer, clock, sensors=(ONE, "Q2AA-0000-0009")) as meraki:
        poll = await meraki.poll()
    assert [each.sensor for each in poll.readings] == [ONE]
    assert [(each.sensor, each.reason) for each in poll.rejected] == [("Q2AA-0000-0009", "missing from the answer")]
    asked = peer.requests[-1].query
    assert [value for name, value in asked if name == "serials[]"] == [ONE, "Q2AA-0000-0009"]
    assert {("metrics[]", "temperature"), ("networkIds[]", NETWORK), ("perPage", "1000")} <= set(asked)


@pytest.mark.parametrize(
    ("misbehaviour", "reason"),
    [
        ({"celsius": None}, "no degrees"),
        ({"celsius": "hot"}, "not a number"),
        ({"celsius": math.nan}, "not a finite number"),
        ({"age_s": -121}, "future"),
        ({"ts": "soon"}, "time cannot be read"),
        ({"empty": True}, "no temperature"),
        ({"raw": []}, "no temperature"),
        ({"missing": True}, "missing from the answer"),
        ({"duplicate": {"celsius": 40}}, "duplicate"),
    ],
)
async def test_a_sensor_that_misbehaves_is_unknown_alone(
    peer: MerakiPeer, clock: StepClock, misbehaviour: dict[str, Any], reason: str
) -> None:
    """One sensor's nonsense is rejected by name and hides no other sensor."""
    peer.set_sensors({ONE: misbehaviour})
    async with adapter(peer, clock, sensors=(ONE, TWO)) as meraki:
        poll = await meraki.poll()
    assert [each.sensor for each in poll.readings] == [TWO]
    assert [each.sensor for each in poll.rejected] == [ONE]
    assert reason in poll.rejected[0].reason


@pytest.mark.parametrize("form", ["micros", "seconds", "offset"])
async def test_a_frozen_sensor_ages(peer: MerakiPeer, meraki: Meraki, clock: StepClock, form: str) -> None:
    """A sensor that fell silent keeps its stamp in every form of time, and its age grows; it stays a reading."""
    peer.set_sensors({ONE: {"ts_form": form}})
    before = (await meraki.poll()).readings[0]
    peer.set_sensors({ONE: {"frozen": True, "celsius": 60}})
    clock.at += 7200
    after = (await meraki.poll()).readings[0]
    assert (after.stamp, after.celsius) == (before.stamp, before.celsius)
    assert after.age_s == 7200


async def test_a_slow_clock_blinds_nobody(peer: MerakiPeer, meraki: Meraki, clock: StepClock) -> None:
    """Age is judged by the Date of the answer: a guard whose clock is an hour slow sees a fresh room."""
    peer.now = lambda: clock.at + 3600
    assert [each.age_s for each in (await meraki.poll()).readings] == [0, 0]


async def test_without_a_date_our_clock_judges(peer: MerakiPeer, meraki: Meraki, clock: StepClock) -> None:
    """An answer without a Date is judged by the guard's clock, so that a future reading is still seen as one."""
    peer.fail("no-date", path="readings", count=FOREVER)
    peer.set_sensors({ONE: {"age_s": 40}, TWO: {"age_s": -200}})
    poll = await meraki.poll()
    assert [(each.sensor, each.age_s) for each in poll.readings] == [(ONE, 40)]
    assert [each.sensor for each in poll.rejected] == [TWO]


async def test_a_cache_on_the_way_makes_nothing_younger(peer: MerakiPeer, meraki: Meraki) -> None:
    """An answer that a proxy has kept bears an old Date: the Age that it adds counts, so that stale stays stale."""
    peer.fail("cached", path="readings", age_s=3000)
    peer.set_sensors({ONE: {"age_s": 3000}})
    assert [each.age_s for each in (await meraki.poll()).readings] == [3000, 0]


async def test_the_room_can_cool_and_heat_by_cadence(peer: MerakiPeer, meraki: Meraki, clock: StepClock) -> None:
    """One sample that many polls show keeps its stamp, so that the core can count it once."""
    peer.set_sensors({ONE: {"cadence_s": 600.0, "celsius": 20}})
    first = (await meraki.poll()).readings[0]
    peer.set_sensors({ONE: {"celsius": 41}})
    clock.at += 590
    again = (await meraki.poll()).readings[0]
    assert again == replace(first, seen_at=clock.now(), age_s=590)
    clock.at += 10
    later = (await meraki.poll()).readings[0]
    assert (later.celsius, later.stamp) == (41, first.stamp + 600)


async def test_the_count_of_alarms(peer: MerakiPeer, meraki: Meraki, clock: StepClock) -> None:
    """The overview gives a number of sensors, or None where the network does not support the metric."""
    peer.alert_count = 4
    assert (await meraki.alert_count()).temperature == 4
    peer.supported = ["humidity"]
    count = await meraki.alert_count()
    assert (count.temperature, count.at) == (None, clock.now())
    peer.supported, peer.alert_count = ["temperature"], "4"
    with pytest.raises(Refused):
        await meraki.alert_count()


async def test_the_network_is_described(peer: MerakiPeer, meraki: Meraki) -> None:
    """`check` gets the network's name, its organisation and its sensors with their names and MAC addresses."""
    peer.set_sensors({ONE: {"name": "Rack 1 top"}})
    sensors = (SensorDescription(ONE, "Rack 1 top", "00:18:0a:00:00:00"),
               SensorDescription(TWO, None, "00:18:0a:00:00:01"))
    assert await meraki.describe() == NetworkDescription(NETWORK, "Main Office", ORGANISATION, sensors)
