"""What one run is made of: a plant, settings and a list of troubles, all drawn from a seed and all plain values.

The list says everything that goes wrong and when, so that a run can be repeated, kept as a file, and made smaller by
leaving some of it out.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.plant import Role
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.edges import SENSORS, Effect
from thermo_guard.sim.plans import big, infrastructure, office, vcenter_outside
from thermo_guard.sim.plants import (
    VclsKind,
    standalone,
    strict_ha,
    troubled_hosts,
    troubled_vcenter,
    troubled_vms,
    vcenter_inside,
    vcls,
    vsan,
)
from thermo_guard.sim.room import SensorFault

from .terms import settings_of

FAULTS_S = 1800.0
"""How long things go wrong before they stop doing so."""


class Kind(StrEnum):
    """What can go wrong, and what people and fate do meanwhile."""

    HEAT = "heat"
    WARM = "warm"
    """The room stands between the stage at which something is shed and HIGH."""
    COOL = "cool"
    COOLING_FAILS = "cooling fails"
    COOLING_RETURNS = "cooling returns"
    SENSOR = "sensor"
    """`how` is wrong with one sensor, or with all of them together where no target is named."""
    WAN = "WAN cut"
    DNS = "DNS off"
    SILENT = "silent"
    """An edge does not answer."""
    DENIED = "login denied"
    SLOW = "slow"
    CALL = "call spoiled"
    """`target` is a verb, `how` an effect."""
    LATE = "late answers"
    """An edge's answers come late, and out of order with those of others."""
    AGAIN = "old answers again"
    """An edge gives the answer before once more."""
    TWICE = "carried out twice"
    FLAKY = "flaky"
    """Each call to an edge fails with a chance of one in three."""
    CLOCK = "clock step"
    """The machine's clock jumps by `amount` seconds; a process feels it from its next start on."""
    CRASH = "crash"
    """`how`: 'now', or at the `amount`-th 'call' or 'write' from then on, before or after it."""
    DISK = "disk full"
    SECOND_GUARD = "second guard"
    VM_ON = "VM switched on"
    VM_OFF = "VM switched off"
    VM_MOVED = "VM moved"
    VM_HANGS = "guest hangs"
    HOST_HANGS = "host hangs"
    HOST_CUT = "host loses power"
    HOST_PRESSED = "host switched on"
    HOST_BROKEN = "host does not boot"
    HOST_JOINS = "host joins the cluster"
    """One of another cluster, with what runs on it: nobody has confirmed it."""
    VCENTER_BROKEN = "vCenter dies"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that goes wrong, or is done."""

    at_s: float
    """From the run's beginning."""
    kind: Kind
    target: str = ""
    how: str = ""
    for_s: float = 0.0
    amount: float = 0.0

    def __str__(self) -> str:
        more = [str(part) for part in (self.target, self.how) if part]
        more += [f"for {self.for_s:g} s"] * (self.for_s > 0) + [f"{self.amount:g}"] * (self.amount != 0)
        return f"{self.at_s:7.1f} s  {self.kind}" + (f": {', '.join(more)}" if more else "")


