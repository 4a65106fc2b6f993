"""What the configured site is surveyed from and judged by: shared by `check`, `plan` and the guard that runs.

The guard judges itself before it arms, and now and then after: from its own edges, so that no second login is made.
"""

import asyncio
import hashlib
import ssl
from collections.abc import Sequence

from .adapters.journal import SqlJournal
from .adapters.meraki import Meraki
from .config import Settings, split_host
from .core.plant import Unseen
from .core.preflight import Terms
from .core.survey import Memory, Network
from .engine.terms import LoopSettings
from .ports import Clock, Fault, Hypervisor, PowerController, Transient
from .survey import Preflight, Sides, look_at_folder, memory_of

CERTIFICATE_S = 7.0
"""For the connection over which vCenter's certificate is read."""
BESIDE_THE_LOOP = 4
"""Looks at once beside a guard that works: a large site takes longer, and its loop is not in the way of it."""


def real_sides(
    settings: Settings, clock: Clock, sensors: Meraki, hypervisor: Hypervisor, bmcs: Sequence[PowerController]
) -> Sides:
    """Where the configured site is looked at from: edges that are open already."""
    return Sides(
        clock=clock, sensors=sensors, hypervisor=hypervisor, bmcs=bmcs,
        describe=lambda: _network(sensors), clock_ahead_s=lambda: sensors.clock_ahead_s,
        vcenter_certificate=lambda: _certificate(settings.vcenter_host),
    )


def own_preflight(settings: Settings, loop: LoopSettings, sides: Sides) -> Preflight:
    """The running guard's: it reads its journal in a thread, beside itself, and looks at few things at once."""
    return Preflight(
        sides, terms(settings, loop), folder=lambda: look_at_folder(settings.data_dir, None),
        memory=lambda: asyncio.to_thread(recall, settings, sides.clock.now()), at_once=BESIDE_THE_LOOP,
    )


def terms(settings: Settings, loop: LoopSettings) -> Terms:
    """The settings' share in the findings."""
    return Terms(
        policy=loop.policy, vcenter_vm=loop.vcenter_vm, vm_shutdown_s=loop.timing.vm_shutdown_s,
        bmc_overrides=loop.bmc_overrides, warnings=settings.warnings, outlets=len(settings.notify_urls),
        has_esxi_logins=settings.esxi_user is not None or any(bmc.esxi_user for bmc in settings.ilo_hosts),
    )


def recall(settings: Settings, now: float) -> Memory | Unseen:
    """What the journal remembers, read beside a guard that may be running; empty where there is none yet."""
    try:
        if not SqlJournal.is_in(settings.data_dir):
            return Memory()
    except OSError:  # a folder that cannot be entered: its own finding says so
        return Memory()
    try:
        journal = SqlJournal.read_only(settings.data_dir)
    except Fault as fault:
        return Unseen(now, str(fault))
    try:
        return memory_of(journal, now)
    finally:
        journal.close()


async def _network(meraki: Meraki) -> Network:
    told = await meraki.describe()
    return Network(told.network_id, told.name, {sensor.serial: sensor.name for sensor in told.sensors})


async def _certificate(vcenter: str) -> str:
    """SHA-256 of what it presents, as VCENTER_FINGERPRINT takes it; nothing is sent to it."""
    host, port = split_host(vcenter, 443)
    try:
        pem = await asyncio.to_thread(ssl.get_server_certificate, (host, port), timeout=CERTIFICATE_S)
    except OSError as error:
        raise Transient(f"{vcenter} shows no certificate: {error}") from error
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest().hex(":").upper()
