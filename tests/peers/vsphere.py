"""VMware's own simulator, made to behave like a plant: vCenter and a direct face for each ESXi host, over TLS.

    with VirtualVsphere(folder, ca, hosts=3, vms=10) as site: site.vcenter, site.hosts, site.state(), ...

Where the program comes from is said in thermo_guard.sim.wire.overlay. The process ends with its standard input, so
that a test run that is killed leaves nothing behind.
"""

import json
import os
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme

from peers import absent
from thermo_guard.sim.wire import overlay

USER = "administrator@vsphere.local"
PASSWORD = "VMware1!"
ESXI_USER = "root"


@dataclass(frozen=True, slots=True)
class HostFace:
    """One host of the cluster, and where its own API listens."""

    name: str
    address: str
    uuid: str
    serial: str


class VirtualVsphere:
    """One plant as a process. Options of the program are keywords: `guest_ms=50` is `-guest-ms 50`.

    :param folder: where its certificate goes.
    :param ca: the authority that signs it; its `cert_pem` is what a client must trust.
    :param self_signed: each face has instead a certificate of its own, as when it was installed: see `fingerprints`.
    :param vcenter_name: host name of vCenter; a resolver of the test must know `names`. Without it, its address.
    :param host_names: the same for the hosts, with %d for the number: `esx%d.lab.test`.
    """

    def __init__(
        self, folder: Path, ca: trustme.CA, *, hosts: int = 3, vms: int = 6, deny: tuple[str, ...] = (),
        self_signed: bool = False, vcenter_name: str = "", host_names: str = "", **options: object,
    ) -> None:
        self._folder = folder
        self._ca = ca
        # Each test process has addresses of its own, as several run at once and a host is known by its address.
        self._prefix = f"127.{64 + os.getpid() // 250 % 64}.{os.getpid() % 250}."
        given = {"hosts": hosts, "vms": vms, "esxi_prefix": self._prefix, "esxi_port": 0, "vcenter_name": vcenter_name,
                 "host_names": host_names, **options}
        self._flags = [part for name, value in given.items()
                       for part in ([f"-{name.replace('_', '-')}={int(value)}"] if isinstance(value, bool)
                                    else [f"-{name.replace('_', '-')}", str(value)])]
        self._flags += [part for rule in deny for part in ("-deny", rule)]
        self._hosts = hosts
        self._is_self_signed = self_signed
        self._dns_names = [vcenter_name] if vcenter_name else []
        self._dns_names += [host_names % i for i in range(1, hosts + 1)] if host_names else []
        self._process: subprocess.Popen[str] | None = None
        self.vcenter = ""
        """host:port; empty with `standalone=True`."""
        self.cluster = ""
        self.hosts: tuple[HostFace, ...] = ()
        self.vms: tuple[str, ...] = ()
        self.other_vms: tuple[str, ...] = ()
        self.control = ""
        """host:port of the control face, plain HTTP."""
        self.names: dict[str, str] = {}
        """What a resolver has to answer: IP address by host name; empty where everything is known by its address."""

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        signed = [] if self._is_self_signed else self._issue()
        self._process = subprocess.Popen(
            [str(program()), "-die-with-stdin", *signed, *self._flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"virtual_vsphere ended with {self._process.wait()}")
        ready = json.loads(line)
        self.vcenter, self.control, self.cluster = ready["vcenter"], ready["control"], ready["cluster"]
        self.hosts = tuple(HostFace(**host) for host in ready["hosts"])
        self.vms, self.other_vms = tuple(ready["vms"] or ()), tuple(ready["other_vms"] or ())
        self.names = ready["names"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    @property
    def process_id(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that vCenter shows now; all others show the same unless they are self-signed."""
        return self.fingerprints["vcenter"]

    @property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of what each face shows now: of `vcenter`, and of each host by its name."""
        return self._get("/certificates")  # type: ignore[no-any-return]

    def exchange_certificate(self, face: str, *, unknown: bool = False, signed: bool = False) -> None:
        """Give a face (`vcenter` or a host's name) a new certificate, as a person does who renews it.

        :param unknown: vCenter goes on showing the old one of its host.
        :param signed: the CA signs it; else it is self-signed.
        """
        self.post("/certificate", face=face, unknown=unknown, **(dict(zip(
            ("cert", "key"), self._issue()[1::2], strict=True)) if signed else {}))

    def state(self) -> dict[str, Any]:
        """Hosts, VMs, clusters, timing and vCenter as they really are."""
        return self._get("/state")  # type: ignore[no-any-return]

    def vm(self, name: str) -> dict[str, Any]:
        """One VM's line of `state`."""
        return next(vm for vm in self.state()["vms"] if vm["name"] == name)

    def host(self, name: str) -> dict[str, Any]:
        """One host's line of `state`."""
        return next(host for host in self.state()["hosts"] if host["name"] == name)

    def calls(self, method: str, name: str | None = None) -> int:
        """How many calls of a method that changes something arrived, of one object where it is named."""
        entries = [e for e in self.log() if e["what"] == "call" and e.get("method") == method]
        return len([e for e in entries if name in {None, e["object"]}])

    def log(self, since: int = 0, wait_s: float = 0) -> list[dict[str, Any]]:
        """The plant's journal, entries after `since`; waits for one where there is none yet."""
        return self._get(f"/log?since={since}&wait={wait_s}")  # type: ignore[no-any-return]

    def count(self, face: str | None = None) -> dict[str, int]:
        """How often each method has been called since `clear_count`."""
        told = self._get("/count")
        return told["methods"] if face is None else told["faces"].get(face, {})  # type: ignore[no-any-return]

    def clear_count(self) -> None:
        self.post("/count")

    def fault(self, method: str, kind: str, **rule: object) -> None:
        """Make calls fail: kind fault, task, timeout or drop; rule may hold name, face, fault, count."""
        self.post("/fault", method=method, kind=kind, **rule)

    def end_sessions(self, face: str = "") -> None:
        """Let every session expire, of one face (`vcenter` or a host's name) or of all."""
        self.post("/sessions", face=face)

    def change_vm(self, name: str, **change: object) -> None:
        self.post("/vm", name=name, **change)

    def change_host(self, name: str, **change: object) -> None:
        self.post("/host", name=name, **change)

    def post(self, path: str, **form: object) -> None:
        """Use any of the control face's verbs; True and False are 1 and 0.

        :raises urllib.error.HTTPError: it does not take it.
        """
        told = {k.replace("_", "-"): int(v) if isinstance(v, bool) else v for k, v in form.items()}
        data = urllib.parse.urlencode(told).encode()
        with urllib.request.urlopen(f"http://{self.control}{path}", data=data, timeout=10) as answer:
            answer.read()

    def wait(self, what: Callable[[dict[str, Any]], bool], within_s: float = 15) -> None:
        """Wait until the plant's state is so, looking again with each journal entry and at least ten times a second.

        :raises TimeoutError: it did not become so.
        """
        deadline = time.monotonic() + within_s
        while True:
            entries = self.log()
            if what(self.state()):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"not so within {within_s} s; the last entries: {entries[-5:]}")
            self.log(since=entries[-1]["n"] if entries else 0, wait_s=0.1)

    def _issue(self) -> list[str]:
        """A chain and its key for all faces, as options of the program."""
        addresses = ["127.0.0.2", *(f"{self._prefix}{i}" for i in range(1, self._hosts + 1))]
        issued = self._ca.issue_cert(*addresses, *self._dns_names)
        chain, key = self._folder / "chain.pem", self._folder / "key.pem"
        chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        return ["-cert", str(chain), "-key", str(key)]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.control}{path}", timeout=90) as answer:
            return json.loads(answer.read())


def program() -> Path:
    """Build the program where its sources have changed; skips the test where there is no Go and none can be had."""
    try:
        return overlay.program()
    except overlay.OverlayMissing as missing:
        absent("virtual_vsphere", str(missing))
