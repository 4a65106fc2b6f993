"""What an incident may touch: the confirmed hosts and all on them, one rehearsed target, or everything."""

import pytest

from core.plants import incident, vm
from thermo_guard.core import events as ev
from thermo_guard.core.events import Goal
from thermo_guard.core.record import Record, Rehearsal
from thermo_guard.core.scope import scope_of

CONFIRMED = ev.HostsConfirmed(("esx1", "esx2"), 10, "")
DOWN = incident(Goal.OFF)


@pytest.mark.parametrize("record", [Record(), Record(incident=DOWN)])
def test_where_nothing_was_confirmed_everything_is_touched(record: Record) -> None:
    """A person's shutdown on a guard that was never armed means the cluster as it is."""
    scope = scope_of(record)
    assert scope.has_host("esx9")
    assert scope.has_vm(vm("web", "esx9"))
    assert scope.has_settings


def test_a_host_that_nobody_has_confirmed_is_left_alone_with_its_vms() -> None:
    """And a VM that moves there leaves the scope; why is said in words that tell what to do (S1)."""
    scope = scope_of(Record(incident=DOWN, confirmed=CONFIRMED))
    assert scope.has_host("esx1")
    assert scope.has_vm(vm("web", "esx2"))
    assert not scope.has_host("esx3")
    assert not scope.has_vm(vm("web", "esx3"))
    assert scope.has_settings
    assert "thermo-guard arm" in scope.why_not


def test_a_rehearsed_vm_is_all_that_is_touched() -> None:
    """Not its host, not its neighbours, not the cluster's settings."""
    tried = incident(Goal.OFF, rehearsal=Rehearsal("vm", "id-web", "web"))
    scope = scope_of(Record(incident=tried, confirmed=CONFIRMED))
    assert scope.has_vm(vm("web", "esx1"))
    assert not scope.has_vm(vm("db", "esx1"))
    assert not scope.has_host("esx1")
    assert not scope.has_settings


def test_a_rehearsed_host_is_all_that_is_touched() -> None:
    """No VM, not even one that has come onto it since, and no other host."""
    tried = incident(Goal.OFF, rehearsal=Rehearsal("host", "esx1", "esx1"))
    scope = scope_of(Record(incident=tried, confirmed=CONFIRMED))
    assert scope.has_host("esx1")
    assert not scope.has_host("esx2")
    assert not scope.has_vm(vm("web", "esx1"))
    assert not scope.has_settings
