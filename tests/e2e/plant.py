"""The whole site of the end-to-end tests: a cluster, its BMCs, a room, all of them processes that nobody here mocks.

    with Plant(folder, is_vcenter_inside=True) as plant: plant.guard.start(); plant.heat(); plant.wait_for(...)

What a rack does of itself is done here: a host that has gone off shows Off at its BMC, and a BMC that was told On
boots its host. The guard knows nothing of either and must find all of it out over the wire.
"""

import importlib.util
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self, TypeVar
from urllib.error import URLError
from uuid import UUID

import trustme
from yarl import URL

from e2e.guard import GuardProcess, story
from peers import absent
from peers.meraki import KEY
from peers.meraki_process import MerakiProcess
from peers.meraki_room import NETWORK
from peers.sushy import FakeSystem, SushyBmc
from peers.tls import self_signed
from peers.vsphere import ESXI_USER, PASSWORD, USER, VirtualVsphere

T = TypeVar("T")

SENSORS = ("Q2AA-0000-0001", "Q2AA-0000-0002", "Q2AA-0000-0003")
COOL_C, HOT_C = 21.5, 36.5
HOSTS = 4
VMS = 12
VCENTER = "vcsa"
FOREIGN = "foreign"
FOREIGN_UUID = "11111111-2222-4333-8444-555566667777"


def vm(number: int) -> str:
    return f"DC0_C0_RP0_VM{number}"


BY_ATTRIBUTE = {vm(1): 3, vm(2): 3, vm(4): 2}
BY_TAG = {vm(6): 2}
BY_PATTERN = {vm(5): 2}
TEMPLATE, STOPPED, WITHOUT_TOOLS = vm(7), vm(8), vm(9)
TIERS = {**BY_ATTRIBUTE, **BY_TAG, **BY_PATTERN}
"""Of the VMs that have one; all others are in tier 1."""

TIMING: dict[str, Any] = {
    "guest_ms": 500, "vm_boot_ms": 500, "boot_ms": 1200, "host_off_ms": 600, "maintenance_ms": 500,
    "vcenter_boot_ms": 1200,
}
SETTINGS = {
    "ARM_AFTER": "3", "MERAKI_POLLING_INTERVAL": "1", "TRIP_ON_DELAY": "2", "RECOVERY_HOLD": "2", "RESTART_WATCH": "2",
    "VM_SHUTDOWN_TIMEOUT": "5", "HOST_START_STAGGER": "1", "ACTIVE_INTERVAL": "0.5", "SNAPSHOT_INTERVAL": "60",
    "VM_TIERS": json.dumps({f"*{vm(5)[-4:]}".lower(): 2}),
}


class Factory:
    """In the place of an authority: each certificate has signed itself."""

    def __init__(self) -> None:
        self.cert_pem = trustme.Blob(b"")

    def issue_cert(self, *names: str) -> SimpleNamespace:
        made = self_signed(names[-1])
        return SimpleNamespace(
            private_key_and_cert_chain_pem=trustme.Blob(made.key + made.certificate),
            cert_chain_pems=[trustme.Blob(made.certificate)],
        )


