"""ESXi hosts without vCenter, one or several, as one site: `Standalone` is the port's Hypervisor for them.

Each host is asked over its own API, all at once, and a host that is silent holds up no other. What one host was last
seen with stands while it does not answer. There are no tags, no custom attributes and no cluster settings here.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from pyVmomi import vim, vmodl

from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import ClusterSeen, ClusterSettings, CommandFailure, Host, HostSeen, Power, Role, Vm
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.ports import Clock, Fault, Logins, MissingPrivilege, Names, Pins, Refused, Transient

from . import Vsphere, collector, commands, inventory, privileges
from .server import Server, split
from .session import Limits, Session
from .trust import TlsTrust

__all__ = ["Standalone", "VcenterOrHost"]

_log = structlog.get_logger(__name__)

SEVERAL = "standalone"
"""The site's name where it has several hosts; one gives it its own."""

_PATIENCE_S = 5.0
"""For hosts that are slower than the others, once each has been tried: the others' VMs are waiting to be stopped."""
_FIRST_S = 60.0
"""For all of them at the first look, which shall say of each why it does not answer: more than a connection takes."""
_FRESH_S = 10.0
"""What a host has shown stands so long while its next answer is awaited."""
_SLOW_S = 300.0
"""Between two looks at what changes slowly: hardware, guests' addresses."""

_NO_SETTINGS = ClusterSettings(
    ha_enabled=False, ha_host_monitoring=None, ha_admission_control=None, drs_enabled=False, drs_behavior=None,
    drs_overrides=None, dpm_enabled=None,
)
_HOST_AGENT = "HostAgent"
"""`about.apiType` of an ESXi host; vCenter's is VirtualCenter."""


@dataclass(slots=True)
class _Member:
    """One host, and what it was last seen with."""

    host: Host
    """Before it has ever answered only its name and address."""
    vms: tuple[Vm, ...] = ()
    """By the ids that the host itself gives them."""
    failures: tuple[CommandFailure, ...] = ()
    guests: Mapping[str, inventory.VmFacts] = field(default_factory=dict)
    slow_at: float | None = None
    answered_at: float | None = None
    fault: Fault | None = None
    """Why it did not answer, the last time it was asked."""
    look: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def is_new(self) -> bool:
        """It has neither answered nor failed yet."""
        return self.answered_at is None and self.fault is None

    def answers(self, now: float) -> bool:
        """It has answered when it was last asked, or is being asked and did so just before."""
        if self.fault is not None or self.answered_at is None:
            return False
        return self.look is None or now - self.answered_at <= _FRESH_S


class _OwnTrust(TlsTrust):
    """The fingerprint of the settings is the host's own, as there is no vCenter that it could be of."""

    def for_hosts(self) -> TlsTrust:
        return self


