"""Stock self-signed certificates: what is trusted by settings, by pin, by a verified vCenter's word, and what never."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import pytest
import trustme

from peers.vsphere import VirtualVsphere
from thermo_guard.adapters.vsphere import TlsTrust, Vsphere
from thermo_guard.adapters.vsphere.trust import sha256
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Fault, Refused

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]

OTHER = "ab" * 32


class Ahead(Protocol):
    ahead_s: float


class Pinned(dict[str, str]):
    """SHA-256 by host:port, as a person has trusted them; may change while the guard runs."""

    def pin_of(self, endpoint: str) -> str | None:
        return self.get(endpoint)


async def test_one_pin_is_enough_for_a_stock_site(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """With vCenter pinned, each host is trusted by the certificate that vCenter shows of it; without, nobody is."""
    plant = start_plant(hosts=2, vms=2, self_signed=True)
    assert len(set(plant.fingerprints.values())) == 3
    with pytest.raises(Refused, match=r"not trusted.*thermo-guard pin") as told:
        await open_vsphere(plant, tls=TlsTrust()).observe()
    assert told.value.trouble is Trouble.UNTRUSTED
    assert plant.count() == {}
    adapter = open_vsphere(plant, tls=TlsTrust(), pins=Pinned({plant.vcenter: plant.fingerprint}))
    seen = await adapter.observe()
    assert {host.name: host.thumbprint for host in seen.hosts} == {
        host.name: plant.fingerprints[host.name] for host in plant.hosts
    }
    for host in plant.hosts:
        await adapter.look_at_host(host.name, host.address)


async def test_an_earlier_days_thumbprint_is_trusted(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """With vCenter off and only the journal's word, a host is trusted by what vCenter showed; by another, it is not."""
    plant = start_plant(hosts=1, vms=1, self_signed=True)
    host = plant.hosts[0]
    adapter = open_vsphere(plant, tls=TlsTrust())
    with pytest.raises(Refused, match="not trusted"):
        await adapter.look_at_host(host.name, host.address, OTHER)
    assert plant.count() == {}
    await adapter.look_at_host(host.name, host.address, plant.fingerprints[host.name])