class Plant:
    """Everything of one site, the guard included, which is started by the test.

    :param folder: everything that is written lies in it.
    :param has_tools: no VM is without tools, so that none is waited for until its grace is over.
    :param is_as_delivered: no authority signed anything: each server has a certificate of its own, as its factory or
        its installation made it, and the settings trust none of them.
    :param has_names: vCenter, hosts and BMCs are known by host names, which the guard asks `names_file` for.
    :param is_standalone: there is no vCenter; the hosts are given by their addresses.
    :param settings: of the guard, over those above.
    :param through: what stands before a server: gives the address for the guard, of the server's name ("meraki",
        "vcenter" or a host's, for its BMC; without vCenter "esxi 0" and so on), its host:port, and the site's
        authority; asked as often as the address is.
    :param timing: how long the plant takes for things, in ms, over those above.
    """

    def __init__(
        self, folder: Path, *, is_vcenter_inside: bool, has_tools: bool = False, is_as_delivered: bool = False,
        has_names: bool = False, is_standalone: bool = False, settings: Mapping[str, str] | None = None,
        through: Callable[[str, str, trustme.CA], str] = lambda _name, address, _ca: address, **timing: int,
    ) -> None:
        if importlib.util.find_spec("sushy_tools") is None:
            absent("sushy-emulator", "sushy-tools is not installed")
        self._folder = folder
        self._ca = trustme.CA()
        self._is_as_delivered = is_as_delivered
        self._stack = ExitStack()
        self._changed = threading.Condition()
        self._is_over = threading.Event()
        self._rack: threading.Thread | None = None
        self._fault: BaseException | None = None
        self._settings = dict(settings or {})
        self._through = through
        self._has_tools = has_tools
        self._is_standalone = is_standalone
        self.is_vcenter_inside = is_vcenter_inside
        self.vsphere = VirtualVsphere(
            folder / "vsphere", self._ca, hosts=HOSTS, vms=VMS, other_cluster_vms=0 if is_standalone else 2,
            vcenter_vm=VCENTER if is_vcenter_inside else "none", self_signed=is_as_delivered,
            vcenter_name="vc.lab.test" if has_names else "", host_names="esx%d.lab.test" if has_names else "",
            standalone=is_standalone, **{**TIMING, **timing},
        )
        self.names_file = folder / "names" if has_names else None
        """What the guard's resolver knows now."""
        self.bmcs: dict[str, SushyBmc] = {}
        """By host name."""
        self.foreign: SushyBmc
        self.room: MerakiProcess
        self.guard: GuardProcess
        self.history: list[dict[str, Any]] = []
        """The plant's journal so far: every call that changes something, and what became of it."""
        self.before: dict[str, Any] = {}

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.callback(self._is_over.set)
            self._stack.enter_context(self.vsphere)
            self._start_bmcs()
            self.room = self._stack.enter_context(
                MerakiProcess(*(part for one in SENSORS for part in ("--sensor", f"{one}={COOL_C}")))
            )
            self._furnish()
            self.before = self.shape()
            self.guard = GuardProcess(
                self._folder / "guard", self._environment(), self._notify, self.names_file
            )
            self.start_dns()
            self._stack.callback(self.guard.close)
            self._rack = threading.Thread(target=self._run_rack, daemon=True)
            self._rack.start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.guard.close()
        self._is_over.set()
        if self._rack is not None:
            self._rack.join(10)
        self._stack.close()

    # What a test does

    def heat(self) -> None:
        self._set_room(HOT_C)

    def cool(self) -> None:
        self._set_room(COOL_C)

    def wait_for(self, what: str, holds: Callable[[], T], within_s: float = 120.0) -> T:
        """What `holds` gives as soon as it is true; asked again whenever the guard, a host or a BMC has changed.

        The bound is no promise of the guard's: it only ends a test that fails, on the slowest machine.

        :raises AssertionError: it did not become true in time, or the guard ended by itself; with the whole story.
        """
        deadline = time.monotonic() + within_s
        with self._changed:
            while not (found := holds()):
                left_s = deadline - time.monotonic()
                if left_s <= 0 or self.guard.has_ended or self._fault is not None:
                    why = "the guard has ended" if self.guard.has_ended else f"not so within {within_s:g} s"
                    raise AssertionError(f"{what}: {self._fault or why}\n{self.story()}")
                self._changed.wait(min(left_s, 0.1))
        return found

    def phase(self, phase: str, tier: int | None = None, *, since: int = 0) -> Callable[[], object]:
        """Whether a phase has begun, for `wait_for`."""
        facts = {"phase": phase} if tier is None else {"phase": phase, "tier": tier}
        return lambda: self.guard.of("phase.begun", since=since, **facts)

    def start_dns(self) -> None:
        """Every name of the site is known to the guard's resolver, if it asks one."""
        if self.names_file is not None:
            bmcs = {self.bmc_name(host): "127.0.0.1" for host in [*self.bmcs, FOREIGN]}
            lines = [f"{name} {address}" for name, address in {**self.vsphere.names, **bmcs}.items()]
            self._write_names("\n".join(lines))

    def stop_dns(self) -> None:
        """From now on no server answers the guard's resolver."""
        self._write_names("")

    @contextmanager
    def frozen_bmc(self, host: str) -> Iterator[None]:
        """The host's BMC takes connections and says nothing, as a hung service processor does."""
        process_id = self.bmcs[host].process_id
        os.kill(process_id, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process_id, signal.SIGCONT)

    # What a test looks at

    def shape(self) -> dict[str, Any]:
        """The plant as it should be again afterwards: hosts, VMs of all clusters, the clusters' settings."""
        state = self.vsphere.state()
        hosts = {h["name"]: {key: h[key] for key in ("on", "maintenance", "connection")} for h in state["hosts"]}
        keys = ("host", "power", "tools", "template", "path", "instance_uuid")
        vms = {v["name"]: {key: v[key] for key in keys} for v in state["vms"]}
        return {"hosts": hosts, "vms": vms, "clusters": state["clusters"]}

    def happened(self, what: str, name: str | None = None) -> list[str]:
        """Names of the objects to which something happened, in order."""
        return [e["object"] for e in self.history if e["what"] == what and name in {None, e["object"]}]

    def calls(self, method: str) -> list[str]:
        """Names of the objects that a call was made on, in order, whatever became of it."""
        return [e["object"] for e in self.history if e["what"] == "call" and e["method"] == method]

    def bmc_name(self, host: str) -> str:
        """The host name of its BMC, where the site has names."""
        return f"ilo-{host}" if self.names_file is not None else ""

    def bmc_address(self, host: str) -> str:
        """host:port of its BMC, as the settings have it."""
        bmc = self.foreign if host == FOREIGN else self.bmcs[host]
        address = f"{self.bmc_name(host)}:{bmc.port}" if self.names_file is not None else bmc.address
        return self._through(host, address, self._ca)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.vsphere.hosts)

    @property
    def first_host(self) -> str:
        """Where vCenter's VM runs, if it runs here; else the first by name. It is powered on first."""
        return self.hosts[0]

    @property
    def resting_host(self) -> str:
        """It is in maintenance mode all the time."""
        return self.hosts[-1]

    def all_off(self) -> bool:
        return not any(bmc.power() for bmc in self.bmcs.values())

    def story(self) -> str:
        log = [{k: v for k, v in entry.items() if k not in {"n", "user"}} for entry in self.history[-60:]]
        power = {host: bmc.power() for host, bmc in self.bmcs.items()}
        return "\n".join([
            "--- guard", story(self.guard.lines), "--- status", json.dumps(self.guard.status(), indent=1),
            "--- plant", *map(str, log), f"--- BMCs {power}",
        ])

    # How it is built

    def _start_bmcs(self) -> None:
        """One BMC a host, each proving its host in another way, and one of somebody else's server."""
        ca = Factory() if self._is_as_delivered else self._ca
        for number, host in enumerate(self.vsphere.hosts):
            extra: dict[str, object] = {}
            if number == 1:  # SMBIOS before 2.6 writes the first three fields the other way round
                extra = {"UUID": str(UUID(bytes_le=UUID(host.uuid).bytes)).upper()}
            elif number == 2:  # a board that left the factory without one
                extra = {"UUID": "00000000-0000-0000-0000-000000000000", "SerialNumber": host.serial}
            system = FakeSystem(host.uuid, extra=extra)
            self.bmcs[host.name] = SushyBmc(
                self._folder / f"bmc{number}", ca, [system], delay_s=0.3, name=self.bmc_name(host.name)
            )
        self.foreign = SushyBmc(
            self._folder / "foreign", ca, [FakeSystem(FOREIGN_UUID)], delay_s=0.3, name=self.bmc_name(FOREIGN)
        )
        every = [*self.bmcs.values(), self.foreign]
        for bmc in every:
            self._stack.callback(bmc.stop)
            bmc.start()
        for bmc in every:
            bmc.wait()

    def _furnish(self) -> None:
        """Tiers by attribute, tag and pattern; a template; a VM that is off; one without tools; a host at rest."""
        for how, tiers in (() if self._is_standalone else (("attribute", BY_ATTRIBUTE), ("tag", BY_TAG))):
            for name, tier in tiers.items():
                self.vsphere.post("/tier", vm=name, value=tier, how=how)
        self.vsphere.change_vm(TEMPLATE, template=True)
        self.vsphere.change_vm(STOPPED, power="off")
        self.vsphere.change_vm(WITHOUT_TOOLS, tools=self._has_tools)
        resting = self.hosts[-1]
        moved = [v["name"] for v in self.vsphere.state()["vms"] if v["host"] == resting and v["power"] == "poweredOn"]
        for number, name in enumerate(moved):
            self.vsphere.post("/move", vm=name, host=self.hosts[number % (HOSTS - 1)])
        self.vsphere.change_host(resting, maintenance=True)

    def _environment(self) -> dict[str, str]:
        ca_file = self._folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(ca_file))
        shuffled = [*reversed(self.bmcs)]
        shuffled.insert(1, FOREIGN)
        trust = {} if self._is_as_delivered else {"ca_file": str(ca_file)}
        room = URL(self.room.url)
        meraki = f"{room.scheme}://{self._through('meraki', room.authority, self._ca)}{room.path}"
        ilo_hosts = [{"host": self.bmc_address(host), "username": self.foreign.username,
                      "password": self.foreign.password, **trust} for host in shuffled]
        return {
            "MERAKI_API_KEY": KEY, "MERAKI_NETWORK_ID": NETWORK, "MERAKI_API_BASE_URL": meraki,
            **self._hypervisor(str(ca_file)),
            "ESXI_USER": ESXI_USER, "ESXI_PASSWORD": PASSWORD, "ILO_HOSTS": json.dumps(ilo_hosts),
            **SETTINGS, **self._settings,
        }

    def _hypervisor(self, ca_file: str) -> dict[str, str]:
        if self._is_standalone:
            hosts = [self._through(f"esxi {i}", host.address, self._ca) for i, host in enumerate(self.vsphere.hosts)]
            return {"ESXI_HOSTS": ",".join(hosts), "VCENTER_CA_FILE": ca_file}
        return {
            "VCENTER_HOST": self._through("vcenter", self.vsphere.vcenter, self._ca),
            "VCENTER_USER": USER, "VCENTER_PASSWORD": PASSWORD, "VCENTER_CLUSTER": self.vsphere.cluster,
            **({} if self._is_as_delivered else {"VCENTER_CA_FILE": ca_file}),
        }

    def _write_names(self, lines: str) -> None:
        """In one step, as the guard reads it at any time."""
        assert self.names_file is not None
        fresh = self.names_file.with_suffix(".fresh")
        fresh.write_text(lines)
        fresh.rename(self.names_file)

    def _set_room(self, celsius: float) -> None:
        self.room.control("sensors", {sensor: {"celsius": celsius} for sensor in SENSORS})

    # What a rack does of itself

    def _run_rack(self) -> None:
        """Until the test is over: power follows the host, and a host follows its BMC."""
        off: set[str] = set()
        seen = 0
        try:
            while not self._is_over.is_set():
                entries = self.vsphere.log(since=seen, wait_s=0.05)
                self.history.extend(entries)  # before the guard can see at a BMC what has happened
                for entry in entries:
                    seen = entry["n"]
                    if entry["what"] == "host.off" and entry["object"] in self.bmcs:
                        self.bmcs[entry["object"]].set_power(is_on=False)
                        off.add(entry["object"])
                for name in [name for name in self.bmcs if name not in off and not self.bmcs[name].power()]:
                    off.add(name)  # its BMC was told to cut the power
                    self.vsphere.change_host(name, on=False)
                for name in [name for name in off if self.bmcs[name].power()]:
                    off.discard(name)
                    self.vsphere.change_host(name, on=True)
                if entries:
                    self._notify()
        except (URLError, OSError, ValueError) as error:
            if not self._is_over.is_set():
                self._fault = error
                self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
