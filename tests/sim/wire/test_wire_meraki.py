"""A virtual room over the wire is a Meraki organisation: to its published description, and to our own adapter."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from peers.meraki_bench import StepClock
from peers.meraki_description import described_paths, objections, operation, validator
from sim.wire.on_meraki import KEY, ROOM, OnMeraki
from thermo_guard.adapters.meraki import Meraki
from thermo_guard.core.readings import Poll
from thermo_guard.ports import Refused, Transient, Unauthorized
from thermo_guard.sim.plans import office
from thermo_guard.sim.room import NONSENSE_C, SensorFault
from thermo_guard.sim.site import VirtualSite
from thermo_guard.sim.wire.meraki import MerakiFace
from thermo_guard.sim.world import World

ONE, TWO, THREE = "Q3CA-0001-VIRT", "Q3CA-0002-VIRT", "Q3CA-0003-VIRT"
READINGS = "organizations/1000001/sensor/readings"


@pytest.fixture
async def on() -> AsyncIterator[OnMeraki]:
    async with OnMeraki() as opened:
        yield opened


@asynccontextmanager
async def adapter(on: OnMeraki, **how: Any) -> AsyncIterator[Meraki]:
    meraki = Meraki(how.pop("key", KEY), how.pop("network", ROOM), on.clock, base_url=on.face.url, **how)
    try:
        yield meraki
    finally:
        await meraki.aclose()


async def in_process(on: OnMeraki) -> Poll:
    return await VirtualSite(on.world, on.clock, latency_s=0.0).sensors.poll()


@pytest.mark.parametrize("fault", list(SensorFault))
async def test_the_adapter_sees_what_the_site_shows_in_process(on: OnMeraki, fault: SensorFault) -> None:
    """Whichever way a drill reaches the room, in process or over the wire, it gets the same poll, faults and all."""
    on.world.set_sensor(ONE, fault)
    async with adapter(on) as meraki:
        for wait_s in (0, 30, 600, 3600):
            on.clock.at += wait_s
            poll = await meraki.poll()
            assert poll == await in_process(on)
            assert len(poll.readings) == (2 if fault is SensorFault.MISSING else 3)


async def test_the_adapter_is_told_the_past_that_the_site_has(on: OnMeraki) -> None:
    """Both ways give the same past of a day, through windows and pages, oldest first and each measurement once."""
    on.clock.at += 86400
    on.world.set_sensor(TWO, SensorFault.NONSENSE)
    on.clock.at += 600
    for_s = 20 * 3600.0
    in_process = await VirtualSite(on.world, on.clock, latency_s=0.0).sensors.history(for_s)
    async with adapter(on) as meraki:
        told = await meraki.history(for_s)
    assert [(each.sensor, each.stamp, each.celsius, each.age_s) for each in told] == [
        (each.sensor, each.stamp, each.celsius, each.age_s) for each in in_process
    ]
    assert len(told) > 3000
    assert NONSENSE_C in {each.celsius for each in told}


async def test_alarms_are_counted_and_the_network_described(on: OnMeraki) -> None:
    """The overview counts the sensors that are too hot, and `check` gets the room's sensors."""
    async with adapter(on) as meraki:
        assert (await meraki.alert_count()).temperature == 0
        on.world.fail_cooling(7200.0)
        on.clock.at += 2400
        assert (await meraki.alert_count()).temperature == 3
        described = await meraki.describe()
    assert (described.network_id, described.organisation_id) == (ROOM, "1000001")
    assert [sensor.serial for sensor in described.sensors] == [ONE, TWO, THREE]


async def test_strangers_learn_nothing(on: OnMeraki) -> None:
    """A wrong key, a network of others and a cut way out end as the adapter's faults, never as an empty poll."""
    async with adapter(on, key="wrong") as meraki:
        with pytest.raises(Unauthorized):
            await meraki.poll()
    async with adapter(on, network="N_other") as meraki:
        with pytest.raises(Refused):
            await meraki.poll()
    on.world.cut_wan()
    async with adapter(on) as meraki:
        with pytest.raises(Transient, match="cannot be reached"):
            await meraki.poll()
        on.world.mend_wan()
        assert len((await meraki.poll()).readings) == 3


@pytest.mark.parametrize(
    "path",
    [
        "organizations",
        "organizations/1000001/networks",
        f"networks/{ROOM}",
        "organizations/1000001/devices?productTypes[]=sensor&perPage=3",
        f"{READINGS}/latest?networkIds[]={ROOM}&metrics[]=temperature",
        f"{READINGS}/history?timespan=7200&perPage=10",
        f"networks/{ROOM}/sensor/alerts/current/overview/byMetric",
        f"networks/{ROOM}/sensor/alerts/profiles",
        f"networks/{ROOM}/webhooks/httpServers",
    ],
)
async def test_answers_fit_the_description(on: OnMeraki, path: str) -> None:
    """Every answer is one that Meraki's own description allows, so that what works here works there."""
    paths = described_paths()
    await on.post(f"networks/{ROOM}/webhooks/httpServers", {"name": "One", "url": "http://127.0.0.1:9/"})
    on.world.set_sensor(TWO, SensorFault.NONSENSE)
    on.clock.at += 600
    response = await on.get(path)
    described = operation(paths, response.url.path)
    query: dict[str, list[str]] = {}
    for name, value in response.url.query.items():
        query.setdefault(name, []).append(value)
    assert list(objections(query, described)) == []
    body = await response.json()
    assert response.status == 200
    assert body
    validator(described).validate(body)


async def test_answers_bear_the_time_of_the_site(on: OnMeraki) -> None:
    """The Date header is the site's, whatever the machine's clock says: ages are judged by it."""
    assert (await on.get("organizations")).headers["Date"] == "Wed, 05 Aug 2026 12:00:00 GMT"


