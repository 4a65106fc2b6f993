"""`thermo-guard check` and `plan` as processes, against real peers: Meraki's wire, the simulated plant, sushy BMCs."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import trustme

from e2e.sink import Sink
from peers.meraki import KEY
from peers.meraki_process import MerakiProcess
from peers.meraki_room import NETWORK
from peers.sushy import FakeSystem, SushyBmc, running
from peers.vsphere import ESXI_USER, PASSWORD, USER, VirtualVsphere
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.names import SystemNames
from thermo_guard.adapters.pins import PinFile
from thermo_guard.config import load
from thermo_guard.core.data_folder import Storage
from thermo_guard.core.finding import Verdict
from thermo_guard.core.plant import ClusterSettings
from thermo_guard.core.snapshot import KeptHost, KeptVm, Snapshot
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.main import Site, loop_settings
from thermo_guard.preflight import own_preflight, real_sides
from thermo_guard.survey import look_at_folder

POWER_OFF = "VirtualMachine.Interact.PowerOff"
SENSORS = ("Q2AA-0000-0001", "Q2AA-0000-0002", "Q2AA-0000-0003")


@dataclass
class RealSite:
    """Three hosts with vCenter on the first, their BMCs in another order, and one BMC of a foreign server."""

    vsphere: VirtualVsphere
    meraki: MerakiProcess
    bmcs: list[SushyBmc]
    folder: Path

    def environment(self, **changes: str) -> dict[str, str]:
        bmcs = [
            {"host": bmc.address, "username": bmc.username, "password": bmc.password, "ca_file": str(bmc.ca_file)}
            for bmc in self.bmcs
        ]
        given = {
            "MERAKI_API_KEY": KEY, "MERAKI_NETWORK_ID": NETWORK, "MERAKI_API_BASE_URL": self.meraki.url,
            "VCENTER_HOST": self.vsphere.vcenter, "VCENTER_USER": USER, "VCENTER_PASSWORD": PASSWORD,
            "VCENTER_CLUSTER": self.vsphere.cluster, "VCENTER_CA_FILE": str(self.bmcs[0].ca_file),
            "ESXI_USER": ESXI_USER, "ESXI_PASSWORD": PASSWORD, "ILO_HOSTS": json.dumps(bmcs),
            "DATA_DIR": str(self.folder / "data"), "NOTIFY_URLS": "json://127.0.0.1:9/",
        }
        return given | changes

    def ask(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command as an administrator would, in an empty folder, with nothing else in its environment."""
        return subprocess.run(
            [sys.executable, "-c", "from thermo_guard.cli import app; app()", *arguments], cwd=self.folder,
            capture_output=True, text=True, check=False, timeout=120, env=dict(env or self.environment()),
        )

    def check(self, **changes: str) -> tuple[int, dict[str, Any]]:
        done = self.ask("check", "--json", env=self.environment(**changes))
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    folder, ca = tmp_path_factory.mktemp("real_site"), trustme.CA()
    if look_at_folder(folder, None).storage is not Storage.DISK:
        pytest.skip(f"{folder} is in a container's own layer or in memory, which `check` rightly fails: use --basetemp")
    with ExitStack() as stack:
        vsphere = stack.enter_context(VirtualVsphere(folder / "vsphere", ca, hosts=3, vms=7, vcenter_vm="vcsa"))
        meraki = stack.enter_context(MerakiProcess(*(part for one in SENSORS for part in ("--sensor", f"{one}=22"))))
        machines = [
            *((host.uuid, host.serial) for host in reversed(vsphere.hosts)),
            (str(uuid.UUID(int=0x5EED << 64 | 1)), "FOREIGN1"),
        ]
        bmcs = [
            SushyBmc(folder / f"bmc{n}", ca, [FakeSystem(one, extra={"SerialNumber": serial})], listen=f"127.0.0.{n}")
            for n, (one, serial) in enumerate(machines, 21)
        ]
        stack.enter_context(running(bmcs))
        yield RealSite(vsphere, meraki, bmcs, folder)


