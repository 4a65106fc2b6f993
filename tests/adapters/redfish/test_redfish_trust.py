"""Whom the client talks to: nothing is sent to an endpoint that is not trusted, nor to any other."""

import hashlib
import ssl
from pathlib import Path
from typing import Any

import pytest

from peers.redfish import CA, RESET, ROOT, SYSTEM, Eavesdropper, HandClock, Reply, WrittenBmc
from peers.redfish_bench import PinBook, guarding
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.plant import Power, Trouble
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Refused, Transient
from thermo_guard.survey import trouble_of


@pytest.mark.parametrize(("how", "trouble"), [
    ({"fingerprint": "0f" * 32}, Trouble.WRONG_PIN),
    ({"fingerprint": "0f" * 32, "insecure": True}, Trouble.WRONG_PIN),
    ({"pins": "0f" * 32}, Trouble.WRONG_PIN),
    ({"pins": "0f" * 32, "insecure": True}, Trouble.WRONG_PIN),
    ({"pins": "no fingerprint"}, Trouble.WRONG_PIN),
    ({"ca_file": None}, Trouble.UNTRUSTED),
], ids=["fingerprint", "fingerprint over insecure", "pin", "pin over insecure", "pin that is none", "no authority"])
async def test_untrusted_endpoint_gets_no_byte(
    tmp_path: Path, clock: HandClock, how: dict[str, Any], trouble: Trouble
) -> None:
    """Whatever makes an endpoint untrusted, not one byte follows the handshake, and the fault says so."""
    async with Eavesdropper(CA.issue_cert("127.0.0.1")) as other:
        if "pins" in how:
            how = {**how, "pins": PinBook({other.address: how["pins"]})}
        guard = guarding(other.address, clock, tmp_path, **how)
        for act in (guard.observe, guard.power_on):
            with pytest.raises(Refused, match="Nothing was sent to it") as refused:
                await act()
            assert trouble_of(refused.value) is trouble
        await guard.aclose()
        if how.get("pins", {}).get(other.address) != "no fingerprint":  # there nobody even called
            assert await other.overheard() == b""
        assert other.received == b""


async def test_certificate_for_another_name_gets_no_byte(tmp_path: Path, clock: HandClock) -> None:
    """A certificate of the right CA that is made out for another machine is not trusted."""
    async with Eavesdropper(CA.issue_cert("127.0.0.2")) as other:
        guard = guarding(other.address, clock, tmp_path)
        with pytest.raises(Refused, match="not trusted") as refused:
            await guard.observe()
        await guard.aclose()
        assert await other.overheard() == b""
    assert trouble_of(refused.value) is Trouble.UNTRUSTED


@pytest.mark.parametrize("how", ["fingerprint", "pins", "ca_file", "insecure"])
async def test_eavesdropper_hears_those_who_trust_it(tmp_path: Path, clock: HandClock, how: str) -> None:
    """The witness of the two tests above is not deaf: who trusts it is overheard."""
    certificate = CA.issue_cert("127.0.0.1")
    sha256 = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())).hexdigest()
    async with Eavesdropper(certificate) as other:
        ways: dict[str, Any] = {
            "fingerprint": {"fingerprint": sha256, "ca_file": None}, "insecure": {"insecure": True, "ca_file": None},
            "pins": {"pins": PinBook({other.address: sha256}), "ca_file": None}, "ca_file": {},
        }
        guard = guarding(other.address, clock, tmp_path, **ways[how])
        with pytest.raises(Transient):
            await guard.observe()
        await guard.aclose()
        assert (await other.overheard()).startswith(b"GET /redfish/v1/ HTTP/1.1")


async def test_the_settings_fingerprint_stands_above_a_pin(
    peer: WrittenBmc, tmp_path: Path, clock: HandClock
) -> None:
    """What the settings say is the last word: a wrong pin beside the right fingerprint is not looked at."""
    pins = PinBook({peer.address: "0f" * 32})
    guard = guarding(peer.address, clock, tmp_path, fingerprint=peer.fingerprint, pins=pins)
    assert (await guard.observe()).power is Power.OFF
    await guard.aclose()


