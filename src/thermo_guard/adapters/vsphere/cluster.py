"""The cluster as vCenter shows it, and the references by which its parts are asked.

What changes slowly (names, addresses, certificates, tiers) is read every five minutes and for VMs not seen before;
in between a look reads only what a shutdown changes, in one call for each kind of object.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

import structlog
from pyVmomi import vim, vmodl

from thermo_guard.core.plant import ClusterSeen, Host, Role, Trouble, Vm
from thermo_guard.ports import Clock, Fault, Refused

from . import collector, inventory, vcls
from .acts import Acts
from .page import each, text
from .questions import Questions
from .session import Endpoint, Session
from .turns import Turns

_log = structlog.get_logger(__name__)

_SLOW_S = 300.0
"""Between two complete looks. Shorter costs vCenter a second of work each time; longer keeps a changed tier waiting."""


@dataclass(frozen=True, slots=True)
class _Slow:
    """What the last complete look showed, by reference."""

    at: float
    vms: dict[str, inventory.VmFacts]
    hosts: collector.Found
    tier_key: int | None
    addresses: tuple[str, ...]
    """At which vCenter is reached."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """What a look knows before it asks for hosts and VMs."""

    name: str
    configuration: Element | None
    slow: _Slow | None
    """None: this look is a complete one."""
    tier_key: int | None


@dataclass(slots=True)
class _Look:
    """One look as it comes from the thread."""

    seen: ClusterSeen
    vms: dict[str, str]
    hosts: dict[str, str]
    answers: list[tuple[str, str, str]] = field(default_factory=list)
    """Reference of a VM, question, choice."""


class ClusterView:
    """Looks at one cluster; remembers references by VM instance UUID and by host name."""

    def __init__(
        self, endpoint: Endpoint, clock: Clock, cluster: str | None, tier_name: str, questions: Questions | None = None
    ) -> None:
        """`questions` is shared with the views of the hosts."""
        self.acts = Acts()
        self.tag_tiers: Mapping[str, int] = {}
        """Tier by VM reference, from tags; set by whoever reads them."""
        self.latest: ClusterSeen | None = None
        self.ref: str | None = None
        self._endpoint = endpoint
        self._clock = clock
        self._wanted = cluster
        self._tier_name = tier_name
        self._turns = Turns(clock)
        self._questions = Questions() if questions is None else questions
        self._slow: _Slow | None = None
        self._vcls_switch: str | None = None
        self._vcls_trouble = ""
        self._vms: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._secondaries: frozenset[str] = frozenset()

    async def observe(self) -> ClusterSeen:
        """:raises Fault: as the port says."""
        await self._turns.take(self._observe)
        assert self.latest is not None  # noqa: S101 - the line above has set it
        return replace(self.latest, failures=self.acts.failures())

    def with_tags(self, seen: ClusterSeen) -> ClusterSeen:
        """Lay the tiers of tags that have been read since over a look."""
        tiers = {vm: tier for vm, ref in self._vms.items() if (tier := self.tag_tiers.get(ref)) is not None}
        return replace(seen, vms=tuple(
            replace(vm, tier=tiers[vm.id], tier_by="tag") if vm.id in tiers else vm for vm in seen.vms
        ))

    async def refresh(self) -> None:
        """Look again without taking the failures that the next `observe` tells.

        :raises Fault: as `observe`.
        """
        await self._turns.take(self._observe)

    async def vm(self, id: str) -> str:  # noqa: A002 - the plant's word for it
        """Reference of a VM; looks again where it is not known.

        :raises Fault: it is not there, or vCenter does not answer.
        """
        return await self._find(self._vms, id, "VM")

    async def host(self, name: str) -> str:
        """Reference of a host; as `vm`."""
        return await self._find(self._hosts, name, "host")

    @property
    def has_vsan(self) -> bool:
        return self.latest is not None and self.latest.has_vsan

    def is_secondary(self, id: str) -> bool:  # noqa: A002 - the plant's word for it
        """It follows its primary, in a fault-tolerant pair."""
        return id in self._secondaries

    def forget(self) -> None:
        """A reference was wrong: the next search looks anew."""
        self._slow = None
        self._vms.clear()
        self._hosts.clear()

    async def _find(self, known: dict[str, str], key: str, kind: str) -> str:
        if key not in known:
            await self._turns.take(self._observe, is_needless=lambda: key in known)
        if key not in known:
            raise Refused(f"{self._endpoint.at} shows no {kind} {key} in the cluster")
        return known[key]

    async def _observe(self) -> None:
        now = self._clock.now()
        begun = await self._endpoint.look(lambda session: self._begin(session, now))
        cluster, is_complete = self.ref or "", begun.slow is None
        vm_paths = inventory.VM_FAST + inventory.VM_NAMES + inventory.VM_GUEST if is_complete else inventory.VM_FAST
        # Questions at once: a look is as long as the longest of their answers.
        hosts, vms, addresses, _ = await asyncio.gather(
            self._endpoint.look(lambda session: _hosts(session, cluster, is_complete=is_complete)),
            self._endpoint.look(lambda session: collector.vms(session, cluster, vm_paths)),
            self._endpoint.addresses() if begun.slow is None else _same(begun.slow.addresses),
            self._read_vcls_switch(cluster),
        )
        look = await self._endpoint.look(lambda session: self._end(session, begun, hosts, vms, addresses, now))
        for known, fresh in ((self._vms, look.vms), (self._hosts, look.hosts)):
            known.clear()
            known.update(fresh)
        self.latest = look.seen
        self._secondaries = frozenset(vm.id for vm in look.seen.vms if vm.role is Role.FT_SECONDARY)
        self._questions.tell(look.seen.vms)
        for moref, question, choice in look.answers:
            await answer_moved(self._endpoint, moref, question, choice)

    def _begin(self, session: Session, now: float) -> _Begun:
        name, configuration = self._cluster(session)
        slow = self._slow if self._slow is not None and now - self._slow.at < _SLOW_S else None
        return _Begun(name, configuration, slow, slow.tier_key if slow else self._tier_key(session))

    def _end(
        self, session: Session, begun: _Begun, hosts: collector.Found, vms: collector.Found,
        addresses: tuple[str, ...], now: float,
    ) -> _Look:
        slow, tier_key = begun.slow, begun.tier_key
        if slow is None:
            facts = inventory.known_or_read(vms, {} if self._slow is None else self._slow.vms, tier_key)
            slow = _Slow(now, facts, hosts, tier_key, addresses)
            self._slow = slow
        else:
            self._learn_new(session, slow, hosts, vms)
        self.acts.check(session)
        return self._join(session.api, slow, begun, hosts, vms, now)

    def _learn_new(self, session: Session, slow: _Slow, hosts: collector.Found, vms: collector.Found) -> None:
        """Read the slow facts of what was not there before; one that has gone again meanwhile waits for the next."""
        new_vms = [m for m in vms if m not in slow.vms or slow.vms[m].id.startswith(inventory.UNIDENTIFIED)]
        new_hosts = [m for m in hosts if m not in slow.hosts]
        try:
            if new_vms:
                objects = [session.vm(m) for m in new_vms]
                paths = inventory.VM_NAMES + inventory.VM_GUEST
                for moref, seen in collector.of(session, objects, vim.VirtualMachine, paths).items():
                    slow.vms[moref] = inventory.vm_facts(moref, seen, slow.tier_key)
            if new_hosts:
                found = collector.of(
                    session, map(session.host, new_hosts), vim.HostSystem,
                    inventory.host_slow(is_verified=session.is_verified),
                )
                slow.hosts.update(found)
        except vmodl.fault.ManagedObjectNotFound:
            _log.debug("vsphere.object_gone", vms=len(new_vms), hosts=len(new_hosts))

    def _join(
        self, api: tuple[int, ...], slow: _Slow, begun: _Begun, hosts: collector.Found, vms: collector.Found, now: float
    ) -> _Look:
        configuration = begun.configuration
        plant_hosts: dict[str, Host] = {
            m: inventory.host_of(m, {**slow.hosts.get(m, {}), **seen}) for m, seen in hosts.items()
        }
        names = {m: host.name for m, host in plant_hosts.items()}
        plant_vms: dict[str, Vm] = {
            m: inventory.vm_of(slow.vms[m], seen, inventory.runs_on(seen, names), self.tag_tiers.get(m))
            for m, seen in vms.items()
            if m in slow.vms
        }
        answers = []
        for m, vm in list(plant_vms.items()):
            reply = self.acts.moved_answer(vm, vms[m].get("runtime.question"))
            if reply is not None:
                answers.append((m, *reply))
                plant_vms[m] = replace(vm, question=None)
        has_vcls = any(vm.role is Role.VCLS for vm in plant_vms.values())
        services = vcls.state(api, self._vcls_switch, configuration, has_vms=has_vcls)
        seen = ClusterSeen(
            at=now,
            name=begun.name,
            hosts=tuple(sorted(plant_hosts.values(), key=lambda h: h.name)),
            vms=tuple(sorted(plant_vms.values(), key=lambda v: (v.name, v.id))),
            settings=inventory.settings_of(configuration, services),
            addresses=slow.addresses,
            has_vsan=inventory.has_vsan(configuration, slow.hosts.values()),
        )
        return _Look(
            seen, {v.id: m for m, v in plant_vms.items()}, {h.name: m for m, h in plant_hosts.items()}, answers
        )

    async def _read_vcls_switch(self, cluster: str) -> None:
        """Read it beside the look, which it never spoils: where it cannot be read, what was read last stands."""
        try:
            self._vcls_switch = await self._endpoint.look(lambda session: vcls.switch_of(session, cluster))
        except Fault as fault:
            if str(fault) != self._vcls_trouble:
                _log.warning("vsphere.vcls_unread", server=self._endpoint.address, reason=str(fault))
            self._vcls_trouble = str(fault)
        else:
            self._vcls_trouble = ""

    def _cluster(self, session: Session) -> tuple[str, Element | None]:
        """Read the cluster's name and settings; find it first where it is not known.

        :raises Refused: none, or several and none is named.
        """
        if self.ref is not None:
            known = session.cluster(self.ref)
            try:
                seen = collector.of(session, [known], vim.ClusterComputeResource, inventory.CLUSTER_PATHS)[self.ref]
                return str(seen.get("name", "")), _configuration(seen)
            except vmodl.fault.ManagedObjectNotFound:
                self.ref, self._slow = None, None
        found = collector.clusters(session, inventory.CLUSTER_PATHS)
        names = sorted(str(seen.get("name")) for seen in found.values())
        if self._wanted is None and len(found) > 1:
            raise Refused(
                f"{self._endpoint.at} has {len(found)} clusters: {', '.join(names)}; VCENTER_CLUSTER must name one"
            ).of(Trouble.WRONG_CLUSTER)
        for moref, seen in found.items():
            if self._wanted in {None, str(seen.get("name"))}:
                self.ref = moref
                return str(seen.get("name")), _configuration(seen)
        if self._wanted is None:
            raise Refused(f"{self._endpoint.at} shows this account no cluster").of(Trouble.WRONG_CLUSTER)
        raise Refused(
            f"{self._endpoint.at} has no cluster {self._wanted!r}; it shows {', '.join(names) or 'none'}"
        ).of(Trouble.WRONG_CLUSTER)

    def _tier_key(self, session: Session) -> int | None:
        """Number of the custom attribute that holds tiers; None where vCenter has none of that name."""
        manager = session.content.customFieldsManager
        if manager is None:
            return None
        for seen in collector.of(session, [manager], vim.CustomFieldsManager, ("field",)).values():
            for definition in each(seen.get("field"), "CustomFieldDef"):
                if text(definition, "name") == self._tier_name:
                    return int(text(definition, "key") or "0")
        return None


def _hosts(session: Session, cluster: str, *, is_complete: bool) -> collector.Found:
    slow = inventory.host_slow(is_verified=session.is_verified) if is_complete else ()
    return collector.hosts(session, cluster, inventory.HOST_FAST + slow)


async def _same(addresses: tuple[str, ...]) -> tuple[str, ...]:
    return addresses


def _configuration(seen: inventory.Properties) -> Element | None:
    value = seen.get("configurationEx")
    return value if isinstance(value, Element) else None


async def answer_moved(endpoint: Endpoint, moref: str, question: str, choice: str) -> None:
    """Tell a VM that it was moved; a failure is logged, as the next look finds the question again."""
    try:
        await endpoint.act(lambda session: session.vm(moref).Answer(question, choice))
    except Fault as fault:
        _log.warning("vsphere.answer_failed", vm=moref, reason=str(fault))
    else:
        _log.info("vsphere.question_answered", vm=moref, answer="moved")
