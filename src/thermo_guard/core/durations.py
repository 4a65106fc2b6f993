"""How long each act takes, and how that is known: the worst of what has been measured, else what is typical.

What is typical is this project's own estimate. For guests it lies below the systems' own bounds: systemd gives each
unit 90 s (systemd-system.conf(5), DefaultTimeoutStopSec); Windows waits 10 s for the services that stop first, and up
to Server 2016 180 s (Microsoft, SERVICE_PRESHUTDOWN_INFO). A figure without a measurement is only as good as that: a
rehearsal or a first run puts a measured one in its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .commands import Command, Verb
from .events import Goal, TargetKind, Took
from .record import Way
from .snapshot import KeptVm

_OLD_WINDOWS = ("winnt", "win2000", "winxp", "winnet", "winvista", "longhorn", "windows7", "windows8")
"""Up to Server 2016, whose guestId is `windows9Server64Guest`."""
_LINUX = ("linux", "ubuntu", "debian", "rhel", "centos", "sles", "suse", "oracle", "fedora", "rocky", "alma", "photon",
          "coreos", "amazon", "redhat", "asianux", "mandr", "turbo")


@dataclass(frozen=True, slots=True)
class Duration:
    seconds: float
    why: str
    """Where the figure is from, for people."""


_POWER_OFF = Duration(5.0, "a power-off needs no guest")
_SETTINGS = Duration(5.0, "typical of a change of settings")
_HOSTS = {
    Verb.ENTER_MAINTENANCE: Duration(20.0, "empty host, typical"),
    Verb.EXIT_MAINTENANCE: Duration(5.0, "typical"),
    Verb.SHUT_DOWN_HOST: Duration(120.0, "ESXi host, typical"),
    Verb.FORCE_OFF_HOST: Duration(10.0, "its BMC cuts the power"),
    Verb.POWER_ON_HOST: Duration(420.0, "server and ESXi booting, typical"),
    Verb.RECONNECT_HOST: Duration(30.0, "typical"),
}
_VMS = {
    Verb.POWER_OFF_VM: _POWER_OFF,
    Verb.TERMINATE_VM: _POWER_OFF,
    Verb.ANSWER_VM: Duration(5.0, "an answered question, typical"),
    Verb.ADOPT_VM: Duration(5.0, "registered on another host, typical"),
}
_CLUSTER = {Verb.RETREAT_VCLS: Duration(60.0, "vCenter removes the cluster services within about a minute")}
_MEASURED: Mapping[Verb, tuple[TargetKind, Goal]] = {
    Verb.SHUT_DOWN_GUEST: ("vm", Goal.OFF), Verb.SHUT_DOWN_HOST: ("host", Goal.OFF),
    Verb.POWER_ON_HOST: ("host", Goal.ON),
}


@dataclass(frozen=True, slots=True)
class Durations:
    """What is known of how long things take."""

    took: Mapping[Way, tuple[Took, ...]] = field(default_factory=dict)
    """Measured lately, by 'vm' or 'host', target, and where it went."""

    def of(self, command: Command, vm: KeptVm | None) -> Duration:
        """How long a command takes from being asked to being seen done.

        :param vm: the command's target, where it is a VM of the snapshot.

        A start is measured until the VM is on; until its guest is up it takes what is typical all the same.
        """
        if command.verb in _MEASURED and (worst := self._worst(command)) is not None:
            return worst
        match command.verb:
            case Verb.SHUT_DOWN_GUEST:
                return _shutdown_of(vm)
            case Verb.POWER_ON_VM:
                return _start_of(vm)
            case verb:
                return _HOSTS.get(verb) or _VMS.get(verb) or _CLUSTER.get(verb) or _SETTINGS

    def _worst(self, command: Command) -> Duration | None:
        kind, goal = _MEASURED[command.verb]
        worst = max(self.took.get((kind, command.target, goal), ()), key=lambda one: one.seconds, default=None)
        if worst is None:
            return None
        day = datetime.fromtimestamp(worst.at, UTC).strftime("%Y-%m-%d")
        return Duration(worst.seconds, f"measured {worst.seconds:.0f} s on {day}")


def _shutdown_of(vm: KeptVm | None) -> Duration:
    if vm is not None and vm.is_vcenter:
        return Duration(180.0, "vCenter appliance, typical")
    match _family(vm):
        case "old Windows":
            return Duration(120.0, "Windows up to Server 2016, typical: it waits longer for its services")
        case "Windows":
            return Duration(75.0, "Windows guest, typical")
        case "Linux":
            return Duration(45.0, "Linux guest, typical")
        case _:
            return Duration(60.0, "guest of an unknown kind, typical")


def _start_of(vm: KeptVm | None) -> Duration:
    if vm is not None and vm.is_vcenter:
        return Duration(600.0, "vCenter appliance until it answers, typical")
    if vm is not None and not (vm.has_tools and vm.waits_for_tools) and vm.port is None:
        return Duration(5.0, "until it is on: nothing of its guest is waited for")
    match _family(vm):
        case "old Windows" | "Windows":
            return Duration(90.0, "Windows guest, typical")
        case "Linux":
            return Duration(45.0, "Linux guest, typical")
        case _:
            return Duration(60.0, "guest of an unknown kind, typical")


def _family(vm: KeptVm | None) -> str:
    """By vSphere's guestId; the generic `other...` says nothing but for its Linux kernels."""
    guest = ((vm.guest_os if vm is not None else None) or "").lower()
    if guest.startswith(_OLD_WINDOWS) or guest.startswith("windows9server"):
        return "old Windows"
    if guest.startswith("win"):
        return "Windows"
    return "Linux" if any(name in guest for name in _LINUX) else "other"
