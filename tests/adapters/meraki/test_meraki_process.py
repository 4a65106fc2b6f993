"""The Meraki peer as a process of its own, as the end-to-end test starts it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from peers.meraki import KEY
from peers.meraki_process import MerakiProcess
from peers.meraki_room import NETWORK
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.meraki import Meraki
from thermo_guard.ports import Refused

ONE, TWO = "Q2AA-0000-0001", "Q2AA-0000-0002"


@pytest.fixture(scope="module", params=["http", "https"])
def process(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[MerakiProcess, Path | None]]:
    arguments = ["--sensor", f"{ONE}=21.5", "--sensor", TWO]
    ca_file = None
    if request.param == "https":
        folder = tmp_path_factory.mktemp("tls")
        ca, ca_file = trustme.CA(), folder / "ca.pem"
        leaf = ca.issue_cert("127.0.0.1")
        ca.cert_pem.write_to_path(str(ca_file))
        leaf.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
        arguments += ["--cert", str(folder / "cert.pem"), "--keyfile", str(folder / "key.pem")]
    with MerakiProcess(*arguments) as started:
        yield started, ca_file


async def test_a_room_in_another_process_is_heated(process: tuple[MerakiProcess, Path | None]) -> None:
    """What a test sets over the control endpoints is what the adapter reads, with fresh times, and all is on record."""
    peer, ca_file = process
    meraki = Meraki(KEY, NETWORK, SteadyClock(), base_url=peer.url, ca_file=ca_file)
    assert [(each.sensor, each.celsius) for each in (await meraki.poll()).readings] == [(ONE, 21.5), (TWO, 21.5)]
    peer.control("sensors", {ONE: {"celsius": 41}, TWO: {"missing": True}})
    peer.control("alerts", {"count": 1})
    (reading,) = (await meraki.poll()).readings
    assert (reading.sensor, reading.celsius) == (ONE, 41)
    # The Date header bears whole seconds, the measurement does not.
    assert reading.age_s < 2
    assert (await meraki.alert_count()).temperature == 1
    peer.control("fault", {"kind": "html"})
    with pytest.raises(Refused, match="captive portal"):
        await meraki.poll()
    await meraki.aclose()
    assert {each["key"] for each in peer.requests()} == {"valid"}
    assert peer.requests()[-1]["fault"] == "html"


def test_the_process_ends_with_its_standard_input() -> None:
    """A test that is killed leaves no peer behind: the end of its standard input ends the process."""
    peer = MerakiProcess()
    with peer:
        assert peer.url.startswith("http://127.0.0.1:")
    assert peer.ended_with == 0
