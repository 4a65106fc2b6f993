"""Which VM runs the guard itself, where one does: it and its host are left up, or the guard would stop itself first.

The operator's word goes before addresses. Addresses by which the guard's own packets leave it count, compared with
those that VMware Tools report: a guard that runs on a NAS has none of them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from .plant import Power, Vm

NONE = "none"
"""The operator's word for a guard that no VM of this cluster runs."""


@dataclass(frozen=True, slots=True)
class GuardVm:
    """The candidates, by instance UUID, and what speaks for them in words. Each candidate is left up."""

    vms: tuple[str, ...]
    why: str
    is_certain: bool
    """False where a person should say which VM it is."""


def find_guard(
    vms: Iterable[Vm], configured: str | None, own_addresses: Iterable[str], known: Collection[str] = ()
) -> GuardVm:
    """Find the VM that runs the guard.

    :param configured: GUARD_VM: a name, an instance UUID, or "none".
    :param own_addresses: IP addresses of this machine, as its peers see them.
    :param known: instance UUIDs of what it was before: they stand while addresses say nothing, since its tools may be
        silent just now.
    """
    candidates = [vm for vm in vms if not vm.is_template]
    if configured is not None and configured.lower() == NONE:
        return GuardVm((), "GUARD_VM says that none does", is_certain=True)
    missing = ""
    if configured is not None:
        named = [vm for vm in candidates if configured.lower() in {vm.id, vm.name.lower()}]
        if len(named) == 1 and named[0].power is not Power.OFF:
            return GuardVm((named[0].id,), f"GUARD_VM names {named[0].name}", is_certain=True)
        if len(named) == 1:
            missing = f"GUARD_VM names {named[0].name}, which is off while the guard runs"
        elif named:
            return GuardVm(_ids(named), f"GUARD_VM={configured} fits {_names(named)}", is_certain=False)
        else:
            missing = f"GUARD_VM={configured} is no VM of the cluster"
    own = {address.lower() for address in own_addresses if not is_local(address)}
    found = {vm.id: vm for vm in candidates if vm.power is not Power.OFF and _shared(vm, own)}
    still = [vm for vm in candidates if vm.id in known and vm.power is not Power.OFF and not (own and _own(vm))]
    if not found and still:
        why = f"{_names(still)} had an address of this machine before, and reports none now"
        is_certain = not missing and len(still) == 1
        return GuardVm(_ids(still), f"{missing}; {why}" if missing else why, is_certain=is_certain)
    if not found:
        return GuardVm((), missing or "no VM has an address of this machine", is_certain=not missing)
    by = "; ".join(f"{vm.name} has the guard's address {min(_shared(vm, own))}" for vm in found.values())
    why = f"{missing}; {by}" if missing else by
    return GuardVm(_ids(found.values()), why, is_certain=not missing and len(found) == 1)


def _own(vm: Vm) -> list[str]:
    """The addresses that tell it from another machine."""
    return [address for address in vm.addresses if not is_local(address)]


def is_local(address: str) -> bool:
    """An address that every machine has of its own, or none: it tells no machine from another."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return True
    return ip.is_loopback or ip.is_link_local or ip.is_unspecified


def _shared(vm: Vm, own: set[str]) -> set[str]:
    return own.intersection(address.lower() for address in vm.addresses)


def _ids(vms: Iterable[Vm]) -> tuple[str, ...]:
    return tuple(sorted(vm.id for vm in vms))


def _names(vms: Iterable[Vm]) -> str:
    return ", ".join(sorted(vm.name for vm in vms))