class Standalone(Vsphere):
    """Implements ports.Hypervisor; of Vsphere it takes the ways to single hosts, and never asks a vCenter."""

    def __init__(  # noqa: PLR0913 - a site's settings of vSphere
        self, hosts: Sequence[str], clock: Clock, *, logins: Logins, names: Names | None = None,
        pins: Pins | None = None, tls: TlsTrust | None = None, user: str | None = None, password: str | None = None,
        per_host_logins: Mapping[str, tuple[str, str]] | None = None, limits: Limits | None = None,
        known: Snapshot | None = None,
    ) -> None:
        """`hosts` are host or host:port, at least one; a host is named as it stands there.

        `user` and `password` are for every host that has no login of its own in `per_host_logins`, which goes by the
        hosts' names. A fingerprint in `tls` is that of every host: only for one it makes sense. `known` is what an
        earlier life has last seen: it stands for a host that has been silent since, whose BMC is found by it.
        """
        trust = tls or TlsTrust()
        super().__init__(
            hosts[0], user or "", password or "", clock, logins=logins, names=names, pins=pins,
            tls=_OwnTrust(trust.ca_file, trust.fingerprint, trust.insecure), esxi_user=user, esxi_password=password,
            per_host_logins=per_host_logins, limits=limits,
        )
        self._members = {name: _member(name, known) for name in hosts}
        self._site = hosts[0] if len(self._members) == 1 else SEVERAL
        self._shared: frozenset[str] = frozenset()
        """Ids that VMs of several hosts have."""

    async def observe(self) -> ClusterSeen:
        """Ask every host directly, all at once.

        A host that does not answer is shown not connected, with what was last known of it.

        :raises Fault: none of them answers.
        """
        members = list(self._members.values())
        for member in members:
            self._begin(member)
        await self._wait(members)
        now = self._clock.now()
        if not any(member.answers(now) for member in members):
            raise _no_answer(members)
        self._shared = _ids_of_several(member.vms for member in members)
        return ClusterSeen(
            at=now, name=self._site, hosts=tuple(sorted((_host(m, now) for m in members), key=lambda h: h.name)),
            vms=tuple(sorted((vm for m in members for vm in self._vms_of(m, now)), key=lambda vm: (vm.name, vm.id))),
            settings=_NO_SETTINGS, failures=tuple(one for m in members for one in self._failures_of(m)),
            is_standalone=True,
        )

    async def look_at_host(self, name: str, address: str, thumbprint: str | None = None) -> HostSeen:  # noqa: ARG002 - of the port
        """Look at one host; a certificate that was once shown of it by a vCenter says nothing here."""
        seen = await super().look_at_host(name, address)
        return replace(
            seen, vms=tuple(self._of_site(vm, name) for vm in seen.vms),
            failures=tuple(replace(one, target=self._id(one.target, name)) for one in seen.failures),
        )

    async def missing_privileges(self) -> tuple[MissingPrivilege, ...]:
        """Ask each host that answers which rights are not there, on itself and on its VMs.

        :raises Fault: none of them answers.
        """
        await self.observe()
        now = self._clock.now()
        answering = [member for member in self._members.values() if member.answers(now)]
        found = await asyncio.gather(*map(self._missing_on, answering))
        return tuple(one for lacking in found for one in lacking)

    async def _missing_on(self, member: _Member) -> tuple[MissingPrivilege, ...]:
        view = self._direct(member.name, member.host.address)
        host, vms = await view.host(), {await view.vm(vm.id): vm.name for vm in member.vms if not vm.is_template}
        try:
            return await view.endpoint.look(lambda session: privileges.missing(session, {}, {host: member.name}, vms))
        except Refused as fault:
            if not isinstance(fault.__cause__, vmodl.fault.NotSupported | vmodl.fault.MethodNotFound):
                raise
            _log.info("vsphere.privileges_untold", host=member.name, reason=str(fault))
            return ()  # a host that only vCenter could ask about rights: a denial shows when it is asked for the act

    async def execute(self, command: Command, address: str | None = None) -> None:
        """Ask for one act: of a VM or a host at its own host, also where vCenter would be asked.

        :raises Refused: only a vCenter could do it, or no host has that VM.
        """
        if command.verb in commands.OF_VM:
            name, target = await self._home(command)
        elif command.verb in commands.OF_HOST - {Verb.RECONNECT_HOST}:
            name, target = command.target, command.target
        else:
            raise Refused(f"{command.name}: there is no vCenter, without which {command.verb} cannot be done")
        member = self._members.get(name)
        if member is not None:
            address = member.host.address
        await super().execute(replace(command, via=name, target=target), address)

    @property
    def seen_from(self) -> str | None:
        """The address at which the first host that is logged in to sees the guard."""
        return next((seen for view in self._hosts.values() if (seen := view.endpoint.seen_from) is not None), None)

    async def aclose(self) -> None:
        looks = [member.look for member in self._members.values() if member.look is not None]
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        await super().aclose()

    # Looking

    def _begin(self, member: _Member) -> None:
        """Ask a host, unless it has not answered the last question yet."""
        if member.look is None:
            member.look = asyncio.create_task(self._look(member))

    async def _look(self, member: _Member) -> None:
        try:
            seen = await super().look_at_host(member.name, member.host.address)
            now = self._clock.now()
            is_due = member.slow_at is None or now - member.slow_at >= _SLOW_S
            if is_due or any(vm.id not in member.guests for vm in seen.vms):
                endpoint = self._direct(member.name, member.host.address).endpoint
                host, member.guests = await endpoint.look(_slow_facts)
                member.host = replace(host, name=member.name, address=member.host.address)
                member.slow_at = now
        except Fault as fault:
            if member.fault is None:
                _log.warning("vsphere.host_silent", host=member.name, reason=str(fault))
            member.fault = fault
            return
        if member.fault is not None:
            _log.info("vsphere.host_answers_again", host=member.name)
        member.host = replace(member.host, is_connected=True, power=Power.ON, in_maintenance=seen.in_maintenance,
                              uuid=seen.uuid or member.host.uuid)
        member.vms, member.fault, member.answered_at = seen.vms, None, self._clock.now()
        member.failures = (*member.failures, *seen.failures)

    async def _wait(self, members: Sequence[_Member]) -> None:
        """Until all have answered or failed; for the slow ones not long, once one has answered."""
        bound_s = _FIRST_S if any(member.is_new for member in members) else _PATIENCE_S
        looks = {member.look for member in members if member.look is not None}
        await asyncio.wait(looks, timeout=bound_s)
        while waiting := {look for look in looks if not look.done()}:
            if any(look.done() and member.fault is None for member in members if (look := member.look) is not None):
                break
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for member in members:
            if member.look is not None and member.look.done():
                look, member.look = member.look, None
                look.result()  # a fault is kept by the look itself; what else it may raise is a mistake of the program

    def _vms_of(self, member: _Member, now: float) -> Iterable[Vm]:
        is_there = member.answers(now)
        for vm in member.vms:
            known = member.guests.get(vm.id)
            yield replace(
                self._of_site(vm, member.name), is_reachable=vm.is_reachable and is_there,
                addresses=known.addresses if known else (), guest_name=known.guest_name if known else None,
                product=known.product if known else None,
            )

    def _failures_of(self, member: _Member) -> Iterable[CommandFailure]:
        failures, member.failures = member.failures, ()
        return (replace(one, target=self._id(one.target, member.name)) for one in failures)

    # VMs

    def _of_site(self, vm: Vm, host: str) -> Vm:
        """As the site knows it. Whose it was to a vCenter that is not there counts for nothing: nobody else stops it
        with its host or starts it again.
        """
        is_left = vm.role in {Role.VCLS, Role.AGENT}
        return replace(
            vm, id=self._id(vm.id, host), role=Role.WORKLOAD if is_left else vm.role,
            managed_by="" if is_left else vm.managed_by,
        )

    def _id(self, given: str, host: str) -> str:
        """The id of a VM on the site. Copies on other hosts may share its UUID: those are told apart by their host."""
        return f"{given}@{host}" if given in self._shared else given

    async def _home(self, command: Command) -> tuple[str, str]:
        """The host that has a VM, and the id by which that host knows it.

        :raises Refused: none has it, or several have.
        """
        for name in self._members:
            if command.target.endswith(f"@{name}"):
                return name, command.target.removesuffix(f"@{name}")
        if command.via != VCENTER:
            return command.via, command.target
        homes = self._homes(command.target)
        if not homes:
            await self.observe()
            homes = self._homes(command.target)
        if len(homes) == 1:
            return homes[0], command.target
        which = f"VMs of {', '.join(homes)} have its UUID" if homes else "no host shows it"
        raise Refused(f"{command.name}: {which} ({command.target})")

    def _homes(self, vm_id: str) -> list[str]:
        return [member.name for member in self._members.values() if any(vm.id == vm_id for vm in member.vms)]