async def test_a_host_is_pinned_by_itself(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A host's own pin is enough where vCenter has shown nothing, and stands above what vCenter shows."""
    plant = start_plant(hosts=1, vms=1, self_signed=True)
    host = plant.hosts[0]
    pins = Pinned({host.address: plant.fingerprints[host.name], plant.vcenter: plant.fingerprint})
    await open_vsphere(plant, tls=TlsTrust(), pins=pins).look_at_host(host.name, host.address)
    pins[host.address] = OTHER
    adapter = open_vsphere(plant, tls=TlsTrust(), pins=pins)
    assert (await adapter.observe()).hosts[0].thumbprint == plant.fingerprints[host.name]
    with pytest.raises(Refused, match="another certificate") as told:
        await adapter.look_at_host(host.name, host.address)
    assert told.value.trouble is Trouble.WRONG_PIN


async def test_the_settings_stand_above_a_pin(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """VCENTER_FINGERPRINT decides where there is also a pin, for and against."""
    plant = start_plant(hosts=1, vms=1, self_signed=True)
    right, wrong = plant.fingerprint, OTHER
    trusting = open_vsphere(plant, tls=TlsTrust(fingerprint=right), pins=Pinned({plant.vcenter: wrong}))
    await trusting.observe()
    with pytest.raises(Refused, match="thermo-guard pin --print") as told:
        await open_vsphere(plant, tls=TlsTrust(fingerprint=wrong), pins=Pinned({plant.vcenter: right})).observe()
    assert told.value.trouble is Trouble.WRONG_PIN


async def test_a_pin_stands_above_insecure(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """VCENTER_INSECURE opens what nobody has pinned; where a person has pinned, nothing else is trusted."""
    plant = start_plant(hosts=1, vms=1, self_signed=True)
    host, anyone = plant.hosts[0], TlsTrust(insecure=True)
    pins = Pinned({plant.vcenter: OTHER, host.address: OTHER})
    adapter = open_vsphere(plant, tls=anyone, pins=pins)
    with pytest.raises(Refused, match="Nothing was sent"):
        await adapter.observe()
    with pytest.raises(Refused, match="Nothing was sent"):
        await adapter.look_at_host(host.name, host.address, plant.fingerprints[host.name])
    assert plant.count() == {}
    pins[plant.vcenter] = plant.fingerprint
    assert (await adapter.observe()).hosts[0].thumbprint == plant.fingerprints[host.name]


async def test_an_unverified_vcenter_vouches_for_nobody(
    start_plant: StartPlant, open_vsphere: OpenVsphere, hand_clock: Ahead
) -> None:
    """Where vCenter itself was not verified its hosts are seen without thumbprints, so that none comes into the
    journal; once a person has pinned vCenter they are seen.
    """
    plant = start_plant(hosts=2, vms=2, self_signed=True)
    pins = Pinned()
    adapter = open_vsphere(plant, tls=TlsTrust(insecure=True), pins=pins)
    for _ in range(2):
        assert [host.thumbprint for host in (await adapter.observe()).hosts] == [None, None]
        hand_clock.ahead_s += 301
    pins[plant.vcenter] = plant.fingerprint
    plant.fault("RetrievePropertiesEx", "fault", fault="NotAuthenticated", count=1)
    assert all(host.thumbprint for host in (await adapter.observe()).hosts)


async def test_a_renewed_certificate_of_vcenter(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A pinned vCenter with a new certificate is refused from the first call on, looks and acts, until a person has
    pinned the new one; then the running guard goes on by itself.
    """
    plant = start_plant(hosts=1, vms=1, self_signed=True)
    pins = Pinned({plant.vcenter: plant.fingerprint})
    adapter = open_vsphere(plant, tls=TlsTrust(), pins=pins)
    vm = (await adapter.observe()).vms[0]
    plant.exchange_certificate("vcenter")
    plant.clear_count()
    stop = Command(Verb.SHUT_DOWN_GUEST, vm.id, vm.name, VCENTER)
    for ask in (adapter.observe, lambda: adapter.execute(stop), adapter.observe):
        with pytest.raises(Refused, match=r"Nothing was sent.*`thermo-guard pin`") as told:
            await ask()
        assert told.value.trouble is Trouble.WRONG_PIN
        assert plant.fingerprint in str(told.value)
    assert plant.count() == {}
    pins[plant.vcenter] = plant.fingerprint
    await adapter.execute(stop)
    assert plant.calls("ShutdownGuest", vm.name) == 1


async def test_a_certificate_that_the_ca_renewed(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Where a CA is trusted, a renewed certificate that it signed is taken in the middle of a session."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm = (await adapter.observe()).vms[0]
    plant.exchange_certificate("vcenter", signed=True)
    await adapter.execute(Command(Verb.SHUT_DOWN_GUEST, vm.id, vm.name, VCENTER))
    assert plant.calls("ShutdownGuest", vm.name) == 1


async def test_a_renewed_certificate_of_a_host(
    start_plant: StartPlant, open_vsphere: OpenVsphere, hand_clock: Ahead
) -> None:
    """A host's new certificate is refused until vCenter shows it too; that stands above what the journal remembers."""
    plant = start_plant(hosts=1, vms=1, self_signed=True)
    host, old = plant.hosts[0], plant.fingerprints
    adapter = open_vsphere(plant, tls=TlsTrust(fingerprint=plant.fingerprint))
    await adapter.observe()
    await adapter.look_at_host(host.name, host.address)
    plant.exchange_certificate(host.name, unknown=True)
    hand_clock.ahead_s += 301
    await adapter.observe()
    plant.clear_count()
    with pytest.raises(Refused, match="not trusted"):
        await adapter.look_at_host(host.name, host.address)
    assert plant.count() == {}
    plant.exchange_certificate(host.name)
    hand_clock.ahead_s += 301
    await adapter.observe()
    await adapter.look_at_host(host.name, host.address, old[host.name])


class Recorder:
    """A TLS server that takes everybody and keeps what it is sent; its nth connection shows the nth certificate, the
    last one from then on.
    """

    def __init__(self, folder: Path, *authorities: trustme.CA) -> None:
        self.received = b""
        self.met = 0
        self.shown: list[str] = []
        self._contexts = []
        for n, ca in enumerate(authorities):
            issued = ca.issue_cert("127.0.0.2")
            pem = folder / f"recorder-{n}.pem"
            issued.private_key_and_cert_chain_pem.write_to_path(str(pem))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            self._contexts.append(context)
            self.shown.append(sha256(issued.cert_chain_pems[0].bytes().decode()))

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.2", 0))
        self.address = f"127.0.0.2:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            context = self._contexts[min(self.met, len(self._contexts) - 1)]
            self.met += 1
            with ExitStack() as stack:
                stack.enter_context(plain)
                plain.settimeout(5)
                try:
                    secured = stack.enter_context(context.wrap_socket(plain, server_side=True))
                    while said := secured.recv(65536):
                        self.received += said
                except OSError:
                    continue


WAYS = {
    "no CA knows it": TlsTrust(),
    "another CA": TlsTrust(ca_file="other"),
    "the settings' fingerprint": TlsTrust(fingerprint=OTHER),
    "a pin": TlsTrust(),
    "a pin above insecure": TlsTrust(insecure=True),
}


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_is_sent_to_who_is_not_trusted(
    way: str, start_plant: StartPlant, open_vsphere: OpenVsphere, tmp_path: Path
) -> None:
    """On the wire: vCenter and host alike get a TLS handshake and not one byte more, least of all the password."""
    plant = start_plant(hosts=1, vms=1)
    trust = WAYS[way]
    if trust.ca_file is not None:
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
        trust = TlsTrust(ca_file=str(tmp_path / "other.pem"))
    with Recorder(tmp_path, trustme.CA()) as recorder:
        plant.vcenter = recorder.address
        pins = Pinned({recorder.address: OTHER} if "pin" in way.split() else {})
        adapter = open_vsphere(plant, tls=trust, pins=pins)
        with pytest.raises(Refused):
            await adapter.observe()
        if "fingerprint" not in way:
            with pytest.raises(Refused):
                await adapter.look_at_host("esx", recorder.address, "cd" * 32)
        await adapter.aclose()
    assert recorder.met >= 1
    assert recorder.received == b""


async def test_who_steps_in_after_the_comparison_gets_nothing(
    start_plant: StartPlant, open_vsphere: OpenVsphere, tmp_path: Path
) -> None:
    """Whoever shows the pinned certificate first and has another on the connection that would carry the password is
    refused there too.
    """
    plant = start_plant(hosts=1, vms=1)
    with Recorder(tmp_path, trustme.CA(), trustme.CA()) as recorder:
        plant.vcenter = recorder.address
        adapter = open_vsphere(plant, tls=TlsTrust(), pins=Pinned({recorder.address: recorder.shown[0]}))
        with pytest.raises(Fault):
            await adapter.observe()
        await adapter.aclose()
    assert recorder.met == 2
    assert recorder.received == b""


async def test_the_recorder_records(start_plant: StartPlant, open_vsphere: OpenVsphere, tmp_path: Path) -> None:
    """What the two tests above would see of a byte sent: the same server, trusted, gets the first call."""
    plant = start_plant(hosts=1, vms=1)
    with Recorder(tmp_path, trustme.CA()) as recorder:
        plant.vcenter = recorder.address
        adapter = open_vsphere(plant, tls=TlsTrust(), pins=Pinned({recorder.address: recorder.shown[0]}))
        with pytest.raises(Fault):
            await adapter.observe()
        await adapter.aclose()
    assert recorder.received.startswith(b"POST /sdk")
