"""What the configured site is surveyed from and judged by: shared by `check`, `plan` and the guard that runs.

The guard judges itself before it arms, and now and then after: from its own edges, so that no second login is made.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from .adapters import machine
from .adapters.certificates import presented
from .adapters.journal import SqlJournal
from .adapters.meraki import Meraki
from .adapters.mqtt import Mqtt
from .adapters.vsphere import Vsphere
from .config import Settings, split_host
from .core.infrastructure import VMWARE, Infrastructure, Leaning, domain_of, resolvers_of
from .core.plant import Unseen
from .core.preflight import Terms
from .core.survey import BrokerSeen, Memory, Network
from .engine.terms import LoopSettings
from .ports import Clock, Fault, Names, PowerController
from .survey import NamedInlet, Preflight, Sides, look_at_folder, memory_of

CERTIFICATE_S = 7.0
"""For the connection over which vCenter's certificate is read."""
BESIDE_THE_LOOP = 4
"""Looks at once beside a guard that works: a large site takes longer, and its loop is not in the way of it."""


def real_sides(
    settings: Settings, clock: Clock, sensors: Meraki, hypervisor: Vsphere, bmcs: Sequence[PowerController],
    names: Names, *, inlets: Sequence[NamedInlet] = (), messages: Mqtt | None = None,
) -> Sides:
    """Where the configured site is looked at from: edges that are open already."""
    own, vcenter = own_addresses(settings, names, hypervisor), settings.vcenter_host
    return Sides(
        clock=clock, sensors=sensors, hypervisor=hypervisor, bmcs=bmcs,
        describe=lambda: _network(sensors), clock_ahead_s=lambda: sensors.clock_ahead_s,
        vcenter_certificate=None if vcenter is None else lambda: _certificate(vcenter, names),
        infrastructure=lambda: _infrastructure(settings, names, own),
        is_one_account=domain_of(settings.esxi_user) is not None, inlets=inlets,
        broker=None if messages is None else lambda: _broker(messages),
    )


class SeesUs(Protocol):
    """A server that says from where it sees the guard come."""

    @property
    def seen_from(self) -> str | None: ...


def own_addresses(
    settings: Settings, names: Names, server: SeesUs, maker: str | None = None
) -> Callable[[], tuple[str, ...]]:
    """By which the guard's own VM is known, where it runs in one; nothing is asked of anybody.

    A container behind a bridge has an address that only its machine knows; vCenter sees that of the machine. Where the
    firmware tells of another maker than VMware, what vCenter sees is some router's.

    :param maker: of this machine; default what its firmware says.
    """
    maker = maker or machine.maker()
    peers = [*([] if settings.vcenter_host is None else [settings.vcenter_host]), *settings.esxi_hosts,
             *(bmc.host for bmc in settings.ilo_hosts)]
    configured = [split_host(one, 0)[0] for one in peers]

    def own() -> tuple[str, ...]:
        known = [address for found in names.known().values() for address in found]
        seen_from = server.seen_from if maker is None or VMWARE in maker.lower() else None
        through = () if seen_from is None else (seen_from,)
        return tuple(dict.fromkeys((*machine.own_addresses([*configured, *known]), *through)))

    return own


async def _infrastructure(settings: Settings, names: Names, own: Callable[[], tuple[str, ...]]) -> Infrastructure:
    """:raises Fault: never; what does not resolve leans on nothing that is known."""
    accounts = {"VCENTER_USER": settings.vcenter_user, "ESXI_USER": settings.esxi_user}
    domains = [(setting, domain) for setting, user in accounts.items() if (domain := domain_of(user)) is not None]
    mail = [("NOTIFY_URLS", host) for url in settings.notify_urls if (host := mail_host(url.get_secret_value()))]
    return Infrastructure(
        resolvers=resolvers_of(*machine.resolver_files()), own_addresses=own(), maker=machine.maker(),
        domains=await _resolved(names, domains), mail=await _resolved(names, dict.fromkeys(mail)),
    )


async def _resolved(names: Names, wanted: Iterable[tuple[str, str]]) -> tuple[Leaning, ...]:
    async def one(setting: str, name: str) -> Leaning:
        try:
            return Leaning(setting, name, await names.resolve(name))
        except Fault:
            return Leaning(setting, name)

    return tuple(await asyncio.gather(*(one(setting, name) for setting, name in wanted)))


def mail_host(url: str) -> str | None:
    """The mail server of an address of NOTIFY_URLS, where it is one of mail; of others a part may be a secret."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme.lower() not in {"mailto", "mailtos"}:
        return None
    smtp = parse_qs(parts.query).get("smtp", [host or ""])[0]
    return smtp.partition(":")[0].lower() if "." in smtp else None


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
        answers_questions=loop.timing.answers_questions, force_bmc_off=loop.timing.force_bmc_off,
        bmc_overrides=loop.bmc_overrides, warnings=settings.warnings, outlets=len(settings.notify_urls),
        has_esxi_logins=settings.esxi_user is not None or any(bmc.esxi_user for bmc in settings.ilo_hosts),
        guard_vm=loop.guard_vm, runbook=loop.runbook, has_vcenter=not settings.esxi_hosts,
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


async def _broker(mqtt: Mqtt) -> BrokerSeen:
    return BrokerSeen(mqtt.address, await mqtt.spoken())


async def _certificate(vcenter: str, names: Names) -> str:
    """SHA-256 of what it presents, as VCENTER_FINGERPRINT takes it; nothing is sent to it."""
    host, port = split_host(vcenter, 443)
    address, *_ = await names.resolve(host)
    return (await presented(address, port, CERTIFICATE_S)).certificate.fingerprint
