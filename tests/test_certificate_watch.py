"""Beside a running guard: trust at first use, and a changed certificate that is told; real endpoints, pins, BMC."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from peers.tls import TlsEndpoint, self_signed, signed
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.pins import PinFile
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.certificate_watch import CertificateWatch
from thermo_guard.core.commands import Command
from thermo_guard.core.finding import Finding
from thermo_guard.core.plant import ClusterSeen, HostSeen, MissingPrivilege, Trouble
from thermo_guard.core.readings import AlertCount, Poll
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.engine.lookout import Look, Lookout
from thermo_guard.ports import PowerController, Transient
from thermo_guard.trust import Endpoint, Kind

MakeBmc = Callable[[TlsEndpoint, PinFile], Bmc]


@dataclass
class Told:
    """A notifier that keeps what people are told."""

    messages: list[tuple[str, str, bool]] = field(default_factory=list)

    def tell(self, title: str, body: str, *, urgent: bool = False) -> None:
        self.messages.append((title, body, urgent))

    async def aclose(self, within_s: float) -> None: ...


class Nothing:
    """A site's other edges, which show nothing here."""

    async def poll(self) -> Poll:
        raise Transient("nothing")

    async def alert_count(self) -> AlertCount:
        raise Transient("nothing")

    async def observe(self) -> ClusterSeen:
        raise Transient("nothing")

    async def look_at_host(self, name: str, address: str, thumbprint: str | None = None) -> HostSeen:
        raise Transient("nothing")

    async def missing_privileges(self) -> tuple[MissingPrivilege, ...]:
        raise Transient("nothing")

    async def execute(self, command: Command, address: str | None = None) -> None:
        raise Transient("nothing")

    async def aclose(self) -> None: ...


@dataclass
class FastClock(SteadyClock):
    """The real clock; each sleep puts it forward and takes a thousandth of a second, so that others come to run."""

    ahead_s: float = 0.0

    def __post_init__(self) -> None:
        super().__init__()

    def now(self) -> float:
        return super().now() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        self.ahead_s += seconds
        await asyncio.sleep(0.001)


class Guard:
    """A lookout on one BMC with the watch beside it."""

    def __init__(self, folder: Path, endpoints: Sequence[Endpoint] = (), bmcs: Sequence[PowerController] = ()) -> None:
        self.clock = FastClock()
        self.pins = PinFile(folder)
        self.told = Told()
        self.lookout = Lookout(self.clock, Nothing(), Nothing(), bmcs)
        self.check: Look[Sequence[Finding]] = Look("check", self._nothing_found, self.clock)
        self.watch = CertificateWatch(self.pins, self.lookout, self.told, self.clock, endpoints, self.check)

    async def _nothing_found(self) -> Sequence[Finding]:
        return ()

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not is_so():  # noqa: ASYNC110 - a file on the disk has no event
                await asyncio.sleep(0.005)

    async def look(self) -> None:
        """One look of every BMC, taken in as the loop does."""
        for look in self.lookout.bmcs.values():
            look.ask_again()
            look.start_if_due(0)
            assert look.task is not None
            await asyncio.wait([look.task])
            look.take()


def at(endpoint: TlsEndpoint, *, fingerprint: str | None = None, ca_file: Path | None = None) -> Endpoint:
    return Endpoint(Kind.BMC, f"127.0.0.1:{endpoint.port}", "127.0.0.1", endpoint.port, fingerprint, ca_file)


@asynccontextmanager
async def running(guard: Guard) -> AsyncIterator[Guard]:
    guard.watch.start()
    try:
        yield guard
    finally:
        await guard.watch.aclose()


@pytest.fixture
async def bmc() -> AsyncIterator[MakeBmc]:
    made: list[Bmc] = []

    def make(endpoint: TlsEndpoint, pins: PinFile) -> Bmc:
        clock = SteadyClock()
        made.append(Bmc(f"127.0.0.1:{endpoint.port}", "guard", "correct horse", clock, logins=RefusedLogins(clock),
                        pins=pins, request_timeout_s=5.0))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()


async def test_the_first_certificate_is_trusted_and_told(tmp_path: Path) -> None:
    """TLS_FIRST_USE=accept: nobody is asked, and everybody is told what to compare; once."""
    async with TlsEndpoint(self_signed("ilo")) as endpoint, running(Guard(tmp_path, [at(endpoint)])) as guard:
        await guard.until(lambda: guard.told.messages)
        assert guard.pins.pin_of(f"127.0.0.1:{endpoint.port}") == endpoint.identity.sha256
        ((title, body, _),) = guard.told.messages
        assert title == f"Trusted at first use: the certificate of BMC 127.0.0.1:{endpoint.port}"
        assert bytes.fromhex(endpoint.identity.sha256).hex(":").upper() in body
        assert "CN=ilo" in body
        assert await endpoint.heard() == b""


