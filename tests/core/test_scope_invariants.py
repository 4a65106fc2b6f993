"""What no step may ask of what is not the guard's, whatever is seen of the plant and whatever is on record (S1)."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.plants import NAMES, Site, sites
from thermo_guard.core.commands import Verb
from thermo_guard.core.events import Goal
from thermo_guard.core.scope import Scope

ON_HOSTS = {Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.FORCE_OFF_HOST, Verb.POWER_ON_HOST,
            Verb.EXIT_MAINTENANCE, Verb.RECONNECT_HOST}
STOPS = {Verb.SHUT_DOWN_GUEST, Verb.ANSWER_VM, Verb.POWER_OFF_VM, Verb.TERMINATE_VM}
STARTS = {Verb.POWER_ON_VM, Verb.ADOPT_VM}


@st.composite
def bounded(draw: st.DrawFn) -> Site:
    """Any site, of which some hosts are not confirmed and some VMs are never touched or start after others."""
    site = draw(st.sampled_from(Goal).flatmap(sites))
    ids = [vm.id for vm in site.snapshot.vms]
    vms = tuple(replace(
        vm, is_untouched=draw(st.integers(0, 4)) == 0 and not vm.is_vcenter,
        after=tuple(draw(st.lists(st.sampled_from(ids), max_size=2, unique=True))),
        grace_s=draw(st.none() | st.sampled_from([5.0, 900.0])),
    ) for vm in site.snapshot.vms)
    confirmed = frozenset(draw(st.lists(st.sampled_from(NAMES), unique=True)))
    timing = replace(site.timing, force_bmc_off=draw(st.booleans()))
    return replace(site, snapshot=replace(site.snapshot, vms=vms, has_vsan=draw(st.integers(0, 5)) == 0),
                   scope=Scope(confirmed, why_not="not confirmed"), timing=timing)


@given(bounded())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_what_is_not_confirmed_or_never_touched_is_not_commanded(site: Site) -> None:
    """No host outside the plan, no VM on one, no VM that the runbook spares, no host of a vSAN cluster to its end."""
    plant, spared = site.plant, {vm.id for vm in site.snapshot.vms if vm.is_untouched}
    kept = {vm.id: vm for vm in site.snapshot.vms}
    for command in site.step().commands:
        if command.verb in ON_HOSTS:
            assert site.scope.has_host(command.target)
        if command.verb in STOPS:
            assert site.scope.has_vm(plant.vms[command.target])
        if command.verb in STARTS:
            assert kept[command.target].is_vcenter or site.scope.has_vm(kept[command.target])
        if command.verb is Verb.ADOPT_VM:
            assert site.scope.has_host(command.via)
        if command.verb in STOPS | STARTS:
            assert command.target not in spared
        if site.snapshot.has_vsan:
            assert command.verb not in {Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.FORCE_OFF_HOST}


@given(bounded())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_power_is_cut_by_setting_only(site: Site) -> None:
    """And only of what has been given up, or is not up."""
    forced = [command for command in site.step().commands if command.verb is Verb.FORCE_OFF_HOST]
    assert site.timing.force_bmc_off or not forced
    assert all(command.via == site.bmc_of[command.target] for command in forced)
