"""kill -9 at random instants of the main job, started again at once on the same data folder: it goes on.

Each instant is drawn from a seed, which is printed; E2E_SEED=n repeats it.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.plant import Plant, vm
from e2e.proof import is_all_off, is_asked_once, is_back, is_in_order, is_ready
from thermo_guard.core.commands import Verb
from thermo_guard.core.record import Record, fold

pytestmark = pytest.mark.peer
TOPOLOGY = pytest.mark.parametrize("is_vcenter_inside", [False, True], ids=["vcenter_outside", "vcenter_inside"])
GRACE = {"VM_SHUTDOWN_TIMEOUT": "60"}
"""Longer than the 10 s for which an intent without an answer is watched before it is sent again: as in life."""


class Killer:
    """Kills the guard at instants drawn from a seed, and starts it again."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.seed = int(os.environ.get("E2E_SEED") or random.SystemRandom().randrange(10_000))
        self.random = random.Random(self.seed)
        print(f"E2E_SEED={self.seed}")

    def kill(self, where: str, begun: Callable[[], object], within_s: float) -> None:
        """Some time within so many seconds after `begun` has come true."""
        self.plant.wait_for(where, begun)
        after_s = self.random.uniform(0.0, within_s)
        time.sleep(after_s)  # the instant itself is what is drawn: nothing is awaited
        self.plant.guard.kill()
        print(f"killed {after_s:.3f} s into: {where}")

    def kill_and_restart(self, where: str, begun: Callable[[], object], within_s: float) -> None:
        self.kill(where, begun, within_s)
        self.plant.guard.start()

    def kill_before_the_call(self, verb: Verb, target: str, name: str) -> None:
        """When the intent is durable and the call has not been carried out; the journal says so."""
        self.kill(f"intent written, not sent: {verb} {name}", lambda: self._is_intended(verb, name), 1.0)
        assert self._intent(verb, target).outcome is None

    def hang(self, method: str, verb: Verb, target: str, name: str) -> tuple[str, str] | None:
        """Start the guard that was killed, and kill it again when it would ask this; the call hangs and is not done.

        On a slow machine the one before may have asked it already: then nothing hangs.

        :returns: what is asked a second time, if anything.
        """
        if self._intent(verb, target) is not None:
            return None
        self.plant.vsphere.fault(method, "timeout", name=name)
        self.plant.guard.start()
        self.kill_before_the_call(verb, target, name)
        self.plant.vsphere.post("/fault", clear=True)
        return method, name

    def _intent(self, verb: Verb, target: str) -> Any:
        """What the journal knows of it, while no guard runs."""
        incident = fold(Record(), self.plant.guard.journal()).incident
        assert incident is not None
        return incident.intents.get((verb, target))

    def _is_intended(self, verb: Verb, name: str) -> bool:
        return any(command.startswith(f"{verb} {name} ")
                   for line in self.plant.guard.of("commands.intended") for command in line.facts["commands"])


@TOPOLOGY
def test_killed_on_the_way_down(tmp_path: Path, is_vcenter_inside: bool) -> None:
    """Killed while VMs stop, between an intent and its call, and in maintenance mode: all goes down as ever, once."""
    site = Plant(
        tmp_path, is_vcenter_inside=is_vcenter_inside, has_tools=True, settings=GRACE, maintenance_ms=900
    )
    with site as plant:
        killer = Killer(plant)
        plant.guard.start()
        is_ready(plant)
        plant.heat()
        tier = killer.random.choice([1, 2])
        killer.kill(f"VMs stopping, tier {tier}", plant.phase("guests", tier), 0.8)
        again = hang_a_guest(killer) if killer.random.random() < 0.5 else None
        plant.guard.start()
        killer.kill("maintenance mode", plant.phase("hosts"), 1.2)
        again = again or hang_a_host(killer)
        plant.guard.start()
        plant.wait_for("all off", plant.phase("all_off"))
        is_all_off(plant)
        is_in_order(plant)
        plant.cool()
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        is_back(plant)
        is_asked_once(plant, *([again] if again else []))


def hang_a_guest(killer: Killer) -> tuple[str, str] | None:
    """A guest of the last tier is to be shut down, and the call hangs before it is carried out."""
    name = vm(killer.random.choice([1, 2]))
    target = killer.plant.vsphere.vm(name)["instance_uuid"]
    return killer.hang("ShutdownGuest", Verb.SHUT_DOWN_GUEST, target, name)


def hang_a_host(killer: Killer) -> tuple[str, str] | None:
    """The first host to go is to be shut down, and the call hangs before it is carried out."""
    name = killer.plant.hosts[1]
    return killer.hang("ShutdownHost_Task", Verb.SHUT_DOWN_HOST, name, name)


@TOPOLOGY
def test_killed_on_the_way_back(tmp_path: Path, is_vcenter_inside: bool) -> None:
    """Killed while all is off, between the intent to power on and its call, while hosts boot and VMs start."""
    with Plant(tmp_path, is_vcenter_inside=is_vcenter_inside, has_tools=True) as plant:
        killer = Killer(plant)
        plant.guard.start()
        is_ready(plant)
        plant.heat()
        killer.kill_and_restart("all off", plant.phase("all_off"), 1.5)
        is_all_off(plant)
        is_in_order(plant)
        plant.wait_for("all off is seen again", lambda: sees_all_off(plant))
        with plant.frozen_bmc(plant.first_host):
            plant.cool()
            killer.kill_before_the_call(Verb.POWER_ON_HOST, plant.first_host, plant.first_host)
        assert not plant.bmcs[plant.first_host].posts()
        plant.guard.start()
        number = killer.random.randrange(1, 1 + len(plant.hosts))
        killer.kill_and_restart(
            f"hosts booting, the {number}. of them", lambda: len(plant.happened("host.on")) >= number,
            plant.vsphere.state()["timing"]["boot_ms"] / 1000,
        )
        tier = killer.random.choice([3, 2, 1])
        killer.kill_and_restart(f"VMs starting, tier {tier}", plant.phase("start_guests", tier), 0.8)
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        is_back(plant)
        is_asked_once(plant)


def sees_all_off(plant: Plant) -> bool:
    """The guard of this life has looked, and not only read what the one before has written."""
    status = plant.guard.status()
    return bool(status) and (status["incident"] or {}).get("phase") == "all_off"
