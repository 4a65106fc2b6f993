"""What can happen to a room, by its words: each changes what it says, and nothing happens to what is not there."""

import pytest

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.sim.happenings import WHATS, FacesInProcess, Happening, befall
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.plans import office
from thermo_guard.sim.room import SensorFault
from thermo_guard.sim.site import VirtualSite
from thermo_guard.sim.world import World


class Room:
    def __init__(self) -> None:
        self.world = World(1, office())
        self.site = VirtualSite(self.world, SteadyClock(epoch=0.0))
        self.faces = FacesInProcess(self.world, self.site.faults)

    async def do(self, what: str, target: str = "", how: str = "", for_s: float = 0.0) -> None:
        await befall(self.world, self.faces, Happening(what, target, how, for_s))

    def vm(self, name: str) -> bool:
        return next(vm.is_on for vm in self.world.cluster.vms.values() if vm.name == name)


async def test_the_cooling_fails_and_is_repaired() -> None:
    """For a time, or until somebody mends it."""
    room = Room()
    await room.do("break cooling")
    assert room.world.room.cooling_share == 0
    await room.do("repair cooling")
    room.world.advance(400.0)
    assert room.world.room.cooling_share == 1


async def test_an_open_door_lets_the_heat_out() -> None:
    """A room without cooling stays cooler by it, and warms on when it is shut."""
    shut, opened = Room(), Room()
    for room in (shut, opened):
        await room.do("break cooling")
    await opened.do("open door")
    for room in (shut, opened):
        room.world.advance(1500.0)
    assert opened.world.air_c < shut.world.air_c - 1
    await opened.do("close door")
    before = opened.world.air_c
    opened.world.advance(2500.0)
    assert opened.world.air_c > before


async def test_machines_are_switched_by_people() -> None:
    """VMs on and off and elsewhere, hosts by their mains and their button."""
    room = Room()
    await room.do("switch VM off", "mail")
    assert not room.vm("mail")
    await room.do("switch VM on", "mail")
    assert room.vm("mail")
    await room.do("move VM", "mail", "esx3")
    assert next(vm.host for vm in room.world.cluster.vms.values() if vm.name == "mail") == "esx3"
    stages = []
    for what in ("cut power", "press power"):
        await room.do(what, "esx1")
        stages.append(room.world.cluster.hosts["esx1"].stage)
    assert stages == [Stage.OFF, Stage.BOOTING]


async def test_things_hang_and_fail() -> None:
    """Guests, sensors, hosts, BMCs, vCenter and the way out."""
    room = Room()
    await room.do("hang guest", "mail")
    assert next(vm.plan.hangs for vm in room.world.cluster.vms.values() if vm.name == "mail")
    await room.do("sensor", "", "offline")
    assert {sensor.fault for sensor in room.world.room.sensors.values()} == {SensorFault.OFFLINE}
    await room.do("kill BMC", "esx1")
    assert room.site.faults.is_silent("ilo-a.virtual.invalid")
    await room.do("revive BMC", "esx1")
    assert not room.site.faults.is_silent("ilo-a.virtual.invalid")
    await room.do("cut WAN")
    assert not room.world.network.is_wan_up
    await room.do("break vCenter")
    assert not room.world.cluster.vcenter_answers
    await room.do("break host", "esx2")
    assert room.world.cluster.hosts["esx2"].is_broken


@pytest.mark.parametrize(("what", "target", "how", "said"), [
    ("explode", "", "", "break cooling"), ("hang guest", "none", "", "mail"), ("cut power", "", "", "esx1"),
    ("kill BMC", "ilo-x.virtual.invalid", "", "esx1"), ("sensor", "", "angry", "offline"),
    ("sensor", "none", "offline", "Q3CA"), ("move VM", "mail", "none", "esx1"),
])
async def test_what_is_not_there_is_said_with_what_is(what: str, target: str, how: str, said: str) -> None:
    """And nothing has happened."""
    room = Room()
    before = room.world.log_text()
    with pytest.raises(ValueError, match=said):
        await room.do(what, target, how)
    assert room.world.log_text() == before


def test_nothing_that_can_happen_is_forgotten_here() -> None:
    """A word more is a test more."""
    assert len(WHATS) == 21
