"""One run: troubles as the scenario has them, then none, and at the end a whole incident that must go as it should.

The same scenario gives the same trace, byte for byte: time is virtual, every draw comes from the seed, and nothing else
is asked. The journal is a real one on a real file system.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.core import events as ev
from thermo_guard.sim.loop import run as run_virtually
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.running import Running
from thermo_guard.sim.site import VirtualSite
from thermo_guard.sim.world import World

from .fate import Fate, cool, heat
from .guard import Guard
from .log import be_silent, unforeseen
from .promises import Promises, Violation
from .scenario import Scenario, Trouble
from .terms import bound_down_s, bound_up_s
from .weather import Weather

STARTS_AT = 1_767_340_800.0
GLANCE_S = 10.0
"""How often it is looked whether the plant has come where it must."""
QUIET_S = 930.0
"""Between the troubles and the last incident: so long is a cool room looked at before what is off counts as meant."""
HOT_S = 600.0
"""By when a hot room has tripped: two measurements of slow probes, the on-delay between them, and a poll."""
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
"""Where files are a matter of memory, if the machine has such a place: an fsync to a disk would be all the time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    scenario: Scenario
    violations: tuple[Violation, ...]
    digest: str
    """SHA-256 of the trace."""
    trace: tuple[str, ...]
    """What happened, a line each; empty where it was not asked for."""
    simulated_s: float
    incidents: int
    crashes: int
    troubles: Counter[str] = field(default_factory=Counter)
    """That came about, by kind."""
    checked: Counter[str] = field(default_factory=Counter)
    """How often each promise was."""


def run(scenario: Scenario, *, with_trace: bool = False) -> Outcome:
    """Carry it out, in a folder that is gone afterwards; from then on this process says nothing in its log."""
    be_silent()
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="thermo-guard-simulate-", dir=place) as folder:
        return run_virtually(_run(scenario, Path(folder), with_trace=with_trace))


async def _run(scenario: Scenario, folder: Path, *, with_trace: bool) -> Outcome:
    return await _Run(scenario, folder).whole(with_trace=with_trace)


