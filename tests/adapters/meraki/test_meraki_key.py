"""The API key: where it goes, and what follows where it is refused."""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from peers.meraki import FOREVER, KEY, MerakiPeer
from peers.meraki_bench import ONE, StepClock, adapter
from thermo_guard.adapters.meraki import Meraki
from thermo_guard.ports import Refused, Unauthorized


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
