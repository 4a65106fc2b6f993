"""What is measured of a stop: only what the guard has seen come about, and only what would come about again."""

from dataclasses import replace

import pytest

from core.plants import DISARMED, NOW, Site, asked, bmc, bmc_address, host, incident, kept_host, kept_vm, seen, snapshot
from core.plants import vm as seen_vm
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.plant import Power, Sight, Unseen
from thermo_guard.core.record import Record, fold

KEPT = snapshot([kept_host("esx1")], [kept_vm("web", "esx1")])


def stopped(*verbs: Verb, target: str = "id-web", **changes: object) -> Site:
    """The VM, or the host, is off; it was first asked 60 s ago."""
    intents = {key: one for verb in verbs for key, one in asked(verb, target, 60.0).items()}
    is_vm = target == "id-web"
    cluster = seen([host("esx1")], [seen_vm("web", "esx1", Power.OFF)], DISARMED) if is_vm else Unseen(NOW, "silent")
    power = Power.ON if is_vm else Power.OFF
    phase = Phase.GUESTS if is_vm else Phase.HOSTS
    at = incident(Goal.OFF, phase=phase, tier=1 if is_vm else None, phase_since=NOW - 90, intents=intents, **changes)
    looks = Sight(cluster, {} if is_vm else {"esx1": Unseen(NOW - 30, "silent")}, {"ilo-esx1": bmc("esx1", power)})
    return Site(KEPT, looks, at, {"esx1": bmc_address("esx1")})


def took_s(site: Site, target: str = "id-web") -> list[float | None]:
    return [sighting.took_s for sighting in site.step().observed if sighting.target == target]


def test_a_stop_that_was_watched_is_measured() -> None:
    """From the first command that asked for it."""
    assert took_s(stopped(Verb.SHUT_DOWN_GUEST)) == [60.0]
    assert took_s(stopped(Verb.SHUT_DOWN_HOST, target="esx1"), "esx1") == [60.0]


@pytest.mark.parametrize(("ago_s", "measured"), [(30.0, None), (90.0, 60.0)])
def test_a_stop_with_a_start_of_the_guard_in_between_is_not(ago_s: float, measured: float | None) -> None:
    """It may have come about at any time of the absence, whose length says nothing of the guest."""
    assert took_s(replace(stopped(Verb.SHUT_DOWN_GUEST), started_at=NOW - ago_s)) == [measured]


def test_a_forced_stop_is_measured_but_for_one_in_haste() -> None:
    """A guest that hangs does so again; a grace that was cut short says nothing of the next one."""
    forced = (Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM)
    assert took_s(stopped(*forced)) == [60.0]
    assert took_s(stopped(*forced, haste=0.2)) == [None]


def test_a_host_whose_power_was_cut_says_nothing_of_its_shutdown() -> None:
    """It hung, and would have gone on hanging."""
    assert took_s(stopped(Verb.SHUT_DOWN_HOST, Verb.FORCE_OFF_HOST, target="esx1"), "esx1") == [None]


def test_the_record_knows_since_when_the_guard_is_there() -> None:
    """The newest start counts."""
    started = [ev.Entry(n, NOW + n, ev.GuardStarted("guard", "1")) for n in (1, 2)]
    assert fold(Record(), started).started_at == NOW + 2
