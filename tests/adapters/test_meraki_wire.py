"""The Meraki adapter against an API on the wire that redirects, limits, lies and falls silent."""

import asyncio
import json
import math
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from peers.meraki import FOREVER, KEY, ORGANISATION, MerakiPeer
from peers.meraki_room import NETWORK
from thermo_guard.adapters.meraki import Meraki, NetworkDescription, SensorDescription
from thermo_guard.ports import Fault, Refused, Transient, Unauthorized

ONE, TWO = "Q2AA-0000-0001", "Q2AA-0000-0002"


class StepClock:
    """A clock that stands still but for sleeping, so that waits are exact and take no time."""

    def __init__(self) -> None:
        self.at = 1_785_931_200.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
async def peer(clock: StepClock) -> AsyncIterator[MerakiPeer]:
    async with MerakiPeer(now=clock.now) as started:
        started.set_sensors({ONE: {"celsius": 21.5}, TWO: {"celsius": 22.5}})
        yield started


@asynccontextmanager
async def adapter(peer: MerakiPeer, clock: StepClock, **how: Any) -> AsyncIterator[Meraki]:
    key = how.pop("key", KEY)
    meraki = Meraki(key, how.pop("network_id", NETWORK), clock, base_url=how.pop("base_url", peer.url), **how)
    try:
        yield meraki
    finally:
        await meraki.aclose()


@pytest.fixture
async def meraki(peer: MerakiPeer, clock: StepClock) -> AsyncIterator[Meraki]:
    async with adapter(peer, clock) as opened:
        yield opened


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
        ({"celsius": 300}, "implausible"),
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


async def test_all_pages_are_read(peer: MerakiPeer, meraki: Meraki) -> None:
    """The Link header is followed to its end, so that no sensor hides on a later page."""
    serials = [f"Q2AA-0000-{number:04}" for number in range(10)]
    peer.set_sensors({serial: {} for serial in (*serials, ONE, TWO)})
    peer.most_per_page = 3
    assert [each.sensor for each in (await meraki.poll()).readings] == sorted({*serials, ONE, TWO})
    assert len([each for each in peer.requests if "readings" in each.path]) == 4


async def test_pages_without_end_are_refused(peer: MerakiPeer, meraki: Meraki) -> None:
    """A list that never ends costs a bounded number of requests."""
    peer.fail("endless-pages", path="readings")
    with pytest.raises(Refused, match="does not end"):
        await meraki.poll()
    assert len(peer.requests) == 51


@pytest.mark.parametrize("kind", ["redirect-cross-host", "link-cross-host"])
async def test_the_key_stays_with_meraki(peer: MerakiPeer, meraki: Meraki, clock: StepClock, kind: str) -> None:
    """Neither a redirect nor a next page on another host is asked for, and the fault says where it pointed."""
    async with MerakiPeer(host="127.0.0.2", now=clock.now) as elsewhere:
        peer.fail(kind, location=f"{elsewhere.url}/networks/{NETWORK}", path="readings")
        with pytest.raises(Refused, match=r"127\.0\.0\.2.*the key stays here"):
            await meraki.poll()
        assert elsewhere.requests == []


async def test_a_redirect_to_the_shard_is_followed_with_the_key(peer: MerakiPeer, meraki: Meraki) -> None:
    """A shard of the same address gets the whole question, query and key, and its answer counts."""
    peer.fail("shard-redirect", count=FOREVER)
    assert len((await meraki.poll()).readings) == 2
    served = peer.requests[-1]
    assert (served.shard, served.key) == (True, "valid")
    assert served.query == peer.requests[-2].query


async def test_a_redirect_loop_is_cut(peer: MerakiPeer, meraki: Meraki) -> None:
    """At most three hops are followed, and a loop is not tried again."""
    peer.fail("redirect-loop")
    with pytest.raises(Refused, match="more than 3 times"):
        await meraki.poll()
    assert len(peer.requests) == 4


