"""The virtual site surveyed and judged as the real one is, for the demo and for a guard that is tested on it."""

from dataclasses import replace

from .core.infrastructure import Infrastructure, Leaning
from .core.plant import Unseen
from .core.preflight import Terms
from .core.survey import DataFolder, Memory, Network
from .engine.terms import LoopSettings
from .ports import Clock, Hypervisor, PowerController
from .sim.site import VirtualSite
from .survey import Preflight, Remembers, Sides, memory_of

FOLDER = DataFolder("/virtual", is_there=True, is_writable=True, user_id=1000, free_bytes=10**10)


def virtual_sides(site: VirtualSite, clock: Clock) -> Sides:
    """Where a virtual site is looked at from; its faults are felt here as at its edges."""

    async def describe() -> Network:
        await site.sensors.reach()
        return Network("N_1", "Virtual", {sensor.serial: None for sensor in site.world.plan.sensors})

    async def infrastructure() -> Infrastructure:
        return leans_on(site)

    return Sides(
        clock, site.sensors, site.hypervisor, site.bmcs, describe, lambda: 0.0, infrastructure=infrastructure,
        inlets=site.inlets,
    )


def leans_on(site: VirtualSite) -> Infrastructure:
    """What carries names, logins and mail in the virtual site, and the machine that its guard runs on."""
    network = site.world.network
    dns, domain, mail = (
        () if vm is None else vm.plan.addresses for vm in (network.dns_vm, network.domain_vm, network.mail_vm)
    )
    return Infrastructure(
        resolvers=dns, own_addresses=network.guard_addresses,
        domains=(Leaning("VCENTER_USER", "corp.virtual.invalid", domain),) if domain else (),
        mail=(Leaning("NOTIFY_URLS", "mail.virtual.invalid", mail),) if mail else (),
    )


def virtual_preflight(
    site: VirtualSite, clock: Clock, loop: LoopSettings, journal: Remembers, *,
    hypervisor: Hypervisor | None = None, bmcs: tuple[PowerController, ...] | None = None,
    folder: DataFolder = FOLDER,
) -> Preflight:
    """What `engine.terms.Edges` takes as its preflight.

    :param journal: the guard's own, read on the loop.
    :param hypervisor: in the place of the site's, as `bmcs`: where a test has put something around them.
    """
    sides = virtual_sides(site, clock)
    sides = replace(sides, hypervisor=hypervisor or sides.hypervisor, bmcs=sides.bmcs if bmcs is None else bmcs)

    async def memory() -> Memory | Unseen:
        return memory_of(journal, clock.now())

    return Preflight(sides, virtual_terms(loop), folder=lambda: folder, memory=memory)


def virtual_terms(loop: LoopSettings) -> Terms:
    """What the findings are judged by: the loop's own settings, and a person to tell."""
    return Terms(
        policy=loop.policy, vcenter_vm=loop.vcenter_vm, vm_shutdown_s=loop.timing.vm_shutdown_s,
        answers_questions=loop.timing.answers_questions,
        bmc_overrides=loop.bmc_overrides, outlets=1, guard_vm=loop.guard_vm, runbook=loop.runbook,
    )
