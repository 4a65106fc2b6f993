"""What disarming and restoring a cluster leaves as it was: everything that nobody named."""

import re
from collections.abc import Callable

import pytest
from pyVmomi import vim

from peers.vsphere import VirtualVsphere
from peers.vsphere_person import at_vcenter
from thermo_guard.adapters.vsphere import Vsphere
from thermo_guard.core.commands import VCENTER, Command, Verb

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]

DOWN = (Verb.DISARM_HA, Verb.DISARM_DRS, Verb.RETREAT_VCLS)
UP = (Verb.RESTORE_VCLS, Verb.RESTORE_HA, Verb.RESTORE_DRS, Verb.RESTORE_ADMISSION)


async def test_what_nobody_named_stays(
    start_plant: StartPlant, open_vsphere: OpenVsphere, vsphere_ca_file: str
) -> None:
    """After a shutdown and a restart the cluster's configuration is the same to the letter: HA's policy, rates, DPM's
    behaviour, the overrides of single VMs; and in between those were not touched either.
    """
    plant = start_plant(hosts=1, vms=2)
    adapter = open_vsphere(plant)
    with at_vcenter(plant, vsphere_ca_file) as person:
        policy = vim.cluster.FailoverResourcesAdmissionControlPolicy(
            cpuFailoverResourcesPercent=37, memoryFailoverResourcesPercent=41
        )
        overrides = [vim.cluster.DrsVmConfigSpec(
            operation="add", info=vim.cluster.DrsVmConfigInfo(key=person.vm(name), enabled=True, behavior=behavior)
        ) for name, behavior in zip(plant.vms, ("manual", "partiallyAutomated"), strict=True)]
        person.change_cluster(
            dasConfig=vim.cluster.DasConfigInfo(admissionControlPolicy=policy, vmMonitoring="vmAndAppMonitoring"),
            drsConfig=vim.cluster.DrsConfigInfo(defaultVmBehavior="partiallyAutomated", vmotionRate=2),
            dpmConfig=vim.cluster.DpmConfigInfo(defaultDpmBehavior="automated", hostPowerActionRate=4),
            drsVmConfigSpec=overrides,
        )
        before = await adapter.observe()
        written = person.configuration()
        assert all(f">{value}<" in written for value in (37, 41, "vmAndAppMonitoring", "automated"))
        for verb in DOWN:
            await adapter.execute(Command(verb, before.name, before.name, VCENTER))
        await adapter.observe()
        disarmed = person.configuration()
        assert disarmed != written
        kept = ("admissionControlPolicy", "vmMonitoring", "vmotionRate", "defaultDpmBehavior", "hostPowerActionRate",
                "drsVmConfig")
        assert all(parts(disarmed, name) == parts(written, name) for name in kept)
        assert len(parts(written, "drsVmConfig")) == 2
        for verb in UP:
            await adapter.execute(Command(verb, before.name, before.name, VCENTER, settings=before.settings))
        assert (await adapter.observe()).failures == ()
        assert person.configuration() == written


def parts(configuration: str, name: str) -> list[str]:
    """Everything of that name in a cluster's configuration."""
    return re.findall(rf"<{name}[ >].*?</{name}>", configuration, re.DOTALL)