class VcenterOrHost(Vsphere):
    """Implements ports.Hypervisor for a server that shows only at its login what it is: vCenter, or one ESXi host."""

    def __init__(self, alone: Standalone, address: str, *given: Any, **options: Any) -> None:
        """:param alone: what is worked with where the server turns out to be an ESXi host.
        :param address: its host or host:port; this and the rest as Vsphere takes it.
        """
        super().__init__(address, *given, **options)
        self._alone = alone
        self._own_address = Server(*split(address)).endpoint
        self._is_host: bool | None = None
        """None: it has not been logged in to yet."""

    async def observe(self) -> ClusterSeen:
        return await (self._alone.observe() if await self._is_one_host() else super().observe())

    async def look_at_host(self, name: str, address: str, thumbprint: str | None = None) -> HostSeen:
        if self._is_alone_at(address):
            return await self._alone.look_at_host(name, address, thumbprint)
        return await super().look_at_host(name, address, thumbprint)

    async def missing_privileges(self) -> tuple[MissingPrivilege, ...]:
        is_host = await self._is_one_host()
        return await (self._alone.missing_privileges() if is_host else super().missing_privileges())

    async def execute(self, command: Command, address: str | None = None) -> None:
        is_host = await self._is_one_host() if command.via == VCENTER else self._is_alone_at(address)
        await (self._alone.execute(command, address) if is_host else super().execute(command, address))

    @property
    def seen_from(self) -> str | None:
        return self._alone.seen_from if self._is_host else super().seen_from

    async def aclose(self) -> None:
        await asyncio.gather(self._alone.aclose(), super().aclose())

    async def _is_one_host(self) -> bool:
        """:raises Fault: it does not answer, or refuses the login."""
        if self._is_host is None:
            session = await self._vcenter.session()
            self._is_host = session.content.about.apiType == _HOST_AGENT
            if self._is_host:
                _log.info("vsphere.is_standalone_host", server=self._own_address)
                await self._vcenter.aclose()
        return self._is_host

    def _is_alone_at(self, address: str | None) -> bool:
        """Whether it is this server that is asked directly: while it is silent, its address alone says what it is."""
        return address is not None and address.lower() == self._own_address


