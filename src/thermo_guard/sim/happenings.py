"""What can happen to a room of the virtual site from outside: people, fate and hardware, each by its words.

A plant file's scenarios and the site's control face take them from here. What touches a face (a BMC that is dead) goes
through `Faces`; the rest happens in the world, which brings it to wherever its plant lives.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from .edges import Faults
from .inlets import InletFault
from .machines import Stage
from .room import SensorFault
from .world import World

FOR_EVER_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Happening:
    what: str
    """A key of WHATS."""
    target: str = ""
    """A host, VM, sensor, or the host of a BMC, by the plant's name of it."""
    how: str = ""
    for_s: float = 0.0
    """How long; 0: until something else ends it."""


class Faces(Protocol):
    """What can happen to the faces of a room alone; BMCs by their addresses in the blueprint."""

    async def kill_bmc(self, address: str) -> None: ...

    async def hang_bmc(self, address: str) -> None: ...

    async def revive_bmc(self, address: str) -> None: ...

    async def hang_guest(self, vm: str) -> None: ...


class FacesInProcess:
    """Where the site's edges are in this process."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults

    async def kill_bmc(self, address: str) -> None:
        self._faults.silence(address)

    async def hang_bmc(self, address: str) -> None:
        self._faults.silence(address)

    async def revive_bmc(self, address: str) -> None:
        self._faults.mend(address)

    async def hang_guest(self, vm: str) -> None:
        """The world's own guest hangs already."""


async def befall(world: World, faces: Faces, happening: Happening) -> None:
    """Let it happen now.

    :raises ValueError: there is no such thing, or nothing of that name; the text says what there is.
    """
    act = WHATS.get(happening.what)
    if act is None:
        raise ValueError(f"what: {happening.what!r} is nothing that can happen; there are {', '.join(WHATS)}")
    await act(world, faces, happening)


def checked(world: World, happening: Happening) -> None:
    """:raises ValueError: as `befall`, without letting it happen."""
    if happening.what not in WHATS:
        raise ValueError(f"what: {happening.what!r} is nothing that can happen; there are {', '.join(WHATS)}")
    if happening.for_s and happening.what != "break cooling":
        raise ValueError(f"for: {happening.what!r} lasts until something ends it; only 'break cooling' has a time")
    names = _TARGETS.get(happening.what)
    if names is not None:
        _named(happening.target, names(world))
    if happening.what == "sensor":
        _fault(happening.how)
    if happening.what == "inlet":
        _inlet_fault(happening.how)
    if happening.what == "move VM":
        _named(happening.how, world.cluster.hosts)


Act = Callable[[World, Faces, Happening], Awaitable[None]]


def _in_world(act: Callable[[World, Happening], None]) -> Act:
    async def do(world: World, _: Faces, happening: Happening) -> None:
        checked(world, happening)
        act(world, happening)
        world.advance(world.now)

    return do


def _of_bmc(act: Callable[[Faces, str], Awaitable[None]]) -> Act:
    async def do(world: World, faces: Faces, happening: Happening) -> None:
        checked(world, happening)
        states = world.cluster.bmcs.values()
        await act(faces, next(one.plan.address for one in states if one.plan.host == happening.target))
        world.timeline.note("bmc.fault", happening.target, happening.what)

    return do


async def _hang_guest(world: World, faces: Faces, happening: Happening) -> None:
    checked(world, happening)
    world.hang_guest(happening.target)
    await faces.hang_guest(happening.target)


def _sensor(world: World, happening: Happening) -> None:
    for serial in [happening.target] if happening.target else list(world.room.sensors):
        world.set_sensor(serial, _fault(happening.how))


def _press(world: World, happening: Happening) -> None:
    if world.cluster.hosts[happening.target].stage is Stage.OFF:
        world.press_power(happening.target)


def _fault(how: str) -> SensorFault:
    try:
        return SensorFault(how)
    except ValueError:
        raise ValueError(f"how: {how!r} is no fault of a sensor; there are {', '.join(SensorFault)}") from None


def _inlet_fault(how: str) -> InletFault:
    try:
        return InletFault(how)
    except ValueError:
        raise ValueError(f"how: {how!r} is no fault of an inlet; there are {', '.join(InletFault)}") from None


def _named(name: str, names: Collection[str]) -> None:
    if name not in names:
        raise ValueError(f"{name or 'nothing'!r} is not there; there are {', '.join(sorted(names))}")


WHATS: Mapping[str, Act] = {
    "break cooling": _in_world(lambda world, one: world.fail_cooling(one.for_s or FOR_EVER_S)),
    "repair cooling": _in_world(lambda world, _: world.repair_cooling()),
    "open door": _in_world(lambda world, _: world.room.open_door(is_open=True)),
    "close door": _in_world(lambda world, _: world.room.open_door(is_open=False)),
    "cut WAN": _in_world(lambda world, _: world.cut_wan()),
    "mend WAN": _in_world(lambda world, _: world.mend_wan()),
    "sensor": _in_world(_sensor),
    "inlet": _in_world(lambda world, one: world.set_inlet(one.target, _inlet_fault(one.how))),
    "hang guest": _hang_guest,
    "switch VM on": _in_world(lambda world, one: world.turn_vm(one.target, is_on=True)),
    "switch VM off": _in_world(lambda world, one: world.turn_vm(one.target, is_on=False)),
    "move VM": _in_world(lambda world, one: world.move_vm(one.target, one.how)),
    "cut power": _in_world(lambda world, one: world.cut_power(one.target)),
    "press power": _in_world(_press),
    "break host": _in_world(lambda world, one: world.break_host(one.target)),
    "mend host": _in_world(lambda world, one: world.mend_host(one.target)),
    "break vCenter": _in_world(lambda world, _: world.break_vcenter()),
    "mend vCenter": _in_world(lambda world, _: world.mend_vcenter()),
    "kill BMC": _of_bmc(lambda faces, address: faces.kill_bmc(address)),
    "hang BMC": _of_bmc(lambda faces, address: faces.hang_bmc(address)),
    "revive BMC": _of_bmc(lambda faces, address: faces.revive_bmc(address)),
}
"""What can happen, in the words of plant files and of the control face."""


def _vms(world: World) -> Collection[str]:
    return {vm.name for vm in world.cluster.vms.values()}


def _hosts(world: World) -> Collection[str]:
    return set(world.cluster.hosts)


def _hosts_with_bmc(world: World) -> Collection[str]:
    return {bmc.plan.host for bmc in world.cluster.bmcs.values() if bmc.plan.host is not None}


_TARGETS: Mapping[str, Callable[[World], Collection[str]]] = {
    **dict.fromkeys(("hang guest", "switch VM on", "switch VM off", "move VM"), _vms),
    **dict.fromkeys(("cut power", "press power", "break host", "mend host"), _hosts),
    **dict.fromkeys(("kill BMC", "hang BMC", "revive BMC", "inlet"), _hosts_with_bmc),
    "sensor": lambda world: {*world.room.sensors, ""},
}
"""What each is done to; the others are done to the room."""
