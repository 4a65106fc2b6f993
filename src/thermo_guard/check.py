"""`thermo-guard check` on the real site: its edges, its folder and what its journal remembers, put into one survey.

`look` is shared with `plan`, which starts from the same survey.
"""

import asyncio
import hashlib
import ssl
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from .adapters import logs
from .adapters import status as status_file
from .adapters.clock import SteadyClock, wall_now
from .adapters.journal import SqlJournal
from .adapters.meraki import Meraki
from .config import Settings, secrets, split_host
from .core.plant import Unseen
from .core.preflight import Terms
from .core.record import Record, fold
from .core.survey import Memory, Network, Survey
from .engine.loop import HISTORY_S
from .main import Site, loop_settings
from .ports import Fault, Refused, Transient
from .survey import Sides, look_at_folder, survey

CERTIFICATE_S = 7.0
"""For the connection over which vCenter's certificate is read."""


async def look(settings: Settings) -> Survey:
    """Look at the configured site once; what goes wrong is in the survey, and nothing is changed anywhere."""
    logs.configure("console", "ERROR")  # each trouble becomes a finding; a log beside it would say it twice
    logs.register_secrets(secrets(settings))
    clock = SteadyClock()
    folder = look_at_folder(settings.data_dir, _running(settings))
    async with AsyncExitStack() as stack:
        site = Site(settings, clock)
        stack.push_async_callback(site.aclose)
        return await survey(
            Sides(
                clock=clock, sensors=site.sensors, hypervisor=site.hypervisor, bmcs=site.bmcs,
                describe=lambda: _network(site.sensors), clock_ahead_s=lambda: site.sensors.clock_ahead_s,
                vcenter_certificate=lambda: _certificate(settings.vcenter_host),
            ),
            folder, recall(settings, clock.now()),
        )


def terms(settings: Settings) -> Terms:
    """The settings' share in the findings."""
    loop = loop_settings(settings)
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
        record = fold(Record(), journal.entries())
        return Memory(
            sensors=record.sensors, readings=tuple(journal.readings(now - HISTORY_S)), bmc_of=record.bmc_of,
            snapshot=journal.snapshot(), incident=None if record.incident is None else record.incident.id,
            is_snapshot_closed=record.incident is not None and record.incident.is_snapshot_closed,
        )
    except Fault as fault:
        return Unseen(now, str(fault))
    finally:
        journal.close()


def _running(settings: Settings) -> str | None:
    """The guard that works on the folder now. Its lock is left alone: to try it would refuse one that just starts."""
    try:
        status = status_file.read(settings.data_dir)
    except Refused:
        return None
    if status is None or not status_file.is_alive(status, wall_now()):
        return None
    at = datetime.fromtimestamp(status.tick_at, UTC).strftime("%H:%M:%S UTC")
    return f"its loop last ticked at {at} (MODE={status.facts.get('mode', '?')})"


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
