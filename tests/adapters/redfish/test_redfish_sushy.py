"""The contract of a PowerController against sushy-emulator, a BMC that nobody here wrote."""

import importlib.util
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from peers import absent
from peers.redfish_bench import Diary, PinBook
from peers.sushy import FakeSystem, SushyBmc
from thermo_guard import __version__
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.pins import PinFile
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.events import LoginRefused
from thermo_guard.core.plant import Power, Trouble
from thermo_guard.core.readings import Kind
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Ambiguous, Fault, PowerController, Refused, Unauthorized
from thermo_guard.survey import trouble_of

pytestmark = pytest.mark.peer

UUID = "27946B59-9E44-4FA7-8E91-F3527A1EF094"


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SushyBmc]:
    if importlib.util.find_spec("sushy_tools") is None:
        absent("sushy-emulator", "sushy-tools is not installed")
    system = FakeSystem(UUID, is_on=False, extra={"SerialNumber": "MXQ2390RHW", "SKU": "P28948-B21"})
    with SushyBmc(tmp_path_factory.mktemp("sushy"), trustme.CA(), [system], listen="127.0.0.9", delay_s=0) as bmc:
        yield bmc


def opened(peer: SushyBmc, **how: Any) -> Bmc:
    clock = SteadyClock()
    address, password = how.pop("address", peer.address), how.pop("password", peer.password)
    return Bmc(address, peer.username, password, clock, **{"logins": RefusedLogins(clock), **how})


@pytest.fixture
async def guard(peer: SushyBmc) -> AsyncIterator[Bmc]:
    bmc = opened(peer, ca_file=peer.ca_file)
    yield bmc
    await bmc.aclose()


async def test_its_inlet_is_found_and_then_read_by_one_request(peer: SushyBmc, guard: Bmc) -> None:
    """Of the sensors that the emulator shows the one at the intake is taken; a look later asks for nothing else."""
    poll = await guard.inlet()
    (reading,) = poll.readings
    assert (reading.sensor, reading.kind, poll.lists_all) == (peer.address, Kind.BMC, False)
    assert 0 < reading.celsius < 70
    before = len(peer.requests())
    assert (await guard.inlet()).readings[0].celsius == reading.celsius
    assert [one.path.rpartition("/")[2] for one in peer.requests()[before:]] == ["Thermal"]


async def test_what_it_is_and_its_power_are_seen(peer: SushyBmc, guard: Bmc) -> None:
    """A look shows the identity in lower case, the power and the resets on offer, under the address as given."""
    peer.set_power(False)
    controller: PowerController = guard
    seen = await controller.observe()
    assert (seen.address, seen.uuid, seen.power) == (peer.address, UUID.lower(), Power.OFF)
    assert seen.serials == ("MXQ2390RHW",)
    assert "On" in seen.allowed_resets
    peer.set_power(True)
    assert (await guard.observe()).power is Power.ON


async def test_power_on_from_off_asks_once_for_on_and_nothing_else(peer: SushyBmc, guard: Bmc) -> None:
    """Power-on is one POST of ResetType On, under our own name."""
    peer.set_power(False)
    before = len(peer.posts())
    await guard.power_on()
    assert [(post.body, post.user_agent) for post in peer.posts()[before:]] == [
        ('{"ResetType": "On"}', f"thermo-guard/{__version__}")
    ]
    assert (await guard.observe()).power is Power.ON


async def test_power_on_when_on_sends_nothing(peer: SushyBmc, guard: Bmc) -> None:
    """A machine that is on gets no POST at all."""
    peer.set_power(True)
    before = len(peer.posts())
    await guard.power_on()
    assert len(peer.posts()) == before


async def test_lost_answer_of_a_done_power_on_is_no_fault(peer: SushyBmc, guard: Bmc) -> None:
    """PowerState decides: when the answer was lost and the machine is on, nothing is wrong, and nothing is repeated."""
    peer.set_power(False)
    before = len(peer.posts())
    peer.lose_next_post(is_done=True)
    await guard.power_on()
    assert len(peer.posts()) == before + 1
    assert peer.power()


async def test_lost_answer_of_an_undone_power_on_is_ambiguous(peer: SushyBmc, guard: Bmc) -> None:
    """When the answer was lost and the machine is still off, nobody may take it for done or repeat it blindly."""
    peer.set_power(False)
    before = len(peer.posts())
    peer.lose_next_post(is_done=False)
    with pytest.raises(Ambiguous):
        await guard.power_on()
    assert len(peer.posts()) == before + 1


