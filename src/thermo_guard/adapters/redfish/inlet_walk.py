"""The walk over a BMC's chassis in search of its thermometers; what is read how is the caller's to see to."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from .inlet import Thermometer, choose, sensor_paths, thermometers_of
from .system import Node, link_of, member_paths, text_of

CHASSIS_PATH = "/redfish/v1/Chassis"
CHASSIS = 64
"""Of its chassis at most so many are looked at: accelerators show dozens."""
SENSORS = 96
"""Of sensors on pages of their own at most so many."""
COLLECTION_PAGES = 8


@dataclass(frozen=True, slots=True)
class InletWalk:
    """One walk.

    :param read: a resource by its path; None where the BMC does not have it, or does not let this account read it.
    :param wanted: the operator's name of the sensor.
    """

    read: Callable[[str], Awaitable[Node | None]]
    wanted: str | None = None

    async def thermometers(self) -> tuple[Thermometer, ...]:
        """Those of every Thermal; those on pages of their own only where none of them can be the inlet.

        :raises Fault: as `read`.
        """
        pages = [await self.read(path) for path in await self._members(CHASSIS_PATH, CHASSIS)]
        chassis = [page for page in pages if page is not None]
        found: list[Thermometer] = []
        for page in _links(chassis, "Thermal"):
            found += thermometers_of(page, await self.read(page) or {})
        if choose(found, self.wanted) is not None:
            return tuple(found)
        promising, rest = await self._sensor_paths(chassis)
        for paths in (promising, rest):
            for path in paths[:SENSORS]:
                found += thermometers_of(path, await self.read(path) or {})
            if choose(found, self.wanted) is not None:
                break
        return tuple(found)

    async def _sensor_paths(self, chassis: list[Node]) -> tuple[list[str], list[str]]:
        promising: list[str] = []
        rest: list[str] = []
        for one in chassis:
            metrics: Node = {}
            for subsystem in _links([one], "ThermalSubsystem"):
                for path in _links([await self.read(subsystem) or {}], "ThermalMetrics"):
                    metrics = await self.read(path) or {}
            members = [path for page in _links([one], "Sensors") for path in await self._members(page, 10 * SENSORS)]
            first, others = sensor_paths(metrics, members, self.wanted)
            promising += first
            rest += others
        return promising, rest

    async def _members(self, path: str, most: int) -> list[str]:
        found: list[str] = []
        following: str | None = path
        for _ in range(COLLECTION_PAGES):
            body = None if following is None or len(found) >= most else await self.read(following)
            if body is None:
                break
            found += member_paths(body)
            following = text_of(body.get("Members@odata.nextLink"))
        return list(dict.fromkeys(found))[:most]


def _links(bodies: list[Node], name: str) -> Iterator[str]:
    return iter(dict.fromkeys(link for body in bodies if (link := link_of(body.get(name)))))
