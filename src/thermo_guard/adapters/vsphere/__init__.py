"""A vSphere cluster through vCenter, and each of its hosts through its own API: `Vsphere` is the port's Hypervisor.

Source: the vSphere Web Services API by pyVmomi; tags by the Automation API. Every call returns when the server has
taken it, every wait has a bound, and nothing is sent twice after a lost answer.
"""

import asyncio
from collections.abc import Mapping

import structlog
from pyVmomi import vim, vmodl

from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.infrastructure import domain_of
from thermo_guard.core.plant import ClusterSeen, HostSeen
from thermo_guard.ports import (
    Ambiguous,
    Clock,
    Fault,
    Logins,
    MissingPrivilege,
    Names,
    Pins,
    Refused,
    Transient,
    Unauthorized,
)

from . import collector, commands, privileges, tags
from .accounts import FirstLogins
from .acts import TaskError, is_as_wanted
from .cluster import ClusterView
from .esxi import EsxiView
from .page import Value
from .questions import Questions
from .session import Endpoint, Limits, Login, Outside, Session
from .trust import TlsTrust
from .turns import again

__all__ = ["Limits", "Login", "TlsTrust", "Vsphere"]

_log = structlog.get_logger(__name__)

_TO_VCENTER = 16
"""Calls at once: at 50 ms each, 1,000 guests are asked to shut down in 3.4 s."""
_TO_HOST = 4
_TAGS_S = 600.0
"""Between two looks at tags."""
_FIRST_TAGS_S = 3.0
"""The first look waits at most so long for tags, since an emergency may be waiting for it."""
_REGISTER_S = 30.0
"""Wait at most so long for a VM to be registered."""


