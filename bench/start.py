"""From the start of the process to its first decision, and how much memory it holds when nothing happens.

    python -m bench.start [--runs 5] [--idle 60]

The real `thermo-guard run` as a process with the environment of a user, against three real peers: the vSphere
simulator (32 hosts, 1,000 VMs), the Meraki peer, and OpenStack's BMC emulator, each over TLS. The first decision is the
first level of the room in the journal. Once without NOTIFY_URLS, once with two addresses, since those are checked at
start. MALLOC_TRIM_THRESHOLD_ is set as the container's image sets it; without it too, for those who run it bare.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme

from bench.table import Report
from e2e.guard import GuardProcess
from peers.meraki import KEY
from peers.meraki_process import MerakiProcess
from peers.meraki_room import NETWORK
from peers.sushy import FakeSystem, SushyBmc
from peers.vsphere import ESXI_USER, PASSWORD, USER, VirtualVsphere

DECISION_S, MEMORY_MB = 3.0, 110.0
BMCS = 3
"""Emulated ones; each is a process of 49 MB."""
IMAGE = {"MALLOC_TRIM_THRESHOLD_": "65536"}
NOTIFY = {"NOTIFY_URLS": "json://127.0.0.1:9/hook,mailto://guard:secret@example.org?to=admin@example.org"}


@contextmanager
def site(folder: Path, hosts: int, vms: int) -> Iterator[dict[str, str]]:
    """The peers; gives the guard's environment."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    with ExitStack() as stack:
        plant = stack.enter_context(VirtualVsphere(folder / "plant", ca, hosts=hosts, vms=vms))
        room = stack.enter_context(MerakiProcess(*(
            part for n in range(3) for part in ("--sensor", f"Q2AA-0000-000{n}=21.5"))))
        bmcs = [stack.enter_context(SushyBmc(folder / f"bmc{n}", ca, [FakeSystem(host.uuid)]))
                for n, host in enumerate(plant.hosts[:BMCS])]
        yield {
            "MERAKI_API_KEY": KEY, "MERAKI_NETWORK_ID": NETWORK, "MERAKI_API_BASE_URL": room.url,
            "VCENTER_HOST": plant.vcenter, "VCENTER_USER": USER, "VCENTER_PASSWORD": PASSWORD,
            "VCENTER_CLUSTER": plant.cluster, "VCENTER_CA_FILE": str(folder / "ca.pem"),
            "ESXI_USER": ESXI_USER, "ESXI_PASSWORD": PASSWORD,
            "ILO_HOSTS": json.dumps([{"host": b.address, "username": b.username, "password": b.password,
                                      "ca_file": str(b.ca_file)} for b in bmcs]),
        }


def start(folder: Path, environment: Mapping[str, str], idle_s: float) -> tuple[float, float, float]:
    """Seconds to the first decision; MB resident after `idle_s` of quiet; processor time a minute of it, seconds."""
    changed = threading.Condition()

    def notify() -> None:
        with changed:
            changed.notify_all()

    guard = GuardProcess(folder, environment, notify)
    guard.start()
    try:
        with changed:
            while not (decided := guard.of("level.changed")):
                if guard.has_ended or not changed.wait(30):
                    raise RuntimeError(f"no decision; its log: {guard.log_file.read_text()[-2000:]}")
        took_s = decided[0].at - guard.started_at
        if not idle_s:
            return took_s, 0.0, 0.0
        time.sleep(min(10.0, idle_s))  # the first look at the plant and the snapshot
        before = _processor_s(guard.process_id)
        memory = []
        for _ in range(10):
            time.sleep(idle_s / 10)
            memory.append(guard.memory_kb() / 1024)
        used_s = _processor_s(guard.process_id) - before
        return took_s, statistics.median(memory), used_s * 60 / idle_s
    finally:
        guard.close()


def _processor_s(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds")
    parser.add_argument("--hosts", type=int, default=32)
    parser.add_argument("--vms", type=int, default=1000)
    told = parser.parse_args()
    report = Report("start")
    with tempfile.TemporaryDirectory(prefix="thermo-guard-bench-") as name, \
            site(Path(name), told.hosts, told.vms) as environment:
        for what, more in (("as in the image", IMAGE), ("with NOTIFY_URLS", IMAGE | NOTIFY), ("bare", {})):
            taken = [start(Path(name) / f"{what}-{n}", environment | more, told.idle if n == 0 else 0.0)
                     for n in range(told.runs)]
            report.add(f"{what}: start to first decision", "s", [one[0] for one in taken], DECISION_S)
            report.add(f"{what}: resident when idle", "MB", [taken[0][1]], MEMORY_MB)
            report.add(f"{what}: processor time a minute when idle", "s", [taken[0][2]])
    return report.show()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
