"""`thermo-guard pin` as a process, with factory certificates: the simulated plant's own, and those of sushy BMCs."""

import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from e2e.guard import GuardProcess, story
from peers.meraki import KEY
from peers.meraki_process import MerakiProcess
from peers.meraki_room import NETWORK
from peers.sushy import FakeSystem, SushyBmc, running
from peers.vsphere import ESXI_USER, PASSWORD, USER, VirtualVsphere

SENSORS = ("Q2AA-0000-0001", "Q2AA-0000-0002", "Q2AA-0000-0003")


@dataclass
class FactorySite:
    """Two hosts with vCenter on the first and their BMCs; no authority is known for any of them."""

    vsphere: VirtualVsphere
    meraki: MerakiProcess
    bmcs: list[SushyBmc]
    folder: Path

    def environment(self, **changes: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "MERAKI_API_KEY": KEY, "MERAKI_NETWORK_ID": NETWORK, "MERAKI_API_BASE_URL": self.meraki.url,
            "VCENTER_HOST": self.vsphere.vcenter, "VCENTER_USER": USER, "VCENTER_PASSWORD": PASSWORD,
            "VCENTER_CLUSTER": self.vsphere.cluster, "ESXI_USER": ESXI_USER, "ESXI_PASSWORD": PASSWORD,
            "ILO_HOSTS": self.ilo_hosts(), "DATA_DIR": str(self.folder / "data"), "NOTIFY_URLS": "json://127.0.0.1:9/",
            **changes,
        }

    def ilo_hosts(self, **more: str) -> str:
        return json.dumps([
            {"host": bmc.address, "username": bmc.username, "password": bmc.password, **more} for bmc in self.bmcs
        ])

    def ask(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run the command with nobody to answer its questions."""
        return subprocess.run(
            [sys.executable, "-c", "from thermo_guard.cli import app; app()", *arguments], cwd=self.folder,
            capture_output=True, text=True, check=False, timeout=120, env=self.environment(**changes),
            stdin=subprocess.DEVNULL,
        )

    def answer(self, *arguments: str, answers: str) -> tuple[int, str]:
        """Run the command on a terminal, with a person's answers typed ahead."""
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", "from thermo_guard.cli import app; app()", *arguments], cwd=self.folder,
            env=self.environment(), stdin=its, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        os.close(its)
        os.write(ours, answers.encode())
        said, _ = process.communicate(timeout=120)
        os.close(ours)
        return process.returncode, said

    def check(self, **changes: str) -> tuple[int, str]:
        """The exit code, and each failure with its remedy."""
        done = self.ask("check", "--json", **changes)
        assert done.stdout, done.stderr
        failed = [one for one in json.loads(done.stdout)["findings"] if one["verdict"] == "fail"]
        return done.returncode, "\n".join(f"{one['text']} -> {one['remedy']}" for one in failed)

    def pins(self) -> Any:
        file = self.folder / "data" / "pins.json"
        return json.loads(file.read_text()) if file.exists() else None


@pytest.fixture(scope="module")
def peers_of_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FactorySite]:
    folder, ca = tmp_path_factory.mktemp("factory_site"), trustme.CA()
    with ExitStack() as stack:
        vsphere = stack.enter_context(
            VirtualVsphere(folder / "vsphere", ca, hosts=2, vms=3, vcenter_vm="vcsa", self_signed=True)
        )
        meraki = stack.enter_context(MerakiProcess(*(part for one in SENSORS for part in ("--sensor", f"{one}=22"))))
        bmcs = [
            SushyBmc(folder / f"bmc{n}", ca, [FakeSystem(host.uuid, extra={"SerialNumber": host.serial})],
                     listen=f"127.0.0.{n}")
            for n, host in enumerate(vsphere.hosts, 41)
        ]
        stack.enter_context(running(bmcs))
        yield FactorySite(vsphere, meraki, bmcs, folder)


@pytest.fixture
def site(peers_of_site: FactorySite, tmp_path: Path) -> FactorySite:
    """The same peers, and a data folder that is not there yet."""
    return FactorySite(peers_of_site.vsphere, peers_of_site.meraki, peers_of_site.bmcs, tmp_path)


def spelt(sha256: str) -> str:
    return bytes.fromhex(sha256).hex(":").upper()


def requests(site: FactorySite) -> int:
    """How much was asked of all that is not trusted."""
    return sum(len(bmc.requests()) for bmc in site.bmcs) + sum(site.vsphere.count().values())


