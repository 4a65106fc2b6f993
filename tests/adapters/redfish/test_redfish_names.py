"""BMCs by name while no DNS server answers: reached where they were, and believed only by their certificate."""

import hashlib
import importlib.util
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from peers import absent
from peers.dns import Dns
from peers.redfish import CA, Eavesdropper, HandClock, WrittenBmc
from peers.redfish_bench import PinBook, guarding
from peers.sushy import FakeSystem, SushyBmc
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.names import SystemNames
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.plant import Power, Trouble
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Refused, Transient
from thermo_guard.survey import trouble_of

NAME = "ilo1.thermo-guard.test"
"""Nobody's DNS has it."""


@pytest.fixture(scope="module")
def sushy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SushyBmc]:
    if importlib.util.find_spec("sushy_tools") is None:
        absent("sushy-emulator", "sushy-tools is not installed")
    systems = [FakeSystem("27946B59-9E44-4FA7-8E91-F3527A1EF095", is_on=False)]
    folder = tmp_path_factory.mktemp("sushy")
    with SushyBmc(folder, trustme.CA(), systems, listen="127.0.0.10", delay_s=0, name=NAME) as bmc:
        yield bmc


def process(dns: Dns, known: SystemNames | None = None) -> SystemNames:
    """The names of a process that starts now, with what the one before it left in the journal."""
    names = SystemNames(SteadyClock(), ask=dns)
    names.recall({} if known is None else known.known())
    return names


@pytest.mark.peer
async def test_a_bmc_is_switched_on_while_dns_is_off(sushy: SushyBmc) -> None:
    """The address that was resolved in quiet time serves a process that starts without DNS; the CA checks the name."""
    clock, dns = SteadyClock(), Dns({NAME: "127.0.0.10"})

    def opened(names: SystemNames) -> Bmc:
        return Bmc(f"{NAME}:{sushy.port}", sushy.username, sushy.password, clock, logins=RefusedLogins(clock),
                   ca_file=sushy.ca_file, names=names)

    before = process(dns)
    bmc = opened(before)
    assert (await bmc.observe()).power is Power.OFF
    await bmc.aclose()
    dns.is_on = False
    bmc = opened(process(dns, before))
    await bmc.power_on()
    assert (await bmc.observe()).power is Power.ON
    await bmc.aclose()
    assert len(sushy.posts()) == 1


async def test_a_name_that_was_never_resolved_is_told_as_that(tmp_path: Path, clock: HandClock) -> None:
    """Without DNS and without memory it is the name that a person has to mend, not the BMC."""
    dns = Dns({})
    dns.is_on = False
    guard = guarding(f"{NAME}:443", clock, tmp_path, names=process(dns))
    with pytest.raises(Transient, match=f"{NAME} stands for no address: no DNS server answers") as unknown:
        await guard.observe()
    await guard.aclose()
    assert trouble_of(unknown.value) is Trouble.NO_NAME


@pytest.mark.parametrize("how", ["authority", "pin"])
async def test_who_has_taken_over_the_address_gets_no_byte(tmp_path: Path, clock: HandClock, how: str) -> None:
    """A remembered address proves nothing: a machine of the same CA that has it now is turned away in the handshake."""
    dns = Dns({NAME: "127.0.0.1"})
    before = process(dns)
    await before.resolve(NAME)
    dns.is_on = False
    async with Eavesdropper(CA.issue_cert("another.thermo-guard.test", "127.0.0.1")) as other:
        address = f"{NAME}:{other.port}"
        ways: dict[str, Any] = {"authority": {}, "pin": {"pins": PinBook({address: "0f" * 32})}}
        guard = guarding(address, clock, tmp_path, names=process(dns, before), **ways[how])
        with pytest.raises(Refused, match="Nothing was sent to it"):
            await guard.observe()
        await guard.aclose()
        assert await other.overheard() == b""


async def test_a_pin_is_kept_by_name(tmp_path: Path, clock: HandClock) -> None:
    """What is pinned is the name and not the address behind it, so a BMC that has moved is still the same."""
    certificate = CA.issue_cert("localhost")
    sha256 = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())).hexdigest()
    async with Eavesdropper(certificate) as other:
        pins = PinBook({f"{NAME}:{other.port}": sha256})
        names = process(Dns({NAME: "127.0.0.1"}))
        guard = guarding(f"{NAME.upper()}:{other.port}", clock, tmp_path, names=names, pins=pins, ca_file=None)
        with pytest.raises(Transient):
            await guard.observe()
        await guard.aclose()
        assert (await other.overheard()).startswith(b"GET ")


async def test_a_bmc_that_has_moved_is_found_at_the_next_connection(tmp_path: Path, clock: HandClock) -> None:
    """While DNS answers it is asked for each connection: no old address is kept beside it."""
    async with WrittenBmc(listen="127.0.0.2") as moved:
        port = moved.address.rpartition(":")[2]
        dns = Dns({NAME: "127.0.0.1"})
        pins = PinBook({f"{NAME}:{port}": moved.fingerprint})
        guard = guarding(f"{NAME}:{port}", clock, tmp_path, names=process(dns), pins=pins)
        with pytest.raises(Transient, match="cannot be reached"):
            await guard.observe()
        dns.zone[NAME] = "127.0.0.2"
        assert (await guard.observe()).power is Power.OFF
        await guard.aclose()