def failures(told: Mapping[str, Any]) -> list[str]:
    return [finding["text"] for finding in told["findings"] if finding["verdict"] == "fail"]


def test_a_whole_site_could_be_brought_down_and_back(site: RealSite) -> None:
    """Where all is in order `check` ends with 0, pairs each host with its BMC, shows no secret and changes nothing."""
    calls = [entry for entry in site.vsphere.log() if entry["what"] == "call"]
    done = site.ask("check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "The site could be brought down and back."
    for host, bmc in zip(site.vsphere.hosts, reversed(site.bmcs[:3]), strict=True):
        assert f"{bmc.address} is {host.name} (by uuid)" in done.stdout
    assert f"vCenter is the VM vcsa on {site.vsphere.hosts[0].name}" in done.stdout
    assert f"BMC {site.bmcs[3].address}" in done.stdout
    assert "s of the sensors' source" in done.stdout  # the clocks were compared
    for secret in (KEY, PASSWORD, site.bmcs[0].password):
        assert secret not in done.stdout + done.stderr
    assert [entry for entry in site.vsphere.log() if entry["what"] == "call"] == calls
    assert not any(request.method == "POST" for bmc in site.bmcs for request in bmc.requests())
    assert not (site.folder / "data").exists()


def test_a_denied_privilege_is_named_with_its_vm(site: RealSite) -> None:
    """One privilege that is withheld on one VM makes `check` end with 1 and name both."""
    site.vsphere.post("/deny", privilege=POWER_OFF, entity=site.vsphere.vms[3])
    try:
        code, told = site.check()
    finally:
        site.vsphere.post("/deny", privilege=POWER_OFF, entity=site.vsphere.vms[3], clear=1)
    assert code == 1
    (only,) = failures(told)
    assert POWER_OFF in only
    assert site.vsphere.vms[3] in only
    assert told["conclusion"] == "The site could NOT be brought down."


def test_a_schedule_beside_a_guard_tells_what_changes_and_touches_nothing(site: RealSite, tmp_path: Path) -> None:
    """A right that is withheld between two checks is printed and told once; the folder of a guard is left alone."""
    calls = [entry for entry in site.vsphere.log() if entry["what"] == "call"]
    with Sink() as sink, closing(SqlJournal.open(tmp_path)), subprocess.Popen(
        [sys.executable, "-c", "from thermo_guard.cli import app; app()", "check", "--schedule", "--every", "0.05"],
        cwd=site.folder, env=site.environment(DATA_DIR=str(tmp_path), MODE="observe", NOTIFY_URLS=sink.url),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:
        files = sorted(path.name for path in tmp_path.iterdir())
        assert process.stdout is not None
        assert process.stderr is not None
        lines = iter(process.stdout.readline, "")
        first = list(takewhile(lambda line: "could be brought down and back, but MODE=observe" not in line, lines))
        assert "vCenter\n" in first
        assert "nothing new; 0 failed" in next(line for line in lines if "nothing new" in line)
        site.vsphere.post("/deny", privilege=POWER_OFF, entity=site.vsphere.vms[3])
        try:
            message = sink.until("Scheduled check: The site could NOT be brought down")
        finally:
            site.vsphere.post("/deny", privilege=POWER_OFF, entity=site.vsphere.vms[3], clear=1)
        assert POWER_OFF in message["message"]
        process.terminate()
        assert process.wait(30) in {0, 1}  # as the last check, which may have seen it mended
        assert process.stderr.read() == ""
        assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert sum(POWER_OFF in one["message"] for one in sink.of("NOT be brought down")) == 1
    assert [entry for entry in site.vsphere.log() if entry["what"] == "call"] == calls


def test_what_each_refused_login_costs_is_told(site: RealSite) -> None:
    """A wrong ESXi password is told for each host with what would stay up; the closing line follows from it."""
    code, told = site.check(ESXI_PASSWORD="not-the-password")
    assert code == 1
    assert len(failures(told)) == 3
    assert "vCenter runs there" in next(text for text in failures(told) if site.vsphere.hosts[0].name in text)
    assert told["conclusion"].startswith("The site could be brought down, but not vCenter's own VM and host")
    assert "not-the-password" not in json.dumps(told)


def test_a_host_without_a_bmc_needs_a_person(site: RealSite) -> None:
    """With one BMC left out the site could be brought down, not back, and the host is named."""
    bmcs = json.loads(site.environment()["ILO_HOSTS"])
    code, told = site.check(ILO_HOSTS=json.dumps(bmcs[1:]))
    assert code == 1
    (only,) = failures(told)
    assert site.vsphere.hosts[2].name in only
    assert told["conclusion"] == "The site could be brought down, not back."


def test_every_side_is_looked_at_though_others_fail(site: RealSite) -> None:
    """A wrong vCenter password and a wrong key are told once each, and the BMCs are looked at all the same."""
    code, told = site.check(VCENTER_PASSWORD="not-this-one", MERAKI_API_KEY="0123456789abcdef")
    assert code == 1
    assert sorted(finding["area"] for finding in told["findings"] if finding["verdict"] == "fail") == [
        "Meraki", "vCenter",
    ]
    assert sum("the login works" in finding["text"] for finding in told["findings"]) == len(site.bmcs)


def test_the_plan_stops_vcenter_last_and_starts_it_first(site: RealSite) -> None:
    """`plan` on the real peers: tiers with their reason, vCenter's VM and host at the end, everything back."""
    site.vsphere.post("/tier", vm=site.vsphere.vms[1], value=4, how="attribute")
    done = site.ask("plan", "--json", env=site.environment(VM_TIERS='{"DC0_C0_RP0_VM3": 2}'))
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert [(one["tier"], one["why"], len(one["vms"])) for one in plan["tiers"]] == [
        (1, "default", 4), (2, "name like DC0_C0_RP0_VM3", 1), (4, "attribute", 1),
    ]
    assert plan["last"] == [["vcsa", site.vsphere.hosts[0].name]]
    assert [(one["phase"], one["tier"]) for one in plan["down"]["stages"]] == [
        ("disarm", None), ("guests", 1), ("guests", 2), ("guests", 4), ("hosts", None), ("vcenter", None),
        ("last_host", None),
    ]
    assert plan["down"]["needs_person"] == plan["back"]["needs_person"] == []
    assert plan["back"]["stages"][0]["deeds"][0]["names"] == [site.vsphere.hosts[0].name]
    assert "NOT FRESH" not in site.ask("plan").stdout


def test_the_plan_needs_vcenter_or_a_journal(site: RealSite, tmp_path: Path) -> None:
    """With vCenter away and a new folder there is no plan; with a journal its last snapshot is planned with, loudly."""
    away = {"VCENTER_HOST": "127.0.0.2:1", "DATA_DIR": str(tmp_path)}
    done = site.ask("plan", env=site.environment(**away))
    assert done.returncode == 1
    assert "nothing to plan with" in done.stderr
    settings = ClusterSettings(
        ha_enabled=True, ha_host_monitoring="enabled", ha_admission_control=True, drs_enabled=False,
        drs_behavior=None, drs_overrides=None, dpm_enabled=None,
    )
    journal = SqlJournal.open(tmp_path)
    try:
        journal.keep_snapshot(Snapshot(
            1_767_340_800.0, "DC0_C0", (KeptHost("esx1", "esx1:443", "u", (), is_on=True, in_maintenance=False),),
            (KeptVm("id-web", "web", "esx1", is_on=True, tier=1),), settings,
        ))
        done = site.ask("plan", env=site.environment(**away))  # beside the guard that holds the folder
    finally:
        journal.close()
    assert done.returncode == 0
    assert "NOT FRESH" in done.stdout
    assert "as it stood at 2026-01-02 08:00:00 UTC" in done.stdout
    assert "shut down by VMware Tools: web" in done.stdout


def test_bad_settings_end_with_two(site: RealSite) -> None:
    """Without settings `check` and `plan` end with 2 and list what is missing; nothing is looked at."""
    for command in ("check", "plan"):
        done = site.ask(command, env={"DATA_DIR": str(site.folder)})
        assert done.returncode == 2
        assert "VCENTER_HOST is not set" in done.stderr
        assert done.stdout == ""


def test_what_is_wrong_with_vcenter_is_told_with_its_own_remedy(site: RealSite) -> None:
    """Refused connection, unknown name, wrong cluster, wrong pin, and an untrusted certificate with its pin."""

    def remedy(**changes: str) -> str:
        _, told = site.check(**changes)
        (only,) = [one for one in told["findings"] if one["area"] == "vCenter"]
        return f"{only['text']} -> {only['remedy']}"

    assert "See the port in VCENTER_HOST" in remedy(VCENTER_HOST="127.0.0.1:9")
    assert "machine's DNS" in remedy(VCENTER_HOST="vcenter.invalid")
    assert "to one of the names above" in remedy(VCENTER_CLUSTER="nope")
    assert site.vsphere.cluster in remedy(VCENTER_CLUSTER="nope")
    assert "renewed" in remedy(VCENTER_CA_FILE="", VCENTER_FINGERPRINT="00" * 32)
    untrusted = remedy(VCENTER_CA_FILE="")
    pin = untrusted.rpartition("VCENTER_FINGERPRINT=")[2]
    code, told = site.check(VCENTER_CA_FILE="", VCENTER_FINGERPRINT=pin)
    assert not [one for one in told["findings"] if one["area"] == "vCenter" and one["verdict"] == "fail"], (code, told)


def test_a_guard_in_a_vm_of_its_cluster_is_told_what_stays_up(site: RealSite) -> None:
    """GUARD_VM names a VM: it and its host would stay up, all else would go down; a name that is none fails too."""
    code, told = site.check(GUARD_VM=site.vsphere.vms[2].upper())
    assert code == 1
    (only,) = failures(told)
    assert f"The guard runs on the VM {site.vsphere.vms[2]}" in only
    assert told["conclusion"].startswith("The site could be brought down, but for the hosts that are named above")
    _, told = site.check(GUARD_VM="nobody")
    (only,) = failures(told)
    assert "GUARD_VM=nobody is no VM of the cluster" in only
    assert told["conclusion"] == "The site could NOT be brought down."


async def test_a_running_guard_judges_itself_by_its_own_sessions(site: RealSite) -> None:
    """Two surveys on the guard's own edges find what `check` finds, with one login a server, and nothing is changed."""
    settings = load(site.environment(), None)
    clock = SteadyClock()
    names = SystemNames(clock)
    edges = Site(settings, clock, logins=RefusedLogins(clock), names=names, pins=PinFile(settings.data_dir))
    site.vsphere.clear_count()
    calls = [entry for entry in site.vsphere.log() if entry["what"] == "call"]
    try:
        sides = real_sides(settings, clock, edges.sensors, edges.hypervisor, edges.bmcs, names)
        preflight = own_preflight(settings, loop_settings(settings), sides)
        for _ in range(2):
            found = await preflight()
            assert [finding.text for finding in found if finding.verdict is Verdict.FAIL] == []
        faces = ("vcenter", *(host.name for host in site.vsphere.hosts))
        logins = [site.vsphere.count(face).get("Login", 0) for face in faces]
    finally:
        await edges.aclose()
    assert logins == [1, 1, 1, 1]
    assert [entry for entry in site.vsphere.log() if entry["what"] == "call"] == calls
    assert not any(request.method == "POST" for bmc in site.bmcs for request in bmc.requests())
