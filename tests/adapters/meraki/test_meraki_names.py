"""Meraki by name while no DNS server answers: its common address, its shards, and nobody who stands where they were."""

import errno
import os
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from peers.dns import Dns
from peers.meraki import FOREVER, MerakiPeer
from peers.meraki_bench import ONE, StepClock, adapter
from thermo_guard.adapters.names import SystemNames
from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Refused, Transient
from thermo_guard.survey import trouble_of

COMMON, SHARD = "api.meraki.com", "n77.meraki.com"
HTTPS = 443


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def proving(ca: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


def process(clock: StepClock, dns: Dns, known: SystemNames | None = None) -> SystemNames:
    """The names of a process that starts now, with what the one before it left in the journal."""
    names = SystemNames(clock, ask=dns)
    names.recall({} if known is None else known.known())
    return names


def free_addresses(count: int) -> list[str]:
    """Addresses of this machine on which the port of https can be taken; its shards have no other."""
    found: list[str] = []
    for _ in range(100):
        address = "127." + ".".join(str(byte % 254 + 1) for byte in os.urandom(3))
        with socket.socket() as trial:
            try:
                trial.bind((address, HTTPS))
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EADDRNOTAVAIL):
                    pytest.skip(f"port {HTTPS} of {address} may not be taken here: {error.strerror}")
                continue
        found.append(address)
        if len(found) == count:
            return found
    raise AssertionError


async def test_the_room_is_seen_while_dns_is_off(ca: trustme.CA, ca_file: Path, clock: StepClock) -> None:
    """Meraki's common address and the shard that it redirects to are found in memory; TLS is checked by their names."""
    here, there = free_addresses(2)
    dns = Dns({COMMON: here, SHARD: there})
    async with (
        MerakiPeer(host=here, port=HTTPS, name=COMMON, now=clock.now, tls=proving(ca, COMMON)) as common,
        MerakiPeer(host=there, port=HTTPS, name=SHARD, now=clock.now, tls=proving(ca, SHARD)) as shard,
    ):
        common.shard_origin = f"https://{SHARD}"
        common.fail("shard-redirect", count=FOREVER)
        shard.set_sensors({ONE: {"celsius": 31.5}})
        names = None
        for is_on in (True, False):
            dns.is_on, names = is_on, process(clock, dns, names)
            url = f"https://{COMMON}/api/v1"
            async with adapter(common, clock, base_url=url, ca_file=ca_file, names=names) as meraki:
                assert [each.celsius for each in (await meraki.poll()).readings] == [31.5]
    assert [each.key for each in shard.requests] == ["valid"] * 4
    assert names is not None
    assert set(names.known()) == {COMMON, SHARD}


async def test_a_shard_behind_another_port_is_found_by_name(ca: trustme.CA, ca_file: Path, clock: StepClock) -> None:
    """A configured address of one's own is resolved the same way, its redirects included."""
    name = "meraki.thermo-guard.test"
    dns = Dns({name: "127.0.0.1"})
    async with MerakiPeer(name=name, now=clock.now, tls=proving(ca, name)) as peer:
        peer.set_sensors({ONE: {}})
        peer.fail("shard-redirect", count=FOREVER)
        names = None
        for is_on in (True, False):
            dns.is_on, names = is_on, process(clock, dns, names)
            async with adapter(peer, clock, ca_file=ca_file, names=names) as meraki:
                assert len((await meraki.poll()).readings) == 1
    assert [each.shard for each in peer.requests] == [False, True] * 4


async def test_the_key_is_not_given_to_who_has_the_address_now(
    ca: trustme.CA, ca_file: Path, clock: StepClock
) -> None:
    """A remembered address proves nothing: another machine there, of a CA that is trusted, gets no request."""
    name = "meraki.thermo-guard.test"
    dns = Dns({name: "127.0.0.1"})
    before = process(clock, dns)
    await before.resolve(name)
    dns.is_on = False
    async with MerakiPeer(name=name, now=clock.now, tls=proving(ca, "another.thermo-guard.test")) as other:
        async with adapter(other, clock, ca_file=ca_file, names=process(clock, dns, before)) as meraki:
            with pytest.raises(Refused, match="no trusted TLS connection"):
                await meraki.poll()
        assert other.requests == []


async def test_a_name_that_was_never_resolved_is_told_as_that(clock: StepClock) -> None:
    """Without DNS and without memory the text names the host and what is wrong with it."""
    dns = Dns({})
    dns.is_on = False
    async with adapter(MerakiPeer(), clock, base_url=f"https://{COMMON}/api/v1", names=process(clock, dns)) as meraki:
        with pytest.raises(Transient, match=f"{COMMON} stands for no address: no DNS server answers") as unknown:
            await meraki.poll()
    assert trouble_of(unknown.value) is Trouble.NO_NAME


async def test_without_names_the_machine_resolves_itself(peer: MerakiPeer, clock: StepClock) -> None:
    """Nothing given, nothing changed: aiohttp asks the machine's own resolver."""
    port = peer.origin.rpartition(":")[2]
    async with adapter(peer, clock, base_url=f"http://localhost:{port}/api/v1") as meraki:
        assert len((await meraki.poll()).readings) == 2
