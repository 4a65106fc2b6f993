"""The ways that an answer can point on: pages, redirects, shards; and no further than they may."""


import pytest

from peers.meraki import FOREVER, MerakiPeer
from peers.meraki_bench import ONE, TWO, StepClock
from peers.meraki_room import NETWORK
from thermo_guard.adapters.meraki import Meraki
from thermo_guard.ports import Refused


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
