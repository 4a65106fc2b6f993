"""What befalls the site: each kind of trouble carried out, and taken back when its time is over."""

from collections.abc import Callable
from dataclasses import replace

from thermo_guard.core.commands import Verb
from thermo_guard.sim.edges import Effect
from thermo_guard.sim.machines import HostState, Stage, VmState
from thermo_guard.sim.physics import Heat
from thermo_guard.sim.room import SensorFault
from thermo_guard.sim.site import VirtualSite
from thermo_guard.sim.world import World

from .guard import Guard
from .scenario import Kind, Trouble
from .weather import Weather

HOT_C = 38.0
WARM_C = 34.4
WARM_EVERY_S = 20.0
COOL_C = 21.0
_BY_CALL = {Kind.LATE, Kind.AGAIN, Kind.TWICE, Kind.FLAKY}


def heat(world: World) -> None:
    """The cooling fails in a room that is hot already."""
    if world.room.cooling_share > 0:
        world.fail_cooling(4 * 3600.0)
    world.room.heat = Heat(HOT_C, HOT_C)


def cool(world: World) -> None:
    """The cooling is back, and the room cool."""
    world.repair_cooling(restart_s=1.0)
    world.room.heat = Heat(COOL_C, COOL_C)


class Fate:
    def __init__(self, world: World, site: VirtualSite, weather: Weather, guard: Guard) -> None:
        self._world = world
        self._site = site
        self._weather = weather
        self._guard = guard
        self._undo: list[Callable[[], None]] = []
        self._warm_until = world.now

    def befall(self, trouble: Trouble) -> bool:
        """Let it happen; False where this plant, as it stands, gives no occasion for it."""
        if trouble.kind in _BY_CALL or (trouble.kind is Kind.SENSOR and trouble.how in {"spike", "drift", "lie"}):
            self._weather.turn(trouble)
            return True
        done = self._room(trouble) or self._edge(trouble) or self._machine(trouble) or self._process(trouble)
        self._world.advance(self._world.now)
        return done

    def mend_all(self) -> None:
        """Nothing goes wrong any more."""
        self._weather.clear()
        self._guard.call_off_crashes()
        self._site.faults.clear()
        for undo in self._undo:
            undo()
        self._undo.clear()
        for host in self._world.cluster.hosts.values():
            is_stuck = host.is_broken and host.stage is Stage.BOOTING
            host.is_broken = False
            if is_stuck:
                self._world.cut_power(host.name)

    def people_tidy_up(self) -> bool:
        """A host that hangs is switched off and on again, as the report asks for; whether there was one."""
        hang = [host.name for host in self._world.cluster.hosts.values() if host.stage is Stage.STOPPING]
        for name in hang:
            self._world.cut_power(name)
            self._world.press_power(name)
        return bool(hang)

    def _for(self, trouble: Trouble, undo: Callable[[], None]) -> bool:
        """Take it back after its time, and at the end of all troubles at the latest."""
        self._undo.append(undo)

        def over() -> None:
            if undo in self._undo:
                self._undo.remove(undo)
                undo()

        self._world.timeline.after(trouble.for_s, over)
        return True

    def _room(self, trouble: Trouble) -> bool:
        world = self._world
        match trouble.kind:
            case Kind.HEAT:
                heat(world)
            case Kind.WARM:
                self._warm_until = world.now + trouble.for_s
                self._stay_warm()
                self._undo.append(self._be_warm_no_more)
            case Kind.COOL:
                cool(world)
            case Kind.COOLING_FAILS:
                world.fail_cooling(trouble.for_s)
            case Kind.COOLING_RETURNS:
                world.repair_cooling()
            case Kind.SENSOR:
                self._sensors(trouble, SensorFault(trouble.how))
                return self._for(trouble, lambda: self._sensors(trouble, SensorFault.NONE))
            case Kind.WAN:
                world.cut_wan()
                return self._for(trouble, world.mend_wan)
            case _:
                return False
        return True

    def _stay_warm(self) -> None:
        """The cooling just carries the load: between the stage and HIGH, whatever is on."""
        if self._world.now < self._warm_until:
            self._world.room.heat = Heat(WARM_C, WARM_C)
            self._world.timeline.after(WARM_EVERY_S, self._stay_warm)

    def _be_warm_no_more(self) -> None:
        self._warm_until = self._world.now

    def _sensors(self, trouble: Trouble, fault: SensorFault) -> None:
        for serial in [trouble.target] if trouble.target else list(self._world.room.sensors):
            self._world.set_sensor(serial, fault)

    def _edge(self, trouble: Trouble) -> bool:
        faults = self._site.faults
        match trouble.kind:
            case Kind.SILENT:
                faults.silence(trouble.target, trouble.for_s)
            case Kind.DENIED:
                faults.deny_login(trouble.target, trouble.for_s)
            case Kind.SLOW:
                faults.slow(trouble.target, trouble.amount, trouble.for_s)
            case Kind.CALL:
                faults.next_calls(Verb(trouble.target), Effect(trouble.how), int(trouble.amount))
            case _:
                return False
        return True

    def _machine(self, trouble: Trouble) -> bool:
        world = self._world
        if trouble.kind is Kind.VCENTER_BROKEN:
            world.break_vcenter()
            return self._for(trouble, world.mend_vcenter)
        if trouble.kind is Kind.DNS:
            return self._switch(world.plan.infrastructure.dns, is_on=False)
        if (host := world.cluster.hosts.get(trouble.target)) is not None:
            return self._host(trouble, host)
        if (vm := next((vm for vm in world.cluster.vms.values() if vm.name == trouble.target), None)) is not None:
            return self._vm(trouble, vm)
        return False

    def _host(self, trouble: Trouble, host: HostState) -> bool:
        match trouble.kind:
            case Kind.HOST_HANGS:
                host.plan, before = replace(host.plan, hangs_down=True), host.plan
                return self._for(trouble, lambda: setattr(host, "plan", before))
            case Kind.HOST_CUT if host.stage is not Stage.OFF:
                self._world.cut_power(host.name)
            case Kind.HOST_PRESSED if host.stage is Stage.OFF and not host.is_standby:
                self._world.press_power(host.name)
            case Kind.HOST_JOINS:
                self._world.join_cluster(host.name)
            case Kind.HOST_BROKEN:
                self._world.break_host(host.name)
            case _:
                return False
        return True

    def _vm(self, trouble: Trouble, vm: VmState) -> bool:
        match trouble.kind:
            case Kind.VM_ON:
                return self._switch(vm.name, is_on=True)
            case Kind.VM_OFF:
                return self._switch(vm.name, is_on=False)
            case Kind.VM_HANGS:
                vm.plan, before = replace(vm.plan, hangs=True), vm.plan
                return self._for(trouble, lambda: setattr(vm, "plan", before))
            case Kind.VM_MOVED:
                there = self._world.cluster.hosts[trouble.how]
                if not there.takes_vms or vm.host == there.name or self._world.cluster.hosts[vm.host].stage != Stage.UP:
                    return False
                self._world.move_vm(vm.name, there.name)
                return True
            case _:
                return False

    def _switch(self, name: str | None, *, is_on: bool) -> bool:
        vm = next((vm for vm in self._world.cluster.vms.values() if vm.name == name), None)
        if vm is None or vm.is_on is is_on or vm.is_lost or vm.plan.is_template:
            return False
        if is_on and not self._world.cluster.hosts[vm.host].takes_vms:
            return False
        self._world.turn_vm(vm.name, is_on=is_on)
        return True

    def _process(self, trouble: Trouble) -> bool:
        match trouble.kind:
            case Kind.CRASH:
                self._guard.crash(trouble.how, int(trouble.amount), trouble.for_s)
            case Kind.CLOCK:
                self._guard.stepped_s += trouble.amount
            case Kind.DISK:
                self._guard.disk.is_full = True
                return self._for(trouble, lambda: setattr(self._guard.disk, "is_full", False))
            case Kind.SECOND_GUARD:
                self._guard.try_second()
            case _:
                return False
        return True

