"""The plan before it runs: everything that is on goes down in order, and everything that ran comes back."""

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.plants import SETTINGS, bmc_address, kept_host, kept_vm, snapshot, snapshots
from thermo_guard.core.commands import Verb
from thermo_guard.core.estimate import Act, Forecast, forecast
from thermo_guard.core.runbook import Runbook
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.step import Timing

VM_STOPS = {Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM}
WATCH_S = 600.0


def legs(
    kept: Snapshot, *, without_bmc: str | None = None, has_direct_logins: bool = True
) -> tuple[Forecast, Forecast]:
    matched = {h.name: bmc_address(h.name) for h in kept.hosts if h.name != without_bmc}
    return forecast(kept, matched, Timing(), Runbook(), has_direct_logins=has_direct_logins, watch_s=WATCH_S)


def of(leg: Forecast, *verbs: Verb) -> dict[str, Act]:
    return {act.target: act for act in leg.acts if act.verb in verbs}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(snapshots())
def test_everything_that_is_on_goes_down_and_comes_back(kept: Snapshot) -> None:
    """On a plant on which everything works nothing is left, nothing is given up, nothing else is touched."""
    down, up = legs(kept)
    on_vms = {vm.id for vm in kept.vms if vm.is_on}
    on_hosts = {h.name for h in kept.hosts if h.is_on}
    assert (down.needs_person, up.needs_person) == ((), ())
    assert set(of(down, *VM_STOPS)) == on_vms
    assert set(of(down, Verb.SHUT_DOWN_HOST)) == on_hosts
    assert set(of(up, Verb.POWER_ON_HOST)) == on_hosts
    assert set(of(up, Verb.POWER_ON_VM)) == on_vms
    assert max((act.ends_s for act in down.acts), default=0.0) <= down.takes_s + 30


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(snapshots())
def test_the_order_is_that_of_the_runbook(kept: Snapshot) -> None:
    """Guests by tier, then hosts, then vCenter's VM and its host; back with one host first and the last tier first."""
    down, up = legs(kept)
    last = {vm.id for vm in kept.vcenter_vms}
    last_hosts = {vm.host for vm in kept.vcenter_vms}
    tier_of = {vm.id: vm.tier for vm in kept.vms}
    stops = of(down, *VM_STOPS)
    guests = [act for target, act in stops.items() if target not in last]
    hosts = [act for act in down.acts if act.verb in {Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST}]
    for act in guests:
        assert all(other.ends_s <= act.starts_s for other in guests if tier_of[other.target] < tier_of[act.target])
    assert all(guest.ends_s <= act.starts_s for guest in guests for act in hosts)
    for act in [a for t, a in stops.items() if t in last] + [a for a in hosts if a.target in last_hosts]:
        assert all(other.ends_s <= act.starts_s for other in hosts if other.target not in last_hosts)
    starts = sorted(of(up, Verb.POWER_ON_HOST).values(), key=lambda act: act.starts_s)
    for first, second in pairwise(starts):
        assert second.starts_s >= first.starts_s + Timing().host_stagger_s
    if len(starts) > 1:
        assert starts[1].starts_s >= starts[0].ends_s + WATCH_S - 1
    vms = [act for target, act in of(up, Verb.POWER_ON_VM).items() if target not in last]
    for act in vms:
        assert all(other.ends_s <= act.starts_s for other in vms if tier_of[other.target] > tier_of[act.target])


KEPT = snapshot([kept_host("esx1"), kept_host("esx2")],
                [kept_vm("vcsa", "esx1", is_vcenter=True), kept_vm("web", "esx2"), kept_vm("old", "esx2", is_on=False)])


def test_what_it_would_end_without_is_told() -> None:
    """A host without BMC needs a person on the way back; vCenter's host without a direct login stays up."""
    down, up = legs(KEPT, without_bmc="esx2")
    assert down.needs_person == ()
    assert any("esx2" in line and "person" in line for line in up.needs_person)
    down, _ = legs(KEPT, has_direct_logins=False)
    assert any("esx1 still heats the room" in line for line in down.needs_person)
    assert "esx1" not in of(down, Verb.SHUT_DOWN_HOST)


def test_settings_are_restored_as_the_snapshot_has_them() -> None:
    """HA and DRS before the VMs, admission control after the last of them."""
    _, up = legs(KEPT)
    verbs = [act.verb for act in up.acts]
    assert verbs.index(Verb.RESTORE_HA) < verbs.index(Verb.RESTORE_DRS)
    assert verbs.index(Verb.RESTORE_DRS) < max(i for i, verb in enumerate(verbs) if verb is Verb.POWER_ON_VM)
    assert verbs[-1] is Verb.RESTORE_ADMISSION
    assert SETTINGS.ha_admission_control


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 4), st.integers(0, 3))
def test_more_tiers_take_longer(hosts: int, tiers: int) -> None:
    """The time to stop everything is computed from the plan, not guessed: each tier adds its slowest guest."""
    names = [f"esx{i + 1}" for i in range(hosts)]
    vms = [kept_vm(f"vm{i}", "esx1", tier=i + 1) for i in range(tiers + 1)]
    shorter, _ = legs(snapshot([kept_host(n) for n in names], vms[:-1]))
    longer, _ = legs(snapshot([kept_host(n) for n in names], vms))
    assert longer.takes_s > shorter.takes_s
