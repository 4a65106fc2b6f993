"""Whether the site could be brought down and back, told before it has to be: findings from a survey. Pure.

Each rule says what follows for the night on which it counts, and what a person can do about it by day.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .data_folder import Storage, folder_remedy, mount_remedy, volume_remedy
from .finding import Area, Finding, Way, fail, ok, warn
from .infrastructure import infrastructure_findings
from .plant import Unseen
from .policy import PolicySettings
from .preflight_bmcs import bmc_findings, pairs_of
from .preflight_broker import broker_findings
from .preflight_cluster import cluster_findings
from .preflight_room import room_findings
from .runbook import Runbook
from .survey import DataFolder, Memory, Survey

CLOCK_OFF_S = 60.0
LEAST_FREE_BYTES = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings that the findings are judged by."""

    policy: PolicySettings
    vcenter_vm: str | None = None
    has_esxi_logins: bool = True
    """Any login for the hosts themselves is configured."""
    has_vcenter: bool = True
    """False: ESXI_HOSTS stands in its place."""
    vm_shutdown_s: float = 300.0
    force_bmc_off: bool = False
    """BMCs may cut the power of hosts that would not go off."""
    answers_questions: bool = False
    """A VM's question is answered as vSphere proposes; else it is powered off at the end of its grace."""
    bmc_overrides: Mapping[str, str] = field(default_factory=dict)
    """`esxi_host` by BMC address."""
    warnings: tuple[str, ...] = ()
    """What the settings themselves warn of, NOTIFY_URLS that are not set among it."""
    outlets: int = 0
    """How many addresses NOTIFY_URLS has."""
    guard_vm: str | None = None
    runbook: Runbook = field(default_factory=Runbook)


def findings(survey: Survey, terms: Terms) -> tuple[Finding, ...]:
    """All that can be said, in the order of the areas."""
    return (
        *_of_settings(terms),
        *room_findings(survey, terms.policy),
        *broker_findings(survey, terms.policy),
        *cluster_findings(
            survey, vcenter_vm=terms.vcenter_vm, has_esxi_logins=terms.has_esxi_logins,
            vm_shutdown_s=terms.vm_shutdown_s, answers_questions=terms.answers_questions, runbook=terms.runbook,
            bmc_of=pairs_of(survey, terms.bmc_overrides), has_vcenter=terms.has_vcenter,
        ),
        *bmc_findings(survey, terms.bmc_overrides),
        *_of_infrastructure(survey, terms),
        *_of_clock(survey.clock_ahead_s),
        *_of_folder(survey),
        *_of_people(terms),
    )


def _of_settings(terms: Terms) -> Iterator[Finding]:
    yield ok(Area.SETTINGS, "Complete, and within their bounds")
    if terms.force_bmc_off:
        yield ok(Area.SETTINGS, "FORCE_BMC_OFF is set: the BMC cuts the power of a host that has not shut down in time")
    for warning in terms.warnings:
        yield warn(Area.SETTINGS, warning)


def _of_infrastructure(survey: Survey, terms: Terms) -> tuple[Finding, ...]:
    """Where the cluster is not seen nobody can say which of its VMs does what."""
    if isinstance(survey.cluster, Unseen):
        return ()
    kept = survey.memory.snapshot if isinstance(survey.memory, Memory) else None
    return infrastructure_findings(
        survey.cluster, survey.infrastructure, runbook=terms.runbook, vcenter_vm=terms.vcenter_vm,
        guard_vm=terms.guard_vm, known=() if kept is None else [vm.id for vm in kept.guard_vms],
    )


def _of_clock(ahead_s: float | None) -> Iterator[Finding]:
    if ahead_s is None:
        yield warn(Area.CLOCK, "It could not be compared: the sensors' source did not tell the time")
    elif abs(ahead_s) < CLOCK_OFF_S:
        yield ok(Area.CLOCK, f"Within {max(abs(ahead_s), 1):.0f} s of the sensors' source")
    else:
        side = "ahead of" if ahead_s > 0 else "behind"
        yield warn(
            Area.CLOCK,
            f"This machine's clock is {abs(ahead_s):.0f} s {side} that of the sensors' source. Readings are judged by "
            "the source's clock and stay right, but journal and messages bear wrong times and certificates may look "
            "expired",
            "Switch on time synchronisation (NTP) on this machine.",
        )