def test_what_is_confirmed_is_trusted_and_a_change_is_refused(site: FactorySite) -> None:
    """The first evening, and a renewed certificate: shown, confirmed, trusted; changed, refused, named, trusted."""
    before = requests(site)
    shown = site.ask("pin")
    assert shown.returncode == 2
    assert "say --yes" in shown.stderr
    code, failures = site.check()
    assert code == 1
    assert failures.count("`thermo-guard pin`") >= 3
    assert site.pins() is None
    assert not (site.folder / "data").exists()
    assert requests(site) == before

    pinned = site.ask("pin", "--yes")
    assert pinned.returncode == 0, pinned.stdout + pinned.stderr
    assert spelt(site.vsphere.fingerprint) in shown.stdout
    assert all(spelt(bmc.fingerprint) in shown.stdout for bmc in site.bmcs)
    assert "ESXi hosts: nothing to pin" in shown.stdout
    assert PASSWORD not in shown.stdout + pinned.stdout
    assert site.check() == (0, "")
    assert site.ask("pin").returncode == 0  # nothing is left to ask

    bmc, old = site.bmcs[0], site.bmcs[0].fingerprint
    bmc.renew_certificate()
    site.vsphere.exchange_certificate("vcenter")
    asked = len(bmc.requests()), site.vsphere.count()
    code, failures = site.check()
    assert code == 1
    assert f"`thermo-guard pin {bmc.address}`" in failures
    assert "`thermo-guard pin` with vCenter's address" in failures
    assert (len(bmc.requests()), site.vsphere.count()) == asked
    unnamed = site.ask("pin", "--yes")
    assert unnamed.returncode == 1
    assert f"BMC {bmc.address}  CHANGED since it was pinned" in unnamed.stdout
    assert spelt(old) in unnamed.stdout
    assert spelt(bmc.fingerprint) in unnamed.stdout
    assert site.pins()[bmc.address]["sha256"] == old
    named = site.ask("pin", bmc.address, site.vsphere.vcenter, "--yes")
    assert named.returncode == 0, named.stdout
    assert site.check() == (0, "")


def test_the_lines_for_the_settings_do_the_same(site: FactorySite) -> None:
    """`--print` writes nothing, and what it prints works where it is pasted; no password is in it."""
    done = site.ask("pin", "--print")
    assert done.returncode == 0, done.stderr
    assert site.pins() is None
    assert not any(secret in done.stdout + done.stderr for secret in (PASSWORD, site.bmcs[0].password))
    (line,) = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    name, _, value = line.partition("=")
    assert name == "VCENTER_FINGERPRINT"
    fragments = [json.loads("{" + line.removeprefix("#") + "}") for line in done.stdout.splitlines()
                 if line.startswith("#   ")]
    entries = [entry | more for entry, more in zip(json.loads(site.ilo_hosts()), fragments, strict=True)]
    assert site.check(VCENTER_FINGERPRINT=value, ILO_HOSTS=json.dumps(entries)) == (0, "")


def test_the_settings_own_fingerprint_stands_above_a_pin(site: FactorySite) -> None:
    """A pin cannot mend a fingerprint that is set and wrong: it is said where that stands."""
    assert site.ask("pin", "--yes").returncode == 0
    done = site.ask("pin", site.vsphere.vcenter, "--yes", VCENTER_FINGERPRINT="00" * 32)
    assert done.returncode == 1
    assert "another certificate than VCENTER_FINGERPRINT says" in done.stdout
    assert site.check(VCENTER_FINGERPRINT="00" * 32)[0] == 1


def test_one_that_does_not_answer_holds_up_no_other(site: FactorySite) -> None:
    """It is told, the exit code says that not all is done, and the others are pinned."""
    entries = [*json.loads(site.ilo_hosts()), {"host": "127.0.0.1:9", "username": "u", "password": "long enough"}]
    done = site.ask("pin", "--yes", "--json", ILO_HOSTS=json.dumps(entries))
    assert done.returncode == 1
    told = {one["endpoint"]: one for one in json.loads(done.stdout)}
    assert told["127.0.0.1:9"]["standing"] == "silent"
    assert sorted(site.pins()) == sorted(name for name in told if name != "127.0.0.1:9")
    assert all(one["is_pinned_now"] for name, one in told.items() if name != "127.0.0.1:9")


def test_a_person_is_asked_once_and_for_each_change(site: FactorySite) -> None:
    """One question for all that is new; a certificate that changed has a question of its own, and no is no."""
    code, said = site.answer("pin", answers="n\n")
    assert code == 1
    assert "Trust these 3 certificates from now on" in said
    assert site.pins() is None
    assert site.answer("pin", answers="y\n")[0] == 0
    bmc = site.bmcs[1]
    old = bmc.fingerprint
    bmc.renew_certificate()
    code, said = site.answer("pin", answers="n\n")
    assert code == 1
    assert f"{bmc.address} CHANGED its certificate" in said
    assert site.pins()[bmc.address]["sha256"] == old
    assert site.answer("pin", answers="y\n")[0] == 0
    assert site.pins()[bmc.address]["sha256"] == bmc.fingerprint


