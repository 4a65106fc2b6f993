"""What no step may ever ask for, whatever is seen of the plant and whatever is on record (S1, S3, S4)."""

import copy
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.plants import FOREIGN, Site, seen, sights, sites, snapshots
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Goal
from thermo_guard.core.plant import BmcSeen, ClusterSeen, HostSeen, Power
from thermo_guard.core.step import Step
from thermo_guard.core.view import plant_now

DOWN = {Verb.DISARM_HA, Verb.DISARM_DRS, Verb.RETREAT_VCLS, Verb.SHUT_DOWN_GUEST, Verb.ANSWER_VM, Verb.POWER_OFF_VM,
        Verb.TERMINATE_VM, Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.FORCE_OFF_HOST}
ON_VMS = {Verb.SHUT_DOWN_GUEST, Verb.ANSWER_VM, Verb.POWER_OFF_VM, Verb.TERMINATE_VM, Verb.POWER_ON_VM, Verb.ADOPT_VM}
ON_HOSTS = {Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.POWER_ON_HOST, Verb.EXIT_MAINTENANCE}
HOSTS_DOWN = {Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST}

thorough = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
either = st.sampled_from(Goal).flatmap(sites)


def given_up(site: Site, step: Step) -> set[str]:
    return set(site.incident.abandoned) | {event.target for event in step.abandoned}


@thorough
@given(either)
def test_a_step_follows_from_its_situation_alone(site: Site) -> None:
    """The planner is a pure function: the same situation, the same step, and nothing given to it is changed."""
    before = copy.deepcopy((site.snapshot, site.sight, site.incident))
    one, two = site.step(), site.step()
    assert one == two
    assert (site.snapshot, site.sight, site.incident) == before


@thorough
@given(either)
def test_the_listing_order_means_nothing(site: Site) -> None:
    """Hosts and VMs in another order: the same commands."""
    if not isinstance(site.sight.cluster, ClusterSeen):
        return
    turned = seen(site.sight.cluster.hosts[::-1], site.sight.cluster.vms[::-1], site.sight.cluster.settings)
    other = replace(site, sight=replace(site.sight, cluster=turned))
    assert {c.key for c in site.step().commands} == {c.key for c in other.step().commands}


@thorough
@given(either)
def test_only_the_plant_is_commanded(site: Site) -> None:
    """Targets are VMs and hosts of this cluster, never a template, never a VM whose host is not known (S1)."""
    plant = site.plant
    for command in site.step().commands:
        if command.verb in ON_VMS:
            target = plant.vms[command.target]
            assert not target.is_template
            assert target.host in plant.hosts or command.verb is Verb.ADOPT_VM
        elif command.verb in ON_HOSTS:
            assert command.target in plant.hosts
        else:
            assert command.target == plant.cluster
            assert command.via == VCENTER


@thorough
@given(either)
def test_a_command_takes_a_way_that_answers(site: Site) -> None:
    """Through vCenter while it answers and has the host, or over a host that has just answered itself."""
    plant = site.plant
    for command in site.step().commands:
        if command.verb is Verb.POWER_ON_HOST:
            continue
        if command.via == VCENTER:
            assert isinstance(site.sight.cluster, ClusterSeen)
        else:
            assert isinstance(site.sight.direct.get(command.via), HostSeen) or command.verb is Verb.ADOPT_VM
            assert plant.hosts[command.via].power is Power.ON


@thorough
@given(either)
def test_one_target_is_asked_for_one_thing_once(site: Site) -> None:
    """No step holds the same command twice, nor on and off of one target."""
    step = site.step()
    keys = [command.key for command in step.commands]
    assert len(keys) == len(set(keys))
    assert {verb for verb, _ in keys} <= DOWN or not {verb for verb, _ in keys} & DOWN


@thorough
@given(sites(Goal.OFF))
def test_down_only_stops(site: Site) -> None:
    """While the goal is OFF nothing is started, restored or taken out of maintenance; only what is on is stopped."""
    plant, step = site.plant, site.step()
    assert {command.verb for command in step.commands} <= DOWN
    for command in step.commands:
        if command.verb in ON_VMS:
            assert plant.vms[command.target].power is Power.ON


