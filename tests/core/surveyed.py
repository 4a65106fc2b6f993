"""A survey of a small site in which all is in order, to be spoiled one side at a time."""

from collections.abc import Mapping
from dataclasses import replace

from thermo_guard.core.finding import Area, Finding, Verdict
from thermo_guard.core.plant import BmcSeen, ClusterSeen, ClusterSettings, Host, HostSeen, Power, Unseen, Vm
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.preflight import Terms, findings
from thermo_guard.core.readings import AlertCount, Poll, Reading
from thermo_guard.core.survey import DataFolder, Memory, Network, Survey

AT = 1_767_340_800.0
SENSORS = ("Q3CA-1", "Q3CA-2", "Q3CA-3")
UUIDS = {name: f"4c4c4544-0042-3510-8052-b4c04f3{n}3932" for n, name in enumerate(("esx1", "esx2", "esx3"))}
SILENT = Unseen(AT, "it does not answer")
REFUSED = Unseen(AT, "it refuses the login", is_refused=True)


def reading(sensor: str, celsius: float = 22.0, age_s: float = 30.0, ago_s: float = 0.0) -> Reading:
    """A measurement that was `age_s` old when it was served, `ago_s` before the survey."""
    return Reading(sensor, celsius, AT - ago_s - age_s, AT - ago_s, age_s)


def polled(**degrees: float) -> Poll:
    """A poll in which the sensors stand at 22 degC; the keywords s1 to s3 say otherwise."""
    values = [degrees.get(f"s{n}", 22.0) for n in (1, 2, 3)]
    return Poll(AT, tuple(reading(sensor, celsius) for sensor, celsius in zip(SENSORS, values, strict=True)))


def cadence(every_s: float, sensors: tuple[str, ...] = SENSORS) -> Memory:
    """What a journal has kept of sensors that measure so often."""
    return Memory(readings=tuple(reading(one, ago_s=n * every_s) for n in (3, 2, 1) for one in sensors))


def host(name: str) -> Host:
    return Host(name, f"{name}.example:443", UUIDS[name])


def vm(name: str, on: str = "esx1", **changes: object) -> Vm:
    return replace(Vm(f"id-{name}", name, on, Power.ON), **changes)  # type: ignore[arg-type]


VCENTER = vm("vcsa", "esx2", addresses=("192.0.2.10",))
SETTINGS = ClusterSettings(
    ha_enabled=True, ha_host_monitoring="enabled", ha_admission_control=True, drs_enabled=True,
    drs_behavior="fullyAutomated", drs_overrides=True, dpm_enabled=False,
)
CLUSTER = ClusterSeen(
    AT, "Office", tuple(host(name) for name in UUIDS), (vm("web"), vm("db", "esx3"), VCENTER), SETTINGS,
    addresses=("vcenter.example", "192.0.2.10"),
)
OUTSIDE = replace(CLUSTER, vms=(vm("web"), vm("db", "esx3")))


def bmc(name: str, of: str | None, **changes: object) -> BmcSeen:
    uuid = UUIDS[of] if of is not None else "12345678-9abc-def0-1234-56789abcdef0"
    return replace(BmcSeen(AT, name, Power.ON, uuid, allowed_resets=("On", "ForceOff")), **changes)  # type: ignore[arg-type]


BMCS: Mapping[str, BmcSeen | Unseen] = {f"ilo{n}": bmc(f"ilo{n}", f"esx{n}") for n in (1, 2, 3)}
FOLDER = DataFolder("/data", is_there=True, is_writable=True, user_id=1000, free_bytes=10**10)

SOUND = Survey(
    at=AT, network=Network("N_1", "Office", dict.fromkeys(SENSORS)), poll=polled(), alert_count=AlertCount(AT, 0),
    cluster=CLUSTER, missing=(),
    direct={name: HostSeen(AT, name, uuid, in_maintenance=False, vms=()) for name, uuid in UUIDS.items()},
    bmcs=BMCS, clock_ahead_s=0.4, folder=FOLDER, memory=cadence(120),
)
TERMS = Terms(PolicySettings(), outlets=1)


def judged(terms: Terms = TERMS, **sides: object) -> list[Finding]:
    """The findings of the sound site with these sides in the place of its own."""
    return list(findings(replace(SOUND, **sides), terms))  # type: ignore[arg-type]


def worse(terms: Terms = TERMS, **sides: object) -> list[Finding]:
    """Those that are not in order."""
    return [finding for finding in judged(terms, **sides) if finding.verdict is not Verdict.OK]


def of(area: Area, found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.area is area]