async def test_a_pin_stands_above_the_authorities(peer: WrittenBmc, tmp_path: Path, clock: HandClock) -> None:
    """Once a certificate is pinned another one of the same CA is no longer enough, also on an open connection."""
    pins = PinBook()
    guard = guarding(peer.address, clock, tmp_path, pins=pins)
    await guard.observe()
    pins[peer.address] = "0f" * 32
    asked = len(peer.requests)
    with pytest.raises(Refused, match="another certificate"):
        await guard.observe()
    assert len(peer.requests) == asked
    await guard.aclose()


async def test_what_mends_a_changed_certificate_is_named(tmp_path: Path, clock: HandClock) -> None:
    """A person is told to find out why first, and then where the old certificate is written down."""
    async with Eavesdropper(CA.issue_cert("127.0.0.1")) as other:
        for how, mends in (({"pins": PinBook({other.address: "0f" * 32})}, "`thermo-guard pin` trusts the new one"),
                           ({"fingerprint": "0f" * 32}, "set fingerprint in ILO_HOSTS to the new one")):
            guard = guarding(other.address, clock, tmp_path, **how)
            with pytest.raises(Refused, match=f"Find out why it changed.*{mends}"):
                await guard.observe()
            await guard.aclose()


@pytest.mark.parametrize("location", ["https://127.0.0.2:{port}/redfish/v1/", "https://127.0.0.1:1/", "//other/", "http://127.0.0.1:{port}/"])
async def test_redirect_to_another_origin_is_refused(
    peer: WrittenBmc, guard: Bmc, location: str
) -> None:
    """The login never follows a redirect to another host, port or scheme."""
    there = location.format(port=peer.address.rpartition(":")[2])
    peer.pages[f"{ROOT}/Systems"] = Reply(302, headers={"Location": there})
    async with WrittenBmc(listen="127.0.0.2") as other:
        with pytest.raises(Refused, match="another server"):
            await guard.observe()
        assert other.requests == []


async def test_links_to_another_origin_are_refused(peer: WrittenBmc, guard: Bmc) -> None:
    """A link in a body leads nowhere else either, the reset's target least of all."""
    actions = {"#ComputerSystem.Reset": {"target": "https://127.0.0.2/reset"}}
    peer.pages[SYSTEM] = Reply(body=peer.system_body(Actions=actions))
    with pytest.raises(Refused, match="another server"):
        await guard.power_on()
    assert peer.seen("POST") == []


async def test_redirects_at_home_are_followed(peer: WrittenBmc, guard: Bmc) -> None:
    """308 within the BMC, as iLO 4 gives for a missing slash, is followed by GET and POST; circles end."""
    peer.pages[f"{ROOT}/moved"] = peer.reset
    peer.pages[RESET] = Reply(308, headers={"Location": f"{ROOT}/moved"})
    await guard.power_on()
    assert peer.seen("POST") == [RESET, f"{ROOT}/moved"]
    peer.pages[SYSTEM] = Reply(308, headers={"Location": SYSTEM})
    with pytest.raises(Refused, match="without end"):
        await guard.observe()


@pytest.mark.parametrize(("fingerprint", "why"), [
    ("ab" * 20, "SHA-1"), ("ab" * 31, "62 digits"), ("zz" * 32, "hexadecimal"), ("a", "1 digits"),
])
async def test_malformed_pin_is_refused_at_construction(fingerprint: str, why: str, clock: HandClock) -> None:
    """A pin that cannot be right is never silently ignored."""
    with pytest.raises(ValueError, match=f"BMC ilo1.*{why}"):
        Bmc("ilo1", "u", "p", clock, logins=RefusedLogins(clock), fingerprint=fingerprint)


async def test_ca_file_that_is_none_is_refused_at_construction(tmp_path: Path, clock: HandClock) -> None:
    """A missing or senseless ca_file is told before the first night."""
    (tmp_path / "empty.pem").write_text("no certificate")
    for name in ("absent.pem", "empty.pem"):
        with pytest.raises(ValueError, match=name):
            Bmc("ilo1", "u", "p", clock, logins=RefusedLogins(clock), ca_file=tmp_path / name)