class _Run:
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.settings = scenario.settings
        self.clock = SteadyClock(epoch=STARTS_AT)
        self.world = World(scenario.seed, scenario.blueprint, STARTS_AT)
        self.site = VirtualSite(self.world, self.clock, silence_s=5.0)
        self.weather = Weather(self.clock, random.Random(f"weather {scenario.seed}"))  # noqa: S311 - repeatable
        self.promises = Promises(self.world, self.settings)
        self.guard = Guard(
            self.settings, folder, self.site, self.clock, self.weather, self.promises,
            is_unarmed=bool(scenario.tuning.get("unarmed")),
        )
        self.fate = Fate(self.world, self.site, self.weather, self.guard)
        self.troubles: Counter[str] = Counter()

    async def whole(self, *, with_trace: bool) -> Outcome:
        self.guard.start()
        try:
            for trouble in self.scenario.troubles:
                await self._pass_to(trouble.at_s)
                self._befall(trouble)
            await self._pass_to(self.scenario.faults_s)
            await self._end_of_troubles()
            if not self.scenario.tuning.get("observe") and not self.guard.has_lost_memory:
                await self._last_incident()
        except _Late as late:
            self.promises.late(str(late))
        finally:
            await self.guard.kill()
        self.promises.checked["liveness"] += 1
        for what in unforeseen():
            self.promises.late(f"unforeseen: {what}")
        lines = self._trace()
        return Outcome(
            self.scenario, tuple(self.promises.violations), sha256("\n".join(lines).encode()).hexdigest(),
            tuple(lines) if with_trace else (), self._passed_s,
            sum(isinstance(event, ev.IncidentClosed) for _, event in self.guard.events), self.guard.crashes,
            self.troubles, self.promises.checked,
        )

    @property
    def _passed_s(self) -> float:
        return self.clock.now() - STARTS_AT

    def _befall(self, trouble: Trouble) -> None:
        if self.fate.befall(trouble):
            self.troubles[trouble.kind.value] += 1
            self.world.timeline.note("trouble", trouble.kind.value, str(trouble))

    async def _end_of_troubles(self) -> None:
        """From here on everything works; whatever goes on must end, and the report must name what is missing."""
        self.fate.mend_all()
        await self.guard.revive_if_due()
        if self.scenario.tuning.get("unarmed"):
            self.guard.arm()
        cool(self.world)
        await self._closed("with no more troubles, in a cool room", quiet_s=QUIET_S)
        if self.fate.people_tidy_up():
            await self._closed("after people have tidied up", quiet_s=QUIET_S)

    async def _last_incident(self) -> None:
        """As it should be: all off in the heat, and then everything back as it was, or named."""
        before = self.world.running()
        await self._until(self._has_tripped, HOT_S, "no trip in a hot room")
        tiers = len({vm.tier for vm in self.world.plan.vms}) + 1
        await self._until(self._is_down, bound_down_s(self.settings.timing, tiers), "hosts that are on: {left}")
        cool(self.world)
        await self._closed("after the last incident")
        self._compare(before)

    async def _closed(self, when: str, quiet_s: float = 0.0) -> None:
        """No incident is open, and has not been for so long."""
        timing, policy = self.settings.timing, self.settings.policy
        tiers = len({vm.tier for vm in self.world.plan.vms}) + 1
        bound_s = bound_up_s(timing, tiers, len(self.world.plan.hosts), policy.recovery_hold_s, policy.watch_s)
        bound_s += bound_down_s(timing, tiers)  # it may be in the midst of stopping what has been asked to
        open_at = self.clock.now()

        def is_quiet() -> bool:
            nonlocal open_at
            if self.guard.incident is not None:
                open_at = self.clock.now()
            return self.guard.incident is None and self.clock.now() - open_at >= quiet_s

        await self._until(is_quiet, bound_s + quiet_s, f"the incident is still open {when}")

    def _has_tripped(self) -> bool:
        """Keep the room hot until then, however little there is in it that heats."""
        incident = self.guard.incident
        if incident is None or incident.is_shed:
            heat(self.world)
        return incident is not None and not incident.is_shed

    def _is_down(self) -> bool:
        """Every host of the cluster is off, but for those that were given up, and told; with vSAN, every VM."""
        incident = self.guard.incident
        if incident is None or incident.phase is not ev.Phase.ALL_OFF:
            return False
        for host in self.world.cluster.hosts.values():
            if host.stage is Stage.OFF or host.plan.cluster != self.world.plan.cluster or self.world.plan.has_vsan:
                continue
            if host.stage is Stage.STOPPING and not any(bmc.host == host.name for bmc in self.world.plan.bmcs):
                return False  # without a BMC the guard cannot see that it has not ended yet
            if host.name not in incident.abandoned and not self._carries_one_given_up(host.name):
                raise _Late(f"the guard takes {host.name} for off, and it is {host.stage}")
        return True

    def _carries_one_given_up(self, host: str) -> bool:
        incident = self.guard.incident
        return incident is not None and any(vm.id in incident.abandoned for vm in self.world.cluster.vms_on(host))

    def _compare(self, before: Running) -> None:
        closed = [event for _, event in self.guard.events if isinstance(event, ev.IncidentClosed)]
        named = "\n".join(closed[-1].differences) if closed else ""
        after = self.world.running()
        for name in sorted(before.names_changed(after)):
            is_back = name in {*after.hosts, *dict(after.vms)} and self.promises.order.may_run(name)
            if name not in named and not is_back:
                self.promises.late(f"{name} is not as before, and the report does not say so")
        if before.settings != after.settings and "settings" not in named:
            self.promises.late(f"settings are {after.settings}, before {before.settings}, and the report is silent")

    async def _pass_to(self, at_s: float) -> None:
        """Let time pass, with whatever happens in it."""
        while (left_s := at_s - self._passed_s) > 0:
            await self._glance(min(GLANCE_S, left_s))

    async def _until(self, holds: Callable[[], bool], within_s: float, what: str) -> None:
        """:raises _Late: it did not come about in time."""
        began = self.clock.now()
        while not holds():
            if self.clock.now() - began > within_s:
                up = [host.name for host in self.world.cluster.hosts.values() if host.stage is not Stage.OFF]
                raise _Late(f"{what.format(left=', '.join(up))} after {within_s:.0f} s")
            await self._glance(GLANCE_S)

    async def _glance(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self.world.advance(self.clock.now())
        await self.guard.revive_if_due()

    def _trace(self) -> list[str]:
        told = [(at, 0, f"{type(event).__name__} {event}") for at, event in self.guard.events]
        seen = [(happening.at, 1, str(happening)) for happening in self.world.log]
        return [f"{at - STARTS_AT:10.3f} {text}" for at, _, text in sorted([*told, *seen], key=lambda one: one[:2])]


class _Late(Exception):  # noqa: N818 - what happened
    pass