async def test_history_is_paged_and_bounded_by_time(on: OnMeraki) -> None:
    """The pages of the history hold each measurement of the asked time once, oldest first, and lead back as well."""
    on.clock.at += 3600
    url: str | None = f"{READINGS}/history?timespan=1800&perPage=7&serials[]={ONE}&serials[]={TWO}"
    rows: list[dict[str, Any]] = []
    while url is not None:
        on.real.at += 1
        response = await on.get(url)
        fresh = await response.json()
        if rows:
            before = await on.get(str(response.links["prev"]["url"]))
            assert await before.json() == rows[-7:]
        rows += fresh
        url = str(response.links["next"]["url"]) if "next" in response.links else None
    assert [row["ts"] for row in rows] == sorted(row["ts"] for row in rows)
    assert len({(row["serial"], row["ts"]) for row in rows}) == len(rows) == 60
    sensor = on.world.room.sensors[ONE]
    mine = [row["temperature"]["celsius"] for row in rows if row["serial"] == ONE]
    assert mine == [celsius for _, celsius in sensor.history][-30:]
    at = sensor.history[-3][0]
    exact = await (await on.get(f"{READINGS}/history?t0={at}&t1={at}&serials[]={ONE}")).json()
    assert len(exact) == 1


async def test_only_named_sensors_are_asked_for(on: OnMeraki) -> None:
    """Of sensors that the settings name, one that the room does not have is rejected by name."""
    async with adapter(on, sensors=(TWO, "Q3CA-0009-VIRT")) as meraki:
        poll = await meraki.poll()
    assert [each.sensor for each in poll.readings] == [TWO]
    assert [(each.sensor, each.reason) for each in poll.rejected] == [("Q3CA-0009-VIRT", "missing from the answer")]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{READINGS}/latest?metrics[]=Temperature", 400),
        (f"{READINGS}/latest?metrics=temperature", 400),
        (f"{READINGS}/latest?perPage=2", 400),
        (f"{READINGS}/latest?perPage=x", 400),
        (f"{READINGS}/history?timespan=604801", 400),
        (f"{READINGS}/history?timespan=60&t0=1", 400),
        (f"{READINGS}/history?t0=soon", 400),
        (f"{READINGS}/history?t0=2026-07-01", 400),
        ("organizations/2/devices", 404),
        ("networks/N_other/sensor/alerts/profiles", 404),
        ("networks", 404),
    ],
)
async def test_a_wrong_question_is_declined(on: OnMeraki, path: str, status: int) -> None:
    """What Meraki would not answer is declined in its words, with the status that it gives."""
    response = await on.get(path)
    assert response.status == status
    assert list(await response.json()) == ["errors"]


async def test_the_key_goes_in_either_header(on: OnMeraki) -> None:
    """A key counts as a bearer's or in Meraki's own header, and nothing is told without one."""
    async with aiohttp.ClientSession() as stranger:
        for headers, status in (
            ({}, 401),
            ({"Authorization": KEY}, 401),
            ({"Authorization": "Bearer ä"}, 401),
            ({"Authorization": f"Bearer {KEY}"}, 200),
            ({"X-Cisco-Meraki-API-Key": KEY}, 200),
        ):
            async with stranger.get(f"{on.face.url}/organizations", headers=headers) as response:
                assert response.status == status, headers


async def test_the_rate_limit_is_the_organisations(on: OnMeraki) -> None:
    """Twenty requests in the first second, and ten at once however long nobody asked; the next is told when to come."""
    served = [(await on.get("organizations")).status for _ in range(10)]
    on.real.at += 1.0
    served += [(await on.get(f"networks/{ROOM}")).status for _ in range(10)]
    assert served == [200] * 20
    response = await on.get("organizations")
    assert (response.status, response.headers["Retry-After"]) == (429, "1")
    on.real.at += 3600.0
    assert [(await on.get("organizations")).status for _ in range(11)] == [200] * 10 + [429]


async def test_the_adapter_waits_for_the_rate_limit(on: OnMeraki) -> None:
    """A guard that is told to come again later does so, and misses nothing."""
    async with MerakiFace({ROOM: on.world}, on.clock, key=KEY, limit_clock=on.clock.now) as face:
        meraki = Meraki(KEY, ROOM, on.clock, base_url=face.url)
        for _ in range(10):
            assert len((await meraki.poll()).readings) == 3
        await meraki.aclose()
    assert len(on.clock.slept) == 1
    assert 1.0 <= on.clock.slept[0] <= 1.1


async def test_rooms_of_one_organisation_are_told_apart() -> None:
    """Two rooms are two networks: each shows its own sensors, and one that is cut off hides no other."""
    clock = StepClock()
    rooms = {name: World(seed, office(), clock.at) for seed, name in enumerate(("N_a", "N_b"))}
    async with MerakiFace(rooms, clock, key=KEY) as face:
        polls = {}
        for name in rooms:
            meraki = Meraki(KEY, name, clock, base_url=face.url)
            polls[name] = await meraki.poll()
            await meraki.aclose()
        assert polls == {name: world.room.poll() for name, world in rooms.items()}
        assert polls["N_a"].readings != polls["N_b"].readings
        rooms["N_a"].cut_wan()
        cut, whole = (Meraki(KEY, name, clock, base_url=face.url) for name in rooms)
        with pytest.raises(Transient):
            await cut.poll()
        assert len((await whole.poll()).readings) == 3
        await cut.aclose()
        await whole.aclose()
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session,
            session.get(f"{face.url}/{READINGS}/latest") as response,
        ):
            assert len(await response.json()) == 6
