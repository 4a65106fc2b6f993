"""The composition root: the only place that names concrete classes; `main.py` and `thermo-guard run` come in here."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import structlog

from . import __version__, bad_start
from .adapters import logs
from .adapters.clock import SteadyClock, local_minute_of_day, monotonic_now, wall_now
from .adapters.journal import RESERVE_BYTES, FolderTakenError, SiteTakenError, SqlJournal
from .adapters.meraki import Meraki
from .adapters.mqtt import Broker, Mqtt, MqttMemory, Serials
from .adapters.names import SystemNames
from .adapters.notify import Outbox
from .adapters.pins import PinFile
from .adapters.redfish import Bmc
from .adapters.status import StatusFile
from .adapters.tcp import TcpPorts
from .adapters.vsphere import TlsTrust, Vsphere
from .adapters.vsphere.standalone import Standalone, VcenterOrHost
from .adapters.watchdog import Watchdog
from .adapters.webhook import Webhook
from .certificate_watch import CertificateWatch
from .config import BadSettings, FirstUse, Settings, VmQuestions, explain, load, secrets
from .core import events as ev
from .core.endpoint import split_host
from .core.events import Entry
from .core.policy import PolicySettings
from .core.restart_rules import RestartRules
from .core.runbook import Runbook
from .core.snapshot import Snapshot
from .core.step import Timing
from .engine.logins import RefusedLogins
from .engine.loop import Loop
from .engine.terms import Edges, LoopSettings
from .ports import Clock, Fault, Logins, Names, Notifier, Pins, StatusBoard
from .preflight import own_addresses, own_preflight, real_sides
from .trust import endpoints_of

log = structlog.get_logger()

MQTT_PORT, MQTTS_PORT = 1883, 8883
"""Of a broker that is named without one."""
EXIT_REFUSED = 1
EXIT_BAD_SETTINGS = 2
EXIT_FOLDER_TAKEN = 3
FAREWELL_S = 5.0
"""For messages still in the outbox when the process is told to end."""
CLOSE_S = 2.0
"""For logging out everywhere; a peer that does not answer is left as it is."""
LEAVE_S = 7.0
"""From the order to end until the process is gone, whatever hangs: a container is killed after 10 s by default."""
LET_GO_S = 0.5
"""Once the journal is closed nothing is waited for but threads that only look something up."""


def main(env: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> int:
    """Guard the configured site until told to end; the process's exit code.

    Without settings it never falls back to the virtual site: nobody shall believe a room guarded that is not.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal is no reason to leave a room unguarded
    try:
        settings = load(env, dotenv)
    except BadSettings as bad:
        print(explain(bad.problems), file=sys.stderr)  # noqa: T201 - before there is a log
        bad_start.tell_bad_settings(bad.problems, os.environ if env is None else env, dotenv)
        return EXIT_BAD_SETTINGS
    logs.configure(settings.log_format.value, settings.log_level.value)
    logs.register_secrets(secrets(settings))
    for warning in settings.warnings:
        log.warning("settings.noticed", what=warning)
    watchdog = Watchdog(monotonic_now)
    watchdog.start()
    try:
        return asyncio.run(_until_told(settings, watchdog))
    except (FolderTakenError, SiteTakenError) as taken:
        log.error("guard.refused", reason=str(taken))
        return EXIT_FOLDER_TAKEN
    except Fault as fault:
        log.error("guard.refused", reason=str(fault))
        bad_start.tell_refused(str(fault), [url.get_secret_value() for url in settings.notify_urls], settings.data_dir)
        return EXIT_REFUSED
    finally:
        watchdog.stop()


async def _until_told(settings: Settings, watchdog: Watchdog) -> int:
    stop = asyncio.Event()
    running = asyncio.get_running_loop()

    def leave() -> None:
        if not stop.is_set():
            log.info("guard.leaving")
            watchdog.leave(LEAVE_S)
            stop.set()

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(signal_number, leave)
    await guard(settings, stop, watchdog)
    watchdog.leave(LET_GO_S, code=0)
    return 0


class Audience(StatusBoard, Protocol):
    """Hears the guard's events and sees its status, as a demo does."""

    def hear(self, at: float, event: ev.Event) -> None: ...


