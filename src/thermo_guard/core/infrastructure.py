"""What the guard leans on and does not guard: the machine it runs on, name servers, the domains of its logins, mail.

Where one of these is a VM of the cluster, the guard itself switches it off in mid-shutdown: told by day, with what is
lost by it and what to do. Findings, and the reading of a resolver's file. Pure.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from .appliance import find_vcenter
from .finding import Area, Finding, Way, fail, listed, ok, warn
from .guard_vm import NONE, GuardVm, find_guard, is_local
from .plant import ClusterSeen, Power, Vm
from .runbook import Runbook

VMWARE = "vmware"
"""How the firmware of a VM of vSphere names its maker, lower case."""
_NAMED = 5
_HIGHEST_TIER = 99


@dataclass(frozen=True, slots=True)
class Leaning:
    """A name that a setting leans on, and what it stands for."""

    setting: str
    name: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """What this machine shows of what the guard leans on."""

    resolvers: tuple[str, ...] = ()
    """IP addresses of the name servers that it asks."""
    own_addresses: tuple[str, ...] = ()
    """From which it reaches its peers, as they see it."""
    maker: str | None = None
    """Who made it, as its firmware says."""
    domains: tuple[Leaning, ...] = ()
    """Of the accounts that it logs in with."""
    mail: tuple[Leaning, ...] = ()
    """The servers that its messages go by."""


@dataclass(frozen=True, slots=True)
class _Site:
    """Who runs what in the cluster."""

    vms: Mapping[str, Vm]
    """Running VMs by each of their addresses; of vCenter's own none."""
    last_tier: int
    has_tiers: bool
    runbook: Runbook
    own: GuardVm = field(default_factory=lambda: GuardVm((), "", is_certain=True))

    def running(self, addresses: Iterable[str]) -> list[Vm]:
        """The VMs behind these addresses that are stopped before the last tier."""
        found = {vm.id: vm for one in addresses if (vm := self.vms.get(one.lower())) is not None}
        return [vm for vm in found.values() if vm.id not in self.own.vms
                and (self.runbook.place_of(vm).tier < self.last_tier or not self.has_tiers)]


def infrastructure_findings(
    cluster: ClusterSeen, seen: Infrastructure, *, runbook: Runbook, vcenter_vm: str | None, guard_vm: str | None,
    known: Collection[str] = (),
) -> tuple[Finding, ...]:
    """All that can be said of a cluster that is seen.

    :param known: instance UUIDs of the VM that ran the guard before.
    """
    own = find_guard(cluster.vms, guard_vm, seen.own_addresses, known)
    vcenter = () if cluster.is_standalone else find_vcenter(cluster.vms, vcenter_vm, cluster.addresses).vms
    site = _site_of(cluster, own, vcenter, runbook)
    return (
        *_of_guard(cluster, own, guard_vm, seen.maker),
        *_of_resolvers(site, seen.resolvers),
        *_of_domains(site, seen.domains, is_standalone=cluster.is_standalone),
        *_of_mail(site, seen.mail),
    )


def _site_of(cluster: ClusterSeen, own: GuardVm, vcenter: Collection[str], runbook: Runbook) -> _Site:
    running = [vm for vm in cluster.vms if vm.power is Power.ON and not vm.is_template and vm.id not in vcenter]
    used = {runbook.place_of(vm).tier for vm in running if vm.id not in own.vms}
    return _Site(
        {address.lower(): vm for vm in running for address in vm.addresses if not is_local(address)},
        max(used, default=runbook.default), len(used) > 1, runbook, own,
    )


def _of_guard(cluster: ClusterSeen, own: GuardVm, configured: str | None, maker: str | None) -> Iterator[Finding]:
    vms = [vm for vm in cluster.vms if vm.id in own.vms]
    if not vms and not own.is_certain:
        yield fail(
            Area.INFRASTRUCTURE, Way.DOWN,
            f"{own.why}: should this guard run on a VM of the cluster, it would shut itself down with the others, and "
            "the rest would stay as it is in mid-shutdown",
            "GUARD_VM=<the VM's name or instance UUID as vCenter shows it>, or GUARD_VM=none where it runs elsewhere.",
        )
        return
    if not vms:
        if configured is None and maker is not None and VMWARE in maker.lower():
            yield warn(
                Area.INFRASTRUCTURE,
                "This machine is a VM of vSphere, and no VM of the cluster shows its address: if it is one of them all "
                "the same, the guard would shut itself down with the others",
                f"GUARD_VM=<its name in vCenter>, or GUARD_VM={NONE} where it is a VM of another cluster.",
            )
            return
        yield ok(Area.INFRASTRUCTURE, f"No VM of this cluster runs the guard: {own.why}")
        return
    names, hosts = listed((vm.name for vm in vms), _NAMED), listed({vm.host for vm in vms}, _NAMED)
    what = (
        f"{'that VM and its host' if len(vms) == 1 else 'those VMs and their hosts'} ({hosts}) would stay up and heat "
        "the room, while all else is shut down; and if the heat stops them, nobody brings the site back"
    )
    if own.is_certain:
        yield fail(
            Area.INFRASTRUCTURE, Way.PART, f"The guard runs on the VM {names} of the cluster that it guards "
                                           f"({own.why}): {what}",
            f"Move Thermo-Guard to a machine outside of the cluster; GUARD_VM={NONE} where it does not run on that VM.",
        )
        return
    yield fail(
        Area.INFRASTRUCTURE, Way.PART, f"Which VM runs the guard is not certain ({own.why}): {what}",
        f"GUARD_VM=<one of {names}>, or GUARD_VM={NONE}; better, move Thermo-Guard to a machine outside of the "
        "cluster.",
    )