class Vsphere:
    """Implements ports.Hypervisor."""

    def __init__(  # noqa: PLR0913 - a site's settings of vSphere
        self, host: str, user: str, password: str, clock: Clock, *, logins: Logins, names: Names | None = None,
        pins: Pins | None = None, cluster: str | None = None, tls: TlsTrust | None = None, esxi_user: str | None = None,
        esxi_password: str | None = None, per_host_logins: Mapping[str, tuple[str, str]] | None = None,
        tier_name: str = "thermo-guard-tier", limits: Limits | None = None,
    ) -> None:
        """`host` is vCenter's, host or host:port; `per_host_logins` goes by vCenter's name of the ESXi host.

        `logins` is asked before each login, to vCenter and to each host. `names` gives the addresses that connections
        go to; without it the machine's own resolver is asked. `pins` is read at each login: the settings' fingerprint
        stands above a pin, a pin above the thumbprint that a verified vCenter showed of its host, and that above
        the CAs; a pin stands above `TlsTrust.insecure` too.

        `cluster` may be None where vCenter has only one. `tier_name` is that of the custom attribute and of the tag
        category.
        """
        self._clock = clock
        self._trust = tls or TlsTrust()
        self._limits = limits or Limits()
        self._outside = Outside(logins, names, pins)
        self._esxi_login = Login(esxi_user, esxi_password or "") if esxi_user else None
        self._host_logins = {name: Login(*login) for name, login in (per_host_logins or {}).items()}
        self._first_logins: dict[str, FirstLogins] = {}
        """By account of a domain, lower case."""
        self._tier_name = tier_name
        self._vcenter = Endpoint(
            f"vCenter {host}", host, Login(user, password), self._trust, self._outside,
            calls_at_once=_TO_VCENTER, limits=self._limits,
        )
        self._questions = Questions()
        self._cluster = ClusterView(self._vcenter, clock, cluster, tier_name, self._questions)
        self._hosts: dict[tuple[str, str], EsxiView] = {}
        self._shown: dict[str, str] = {}
        """SHA-256 by host name, as vCenter, itself verified, has shown it to this process."""
        self._remembered: dict[str, str] = {}
        """The same from an earlier day."""
        self._tags_at: float | None = None
        self._tag_reading: asyncio.Task[None] | None = None

    async def observe(self) -> ClusterSeen:
        """Look at the whole cluster: one property-collector call each for cluster, hosts and VMs.

        The first look, and one every five minutes, reads also what changes slowly. Tags are read beside it.
        """
        seen = await self._cluster.observe()
        self._shown.update({h.name: h.thumbprint for h in seen.hosts if h.thumbprint is not None})
        return self._cluster.with_tags(seen) if await self._look_at_tags() else seen

    async def look_at_host(self, name: str, address: str, thumbprint: str | None = None) -> HostSeen:
        """Look at one host over its own API.

        Its certificate is trusted by its pin, else by what a verified vCenter showed of it, now or, as `thumbprint`,
        on an earlier day, else as vCenter's is.
        """
        if thumbprint is not None:
            self._remembered[name] = thumbprint
        return await self._direct(name, address).observe()

    async def missing_privileges(self) -> tuple[MissingPrivilege, ...]:
        await self._cluster.refresh()
        seen = self._cluster.latest
        assert seen is not None  # noqa: S101 - the look above has set it
        cluster = {self._cluster.ref or "": seen.name}
        hosts = {await self._cluster.host(h.name): h.name for h in seen.hosts}
        vms = {await self._cluster.vm(v.id): v.name for v in seen.vms if not v.is_template}
        return await self._vcenter.look(lambda session: privileges.missing(session, cluster, hosts, vms))

    async def execute(self, command: Command, address: str | None = None) -> None:
        """Ask for one act.

        :raises ValueError: the command is none for vSphere, or lacks what it needs: a mistake of the program.
        """
        if command.verb in commands.OF_BMC:
            raise ValueError(f"{command.verb} is an act of the host's BMC, not of vSphere")
        if command.via == VCENTER:
            view: ClusterView | EsxiView = self._cluster
            endpoint = self._vcenter
        else:
            if address is None:
                raise ValueError(f"{command.verb} via {command.via} needs the host's address")
            view = self._direct(command.via, address)
            endpoint = view.endpoint
        try:
            if command.verb is Verb.ADOPT_VM:
                await self._adopt(view, command)
            else:
                await self._ask(view, endpoint, command)
        except Fault as fault:
            if isinstance(fault.__cause__, vmodl.fault.ManagedObjectNotFound):
                view.forget()
            raise again(fault, f"{command.name}: ") from fault

    @property
    def seen_from(self) -> str | None:
        """The address at which vCenter sees the guard: behind a bridge of containers that is their machine's."""
        return self._vcenter.seen_from

    async def aclose(self) -> None:
        """Log out everywhere, all at once and for a bounded time."""
        if self._tag_reading is not None:
            self._tag_reading.cancel()
            await asyncio.wait([self._tag_reading])
        await asyncio.gather(self._vcenter.aclose(), *(view.endpoint.aclose() for view in self._hosts.values()))

    async def _ask(self, view: ClusterView | EsxiView, endpoint: Endpoint, command: Command) -> None:
        if command.verb in commands.OF_CLUSTER:
            await self._ask_cluster(command)
            return
        if command.verb in commands.OF_VM:
            ref = await view.vm(command.target)
            if view.is_secondary(command.target):
                raise Refused("it is the secondary of a fault-tolerant pair, which starts and stops with its primary")
        else:
            if command.verb is Verb.RECONNECT_HOST and view is not self._cluster:
                raise ValueError("a host that vCenter has let go is taken back by vCenter")
            ref = await (view.host() if isinstance(view, EsxiView) else view.host(command.target))

        def ask(session: Session) -> str | None:
            if command.verb in commands.OF_HOST:
                return commands.ask_host(session, ref, command, has_vsan=view.has_vsan)
            try:
                return commands.ask_vm(session, ref, command)
            except vim.fault.InvalidPowerState as error:
                if is_as_wanted(command.verb, str(error.existingState)):
                    return None
                raise

        view.acts.sent(command, await endpoint.act(ask))

    async def _ask_cluster(self, command: Command) -> None:
        if self._cluster.latest is None:
            await self._cluster.refresh()
        seen = self._cluster.latest
        is_drs_enabled = seen is None or seen.settings.drs_enabled
        cluster = self._cluster.ref or ""
        task = await self._vcenter.act(
            lambda session: commands.ask_cluster(session, cluster, command, is_drs_enabled=is_drs_enabled)
        )
        self._cluster.acts.sent(command, task)

    async def _adopt(self, view: ClusterView | EsxiView, command: Command) -> None:
        """Register a VM's files on the host that takes it, and wait until that is done."""
        if not isinstance(view, EsxiView) or command.path is None:
            raise ValueError("a VM is adopted by a host, from the path of its files")
        path = command.path
        folder, pool = await view.places()
        at = commands.Adoption(await view.host(), folder, pool)
        task = await view.endpoint.act(lambda session: commands.register(session, at, path))
        deadline = self._clock.now() + _REGISTER_S
        try:
            while task is not None:
                info = await view.endpoint.look(lambda session: _task_info(session, task))
                state, error = info.get("info.state"), TaskError.read(info.get("info.error"))
                if state == "success" or error.kind in {"AlreadyExists", "DuplicateName"}:
                    break
                if state == "error":
                    raise Refused(f"{view.endpoint.at} did not register {path}: {error.text}")
                if self._clock.now() >= deadline:
                    raise Ambiguous(f"{view.endpoint.at} has not registered {path} within {_REGISTER_S:.0f} s")
                await self._clock.sleep(0.5)
        except Transient as fault:
            raise Ambiguous(f"{fault}; {path} may have been registered") from fault
        view.forget()

    def _direct(self, name: str, address: str) -> EsxiView:
        """Give the view of a host at an address; its login is made when it is first used.

        :raises Unauthorized: there is no login for ESXi.
        """
        view = self._hosts.get((name, address))
        if view is None:
            login = self._host_logins.get(name, self._esxi_login)
            if login is None:
                raise Unauthorized(f"there is no login for the ESXi host {name}: set ESXI_USER and ESXI_PASSWORD")
            endpoint = Endpoint(
                f"ESXi host {name}" if name == address else f"ESXi host {name} ({address})", address, login,
                self._trust.for_hosts(), self._outside, calls_at_once=_TO_HOST, limits=self._limits,
                first_logins=self._first_logins_of(login.user),
            )
            view = self._hosts[(name, address)] = EsxiView(endpoint, self._clock, name, self._questions)
        view.endpoint.thumbprint = self._shown.get(name, self._remembered.get(name))
        view.has_vsan = view.has_vsan or self._cluster.has_vsan
        return view

    def _first_logins_of(self, user: str) -> FirstLogins | None:
        """Shared by the hosts of an account of a domain; None for a local account, which each host locks by itself."""
        return None if domain_of(user) is None else self._first_logins.setdefault(user.strip().lower(), FirstLogins())

    async def _look_at_tags(self) -> bool:
        """Read tags now and then beside the looks; wait for them, and tell so, only with the first look."""
        now = self._clock.now()
        if self._tags_at is not None and now - self._tags_at < _TAGS_S:
            return False
        is_first, self._tags_at = self._tags_at is None, now
        if self._tag_reading is None or self._tag_reading.done():
            self._tag_reading = asyncio.create_task(self._read_tags())
        if is_first:
            await asyncio.wait([self._tag_reading], timeout=_FIRST_TAGS_S)
        return is_first

    async def _read_tags(self) -> None:
        try:
            session = await self._vcenter.session()
            self._cluster.tag_tiers = await tags.tiers(
                session.wire.server, self._vcenter.login, session.context, self._tier_name, self._limits.answer_s
            )
        except Fault as fault:
            _log.warning("vsphere.tags_unread", server=self._vcenter.address, reason=str(fault))


def _task_info(session: Session, task: str) -> dict[str, Value]:
    found = collector.of(session, [vim.Task(task, session.wire)], vim.Task, ("info.state", "info.error"))
    return found.get(task, {})