async def guard(
    settings: Settings, stop: asyncio.Event, watchdog: Watchdog, *, clock: Clock | None = None,
    audience: Audience | None = None,
) -> None:
    """Run the loop on the real site until `stop` is set.

    :param clock: where time is not this machine's own, as on a site that runs faster; default the wall's line.
    :param audience: who looks on besides.
    :raises FolderTakenError: another guard has the data folder.
    :raises SiteTakenError: another guard has become the site's owner.
    :raises Refused: the folder cannot be used.
    """
    listeners = () if audience is None else (audience.hear,)
    async with AsyncExitStack() as stack:
        terms = loop_settings(settings)
        journal = SqlJournal.open(settings.data_dir, reserve_bytes=RESERVE_BYTES)
        stack.callback(journal.close)
        clock = clock or clock_after(journal.entries())
        outbox = Outbox([url.get_secret_value() for url in settings.notify_urls], clock)
        stack.push_async_callback(_farewell, outbox, watchdog)
        _tell_of_storage(journal, outbox)
        logins, names = RefusedLogins(clock), SystemNames(clock)
        pins = PinFile(settings.data_dir)
        site = Site(settings, clock, logins=logins, names=names, pins=pins, known=journal.snapshot(),
                    is_guard=True)
        stack.push_async_callback(_close, site.aclose)
        board = StatusFile(settings.data_dir, wall_now)
        edges = Edges(
            clock=clock, sensors=site.sensors, hypervisor=site.hypervisor, bmcs=site.bmcs, journal=journal,
            notifier=outbox, board=WatchedBoard(board, watchdog, audience), logins=logins, names=names,
            ports=TcpPorts(), minute_of_day=local_minute_of_day,
            own_addresses=own_addresses(settings, names, site.hypervisor), aside=asyncio.to_thread,
            listeners=listeners, inlets=site.inlets, past=site.sensors, messages=site.messages, hints=site.hints,
            preflight=own_preflight(
                settings, terms,
                real_sides(settings, clock, site.sensors, site.hypervisor, site.bmcs, names, inlets=site.inlets,
                           messages=site.messages),
            ),
        )
        stack.callback(_leave, board)
        loop = Loop(terms, edges)
        loop.ledger.write(ev.GuardStarted(owner=journal.owner, version=__version__))
        is_accepting = settings.tls_first_use is FirstUse.ACCEPT
        unmet = endpoints_of(settings) if is_accepting else ()
        watch = CertificateWatch(pins, loop.lookout, outbox, clock, unmet, loop.arming.look)
        stack.push_async_callback(watch.aclose)
        watch.start()
        await loop.run(stop)
        loop.ledger.write(ev.GuardStopped(owner=journal.owner))
        if loop.ledger.record.incident is not None:
            outbox.tell("Thermo-Guard was stopped in the middle of an incident",
                        "It goes on from here when it is started again.", urgent=True)


def _tell_of_storage(journal: SqlJournal, notifier: Notifier) -> None:
    """What its opening has cost, if anything."""
    if journal.gave_back_reserve is not None:
        log.warning("journal.reserve_given_back", reason=journal.gave_back_reserve)
        notifier.tell("The disk of the data folder is full: its reserve has been given back",
                      f"{journal.gave_back_reserve} The next start with room on it makes a new one.", urgent=True)
    if journal.set_aside is not None:
        log.critical("journal.set_aside", reason=journal.set_aside)
        notifier.tell(
            "The journal was damaged and has been set aside: what ran before is not known",
            f"{journal.set_aside}\nNothing is powered on by itself, and Thermo-Guard is NOT ARMED until it has proved "
            "itself again. Where machines are off that should run, a person decides: `thermo-guard power-on`.",
            urgent=True,
        )


async def _farewell(outbox: Outbox, watchdog: Watchdog) -> None:
    """What is left of the time to leave, but for what it takes to close the journal."""
    await outbox.aclose(max(0.1, min(FAREWELL_S, watchdog.left_s() - 1.0)))