@pytest.mark.parametrize("kind", ["429-seconds", "429-date"])
async def test_retry_after_is_honoured(peer: MerakiPeer, meraki: Meraki, clock: StepClock, kind: str) -> None:
    """Both forms of Retry-After are waited out, no shorter and not much longer, and then asked again."""
    peer.fail(kind, retry_after_s=12)
    assert len((await meraki.poll()).readings) == 2
    assert len(clock.slept) == 1
    assert 12 <= clock.slept[0] <= 13.2


async def test_retry_after_beyond_the_deadline_is_kept_for_the_next_poll(
    peer: MerakiPeer, meraki: Meraki, clock: StepClock
) -> None:
    """A long Retry-After ends the poll at once, holds back later ones, and is capped at 60 s."""
    peer.fail("429-seconds", retry_after_s=3600)
    for _ in range(2):
        with pytest.raises(Transient):
            await meraki.poll()
    assert len(peer.requests) == 1
    assert clock.slept == []
    clock.at += 60
    assert len((await meraki.poll()).readings) == 2


@pytest.mark.parametrize("kind", ["500", "503", "429-seconds", "drop", "truncated"])
async def test_a_short_trouble_is_ridden_out(peer: MerakiPeer, meraki: Meraki, clock: StepClock, kind: str) -> None:
    """Failures that pass are retried after a growing wait, and the poll succeeds."""
    peer.fail(kind, count=2, path="readings")
    assert len((await meraki.poll()).readings) == 2


@pytest.mark.parametrize("kind", ["500", "drop", "truncated", "429-date"])
async def test_a_long_trouble_is_transient(peer: MerakiPeer, meraki: Meraki, clock: StepClock, kind: str) -> None:
    """Failures that last end in a fault after a bounded number of tries within the deadline."""
    began = clock.now()
    peer.fail(kind, count=FOREVER)
    with pytest.raises(Transient):
        await meraki.poll()
    assert clock.now() - began < 45
    assert len(peer.requests) <= 8  # Twice the tries: aiohttp itself repeats once on a connection that was idle.


async def test_silence_is_transient(peer: MerakiPeer, clock: StepClock) -> None:
    """A server that takes the question and never answers costs at most the tries' time."""
    peer.fail("hang", count=FOREVER)
    async with adapter(peer, clock, request_timeout_s=0.05) as meraki:
        with pytest.raises(Transient, match=r"did not answer within 0\.05 s \(4 tries\)"):
            await meraki.poll()


async def test_the_whole_poll_has_a_deadline(peer: MerakiPeer, clock: StepClock) -> None:
    """However long one try may take, the poll as a whole ends by its own deadline."""
    peer.fail("hang", count=FOREVER)
    async with adapter(peer, clock, deadline_s=0.1) as meraki:
        with pytest.raises(Transient, match=r"did not answer within 0\.1 s"):
            await meraki.poll()


async def test_nobody_there_is_transient(clock: StepClock) -> None:
    """A refused connection is worth another try later."""
    async with MerakiPeer(now=clock.now) as gone:
        pass
    async with adapter(gone, clock) as meraki:
        with pytest.raises(Transient, match="cannot be reached"):
            await meraki.poll()


async def test_a_refused_key_is_not_tried_again_at_once(peer: MerakiPeer, clock: StepClock) -> None:
    """After 401 the same fault comes from memory for five minutes, for every question; then Meraki is asked again."""
    async with adapter(peer, clock, key="wrong") as meraki:
        texts = set()
        for ask in (meraki.poll, meraki.alert_count, meraki.describe, meraki.poll):
            with pytest.raises(Unauthorized) as caught:
                await ask()
            texts.add(str(caught.value))
            clock.at += 60
        assert len(texts) == 1
        assert len(peer.requests) == 1
        peer.key = "wrong"
        clock.at += 60
        assert len((await meraki.poll()).readings) == 2


