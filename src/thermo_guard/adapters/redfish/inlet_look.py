"""What one BMC's inlet shows, time after time: which sensor it is, is found once and remembered."""

from collections.abc import Awaitable, Callable

import structlog

from thermo_guard.core.readings import Kind, Poll, Reading, Rejected
from thermo_guard.ports import Clock, Refused, Transient

from .inlet import Thermometer, choose, same_of, thermometers_of
from .inlet_walk import InletWalk
from .system import Node

log = structlog.get_logger(__name__)

WALK_S = 60.0
"""Longest walk over all chassis, some 0.3 s a page."""
MISSES = 3
"""Pages that a walk goes on without, as those of a baseboard that is off: a BMC that is gone fails each."""
NONE_S = 3600.0
"""A BMC without an inlet sensor is not walked again for so long."""
NOTHING_NOW_S = 300.0
"""Nor so long one whose sensor shows nothing, as of a server that is off."""
SHOWN = 12
"""Names of sensors in a message."""


class InletLook:
    """The look at one BMC's inlet. One GET, or a walk where the sensor is not known yet or is no longer there.

    :param read: a resource by its path, and until when; None where it cannot be had.
    :param wanted: the operator's name of the sensor.
    """

    def __init__(
        self, address: str, clock: Clock, read: Callable[[str, float], Awaitable[Node | None]], wanted: str | None,
    ) -> None:
        self._address = address
        self._clock = clock
        self._read = read
        self._wanted = wanted.strip() if wanted and wanted.strip() else None
        self._chosen: Thermometer | None = None
        self._walk_at = 0.0
        self._had_run = False
        self._why_none = ""

    @property
    def sensor(self) -> str | None:
        """Name of the one that is taken, as the BMC words it; None before it was found."""
        return None if self._chosen is None else self._chosen.name

    async def poll(self, is_running: bool | None) -> Poll:
        """:param is_running: whether the server is on.

        :raises Refused: it has no inlet sensor.
        :raises Fault: as `read`; Transient where a walk did not end in time.
        """
        if self._chosen is not None:
            body = await self._read(self._chosen.page, self._clock.now() + WALK_S)
            same = same_of(self._chosen, thermometers_of(self._chosen.page, body or {}))
            if same is not None:
                return self._told(same, is_running)
            if is_running is False:  # some firmware shows no sensor then; it comes back with the power
                return self._poll()
            log.info("bmc.inlet_gone", bmc=self._address, sensor=self._chosen.name, page=self._chosen.page)
            self._chosen = None
            self._walk_at = 0.0
        is_new = is_running is True and not self._had_run
        if self._clock.now() >= self._walk_at or is_new:
            await self._find(is_running)
        if self._chosen is not None:
            return self._told(self._chosen, is_running)
        if self._why_none:
            raise Refused(self._why_none)
        return self._poll()

    async def _find(self, is_running: bool | None) -> None:
        found = await self._walk()
        self._had_run = is_running is True
        self._chosen = choose(found, self._wanted)
        self._why_none = ""
        if self._chosen is not None:
            log.info("bmc.inlet_chosen", bmc=self._address, sensor=self._chosen.name, page=self._chosen.page,
                     of=len(found))
            return
        is_silent = is_running is False or (self._wanted is None and any(one.score for one in found))
        self._walk_at = self._clock.now() + (NOTHING_NOW_S if is_silent else NONE_S)
        if not is_silent:
            self._why_none = self._none_text(found)
            log.warning("bmc.inlet_missed", bmc=self._address, reason=self._why_none)

    async def _walk(self) -> tuple[Thermometer, ...]:
        until = self._clock.now() + WALK_S
        misses: list[Transient] = []

        async def read(path: str) -> Node | None:
            if self._clock.now() >= until:
                raise Transient(f"BMC {self._address} did not show all its sensors within {WALK_S:g} s")
            try:
                return await self._read(path, until)
            except Transient as fault:
                misses.append(fault)
                if len(misses) > MISSES:
                    raise
                return None

        found = await InletWalk(read, self._wanted).thermometers()
        if misses and choose(found, self._wanted) is None:
            raise misses[0]
        return found

    def _none_text(self, found: tuple[Thermometer, ...]) -> str:
        names = list(dict.fromkeys(one.name for one in found if one.is_enabled))
        shows = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        shows = f"it shows {shows}" if names else "it shows no temperature at all"
        if self._wanted is not None:
            return f"BMC {self._address} shows no sensor {self._wanted}, its inlet_sensor in ILO_HOSTS: {shows}"
        return f"BMC {self._address} shows no inlet sensor: name one by inlet_sensor in ILO_HOSTS; {shows}"

    def _told(self, one: Thermometer, is_running: bool | None) -> Poll:
        if not one.is_enabled or (one.celsius is None and is_running is False):
            return self._poll()
        now = self._clock.now()
        if one.celsius is None:
            return self._poll(rejected=(Rejected(self._address, f"{one.name} shows {one.shows}", Kind.BMC),))
        return self._poll(Reading(
            self._address, one.celsius, stamp=now, seen_at=now, age_s=0.0, kind=Kind.BMC, is_running=is_running,
        ))

    def _poll(self, *readings: Reading, rejected: tuple[Rejected, ...] = ()) -> Poll:
        return Poll(self._clock.now(), readings, rejected, Kind.BMC, lists_all=False)
