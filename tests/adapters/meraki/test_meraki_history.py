"""What Meraki remembers, as a guard that has just started asks for it."""

import pytest

from peers.meraki import MerakiPeer
from peers.meraki_bench import ONE, TWO, StepClock, adapter
from thermo_guard.adapters.meraki import Meraki
from thermo_guard.adapters.meraki.sensors import WINDOW_S
from thermo_guard.ports import Fault, Refused, Unauthorized

DAY_S = 86400.0


def remember(peer: MerakiPeer, for_s: float, every_s: float) -> list[tuple[str, float]]:
    """Let the peer have kept a past of both sensors; what an adapter is to make of it, oldest first."""
    now = peer.now()
    times = [now - every_s * back for back in range(int(for_s / every_s), -1, -1)]
    peer.past = [(at, serial, 20.0 + number) for at in times for number, serial in enumerate((ONE, TWO))]
    return [(serial, at) for at, serial, _ in peer.past]


def spans(peer: MerakiPeer) -> list[dict[str, str]]:
    """How much of the past each first page was asked for."""
    asked = [dict(request.query) for request in peer.requests if request.path.endswith("/history")]
    return [{name: query[name] for name in ("timespan", "t0", "t1") if name in query} for query in asked
            if "startingAfter" not in query]


async def test_the_slope_after_a_restart_is_one_question(peer: MerakiPeer, meraki: Meraki) -> None:
    """Two hours come in one window, oldest first, each measurement with its age."""
    told = remember(peer, 2 * 3600, 60)
    history = await meraki.history(2 * 3600)
    assert [(each.sensor, each.stamp) for each in history] == told
    assert [each.age_s for each in history] == [peer.now() - at for _, at in told]
    assert spans(peer) == [{"timespan": "7200"}]


async def test_a_week_comes_in_windows(peer: MerakiPeer, meraki: Meraki, clock: StepClock) -> None:
    """Seven days are asked for in windows, of many pages each, and every measurement counts once."""
    peer.most_per_page = 20
    told = remember(peer, 7 * DAY_S, 900)
    history = await meraki.history(7 * DAY_S)
    assert [(each.sensor, each.stamp) for each in history] == told
    assert len(spans(peer)) == 7 * DAY_S / WINDOW_S
    assert len(peer.requests) > 50, "more than one list may have pages"


async def test_the_servers_clock_bounds_the_past(peer: MerakiPeer, meraki: Meraki, clock: StepClock) -> None:
    """A guard whose clock is an hour slow gets the last hour too, and every age as it is."""
    peer.now = lambda: clock.at + 3600
    told = remember(peer, DAY_S, 600)
    history = await meraki.history(DAY_S)
    assert [(each.sensor, each.stamp) for each in history] == told
    assert (history[0].age_s, history[-1].age_s) == (DAY_S, 0)
    assert history[-1].measured_at == clock.now()


async def test_only_the_watched_sensors_have_a_past(peer: MerakiPeer, clock: StepClock) -> None:
    """Named sensors stand in the query, and no other one comes out."""
    remember(peer, 3600, 60)
    async with adapter(peer, clock, sensors=(ONE,)) as meraki:
        assert {each.sensor for each in await meraki.history(3600)} == {ONE}
    assert ("serials[]", ONE) in peer.requests[-1].query


@pytest.mark.parametrize(("kind", "fault"), [("401", Unauthorized), ("html", Refused), ("endless-pages", Refused)])
async def test_half_a_past_is_a_fault(peer: MerakiPeer, meraki: Meraki, kind: str, fault: type[Fault]) -> None:
    """Where one window fails nothing is told: a hole in the past would read as a jump."""
    remember(peer, DAY_S, 600)
    assert await meraki.history(WINDOW_S)
    peer.fail(kind, path="history")
    with pytest.raises(fault):
        await meraki.history(DAY_S)


async def test_a_busy_meraki_is_waited_for(peer: MerakiPeer, meraki: Meraki, clock: StepClock) -> None:
    """The rate limit in the middle of a long past is waited out, and nothing is missing."""
    told = remember(peer, DAY_S, 600)
    peer.fail("429-seconds", path="history", count=2, retry_after_s=3)
    history = await meraki.history(DAY_S)
    assert [(each.sensor, each.stamp) for each in history] == told[2:], "while it waited the oldest became too old"
    assert len(clock.slept) == 2