async def _close(aclose: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await aclose()
    except TimeoutError:
        log.warning("edges.not_closed", within_s=CLOSE_S)


class WatchedBoard:
    """Implements `ports.StatusBoard`: what is published is also the sign of life that the watchdog waits for."""

    def __init__(self, board: StatusFile, watchdog: Watchdog, audience: Audience | None = None) -> None:
        self._board = board
        self._watchdog = watchdog
        self._audience = audience

    def publish(self, facts: Mapping[str, object], tick_bound_s: float) -> None:
        self._watchdog.beat(tick_bound_s)
        if self._audience is not None:
            self._audience.publish(facts, tick_bound_s)
        self._board.publish(facts, tick_bound_s)


def _leave(board: StatusFile) -> None:
    try:
        board.stop()
    except Fault as fault:
        log.warning("status.not_published", reason=str(fault))


def clock_after(entries: Sequence[Entry]) -> SteadyClock:
    """A clock that begins where the journal ends, at the earliest.

    A wall clock that was set back since would put every deadline on record into the future, and hold an incident up.
    """
    last_at, now = entries[-1].at if entries else 0.0, wall_now()
    if last_at > now:
        log.warning("clock.set_back", by_s=round(last_at - now), what="the guard goes on from the journal's time")
    return SteadyClock(epoch=max(last_at, now))


class Site:
    """The real edges of a site, made from the settings."""

    def __init__(
        self, settings: Settings, clock: Clock, *, logins: Logins, names: Names | None = None, pins: Pins | None = None,
        known: Snapshot | None = None, is_guard: bool = False,
    ) -> None:
        """:param known: what an earlier life has last seen; without a vCenter nobody else knows of a silent host.
        :param is_guard: whoever else looks has no name at the broker, and keeps nothing of what it learns.
        """
        self.sensors = Meraki(
            settings.meraki_api_key.get_secret_value(), settings.meraki_network_id, clock,
            base_url=settings.meraki_api_base_url, sensors=settings.meraki_sensors, ca_file=settings.meraki_ca_file,
            names=names,
        )
        self.messages = _messages(settings, clock, self.sensors, names, is_guard=is_guard)
        port, secret = settings.webhook_port, settings.meraki_webhook_secret
        self.hints = None if port is None or secret is None else Webhook(port, secret.get_secret_value(), clock)
        self.hypervisor = _hypervisor(settings, clock, logins, names, pins, known)
        self.bmcs = [
            Bmc(
                bmc.host, bmc.username, bmc.password.get_secret_value(), clock, logins=logins,
                fingerprint=bmc.fingerprint, ca_file=bmc.ca_file, insecure=bmc.insecure, names=names, pins=pins,
                inlet_sensor=bmc.inlet_sensor,
            ) for bmc in settings.ilo_hosts
        ]
        self.inlets: Sequence[Bmc] = self.bmcs if settings.bmc_inlets else ()

    async def aclose(self) -> None:
        closing = [self.sensors.aclose(), self.hypervisor.aclose(), *(bmc.aclose() for bmc in self.bmcs)]
        closing += [edge.aclose() for edge in (self.messages, self.hints) if edge is not None]
        for fault in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(fault, Fault):
                log.info("edge.not_closed", reason=str(fault))
            elif fault is not None:
                raise fault


def _messages(
    settings: Settings, clock: Clock, sensors: Meraki, names: Names | None, *, is_guard: bool
) -> Mqtt | None:
    """The broker on site, where there is one; what its sensors are called is Meraki's to say."""
    if settings.mqtt_broker is None:
        return None

    async def macs() -> Mapping[str, str | None]:
        return {sensor.serial: sensor.mac for sensor in (await sensors.describe()).sensors}

    host, port = split_host(settings.mqtt_broker, MQTTS_PORT if settings.mqtt_tls else MQTT_PORT)
    password = None if settings.mqtt_password is None else settings.mqtt_password.get_secret_value()
    broker = Broker(host, port, settings.mqtt_user, password, tls=settings.mqtt_tls, ca_file=settings.mqtt_ca_file)
    memory = MqttMemory(settings.data_dir, is_guard=is_guard)
    return Mqtt(
        broker, settings.meraki_network_id, clock, memory, Serials(macs, memory, clock),
        sensors=settings.meraki_sensors, ahead_s=lambda: sensors.clock_ahead_s, names=names,
    )


def _hypervisor(
    settings: Settings, clock: Clock, logins: Logins, names: Names | None, pins: Pins | None, known: Snapshot | None
) -> Vsphere:
    """ESXI_HOSTS without vCenter; else VCENTER_HOST, which says at its login whether it is a vCenter."""
    ca_file = None if settings.vcenter_ca_file is None else str(settings.vcenter_ca_file)
    tls = TlsTrust(ca_file=ca_file, insecure=settings.vcenter_insecure)
    esxi_password = None if settings.esxi_password is None else settings.esxi_password.get_secret_value()
    host_logins = {
        bmc.esxi_host: (bmc.esxi_user, bmc.esxi_password.get_secret_value())
        for bmc in settings.ilo_hosts if bmc.esxi_host and bmc.esxi_user and bmc.esxi_password
    }
    host, user, password = settings.vcenter_host, settings.vcenter_user, settings.vcenter_password
    if host is None or user is None or password is None:
        return Standalone(
            settings.esxi_hosts, clock, logins=logins, names=names, pins=pins, tls=tls, user=settings.esxi_user,
            password=esxi_password, per_host_logins={name.lower(): login for name, login in host_logins.items()},
            known=known,
        )
    tls = replace(tls, fingerprint=settings.vcenter_fingerprint)
    alone = Standalone([host], clock, logins=logins, names=names, pins=pins, tls=tls, user=user,
                       password=password.get_secret_value(), known=known)
    return VcenterOrHost(
        alone, host, user, password.get_secret_value(), clock, logins=logins, names=names, pins=pins, tls=tls,
        cluster=settings.vcenter_cluster, esxi_user=settings.esxi_user, esxi_password=esxi_password,
        per_host_logins=host_logins,
    )


def loop_settings(settings: Settings) -> LoopSettings:
    """The core's and the loop's share of the settings."""
    return LoopSettings(
        policy=PolicySettings(
            high_c=settings.temperature_high_threshold, low_c=settings.temperature_low_threshold,
            critical_c=settings.critical_threshold, sensors=settings.meraki_sensors, votes=settings.trip_votes,
            degrade_to=settings.votes_degrade_to, on_delay_s=settings.trip_on_delay,
            max_age_s=settings.sensor_max_age, recovery_hold_s=settings.recovery_hold,
            watch_s=settings.restart_watch, poll_interval_s=settings.meraki_polling_interval,
            inlet_high_c=settings.inlet_high_threshold, inlet_low_c=settings.inlet_low_threshold,
            inlet_votes=settings.inlet_votes, inlet_count=len(settings.ilo_hosts),
            warn_c=settings.warn_threshold, shed_c=settings.shed_threshold,
            dead_band_k=settings.dead_band, off_delay_s=settings.off_delay, stop_margin_s=settings.stop_margin,
            projects=settings.projection, projection_floor_c=settings.projection_floor,
            blind_trip_s=settings.blind_policy, alarm_votes=settings.meraki_alarm_votes,
        ),
        timing=Timing(
            vm_shutdown_s=settings.vm_shutdown_timeout, host_shutdown_s=settings.host_shutdown_timeout,
            maintenance_s=settings.maintenance_timeout, vcenter_shutdown_s=settings.vcenter_shutdown_timeout,
            host_boot_s=settings.host_boot_timeout, host_stagger_s=settings.host_start_stagger,
            vcenter_start_s=settings.vcenter_start_timeout, vm_start_s=settings.vm_start_timeout,
            power_on_limit=settings.power_on_limit, force_bmc_off=settings.force_bmc_off,
            answers_questions=settings.vm_questions is VmQuestions.ANSWER_DEFAULT,
        ),
        runbook=replace(settings.runbook or Runbook(), patterns=settings.vm_tiers, default=settings.default_tier),
        mode=settings.mode,
        arm_after_s=settings.arm_after,
        poll_s=settings.meraki_polling_interval,
        inlet_s=settings.inlet_interval,
        restart=RestartRules(settings.restart_hours, settings.restart_needs_ack, settings.restart_max_wait),
        snapshot_s=settings.snapshot_interval,
        active_s=settings.active_interval,
        vcenter_vm=settings.vcenter_vm,
        guard_vm=settings.guard_vm,
        bmc_overrides={
            bmc.host: bmc.esxi_host.lower() if settings.esxi_hosts else bmc.esxi_host
            for bmc in settings.ilo_hosts if bmc.esxi_host
        },
    )