@dataclass(frozen=True, slots=True)
class Scenario:
    seed: int
    plant: str = "hall"
    """A key of PLANTS."""
    hosts: int = 3
    """Of a hall."""
    vms: int = 9
    tuning: Mapping[str, float] = field(default_factory=dict)
    """Of the settings in `terms.TUNABLE` that differ from theirs, by name."""
    faults_s: float = FAULTS_S
    troubles: tuple[Trouble, ...] = ()

    @property
    def blueprint(self) -> Blueprint:
        if self.plant in PLANTS:
            return PLANTS[self.plant]()
        return _quick(big(self.hosts, self.vms, is_vcenter_inside=self.plant == HALL))

    @property
    def settings(self) -> LoopSettings:
        return settings_of(self.tuning)

    def to_json(self) -> str:
        """As it is kept in a file."""
        told = asdict(self)
        told["troubles"] = [
            {key: value for key, value in asdict(one).items() if value not in {"", 0.0} or key == "at_s"}
            for one in self.troubles
        ]
        return json.dumps(told, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """:raises ValueError: it is no scenario of this version."""
        try:
            told: dict[str, Any] = json.loads(text)
            troubles = tuple(Trouble(**{**one, "kind": Kind(one["kind"])}) for one in told.pop("troubles"))
            return cls(**told, troubles=troubles)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no scenario: {error}") from error


HALL = "hall"
PLANTS: Mapping[str, Callable[[], Blueprint]] = {
    "office": office,
    "vcenter outside": vcenter_outside,
    "infrastructure": infrastructure,
    "vcenter inside": vcenter_inside,
    "strict HA": strict_ha,
    "vCLS": lambda: vcls(VclsKind.DEPLOYED),
    "embedded vCLS": lambda: vcls(VclsKind.EMBEDDED),
    "vSAN": vsan,
    "troubled VMs": troubled_vms,
    "troubled hosts": troubled_hosts,
    "troubled vCenter": lambda: troubled_vcenter(never_returns=False),
    "standalone": standalone,
}
"""Those of a fixed shape; `hall` and `hall, vCenter outside` have as many hosts and VMs as the scenario says."""


def _quick(plan: Blueprint) -> Blueprint:
    """The same with machines that start soon: what is searched for lies between the waits."""
    return replace(
        plan, hosts=tuple(replace(host, boot_s=60.0, shut_s=30.0) for host in plan.hosts),
        vcenter=replace(plan.vcenter, start_s=60.0),
    )


def draw(seed: int) -> Scenario:
    """The scenario of a seed; every draw comes from it alone."""
    chance = random.Random(f"thermo-guard {seed}")  # noqa: S311 - to be repeatable is the point
    story = chance.choice(STORIES) if chance.random() < STORY_SHARE else ""
    plant = HALL if chance.random() < 0.4 else chance.choice(["hall, vCenter outside", *PLANTS])
    scenario = Scenario(
        seed, "vcenter outside" if story == "a host joins" else plant, hosts=chance.randint(1, 8),
        vms=chance.randint(1, 40), tuning=_tuning(chance), faults_s=chance.uniform(0.4, 1.2) * FAULTS_S,
    )
    fate = _Fate(scenario, chance)
    told = troubles_of(story, chance) if story else [Trouble(round(chance.uniform(60.0, 300.0), 1), Kind.HEAT)]
    others = [fate.draw() for _ in range(chance.randint(0, 6 if story else 14))]
    end_s = max(one.at_s for one in told) + 300.0
    return _with_shedding(replace(
        scenario, troubles=tuple(sorted([*told, *others], key=lambda one: one.at_s)),
        faults_s=round(max(scenario.faults_s, end_s), 1),
    ))


SHED_SHARE = 0.15


def _with_shedding(scenario: Scenario) -> Scenario:
    """In some, a tier may be shed and the room is warm for a while before all else; from dice of its own."""
    chance = random.Random(f"thermo-guard {scenario.seed} sheds")  # noqa: S311 - as above
    if chance.random() >= SHED_SHARE:
        return scenario
    warm = Trouble(round(chance.uniform(60.0, 120.0), 1), Kind.WARM, for_s=round(chance.uniform(400.0, 1500.0), 1))
    later_s = round(chance.uniform(300.0, warm.for_s), 1)
    return replace(
        scenario, tuning={**scenario.tuning, "sheds_tier": float(chance.choice([1, 1, 2]))},
        troubles=(warm, *(replace(one, at_s=round(one.at_s + later_s, 1)) for one in scenario.troubles)),
        faults_s=round(scenario.faults_s + later_s, 1),
    )


STORY_SHARE = 0.5
STORIES = (
    "blind", "blind on the way back", "the heat returns", "hot while away", "the last word", "one lies after the other",
    "a host joins",
)
"""Troubles that belong together, and would seldom meet by chance."""


def troubles_of(story: str, chance: random.Random) -> list[Trouble]:
    """The troubles of a story."""
    hot_s, later_s = round(chance.uniform(60.0, 200.0), 1), round(chance.uniform(0.0, 500.0), 1)
    cool_s = round(hot_s + chance.uniform(400.0, 700.0), 1)
    match story:
        case "blind":
            return [Trouble(hot_s, Kind.WAN, for_s=1000.0), Trouble(hot_s + later_s, Kind.HEAT)]
        case "blind on the way back":
            how = chance.choice([Trouble(0.0, Kind.WAN), Trouble(0.0, Kind.SENSOR, how="offline"),
                                 Trouble(0.0, Kind.SENSOR, how="missing")])
            return [Trouble(hot_s, Kind.HEAT), Trouble(cool_s, Kind.COOL),
                    replace(how, at_s=round(cool_s + chance.uniform(150.0, 450.0), 1), for_s=900.0)]
        case "the heat returns":
            return [Trouble(hot_s, Kind.HEAT), Trouble(cool_s, Kind.COOL), Trouble(cool_s + 300 + later_s, Kind.HEAT)]
        case "hot while away":
            return [Trouble(hot_s, Kind.CRASH, how="now", for_s=900.0), Trouble(hot_s + 10.0, Kind.HEAT),
                    Trouble(hot_s + 300.0, Kind.SENSOR, how="offline", for_s=1500.0)]
        case "the last word":
            return [Trouble(hot_s, Kind.SENSOR, how="spike", for_s=600.0, amount=16.0),
                    Trouble(round(hot_s + chance.uniform(60.0, 90.0), 1), Kind.SENSOR, how="offline", for_s=600.0),
                    Trouble(hot_s + 800.0, Kind.HEAT)]
        case "one lies after the other":
            one, two = chance.sample(["Q3CA-0001-VIRT", "Q3CA-0002-VIRT", "Q3CA-0003-VIRT"], 2)
            return [Trouble(hot_s, Kind.SENSOR, one, "lie", 180.0, 36.0),
                    Trouble(hot_s + 170.0, Kind.SENSOR, one, "offline", 1200.0),
                    Trouble(hot_s + 600.0, Kind.SENSOR, two, "lie", 300.0, 36.0)]
        case _:
            return [Trouble(hot_s, Kind.HOST_JOINS, "other1"), Trouble(hot_s + later_s, Kind.HEAT)]


def _tuning(chance: random.Random) -> dict[str, float]:
    tuning: dict[str, float] = {}
    if chance.random() < 0.3:
        tuning["active_s"] = chance.choice([5.0, 10.0, 30.0])
    if chance.random() < 0.3:
        tuning["vm_shutdown_s"] = chance.choice([30.0, 60.0, 300.0])
    if chance.random() < 0.3:
        tuning["critical_c"] = 40.0
    if chance.random() < 0.5:
        tuning["max_age_s"] = 300.0
    for name, share in (("force_bmc_off", 0.3), ("answers_questions", 0.3), ("unarmed", 0.1), ("observe", 0.05)):
        if chance.random() < share:
            tuning[name] = 1.0
    return tuning


_SHARES: tuple[tuple[Kind, int], ...] = (
    (Kind.HEAT, 6), (Kind.COOL, 8), (Kind.COOLING_FAILS, 2), (Kind.COOLING_RETURNS, 2), (Kind.SENSOR, 7), (Kind.WAN, 2),
    (Kind.DNS, 1), (Kind.SILENT, 8), (Kind.DENIED, 3), (Kind.SLOW, 4), (Kind.CALL, 10), (Kind.LATE, 4),
    (Kind.AGAIN, 4), (Kind.TWICE, 4), (Kind.FLAKY, 4), (Kind.CLOCK, 3), (Kind.CRASH, 16), (Kind.DISK, 2),
    (Kind.SECOND_GUARD, 3), (Kind.VM_ON, 4), (Kind.VM_OFF, 4), (Kind.VM_MOVED, 3), (Kind.VM_HANGS, 4),
    (Kind.HOST_HANGS, 2), (Kind.HOST_CUT, 2), (Kind.HOST_PRESSED, 2), (Kind.HOST_BROKEN, 1), (Kind.VCENTER_BROKEN, 1),
    (Kind.HOST_JOINS, 1),
)
SENSOR_TROUBLES = (*(fault.value for fault in SensorFault if fault is not SensorFault.NONE), "spike", "drift", "lie")


class _Fate:
    """Draws troubles that fit a scenario's plant."""

    def __init__(self, scenario: Scenario, chance: random.Random) -> None:
        plan = scenario.blueprint
        self._chance = chance
        self._until_s = scenario.faults_s
        self._sensors = [sensor.serial for sensor in plan.sensors]
        self._hosts = [host.name for host in plan.hosts if host.cluster == plan.cluster]
        self._others = [host.name for host in plan.hosts if host.cluster != plan.cluster] or [""]
        self._bmcs = [bmc.address for bmc in plan.bmcs]
        own = set(self._hosts)
        others = {plan.vcenter.vm, plan.infrastructure.guard}
        self._vms = [
            vm.name for vm in plan.vms if vm.host in own and not vm.is_template and vm.name not in others
            and vm.ft_primary is None and vm.role is Role.WORKLOAD
        ] or [""]
        self._edges = [SENSORS, VCENTER, *self._hosts, *self._bmcs]

    def draw(self) -> Trouble:
        chance = self._chance
        kinds, weights = zip(*_SHARES, strict=True)
        kind: Kind = chance.choices(kinds, weights)[0]
        made = Trouble(round(chance.uniform(120.0, self._until_s), 1), kind)
        for_s = round(chance.choice([20.0, 90.0, 400.0, 1200.0]) * chance.uniform(0.5, 1.0), 1)
        match kind:
            case Kind.SENSOR:
                return replace(made, target=chance.choice([*self._sensors, ""]), for_s=for_s,
                               how=chance.choice(SENSOR_TROUBLES), amount=round(chance.uniform(-40.0, 60.0), 1))
            case Kind.SILENT | Kind.FLAKY | Kind.AGAIN | Kind.LATE | Kind.SLOW:
                return replace(made, target=chance.choice(self._edges), for_s=for_s,
                               amount=round(chance.uniform(2.0, 60.0), 1))
            case Kind.DENIED:
                return replace(made, target=chance.choice(self._edges[1:]), for_s=for_s)
            case Kind.CALL:
                return replace(made, target=chance.choice(list(Verb)).value, how=chance.choice(list(Effect)).value,
                               amount=float(chance.randint(1, 4)))
            case Kind.TWICE | Kind.WAN | Kind.DNS | Kind.DISK | Kind.COOLING_FAILS:
                return replace(made, for_s=for_s)
            case Kind.CLOCK:
                return replace(made, amount=round(chance.choice([-1, 1]) * chance.choice([5.0, 600.0, 7200.0]), 1))
            case Kind.CRASH:
                how = chance.choice(["now", "before call", "after call", "before write", "after write"])
                return replace(made, how=how, amount=float(chance.randint(1, 12)), for_s=chance.choice([0.0, for_s]))
            case Kind.VM_ON | Kind.VM_OFF | Kind.VM_HANGS:
                return replace(made, target=chance.choice(self._vms), for_s=for_s)
            case Kind.VM_MOVED:
                return replace(made, target=chance.choice(self._vms), how=chance.choice(self._hosts))
            case Kind.HOST_JOINS:
                return replace(made, target=chance.choice(self._others))
            case Kind.HOST_HANGS | Kind.HOST_CUT | Kind.HOST_PRESSED | Kind.HOST_BROKEN:
                return replace(made, target=chance.choice(self._hosts), for_s=for_s)
            case _:
                return made