def _of_resolvers(site: _Site, resolvers: Sequence[str]) -> Iterator[Finding]:
    if not resolvers:
        return
    inside = site.running(resolvers)
    outside = [one for one in resolvers if one.lower() not in site.vms]
    if not inside:
        yield ok(Area.INFRASTRUCTURE, f"Name servers of this machine: {', '.join(resolvers)}; none of them is stopped "
                                      "before the last tier")
        return
    then = (f"; then {', '.join(outside)} has to answer" if outside else
            ": from then on names stand for what the guard remembers of quiet time, and one that has never been "
            "resolved for nothing")
    yield warn(
        Area.INFRASTRUCTURE,
        f"This machine asks {_with_tiers(site, inside)} for names, {'a VM' if len(inside) == 1 else 'VMs'} of the "
        f"cluster, stopped before the last hosts{then}",
        f"{_last_tier_line(site, inside)}; or name a server outside of the cluster first (this machine's "
        "/etc/resolv.conf; dns: in compose.yaml), or give IP addresses in VCENTER_HOST and ILO_HOSTS.",
    )


def _of_domains(site: _Site, domains: Sequence[Leaning], *, is_standalone: bool) -> Iterator[Finding]:
    for one in domains:
        inside = site.running(one.addresses)
        if not inside:
            continue
        outside = [address for address in one.addresses if address.lower() not in site.vms]
        but = f" (others of it, {listed(outside, _NAMED)}, are not)" if outside else ""
        if one.setting == "VCENTER_USER" and not is_standalone:
            harm = "a login to vCenter after that fails, and on the way back until they are up again"
            remedy = ("Make an account in vCenter's own domain with the same role: "
                      "VCENTER_USER=thermo-guard@vsphere.local, and its VCENTER_PASSWORD.")
        else:
            what = "every host" if is_standalone else "vCenter's own host"
            harm = f"direct logins after that fail, and with them the shutdown of {what}"
            remedy = (f"Make an account on the hosts themselves: {one.setting}=thermo-guard, and its "
                      f"{one.setting.replace('USER', 'PASSWORD')}.")
        yield warn(
            Area.INFRASTRUCTURE,
            f"{one.setting} is an account of the domain {one.name}, which lives on "
            f"{_with_tiers(site, inside)} of this cluster{but}: when they are stopped, {harm}", remedy,
        )


def _of_mail(site: _Site, mail: Sequence[Leaning]) -> Iterator[Finding]:
    for one in mail:
        if inside := site.running(one.addresses):
            yield warn(
                Area.INFRASTRUCTURE,
                f"{one.setting} sends by {one.name}, which is {_with_tiers(site, inside)} of this cluster: messages "
                "wait while it is off, and go out when it is back",
                "Add an address to NOTIFY_URLS that does not run on this cluster.",
            )


def _with_tiers(site: _Site, vms: Sequence[Vm]) -> str:
    return listed((f"{vm.name} (tier {site.runbook.place_of(vm).tier} of {site.last_tier})" for vm in vms), _NAMED)


def _last_tier_line(site: _Site, vms: Sequence[Vm]) -> str:
    """The setting that stops them last, as it is written."""
    tier = site.last_tier if site.has_tiers else min(site.last_tier + 1, _HIGHEST_TIER)
    wanted = [(vm.name, tier) for vm in sorted(vms, key=lambda vm: vm.name) if vm.tier is None]
    if not wanted:
        return f"Set their tag or attribute thermo-guard-tier to {tier}"
    both = [*wanted, *(pair for pair in site.runbook.patterns if pair[0] not in dict(wanted))]
    return "VM_TIERS='{" + ", ".join(f'"{name}": {number}' for name, number in both) + "}'"


_EXTERNAL = re.compile(r"#\s*ExtServers:\s*\[(?P<servers>[^\]]*)\]")
_SERVER = re.compile(r"nameserver\s+(\S+)")
_SHIELDED = re.compile(r"(?:host\()?([0-9A-Fa-f:.%]+)\)?")


def resolvers_of(*files: str) -> tuple[str, ...]:
    """IP addresses of the name servers that resolv.conf files name, in their order.

    Docker puts a server of its own into a container's file, 127.0.0.11, and the real ones into a comment:
    `# ExtServers: [192.0.2.53 host(192.0.2.54)]`. A server on the machine itself is left out: who stands behind it is
    not known here.
    """
    found: dict[str, None] = {}
    for line in (line.strip() for text in files for line in text.splitlines()):
        if (external := _EXTERNAL.match(line)) is not None:
            candidates = [m[1] for word in external["servers"].split() if (m := _SHIELDED.fullmatch(word)) is not None]
        elif (server := _SERVER.match(line)) is not None:
            candidates = [server[1]]
        else:
            continue
        for candidate in candidates:
            if not is_local(candidate):
                found[str(ip_address(candidate))] = None
    return tuple(found)


def domain_of(user: str | None) -> str | None:
    r"""The domain in user@domain or DOMAIN\user; None where there is none."""
    if user is None:
        return None
    domain, backslash, name = user.partition("\\")
    if not backslash:
        name, _, domain = user.rpartition("@")
    return domain.strip().rstrip(".").lower() or None if name else None
