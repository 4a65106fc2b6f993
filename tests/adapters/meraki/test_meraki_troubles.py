"""An API that limits, breaks off, falls silent or answers nonsense."""

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peers.meraki import FOREVER, KEY, MerakiPeer
from peers.meraki_bench import ONE, StepClock, adapter
from peers.meraki_room import NETWORK
from thermo_guard.adapters.meraki import Meraki
from thermo_guard.ports import Fault, Refused, Transient


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
    """Whatever a server answers, poll raises a Fault or gives finite readings that are not of the future."""
    try:
        poll = bench.poll(body)
    except Fault:
        return
    for reading in poll.readings:
        assert math.isfinite(reading.celsius)
        assert reading.age_s >= 0
        assert math.isfinite(reading.age_s)