@thorough
@given(sites(Goal.OFF))
def test_no_host_is_touched_while_a_vm_is_on_and_not_given_up(site: Site) -> None:
    """A phase begins when the earlier ones have settled or been abandoned (S4)."""
    plant, step = site.plant, site.step()
    last = {vm.id for vm in site.snapshot.vcenter_vms}
    if not any(command.verb in HOSTS_DOWN for command in step.commands):
        return
    standing = {vm.id for vm in plant.vms.values() if vm.power is Power.ON and not vm.is_template} - last
    assert standing <= given_up(site, step)


@thorough
@given(sites(Goal.OFF))
def test_a_tier_waits_for_the_one_before(site: Site) -> None:
    """A VM of a later tier is first asked when all of the earlier tiers are off or given up (S4)."""
    plant, step = site.plant, site.step()
    tier_of = {vm.id: vm.tier for vm in site.snapshot.vms}
    last = {vm.id for vm in site.snapshot.vcenter_vms}
    for command in step.commands:
        if command.verb not in ON_VMS or command.target in last:
            continue
        earlier = {vm.id for vm in plant.vms.values() if vm.id not in last and not vm.is_template
                   and tier_of.get(vm.id, 1) < tier_of.get(command.target, 1) and vm.power is Power.ON}
        assert earlier <= given_up(site, step)


@thorough
@given(sites(Goal.OFF))
def test_vcenter_goes_last(site: Site) -> None:
    """Its VM and its host are touched, and only directly, when every other VM and host has settled (S4)."""
    plant, step = site.plant, site.step()
    last = {vm.id for vm in site.snapshot.vcenter_vms}
    last_hosts = {plant.vms[vm_id].host for vm_id in last}
    given = given_up(site, step)
    for command in step.commands:
        if command.target not in last and command.target not in last_hosts:
            continue
        assert command.via == (plant.vms[command.target].host if command.target in last else command.target)
        assert {vm.id for vm in plant.vms.values() if vm.power is Power.ON and not vm.is_template} - last <= given
        others = {h.name for h in plant.hosts.values() if h.power is Power.ON and h.name not in last_hosts}
        assert others <= given
        if command.target in last_hosts:
            assert {vm_id for vm_id in last if plant.vms[vm_id].power is Power.ON} <= given


@thorough
@given(sites(Goal.OFF))
def test_all_off_means_settled(site: Site) -> None:
    """The way down is done only when nothing is on that has not been given up and told."""
    plant, step = site.plant, site.step()
    if not step.is_done:
        return
    given = given_up(site, step)
    assert {vm.id for vm in plant.vms.values() if vm.power is Power.ON and not vm.is_template} <= given
    assert {h.name for h in plant.hosts.values() if h.power is Power.ON} <= given


@thorough
@given(sites(Goal.ON))
def test_nothing_is_commanded_while_power_on_is_not_permitted(site: Site) -> None:
    """HIGH, BLIND or unknown: the way back stands still, and says why (S3)."""
    if site.is_permitted:
        return
    step = site.step()
    assert step.commands == []
    assert not step.is_done
    assert step.waits


@thorough
@given(sites(Goal.ON))
def test_only_what_ran_is_started(site: Site) -> None:
    """Hosts and VMs that the snapshot shows on, and none other; maintenance is left where the snapshot had none."""
    hosts = {h.name: h for h in site.snapshot.hosts}
    vms = {vm.id: vm for vm in site.snapshot.vms}
    for command in site.step().commands:
        if command.verb in {Verb.POWER_ON_VM, Verb.ADOPT_VM}:
            assert vms[command.target].is_on
        if command.verb in {Verb.POWER_ON_HOST, Verb.EXIT_MAINTENANCE}:
            assert hosts[command.target].is_on
        if command.verb is Verb.EXIT_MAINTENANCE:
            assert not hosts[command.target].in_maintenance
        if command.verb in {Verb.RESTORE_HA, Verb.RESTORE_DRS, Verb.RESTORE_ADMISSION}:
            assert command.settings == site.snapshot.settings
        assert command.verb not in DOWN