async def test_a_forbidden_overview_does_not_blind_the_room(peer: MerakiPeer, meraki: Meraki) -> None:
    """403 is remembered for its own question: degrees are still read where only the count is not allowed."""
    peer.fail("403", path="byMetric")
    for _ in range(2):
        with pytest.raises(Unauthorized, match="byMetric"):
            await meraki.alert_count()
    assert len(peer.requests) == 1
    assert len((await meraki.poll()).readings) == 2


@pytest.mark.parametrize("key", ["", "two\nlines", "schlüssel"])
async def test_a_key_that_is_none_is_never_sent(peer: MerakiPeer, clock: StepClock, key: str) -> None:
    """A key that cannot be one is refused here, with the setting's name."""
    async with adapter(peer, clock, key=key) as meraki:
        with pytest.raises(Unauthorized, match="MERAKI_API_KEY"):
            await meraki.poll()
    assert peer.requests == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"kind": "html"}, "captive portal"),
        ({"kind": "400"}, "perPage"),
        ({"kind": "body", "body": ""}, "not JSON"),
        ({"kind": "body", "body": "[{"}, "not JSON"),
        ({"kind": "body", "body": "[" * 100_000}, "not JSON"),
        ({"kind": "body", "body": "{}"}, "not a list"),
        ({"kind": "body", "body": "null"}, "not a list"),
        ({"kind": "body", "body": " " * 9_000_000}, "larger than"),
        ({"kind": "404"}, "MERAKI_NETWORK_ID"),
    ],
    ids=["html", "400", "empty", "cut", "deep", "object", "null", "huge", "404"],
)
async def test_what_is_no_answer_is_refused(peer: MerakiPeer, meraki: Meraki, fault: dict[str, Any], says: str) -> None:
    """A web page or a body of another shape is a fault that says what it is, asked once, never an empty room."""
    peer.fail(**fault, path="readings")
    with pytest.raises(Refused, match=says):
        await meraki.poll()
    assert len(peer.requests) == 2


async def test_a_network_that_meraki_does_not_know_says_what_to_check(peer: MerakiPeer, clock: StepClock) -> None:
    """404 on the network names the settings that can be wrong."""
    async with adapter(peer, clock, network_id="N_0") as meraki:
        with pytest.raises(Refused, match=r"MERAKI_NETWORK_ID.*MERAKI_API_BASE_URL"):
            await meraki.poll()


async def test_a_network_that_moved_is_found_again(peer: MerakiPeer, meraki: Meraki) -> None:
    """A refusal of the readings makes the next poll derive the organisation afresh."""
    await meraki.poll()
    peer.fail("404", path="readings")
    with pytest.raises(Refused):
        await meraki.poll()
    await meraki.poll()
    assert len([each for each in peer.requests if each.path.endswith(NETWORK)]) == 2


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
    """`check` gets the network's name, its organisation and its sensors with the names that they bear."""
    peer.set_sensors({ONE: {"name": "Rack 1 top"}})
    sensors = (SensorDescription(ONE, "Rack 1 top"), SensorDescription(TWO, None))
    assert await meraki.describe() == NetworkDescription(NETWORK, "Main Office", ORGANISATION, sensors)


async def test_no_fault_holds_the_key(peer: MerakiPeer, meraki: Meraki) -> None:
    """A server that echoes the key does not get it into a text that people and logs see."""
    echo = json.dumps({"errors": [f"bad key {KEY}"]})
    peer.fail("body", body=echo, path="readings")
    with pytest.raises(Refused) as caught:
        await meraki.poll()
    assert KEY not in repr(caught.value)
    peer.fail("echo-400", path="readings")
    with pytest.raises(Refused, match=r"bad key \*\*\*") as caught:
        await meraki.poll()
    assert KEY not in repr(caught.value)


