"""One line of `check`: what was found on one side, how bad it is, what it stands in the way of, and what mends it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Area(StrEnum):
    """In the order in which they are told."""

    SETTINGS = "Settings"
    MERAKI = "Meraki"
    ROOM = "Room"
    VCENTER = "vCenter"
    PRIVILEGES = "Privileges"
    CLUSTER = "Cluster"
    VMS = "VMs"
    HOSTS = "ESXi hosts"
    BMCS = "BMCs"
    INFRASTRUCTURE = "What the guard leans on"
    CLOCK = "Clock"
    DATA = "Data folder"
    PEOPLE = "Telling people"


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Way(StrEnum):
    """What a FAIL stands in the way of, the worst first."""

    DOWN = "down"
    """What a shutdown cannot do without: settings, the alarm, vCenter with its login and rights, the cluster and its
    hosts, the data folder. A guard does not arm before none of these is left."""
    HOSTS = "hosts"
    """The shutdown of any host at all, vCenter's with them; the VMs would go down."""
    LAST = "last"
    """The shutdown of vCenter's own VM and its host, which come last; all else would go down."""
    PART = "part"
    """The shutdown of single hosts that have nothing to do with vCenter; all else would go down."""
    BACK = "back"
    """The way back: all would go down, and a person would have to help it up."""


@dataclass(frozen=True, slots=True)
class Finding:
    area: Area
    verdict: Verdict
    text: str
    """What is so, and what follows from it."""
    remedy: str = ""
    """What to do about it; empty where there is nothing to do."""
    way: Way | None = None
    """Of a FAIL, and only of one."""

    def in_a_line(self) -> str:
        """All of it, for a message."""
        return f"{self.area}: {self.text.rstrip('.')}. {self.remedy}".rstrip()


def ok(area: Area, text: str) -> Finding:
    return Finding(area, Verdict.OK, text)


def warn(area: Area, text: str, remedy: str = "") -> Finding:
    return Finding(area, Verdict.WARN, text, remedy)


def fail(area: Area, way: Way, text: str, remedy: str = "") -> Finding:
    return Finding(area, Verdict.FAIL, text, remedy, way)


def in_the_way(findings: Iterable[Finding], way: Way) -> tuple[Finding, ...]:
    """The FAILs that stand in this way."""
    return tuple(finding for finding in findings if finding.verdict is Verdict.FAIL and finding.way is way)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What all findings come to."""

    text: str
    can_go_down: bool
    """All of the cluster, vCenter's own host and the guard's included."""
    can_come_back: bool


def conclusion(findings: Iterable[Finding], *, is_observing: bool = False) -> Conclusion:
    """What they come to; with `is_observing` the guard would do nothing of it, and that is said with it."""
    end = _of_ways(findings)
    if not is_observing:
        return end
    return replace(end, text=f"{end.text.removesuffix('.')}, but MODE=observe: nothing would be done.")


def _of_ways(findings: Iterable[Finding]) -> Conclusion:
    ways = {finding.way for finding in findings if finding.verdict is Verdict.FAIL}
    if Way.DOWN in ways:
        return Conclusion("The site could NOT be brought down.", can_go_down=False, can_come_back=False)
    if Way.HOSTS in ways:
        back = ", and not all of them back" if Way.BACK in ways else " and back"
        text = f"The VMs could be brought down{back}, but no host: all of them stay up, and vCenter with them."
        return Conclusion(text, can_go_down=False, can_come_back=False)
    if Way.LAST in ways:
        text = "The site could be brought down, but not vCenter's own VM and host, and not back as a whole."
        return Conclusion(text, can_go_down=False, can_come_back=False)
    if Way.PART in ways:
        text = "The site could be brought down, but for the hosts that are named above, and not back as a whole."
        return Conclusion(text, can_go_down=False, can_come_back=False)
    if ways:
        return Conclusion("The site could be brought down, not back.", can_go_down=True, can_come_back=False)
    return Conclusion("The site could be brought down and back.", can_go_down=True, can_come_back=True)


def listed(names: Iterable[str], most: int) -> str:
    """The first names, and how many more there are."""
    everyone = sorted(names)
    rest = len(everyone) - most
    return ", ".join(everyone) if rest <= 0 else f"{', '.join(everyone[:most])} and {rest} more"