@thorough
@given(sites(Goal.ON))
def test_a_reset_goes_to_a_matched_bmc_of_the_same_machine_only(site: Site) -> None:
    """Never to a BMC that no match names, never to one that now shows another server's UUID (S1)."""
    for command in site.step().commands:
        if command.verb is not Verb.POWER_ON_HOST:
            continue
        assert command.via == site.bmc_of[command.target]
        look = site.sight.bmcs[command.via]
        assert not (isinstance(look, BmcSeen) and look.uuid == FOREIGN)


@thorough
@given(sites(Goal.ON))
def test_the_third_power_on_is_a_persons(site: Site) -> None:
    """With two on record in 24 hours no leg begins to power on; and it is told."""
    step = site.step()
    if site.incident.is_powered_on or len(site.power_ons) < site.timing.power_on_limit:
        return
    assert not any(command.verb is Verb.POWER_ON_HOST for command in step.commands)


@thorough
@given(sites(Goal.ON))
def test_one_host_comes_first(site: Site) -> None:
    """No second host is first asked in the step of another, nor before the watch is clear."""
    step = site.step()
    fresh = [c for c in step.commands if c.verb is Verb.POWER_ON_HOST and c.key not in site.incident.intents]
    assert len(fresh) <= 1
    has_begun = any(verb is Verb.POWER_ON_HOST for verb, _ in site.incident.intents)
    up = [h for h in site.snapshot.hosts if h.is_on and site.plant.hosts[h.name].power is Power.ON
          and h.name not in site.incident.stopping]
    if fresh and (up or has_begun) and not site.is_watch_clear:
        assert not up, "a host runs already, and the watch is not clear"


@thorough
@given(sites(Goal.ON))
def test_the_last_tier_comes_first(site: Site) -> None:
    """A VM of an earlier tier is not started while one of a later tier is off, unless that is given up (S4)."""
    step, plant = site.step(), site.plant
    given = given_up(site, step)
    kept = {vm.id: vm for vm in site.snapshot.vms if vm.is_on}
    for command in step.commands:
        if command.verb not in {Verb.POWER_ON_VM, Verb.ADOPT_VM} or kept[command.target].is_vcenter:
            continue
        later = {vm.id for vm in kept.values() if vm.tier > kept[command.target].tier and not vm.is_vcenter}
        assert {i for i in later if i in plant.vms and plant.vms[i].power is not Power.ON} <= given


@thorough
@given(sites(Goal.ON))
def test_done_means_everything_back_or_told(site: Site) -> None:
    """The way back ends when every VM that ran runs, or has been given up and told."""
    step, plant = site.step(), site.plant
    if not step.is_done:
        return
    given = given_up(site, step)
    for kept in site.snapshot.vms:
        if kept.is_on:
            assert kept.id in given or plant.vms[kept.id].power is Power.ON
    for kept_host in site.snapshot.hosts:
        if kept_host.is_on:
            assert kept_host.name in given or plant.hosts[kept_host.name].power is Power.ON


@thorough
@given(st.data())
def test_a_host_that_answers_is_on(data: st.DataObject) -> None:
    """OFF is never claimed of a host that answers directly, nor of one of which nothing at all is known."""
    kept = data.draw(snapshots())
    sight = data.draw(sights(kept))
    plant = plant_now(sight, kept, {h.name: f"ilo-{h.name}" for h in kept.hosts})
    for name, now in plant.hosts.items():
        if isinstance(sight.direct.get(name), HostSeen):
            assert now.power is Power.ON
        if now.power is Power.OFF:
            assert now.by in {"bmc", "vcenter"}
        assert (now.route is None) or now.power is Power.ON
    for seen_vm in plant.vms.values():
        if seen_vm.power is Power.ON and seen_vm.host in plant.hosts:
            assert plant.hosts[seen_vm.host].power is Power.ON
