"""Which VM is vCenter itself: the one that is stopped last, on its own host.

No identifier of vCenter matches a VM, so the evidence is the operator's word first, then addresses, guest name and the
appliance's product name. Two candidates are never decided between: each is stopped last.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .plant import Power, Vm

EXTERNAL = "external"
"""The operator's word for a vCenter that no VM of this cluster runs."""
_PRODUCT = "vcenter"


@dataclass(frozen=True, slots=True)
class Appliance:
    """The candidates, by instance UUID, and what speaks for it in words."""

    vms: tuple[str, ...]
    why: str
    is_certain: bool
    """False where a person should say which VM it is."""
    against: str = ""
    """What speaks against the operator's word, which is followed all the same."""
    is_unproved: bool = False
    """Nothing but the operator's word speaks for it: its tools may be silent, or it is the wrong VM."""


def find_vcenter(
    vms: Iterable[Vm], configured: str | None, addresses: Iterable[str], known: Collection[str] = ()
) -> Appliance:
    """Find vCenter's VM.

    :param configured: VCENTER_VM: a name, an instance UUID, or "external".
    :param addresses: host name and IP addresses at which vCenter is reached.
    :param known: instance UUIDs of what it was before: they stand while nothing else speaks for any VM, since its
        tools may be silent just now.
    """
    candidates = [vm for vm in vms if not vm.is_template]
    reached = {address.lower() for address in addresses}
    if configured is not None:
        if configured.lower() == EXTERNAL:
            others = [vm for vm in candidates if vm.power is not Power.OFF and _evidence(vm, reached)]
            return Appliance(
                (), "VCENTER_VM says that it is external", is_certain=True, is_unproved=bool(others),
                against="; ".join(f"{vm.name}: {why}" for vm in others if (why := _place(vm, reached))),
            )
        named = [vm for vm in candidates if configured.lower() in {vm.id, vm.name.lower()}]
        if len(named) == 1:
            return Appliance(
                (named[0].id,), f"VCENTER_VM names {named[0].name}", is_certain=True,
                against=_against(named[0], candidates, reached), is_unproved=not _evidence(named[0], reached),
            )
        if named:
            return Appliance(_ids(named), f"VCENTER_VM={configured} fits {_names(named)}", is_certain=False)
    # vCenter answers, so what is off is not it: the one that was replaced at an upgrade is kept for a while.
    found = [(vm, why) for vm in candidates if vm.power is not Power.OFF and (why := _evidence(vm, reached))]
    missing = f"VCENTER_VM={configured} is no VM of the cluster; " if configured is not None else ""
    still = [vm for vm in candidates if vm.id in known and vm.power is Power.ON] if not found else []
    if still:
        return Appliance(_ids(still), f"{missing}{_names(still)}: it was vCenter before", is_certain=not missing)
    if not found:
        return Appliance((), f"{missing}no VM could be vCenter: it is external", is_certain=not missing)
    if len(found) == 1:
        vm, why = found[0]
        return Appliance((vm.id,), f"{missing}{vm.name}: {why}", is_certain=not missing)
    both = [vm for vm, _ in found]
    return Appliance(_ids(both), f"{missing}{_names(both)} could each be vCenter", is_certain=False)


def _against(named: Vm, candidates: Iterable[Vm], reached: set[str]) -> str:
    """What speaks for another VM and not for the one that the operator names.

    vCenter answers, so what is off is not it. An address or a guest's name goes before a product: a cluster may run the
    vCenter of another site too.
    """
    if named.power is Power.OFF:
        return f"{named.name} is off while vCenter answers"
    others = [vm for vm in candidates if vm is not named and vm.power is not Power.OFF]
    there = [f"{vm.name}: {why}" for vm in others if (why := _place(vm, reached))]
    if there and not _place(named, reached):
        return "; ".join(there)
    if not _evidence(named, reached):
        return "; ".join(f"{vm.name}: {why}" for vm in others if (why := _evidence(vm, reached)))
    return ""


def _evidence(vm: Vm, reached: set[str]) -> str:
    is_product = vm.product is not None and _PRODUCT in vm.product.lower()
    facts = [_place(vm, reached), f"its product is {vm.product}" if is_product else ""]
    return " and ".join(fact for fact in facts if fact)


def _place(vm: Vm, reached: set[str]) -> str:
    """Whether it stands where vCenter was reached."""
    facts = []
    if shared := reached.intersection(address.lower() for address in vm.addresses):
        facts.append(f"its address is {min(shared)}")
    if vm.guest_name is not None and vm.guest_name.lower() in reached:
        facts.append(f"its guest is named {vm.guest_name}")
    return " and ".join(facts)


def _ids(vms: Iterable[Vm]) -> tuple[str, ...]:
    return tuple(sorted(vm.id for vm in vms))


def _names(vms: Iterable[Vm]) -> str:
    return ", ".join(sorted(vm.name for vm in vms))