async def test_plain_http_leaves_this_machine_without_the_key(clock: StepClock) -> None:
    """A plain http address that is not loopback is refused before anything is sent."""
    async with adapter(MerakiPeer(), clock, base_url="http://192.0.2.1/api/v1") as meraki:
        with pytest.raises(Refused, match="plain http"):
            await meraki.poll()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def tls_peer(ca: trustme.CA, clock: StepClock) -> AsyncIterator[MerakiPeer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    async with MerakiPeer(now=clock.now, tls=context) as started:
        started.set_sensors({ONE: {}})
        yield started


async def test_tls_with_a_ca_file(tls_peer: MerakiPeer, ca: trustme.CA, clock: StepClock, tmp_path: Path) -> None:
    """A CA of one's own is trusted beside the system's, and a shard on another port of the host is followed."""
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    tls_peer.fail("shard-redirect", count=FOREVER)
    async with adapter(tls_peer, clock, ca_file=ca_file) as meraki:
        assert len((await meraki.poll()).readings) == 1
    assert tls_peer.requests[-1].shard


async def test_an_untrusted_certificate_is_refused(tls_peer: MerakiPeer, clock: StepClock) -> None:
    """Verification is always on: no request, and so no key, reaches a server that cannot prove itself."""
    async with adapter(tls_peer, clock) as meraki:
        with pytest.raises(Refused, match="no trusted TLS connection"):
            await meraki.poll()
    assert tls_peer.requests == []


async def test_a_ca_file_that_cannot_be_read_is_refused(peer: MerakiPeer, clock: StepClock, tmp_path: Path) -> None:
    """A CA file that is absent or no certificate is a fault with its path, not a crash."""
    empty = tmp_path / "empty.pem"
    empty.write_text("none")
    for ca_file in (tmp_path / "absent.pem", empty):
        async with adapter(peer, clock, ca_file=ca_file) as meraki:
            with pytest.raises(Refused, match=ca_file.name):
                await meraki.poll()


class Bench:
    """One peer and one adapter under a runner of their own, for tests that ask a thousand times."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._clock = StepClock()
        self.peer = MerakiPeer(now=self._clock.now)
        runner.run(self.peer.__aenter__())
        self._meraki = Meraki(KEY, NETWORK, self._clock, base_url=self.peer.url)

    def poll(self, body: str) -> Any:
        self.peer.faults.clear()
        self.peer.fail("body", body=body, path="readings", count=FOREVER)
        return self._runner.run(self._meraki.poll())

    def close(self) -> None:
        self._runner.run(self._meraki.aclose())
        self._runner.run(self.peer.__aexit__())


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with asyncio.Runner() as runner:
        started = Bench(runner)
        yield started
        started.close()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
MEASUREMENT = st.fixed_dictionaries(
    {"metric": st.just("temperature")},
    optional={
        "ts": st.just("2026-08-05T12:00:00Z") | ANYTHING,
        "temperature": st.fixed_dictionaries({"celsius": st.floats() | st.integers() | ANYTHING}) | ANYTHING,
    },
)
ROW = st.fixed_dictionaries(
    {"serial": st.just(ONE) | ANYTHING}, optional={"readings": st.lists(MEASUREMENT | ANYTHING, max_size=2) | ANYTHING}
)


@settings(max_examples=200, deadline=None)
@given(body=st.lists(ROW | ANYTHING, max_size=3).map(json.dumps) | ANYTHING.map(json.dumps) | st.text(max_size=40))
def test_no_body_whatsoever_escapes_as_anything_but_a_fault(bench: Bench, body: str) -> None:
    """Whatever a server answers, poll raises a Fault or gives finite, plausible readings that are not of the future."""
    try:
        poll = bench.poll(body)
    except Fault:
        return
    for reading in poll.readings:
        assert -40 <= reading.celsius <= 100
        assert reading.age_s >= 0
        assert math.isfinite(reading.age_s)


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
