"""How long one look at a large cluster takes, and how many calls it is.

    python -m bench.inventory [--vms 8000] [--hosts 96] [--runs 7]

`Vsphere.observe` against the simulator, over TLS: the first look with the login in it, the first look of a session
that stands (all that changes slowly, as every five minutes), and the ordinary look of an incident. Beside them the bare
request: the same bytes read from the same server and not looked at, which is the simulator's own share. Its ratio says
what the guard adds; a real vCenter has a share of its own.
"""

import argparse
import asyncio
import ssl
import sys
import tempfile
import time
from http.client import HTTPSConnection
from pathlib import Path

import structlog
import trustme

from bench.table import Report
from peers.vsphere import PASSWORD, USER, VirtualVsphere
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.vsphere import TlsTrust, Vsphere, inventory
from thermo_guard.engine.logins import RefusedLogins

GOAL_S = 2.0
PAGE = 2000
_KINDS = {
    "RetrievePropertiesEx": "property-collector calls", "ContinueRetrievePropertiesEx": "further pages",
}


class AheadClock(SteadyClock):
    """The real clock, which can be put forward, so that what is read every five minutes is read again."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


class Bare:
    """A client of nothing but bytes: asks for the same properties and throws the answer away."""

    def __init__(self, plant: VirtualVsphere, ca_file: str) -> None:
        host, port = plant.vcenter.split(":")
        self._line = HTTPSConnection(host, int(port), context=ssl.create_default_context(cafile=ca_file), timeout=60)
        self._cookie = ""
        self._post(f'<Login xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this>'
                   f"<userName>{USER}</userName><password>{PASSWORD}</password></Login>")

    def vms(self, cluster: str, paths: tuple[str, ...]) -> tuple[float, int]:
        """Seconds and bytes of all pages."""
        wanted = "".join(f"<pathSet>{path}</pathSet>" for path in paths)
        began = time.perf_counter()
        answer = self._post(
            '<RetrievePropertiesEx xmlns="urn:vim25" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            '<_this type="PropertyCollector">propertyCollector</_this><specSet>'
            f"<propSet><type>VirtualMachine</type>{wanted}</propSet>"
            f'<objectSet><obj type="ClusterComputeResource">{cluster}</obj><skip>true</skip>'
            '<selectSet xsi:type="TraversalSpec"><type>ClusterComputeResource</type><path>host</path><skip>true</skip>'
            '<selectSet xsi:type="TraversalSpec"><type>HostSystem</type><path>vm</path><skip>false</skip></selectSet>'
            f"</selectSet></objectSet></specSet><options><maxObjects>{PAGE}</maxObjects></options>"
            "</RetrievePropertiesEx>")
        size = len(answer)
        while b"<token>" in answer[-400:] or b"<token>" in answer[:2000]:
            token = answer.partition(b"<token>")[2].partition(b"</token>")[0].decode()
            answer = self._post('<ContinueRetrievePropertiesEx xmlns="urn:vim25"><_this type="PropertyCollector">'
                                f"propertyCollector</_this><token>{token}</token></ContinueRetrievePropertiesEx>")
            size += len(answer)
        return time.perf_counter() - began, size

    def _post(self, body: str) -> bytes:
        envelope = (f'<?xml version="1.0"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/">'
                    f"<Body>{body}</Body></Envelope>")
        self._line.request("POST", "/sdk", envelope, {"Cookie": self._cookie, "Content-Type": "text/xml"})
        answer = self._line.getresponse()
        self._cookie = answer.getheader("Set-Cookie", self._cookie)
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the simulator answers {answer.status}: {told[:300]!r}")
        return told


async def look(hypervisor: Vsphere, vms: int) -> float:
    began = time.perf_counter()
    seen = await hypervisor.observe()
    took_s = time.perf_counter() - began
    if len(seen.vms) != vms:
        raise RuntimeError(f"{len(seen.vms)} VMs are seen, {vms} are there")
    return took_s


async def measure(plant: VirtualVsphere, ca_file: str, vms: int, runs: int, report: Report) -> None:
    login: list[float] = []
    cold: list[float] = []
    warm: list[float] = []
    bare_cold: list[float] = []
    bare_warm: list[float] = []
    counted: dict[str, dict[str, int]] = {}
    bare = Bare(plant, ca_file)
    cluster = ""
    for _ in range(runs):
        clock = AheadClock()
        hypervisor = Vsphere(plant.vcenter, USER, PASSWORD, clock, logins=RefusedLogins(clock), cluster=plant.cluster,
                             tls=TlsTrust(ca_file=ca_file))
        login.append(await look(hypervisor, vms))
        clock.ahead_s += 301
        plant.clear_count()
        cold.append(await look(hypervisor, vms))
        counted["complete"] = plant.count("vcenter")
        plant.clear_count()
        warm.append(await look(hypervisor, vms))
        counted["ordinary"] = plant.count("vcenter")
        cluster = hypervisor._cluster.ref or ""  # noqa: SLF001 - the bare request asks for the very same object
        for paths, took in (
            (inventory.VM_FAST + inventory.VM_NAMES + inventory.VM_GUEST, bare_cold), (inventory.VM_FAST, bare_warm)
        ):
            took.append((await asyncio.to_thread(bare.vms, cluster, paths))[0])
        await hypervisor.aclose()
    report.add("first look of all, with the login", "s", login, GOAL_S)
    report.add("complete look, as every five minutes", "s", cold, GOAL_S)
    report.add("ordinary look", "s", warm, GOAL_S)
    report.add("bare request, all properties of a complete look", "s", bare_cold, note="the simulator's share")
    report.add("bare request, properties of an ordinary look", "s", bare_warm, note="the simulator's share")
    report.add("complete look over bare request", "x", [a / b for a, b in zip(cold, bare_cold, strict=True)])
    report.add("ordinary look over bare request", "x", [a / b for a, b in zip(warm, bare_warm, strict=True)])
    for what, methods in counted.items():
        for method, name in _KINDS.items():
            report.add(f"{what} look: {name}", "", [methods.get(method, 0)])


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vms", type=int, default=8000)
    parser.add_argument("--hosts", type=int, default=96)
    parser.add_argument("--runs", type=int, default=5)
    told = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    report = Report("inventory")
    with tempfile.TemporaryDirectory(prefix="thermo-guard-bench-") as name:
        ca = trustme.CA()
        ca_file = Path(name) / "ca.pem"
        ca.cert_pem.write_to_path(str(ca_file))
        with VirtualVsphere(
            Path(name) / "plant", ca, hosts=told.hosts, vms=told.vms, esxi_prefix="", vm_boot_ms=1
        ) as plant:
            asyncio.run(measure(plant, str(ca_file), told.vms, told.runs, report))
    return report.show()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