@pytest.mark.parametrize("before", ["pinned", "forgotten", "vouched for"])
async def test_a_changed_certificate_is_never_accepted_that_way(tmp_path: Path, before: str) -> None:
    """Whoever stands in between later is not the first: a pin, one that was taken back, an authority's word count."""
    async with TlsEndpoint(self_signed("ilo")) as endpoint:
        pins, key = PinFile(tmp_path), f"127.0.0.1:{endpoint.port}"
        if before == "vouched for":
            pins.note_met(key, "ca", 1.0)
        else:
            pins.trust({key: ("aa" * 32, "")}, "me", 1.0)
        if before == "forgotten":
            pins.forget(key, "me", 1.0)
        kept = pins.read()
        async with running(Guard(tmp_path, [at(endpoint)])) as guard:
            await guard.until(lambda: guard.clock.ahead_s > 3600)
            assert guard.pins.read() == kept
            assert guard.told.messages == []


async def test_what_needs_no_pin_gets_none(tmp_path: Path) -> None:
    """An authority's word and the settings' own fingerprint need no first use; the former is remembered as met."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with TlsEndpoint(signed(ca, "127.0.0.1")) as vouched, TlsEndpoint(self_signed("ilo")) as told:
        endpoints = [at(vouched, ca_file=tmp_path / "ca.pem"), at(told, fingerprint=told.identity.sha256)]
        async with running(Guard(tmp_path, endpoints)) as guard:
            await guard.until(lambda: f"127.0.0.1:{vouched.port}" in guard.pins.read())
            vouched.show(self_signed("in between"))
        async with running(Guard(tmp_path, endpoints)) as again:
            await again.until(lambda: again.clock.ahead_s > 3600)
            assert [pin.sha256 for pin in again.pins.read().values()] == [""]
            assert again.told.messages == guard.told.messages == []


async def test_an_endpoint_that_comes_up_later_is_met_then(tmp_path: Path) -> None:
    """A BMC that did not answer at start is tried again, and holds up nobody else's first use."""
    async with TlsEndpoint(self_signed("late")) as late, TlsEndpoint(self_signed("there")) as there:
        await late.close()
        async with running(Guard(tmp_path, [at(late), at(there)])) as guard:
            await guard.until(lambda: guard.pins.pin_of(f"127.0.0.1:{there.port}"))
            assert guard.pins.pin_of(f"127.0.0.1:{late.port}") is None
            await late.listen()
            await guard.until(lambda: guard.pins.pin_of(f"127.0.0.1:{late.port}"))


async def test_a_changed_certificate_is_told_once(tmp_path: Path, bmc: MakeBmc) -> None:
    """The edge is told with both ways to mend it; nothing is sent to the BMC; each further look says nothing more."""
    async with TlsEndpoint(self_signed("ilo")) as endpoint:
        pins, key = PinFile(tmp_path), f"127.0.0.1:{endpoint.port}"
        pins.trust({key: ("aa" * 32, "")}, "me", 1.0)
        guard = Guard(tmp_path, bmcs=[bmc(endpoint, pins)])
        for _ in range(3):
            await guard.look()
            guard.watch.round()
        ((title, body, is_urgent),) = guard.told.messages
        assert title == f"The certificate has changed, and is refused: BMC {key}"
        assert endpoint.identity.sha256 in body
        assert "thermo-guard pin" in body
        assert is_urgent
        assert await endpoint.heard() == b""


async def test_a_new_pin_is_looked_at_at_once(tmp_path: Path, bmc: MakeBmc) -> None:
    """After `thermo-guard pin` beside a running guard nobody waits ten minutes for the next quiet look."""
    async with TlsEndpoint(self_signed("ilo")) as endpoint:
        pins, key = PinFile(tmp_path), f"127.0.0.1:{endpoint.port}"
        guard = Guard(tmp_path, bmcs=[bmc(endpoint, pins)])
        (look,) = guard.lookout.bmcs.values()
        guard.watch.round()
        await guard.look()
        assert look.fault is not None
        assert look.fault.trouble is Trouble.UNTRUSTED
        guard.check.start_if_due(3600)
        assert guard.check.task is not None
        await guard.check.task
        guard.check.take()
        guard.watch.round()
        assert look.due_in_s(600) > 500
        assert guard.check.due_in_s(3600) > 3500
        PinFile(tmp_path).trust({key: (endpoint.identity.sha256, "")}, "me", 1.0)
        guard.watch.round()
        assert look.due_in_s(600) == guard.check.due_in_s(3600) == 0
        assert guard.told.messages == []


async def test_pins_that_cannot_be_read_are_told_and_nothing_is_met(tmp_path: Path) -> None:
    """A damaged file is no fresh start: no endpoint is trusted at first use until it is mended."""
    async with TlsEndpoint(self_signed("ilo")) as endpoint:
        (tmp_path / "pins.json").write_text("{")
        async with running(Guard(tmp_path, [at(endpoint)])) as guard:
            await guard.until(lambda: guard.clock.ahead_s > 3600)
            ((title, body, is_urgent),) = guard.told.messages
            assert title == "The pinned certificates cannot be read"
            assert str(tmp_path / "pins.json") in body
            assert is_urgent
            assert (tmp_path / "pins.json").read_text() == "{"
            (tmp_path / "pins.json").unlink()
            await guard.until(lambda: guard.pins.pin_of(f"127.0.0.1:{endpoint.port}"))