def _of_folder(survey: Survey) -> Iterator[Finding]:
    folder = survey.folder
    if not folder.is_writable:
        is_mounted = folder.in_container and folder.is_there
        yield fail(
            Area.DATA, Way.DOWN,
            f"{folder.path} cannot be written by this user (id {folder.user_id}): the guard would not start",
            volume_remedy(folder.path, folder.user_id) if is_mounted else
            folder_remedy(folder.path, folder.nearest or folder.path, folder.user_id, is_folder=folder.is_folder),
        )
    elif folder.free_bytes is not None and folder.free_bytes < LEAST_FREE_BYTES:
        yield fail(
            Area.DATA, Way.DOWN,
            f"{folder.path} has only {_megabytes(folder.free_bytes)} free: without a journal nothing is brought back",
            f"Free some space on its disk; {_megabytes(LEAST_FREE_BYTES)} are the least.",
        )
    else:
        yield ok(Area.DATA, _folder_in_words(folder))
    yield from _of_storage(folder)
    yield ok(Area.DATA, "Two data folders are two guards: one with another folder would know nothing of this one")
    if folder.running is not None:
        yield ok(Area.DATA, f"A guard works on it: {folder.running}")
    memory = survey.memory
    if isinstance(memory, Unseen):
        yield fail(Area.DATA, Way.DOWN, f"Its journal cannot be read: {memory.reason}",
                   "Where it is damaged, put a backup of the folder in its place. Only if no host is off by its doing: "
                   f"mv {folder.path} {folder.path}.old, and the guard begins anew, unarmed.")
    elif memory.incident is not None:
        yield warn(
            Area.DATA, f"An incident is open, {memory.incident}: what is off or silent now may be its doing",
            "See `thermo-guard status`; check again when it is closed.",
        )


def _of_storage(folder: DataFolder) -> Iterator[Finding]:
    """How long it remembers. On a machine of its own whoever chose the folder knows what it lies on."""
    if folder.storage is Storage.NETWORK:
        yield warn(Area.DATA, f"{folder.path} lies on a share of another machine: its locks and its writes cannot be "
                              "relied on, and it is gone with the network", "DATA_DIR=<a folder on a local disk>.")
    if not folder.in_container:
        return
    remedy = mount_remedy(folder.path)
    match folder.storage:
        case Storage.MEMORY:
            yield fail(
                Area.DATA, Way.DOWN, f"{folder.path} lies in memory: the next start of the container forgets the "
                                     "incident, and a shutdown stops where it is", remedy,
            )
        case Storage.LAYER:
            yield fail(
                Area.DATA, Way.BACK, f"{folder.path} lies in the container itself: whoever makes it anew, as each "
                                     "upgrade does, has a guard that has forgotten what to bring back", remedy,
            )
        case Storage.ANONYMOUS:
            yield fail(
                Area.DATA, Way.BACK, f"{folder.path} lies on a volume without a name: a new container gets another "
                                     "one, and has forgotten what to bring back", remedy,
            )


def _folder_in_words(folder: DataFolder) -> str:
    free = "" if folder.free_bytes is None else f", {_megabytes(folder.free_bytes)} free"
    return f"{folder.path} {'can be written' if folder.is_there else 'will be made at the first start'}{free}"


def _megabytes(count: int) -> str:
    return f"{count / 1024 / 1024:,.0f} MB"


def _of_people(terms: Terms) -> Iterator[Finding]:
    """That nobody would be told is among the warnings of the settings."""
    if terms.outlets:
        yield ok(Area.PEOPLE, f"{terms.outlets} addresses in NOTIFY_URLS; `thermo-guard notify --test` tries each"
                 if terms.outlets > 1 else "1 address in NOTIFY_URLS; `thermo-guard notify --test` tries it")
