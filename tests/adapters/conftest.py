"""What the tests of the vSphere adapter share: a plant on the wire, and the adapter on it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from peers.vsphere import ESXI_USER, PASSWORD, USER, VirtualVsphere
from thermo_guard.adapters.vsphere import Limits, TlsTrust, Vsphere
from thermo_guard.engine.logins import RefusedLogins

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


@dataclass
class HandClock:
    """The real clock, which a test can put forward."""

    ahead_s: float = 0.0
    _started: float = field(default_factory=lambda: time.time() - time.monotonic())

    def now(self) -> float:
        return self._started + time.monotonic() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def vsphere_ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def vsphere_ca_file(vsphere_ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    vsphere_ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def start_plant(vsphere_ca: trustme.CA, tmp_path: Path) -> Iterator[StartPlant]:
    """Start plants with the program's options; all of them end with the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> VirtualVsphere:
            options = {"guest_ms": 50, "vm_boot_ms": 50, "boot_ms": 100, "host_off_ms": 50, "maintenance_ms": 20,
                       "vcenter_boot_ms": 100, **options}
            folder = tmp_path / f"plant-{time.monotonic_ns()}"
            return stack.enter_context(VirtualVsphere(folder, vsphere_ca, **options))

        yield start


@pytest.fixture
async def open_vsphere(vsphere_ca_file: str, hand_clock: HandClock) -> AsyncIterator[OpenVsphere]:
    """Make adapters on a plant, with TLS verified by the plant's CA unless the test says otherwise."""
    opened: list[Vsphere] = []

    def make(plant: VirtualVsphere, **options: Any) -> Vsphere:
        options = {
            "user": USER, "password": PASSWORD, "tls": TlsTrust(ca_file=vsphere_ca_file), "cluster": plant.cluster,
            "esxi_user": ESXI_USER, "esxi_password": PASSWORD, "limits": Limits(connect_s=3, answer_s=5),
            "logins": RefusedLogins(hand_clock), **options,
        }
        adapter = Vsphere(plant.vcenter, options.pop("user"), options.pop("password"), hand_clock, **options)
        opened.append(adapter)
        return adapter

    yield make
    for adapter in opened:
        await adapter.aclose()