def _member(name: str, known: Snapshot | None) -> _Member:
    """A host that has not been asked yet, as an earlier life knew it, or only by its name."""
    host = Host(name, Server(*split(name)).endpoint, "", is_connected=False, power=Power.UNKNOWN)
    kept = next((one for one in known.hosts if one.name == name), None) if known is not None else None
    if known is None or kept is None:
        return _Member(host)
    vms = (
        Vm(
            vm.id.removesuffix(f"@{name}"), vm.name, name, Power.ON if vm.is_on else Power.OFF,
            can_shut_down_guest=False, is_tools_running=False, path=vm.path, role=vm.role, guest_os=vm.guest_os,
        ) for vm in known.vms if vm.host == name
    )
    host = replace(host, uuid=kept.uuid, serials=kept.serials, in_maintenance=kept.in_maintenance)
    return _Member(host, tuple(vms))


def _slow_facts(session: Session) -> tuple[Host, dict[str, inventory.VmFacts]]:
    """The host as it describes itself, and what changes slowly about its VMs, by their ids."""
    seen = collector.of_esxi(session, {
        vim.HostSystem: inventory.HOST_FAST + inventory.host_slow(is_verified=False),
        vim.VirtualMachine: inventory.VM_NAMES + inventory.VM_GUEST,
    })
    hosts = [(m, p) for m, p in seen.items() if "runtime.connectionState" in p]
    if len(hosts) != 1:
        raise Refused(f"it is no ESXi host: it shows {len(hosts)} hosts")
    facts = (inventory.vm_facts(m, p) for m, p in seen.items() if "runtime.connectionState" not in p)
    return inventory.host_of(*hosts[0]), {one.id: one for one in facts}


def _host(member: _Member, now: float) -> Host:
    if member.answers(now):
        return member.host
    return replace(member.host, is_connected=False, power=Power.UNKNOWN)


def _ids_of_several(hosts: Iterable[tuple[Vm, ...]]) -> frozenset[str]:
    """Ids that VMs of more than one host have: copies that nobody gave a UUID of their own."""
    counted = Counter(vm_id for vms in hosts for vm_id in {vm.id for vm in vms})
    return frozenset(vm_id for vm_id, count in counted.items() if count > 1)


def _no_answer(members: Sequence[_Member]) -> Fault:
    """Why none of the hosts answers, as one fault: what all of them have in common is kept of it."""
    faults = [member.fault or Transient(f"{member.name} has not answered in time") for member in members]
    if len(faults) == 1:
        return faults[0]
    kind = type(faults[0]) if len({type(fault) for fault in faults}) == 1 else Transient
    told = kind(f"none of the {len(faults)} hosts answers: " + "; ".join(str(fault) for fault in faults))
    told.trouble = faults[0].trouble if len({fault.trouble for fault in faults}) == 1 else None
    told.__cause__ = faults[0]
    return told
