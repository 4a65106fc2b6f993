"""Plants for tests: a small cluster that can be bent, and strategies for any plant that could be seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Command, Outcome, Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.planner import next_step
from thermo_guard.core.plant import BmcSeen, ClusterSeen, ClusterSettings, Host, HostSeen, Power, Sight, Unseen, Vm
from thermo_guard.core.policy import Watch
from thermo_guard.core.record import Incident, Intent
from thermo_guard.core.runbook import Runbook
from thermo_guard.core.scope import Scope
from thermo_guard.core.snapshot import KeptHost, KeptVm, Snapshot
from thermo_guard.core.step import Situation, Step, Timing
from thermo_guard.core.view import PlantNow, plant_now

NOW = 1_767_340_800.0
SETTINGS = ClusterSettings(
    ha_enabled=True, ha_host_monitoring="enabled", ha_admission_control=True, drs_enabled=True,
    drs_behavior="fullyAutomated", drs_overrides=True, dpm_enabled=False,
)
DISARMED = replace(SETTINGS, ha_enabled=False, drs_behavior="manual", drs_overrides=False)
UUIDS = {f"esx{i}": f"39383250-3834-584d-5132-33393052485{i}" for i in range(1, 6)}
FOREIGN = "4c4c4544-0035-3410-8050-c6c04f314733"


def bmc_address(host: str) -> str:
    return f"ilo-{host}"


def host(name: str, **changes: object) -> Host:
    return replace(Host(name, f"{name}:443", UUIDS[name]), **changes)  # type: ignore[arg-type]


def vm(name: str, on: str, power: Power = Power.ON, **changes: object) -> Vm:
    is_on = power is Power.ON
    plain = Vm(f"id-{name}", name, on, power, can_shut_down_guest=is_on, is_tools_running=is_on, path=f"[ds] {name}")
    return replace(plain, **changes)  # type: ignore[arg-type]


def kept_host(name: str, **changes: object) -> KeptHost:
    plain = KeptHost(name, f"{name}:443", UUIDS[name], (), is_on=True, in_maintenance=False)
    return replace(plain, **changes)  # type: ignore[arg-type]


def kept_vm(name: str, on: str, *, is_on: bool = True, tier: int = 1, **changes: object) -> KeptVm:
    plain = KeptVm(f"id-{name}", name, on, is_on, tier, f"[ds] {name}")
    return replace(plain, **changes)  # type: ignore[arg-type]


def snapshot(hosts: Sequence[KeptHost], vms: Sequence[KeptVm], settings: ClusterSettings = SETTINGS) -> Snapshot:
    return Snapshot(NOW - 600, "Cluster-1", tuple(hosts), tuple(vms), settings)


def seen(hosts: Sequence[Host], vms: Sequence[Vm], settings: ClusterSettings = SETTINGS) -> ClusterSeen:
    return ClusterSeen(NOW, "Cluster-1", tuple(hosts), tuple(vms), settings)


def bmc(name: str, power: Power, uuid: str | None = None) -> BmcSeen:
    return BmcSeen(NOW, bmc_address(name), power, uuid or UUIDS[name])


def incident(goal: Goal, **changes: object) -> Incident:
    plain = Incident("20260102T080000Z", NOW - 900, goal, NOW - 300, ("hot",), is_snapshot_closed=True)
    return replace(plain, **changes)  # type: ignore[arg-type]


def asked(verb: Verb, target: str, ago_s: float, outcome: Outcome | None = Outcome.ACCEPTED, via: str = VCENTER,
          first_ago_s: float | None = None) -> dict[tuple[Verb, str], Intent]:
    command = Command(verb, target, target, via)
    first_s = ago_s if first_ago_s is None else first_ago_s
    return {command.key: Intent(command, NOW - first_s, NOW - ago_s, 1, outcome)}


@dataclass(frozen=True)
class Site:
    """What a step is decided from, with defaults for what a test does not care about."""

    snapshot: Snapshot
    sight: Sight
    incident: Incident
    bmc_of: Mapping[str, str] = field(default_factory=dict)
    is_permitted: bool = True
    is_watch_clear: bool = True
    power_ons: tuple[float, ...] = ()
    timing: Timing = field(default_factory=Timing)
    scope: Scope = field(default_factory=Scope)
    runbook: Runbook = field(default_factory=Runbook)
    started_at: float | None = None

    @property
    def plant(self) -> PlantNow:
        return plant_now(self.sight, self.snapshot, self.bmc_of)

    def situation(self) -> Situation:
        return Situation(
            now=NOW, incident=self.incident, snapshot=self.snapshot, plant=self.plant, timing=self.timing,
            runbook=self.runbook, is_permitted=self.is_permitted, why_not_permitted="" if self.is_permitted else "hot",
            watch=lambda _since: Watch(is_clear=self.is_watch_clear, why="watching"), power_ons=self.power_ons,
            scope=self.scope, started_at=self.started_at,
        )

    def step(self) -> Step:
        return next_step(self.situation())


def said(step: Step) -> list[tuple[Verb, str, str]]:
    """(verb, target's name, way) of each command."""
    return [(command.verb, command.name, command.via) for command in step.commands]


# --- any plant ---

NAMES = tuple(UUIDS)
powers = st.sampled_from(Power)
flags = st.booleans()


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Up to four hosts and eight VMs, one or two of which may be vCenter."""
    names = NAMES[:draw(st.integers(1, 4))]
    hosts = [kept_host(name, is_on=draw(st.sampled_from([True, True, True, False])),
                       in_maintenance=draw(st.sampled_from([False, False, False, True]))) for name in names]
    on_hosts = [h.name for h in hosts if h.is_on and not h.in_maintenance]
    vms = []
    for i in range(draw(st.integers(0, 8))):
        on = draw(st.sampled_from(names))
        vms.append(kept_vm(
            f"vm{i}", on, is_on=on in on_hosts and draw(st.sampled_from([True, True, False])),
            tier=draw(st.integers(1, 3)), has_tools=draw(flags),
            is_vcenter=draw(st.sampled_from([False] * 5 + [True])),
        ))
    return snapshot(hosts, vms)


@st.composite
def cluster_looks(draw: st.DrawFn, kept: Snapshot) -> ClusterSeen:
    """The cluster of the snapshot as it might be seen later: anything on, off, gone, moved, new, or a template."""
    names = [h.name for h in kept.hosts] + draw(st.sampled_from([[], ["esx5"]]))
    hosts = [host(name, is_connected=draw(flags), in_maintenance=draw(flags), power=draw(st.sampled_from(
        [Power.ON, Power.ON, Power.ON, Power.UNKNOWN, Power.OFF]))) for name in names if draw(st.integers(0, 9))]
    vms = []
    for k in [*kept.vms, kept_vm("new", "esx1"), kept_vm("golden", "esx1", is_on=False)]:
        if draw(st.integers(0, 9)) == 0:
            continue
        on = draw(st.sampled_from([k.host, k.host, k.host, *names, "elsewhere"]))
        power = Power.OFF if k.name == "golden" else draw(st.sampled_from([Power.ON, Power.OFF, Power.UNKNOWN]))
        vms.append(vm(k.name, on, power, can_shut_down_guest=draw(flags), is_tools_running=draw(flags),
                      is_reachable=draw(st.sampled_from([True, True, False])), is_template=k.name == "golden"))
    return seen(hosts, vms, draw(st.sampled_from([SETTINGS, DISARMED])))


@st.composite
def sights(draw: st.DrawFn, kept: Snapshot) -> Sight:
    looked = draw(cluster_looks(kept))
    cluster = looked if draw(flags) else Unseen(NOW - draw(st.sampled_from([1.0, 300.0])), "silent")
    direct: dict[str, HostSeen | Unseen] = {}
    for h in kept.hosts:
        how = draw(st.sampled_from(["not", "seen", "silent", "refused"]))
        if how == "seen":
            vms = tuple(v for v in looked.vms if v.host == h.name)
            direct[h.name] = HostSeen(NOW, h.name, h.uuid, draw(flags), vms)
        elif how != "not":
            direct[h.name] = Unseen(NOW - draw(st.sampled_from([5.0, 300.0])), how, is_refused=how == "refused")
    bmcs: dict[str, BmcSeen | Unseen] = {}
    for name in NAMES:
        uuid = draw(st.sampled_from([UUIDS[name]] * 8 + [FOREIGN]))
        bmcs[bmc_address(name)] = bmc(name, draw(powers), uuid) if draw(flags) else Unseen(NOW - 60, "silent")
    return Sight(cluster, direct, bmcs)


@st.composite
def incidents(draw: st.DrawFn, kept: Snapshot, goal: Goal) -> Incident:
    """An incident at any point of a leg, with any past."""
    verbs = {
        Goal.OFF: ((Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM), (Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST)),
        Goal.ON: ((Verb.POWER_ON_VM, Verb.ADOPT_VM), (Verb.POWER_ON_HOST, Verb.EXIT_MAINTENANCE)),
    }[goal]
    ages_s = st.sampled_from([1.0, 20.0, 100.0, 400.0, 800.0, 4000.0])
    targets = [(v.id, verbs[0]) for v in kept.vms] + [(h.name, verbs[1]) for h in kept.hosts if h.is_on]
    intents: dict[tuple[Verb, str], Intent] = {}
    observed, abandoned, stopping = {}, {}, {}
    for target, can in targets:
        for verb in draw(st.lists(st.sampled_from(can), unique=True)):
            via = bmc_address(target) if verb is Verb.POWER_ON_HOST else VCENTER
            outcome = draw(st.sampled_from([None, *Outcome]))
            intents |= asked(verb, target, draw(ages_s), outcome, via, first_ago_s=4000.0)
        if draw(flags):
            observed[target] = (str(draw(st.sampled_from([Power.ON, Power.OFF]))), NOW - draw(ages_s))
        if draw(st.integers(0, 4)) == 0:
            kind = "vm" if target.startswith("id-") else "host"
            abandoned[target] = ev.Abandoned(kind, target, target, Phase.GUESTS, "stuck")  # type: ignore[arg-type]
        if goal is Goal.ON and draw(st.integers(0, 4)) == 0:
            stopping[target] = NOW - draw(ages_s)
    return incident(
        goal, phase=draw(st.none() | st.sampled_from(Phase)), tier=draw(st.none() | st.integers(1, 3)),
        phase_since=NOW - draw(ages_s), intents=intents, observed=observed, abandoned=abandoned, stopping=stopping,
        is_powered_on=any(verb is Verb.POWER_ON_HOST for verb, _ in intents),
    )


@st.composite
def sites(draw: st.DrawFn, goal: Goal) -> Site:
    kept = draw(snapshots())
    matched = {name: bmc_address(name) for name in NAMES if draw(st.integers(0, 4))}
    return Site(
        kept, draw(sights(kept)), draw(incidents(kept, goal)), matched, is_permitted=draw(st.sampled_from(
            [True, True, True, False])), is_watch_clear=draw(flags),
        power_ons=tuple(NOW - 3600.0 * i for i in range(draw(st.integers(0, 3)))),
    )