def test_a_pin_is_taken_back(site: FactorySite) -> None:
    """After `--forget` nothing is sent there; a name that is nowhere ends in words."""
    bmc = site.bmcs[0]
    assert site.ask("pin", "--yes").returncode == 0
    assert site.ask("pin", "--forget", bmc.address).returncode == 0
    assert bmc.address in site.check()[1]
    assert site.ask("pin", "--forget", bmc.address).returncode == 1
    unknown = site.ask("pin", "nowhere")
    assert unknown.returncode == 2
    assert site.vsphere.vcenter in unknown.stderr


def test_damaged_pins_are_told_by_the_files_name(site: FactorySite) -> None:
    """Nothing is pinned over what cannot be read, and `check` does not take it for an empty file in silence."""
    assert site.ask("pin", "--yes").returncode == 0
    file = site.folder / "data" / "pins.json"
    file.write_text("{")
    done = site.ask("pin", "--yes")
    assert done.returncode == 1
    assert f"{file} is damaged" in done.stderr
    assert file.read_text() == "{"
    checked = site.ask("check")
    assert checked.returncode == 1
    assert str(file) in checked.stderr


class Sink(ThreadingHTTPServer):
    """Where NOTIFY_URLS lead: keeps what people are told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taken)
        self.titles: list[str] = []
        self.bodies: list[str] = []

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/"


class _Taken(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, Sink)
        self.server.bodies.append(told["message"])  # first: whoever has seen the title reads it
        self.server.titles.append(told["title"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        return


@dataclass
class Running:
    """A guard that may be started and stopped, and what it tells."""

    guard: GuardProcess
    sink: Sink
    line: threading.Condition

    def wait(self, is_so: Callable[[], object], within_s: float = 120) -> None:
        deadline = time.monotonic() + within_s
        with self.line:
            while not is_so():
                assert time.monotonic() < deadline, story(self.guard.lines)
                self.line.wait(0.2)


@pytest.fixture
def start_guard(site: FactorySite) -> Iterator[Callable[..., Running]]:
    with ExitStack() as stack:

        def start(**settings: str) -> Running:
            sink = Sink()
            threading.Thread(target=sink.serve_forever, daemon=True).start()
            stack.callback(sink.server_close)
            stack.callback(sink.shutdown)
            line = threading.Condition()

            def changed() -> None:
                with line:
                    line.notify_all()

            given = site.environment(NOTIFY_URLS=sink.url, MODE="observe", **settings)
            del given["DATA_DIR"]
            guard = GuardProcess(site.folder, given, changed)
            stack.callback(guard.close)
            guard.start()
            return Running(guard, sink, line)

        yield start


def test_first_use_is_accepted_once_and_told(site: FactorySite, start_guard: Callable[..., Running]) -> None:
    """TLS_FIRST_USE=accept: all are trusted and told at the first start; a change after that is refused and told."""
    logins = site.vsphere.count().get("Login", 0)
    run = start_guard(TLS_FIRST_USE="accept")
    first = [f"Trusted at first use: the certificate of {whose}" for whose in
             (f"vCenter {site.vsphere.vcenter}", *(f"BMC {bmc.address}" for bmc in site.bmcs))]
    run.wait(lambda: all(any(line in title for title in run.sink.titles) for line in first))
    assert {name: pin["sha256"] for name, pin in site.pins().items()} == {
        site.vsphere.vcenter: site.vsphere.fingerprint, **{bmc.address: bmc.fingerprint for bmc in site.bmcs},
    }
    assert any(spelt(site.vsphere.fingerprint) in body for body in run.sink.bodies)
    run.wait(lambda: site.vsphere.count().get("Login", 0) > logins)  # and they are used

    run.guard.stop()
    bmc, old = site.bmcs[0], site.bmcs[0].fingerprint
    bmc.renew_certificate()
    asked = len(bmc.requests())
    run.guard.start()
    run.wait(lambda: any("has changed, and is refused" in title for title in run.sink.titles))
    assert any(bmc.address in title for title in run.sink.titles if "is refused" in title)
    assert site.pins()[bmc.address]["sha256"] == old
    assert len(bmc.requests()) == asked
    assert sum("Trusted at first use" in title for title in run.sink.titles) == 3


def test_a_running_guard_takes_up_a_new_pin(site: FactorySite, start_guard: Callable[..., Running]) -> None:
    """TLS_FIRST_USE=ask, the default: nothing is sent to vCenter until it is pinned beside the guard; then at once."""
    run = start_guard()
    run.wait(lambda: run.guard.of("look.failed", look="vCenter") and len(run.guard.of("look.failed")) >= 3)
    logins = site.vsphere.count().get("Login", 0)
    assert site.pins() is None
    assert site.ask("pin", "--yes").returncode == 0
    run.wait(lambda: run.guard.of("look.recovered", look="vCenter"))
    assert site.vsphere.count()["Login"] > logins
    run.wait(lambda: all(run.guard.of("look.recovered", look=f"BMC {bmc.address}") for bmc in site.bmcs))