async def test_wrong_password_is_unauthorized_and_asked_once(peer: SushyBmc) -> None:
    """A refused login is told without the password, and the BMC hears no second one, from the next process neither."""
    diary = Diary(SteadyClock())
    before = len(peer.requests())
    for _ in range(2):
        bmc = opened(peer, password="not the password", ca_file=peer.ca_file, logins=diary.process())
        for act in (bmc.observe, bmc.observe, bmc.power_on):
            with pytest.raises(Unauthorized, match=r"refuses the login of guard.*not tried again before") as refused:
                await act()
            assert "not the password" not in str(refused.value)
        await bmc.aclose()
    assert [request.path for request in peer.requests()[before:]] == ["/redfish/v1/", "/redfish/v1/Systems"]
    assert [event.endpoint for event in diary.events if isinstance(event, LoginRefused)] == [peer.address]
    assert "not the password" not in repr(diary.events)


async def test_right_pin_is_taken_in_either_spelling(peer: SushyBmc) -> None:
    """A fingerprint works with colons in capitals and as bare hex, without any CA."""
    spelled = ":".join(peer.fingerprint[at:at + 2] for at in range(0, 64, 2)).upper()
    for pin in (peer.fingerprint, spelled):
        bmc = opened(peer, address=peer.url, fingerprint=pin)
        assert (await bmc.observe()).address == peer.url
        await bmc.aclose()


async def test_untrusted_certificate_gets_nothing(peer: SushyBmc) -> None:
    """Neither a wrong pin nor a CA that did not sign lets a single request through; both name the remedy."""
    before = len(peer.requests())
    wrong = opened(peer, fingerprint="ab" * 32)
    with pytest.raises(Refused, match=peer.fingerprint):
        await wrong.observe()
    system_cas = opened(peer)
    with pytest.raises(Refused, match="fingerprint or ca_file"):
        await system_cas.observe()
    for bmc in (wrong, system_cas):
        await bmc.aclose()
    assert len(peer.requests()) == before


async def test_foreign_ca_does_not_vouch(peer: SushyBmc, tmp_path: Path) -> None:
    """ca_file is the only anchor: another CA's signature is refused."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    bmc = opened(peer, ca_file=tmp_path / "other.pem")
    with pytest.raises(Refused, match="not trusted"):
        await bmc.observe()
    await bmc.aclose()


async def test_unverified_is_possible_and_loud(peer: SushyBmc) -> None:
    """The insecure mode works, and says so once and not at every look."""
    bmc = opened(peer, insecure=True)
    with capture_logs() as logs:
        await bmc.observe()
        await bmc.observe()
    await bmc.aclose()
    assert [entry["log_level"] for entry in logs if entry["event"] == "bmc.certificate_unchecked"] == ["warning"]


async def test_a_pin_counts_as_soon_as_it_is_there(peer: SushyBmc, tmp_path: Path) -> None:
    """What a person pins while the guard runs is trusted at the next look, without a restart, and without any CA."""
    by_hand = PinFile(tmp_path)  # what `thermo-guard pin` writes, and the guard reads
    bmc = opened(peer, pins=PinFile(tmp_path))
    with pytest.raises(Refused, match="`thermo-guard pin` shows it"):
        await bmc.observe()
    by_hand.trust({peer.address: (peer.fingerprint, "")}, "admin@nas", 0.0)
    assert (await bmc.observe()).uuid == UUID.lower()
    by_hand.forget(peer.address, "admin@nas", 0.0)
    with pytest.raises(Refused, match="not trusted"):
        await bmc.observe()
    await bmc.aclose()


@pytest.mark.parametrize("how", ["pins", "fingerprint"])
async def test_a_changed_certificate_gets_nothing_until_a_person_agrees(peer: SushyBmc, how: str) -> None:
    """A BMC that comes back with another certificate, be it of the same CA, is refused as a wrong pin, with both named.

    Then the pin is all that has to change: the guard goes on as it is.
    """
    old, pins = peer.fingerprint, PinBook({peer.address: peer.fingerprint})
    bmc = opened(peer, ca_file=peer.ca_file, **({"pins": pins} if how == "pins" else {"fingerprint": old}))
    await bmc.observe()
    peer.renew_certificate()
    before = len(peer.requests())
    with pytest.raises(Fault):  # the connection that was kept has ended, and with it the old certificate
        await bmc.observe()
    for act in (bmc.observe, bmc.power_on):
        with pytest.raises(Refused, match=f"{peer.fingerprint}, {old} is expected. Nothing was sent") as refused:
            await act()
        assert trouble_of(refused.value) is Trouble.WRONG_PIN
    assert len(peer.requests()) == before
    if how == "pins":
        pins[peer.address] = peer.fingerprint
        assert (await bmc.observe()).uuid == UUID.lower()
    await bmc.aclose()
