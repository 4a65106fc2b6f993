"""What the BMCs of the virtual site show of the air that their servers take in.

It follows the room's air, is warmer by the server's place in the rack and by what comes back of its own heat while its
fans run, and is told in whole degrees. Nothing here draws from anybody else's dice.
"""

import math
import random
from collections.abc import Iterable
from enum import StrEnum

from . import physics
from .blueprint import InletPlan
from .cluster import VirtualCluster
from .machines import BmcState, HostState, Stage
from .room import VirtualRoom
from .timeline import Timeline

RECIRCULATION_K_PER_KW = 1.0
"""How much warmer a server's inlet is for each kilowatt of its own; some 3 K are seen between the ends of a rack."""
BIAS_K = 0.5
"""What the thermometers are off by, at most, where the plan does not say."""


class InletFault(StrEnum):
    """What can be wrong with a server's inlet sensor."""

    NONE = "none"
    STUCK = "stuck"
    """It goes on showing what it showed."""
    ZERO = "zero"
    """It shows 0, as a sensor that is not there does."""
    SILENT = "silent"
    """It shows nothing."""


class ServerInlet:
    """The inlet sensor of one server."""

    def __init__(
        self, plan: InletPlan, host: HostState | None, room: VirtualRoom, timeline: Timeline, bias_k: float
    ) -> None:
        self.plan = plan
        self._host = host
        self._room = room
        self._timeline = timeline
        self._bias_k = plan.bias_k if plan.bias_k is not None else bias_k
        self._fault = InletFault.NONE
        self._stuck_c: float | None = None

    @property
    def shown_c(self) -> float | None:
        """Degrees Celsius, by its step; None: nothing."""
        match self._fault:
            case InletFault.STUCK:
                return self._stuck_c
            case InletFault.ZERO:
                return 0.0
            case InletFault.SILENT:
                return None
        is_off = self._host is not None and self._host.stage is Stage.OFF
        if not self.plan.is_there or (is_off and not self.plan.shows_when_off):
            return None
        return physics.quantised(self._felt_c() + self._bias_k, self.plan.step_c)

    def set_fault(self, fault: InletFault) -> None:
        """From now on this is wrong with it."""
        self._fault = InletFault.NONE
        self._stuck_c = self.shown_c
        self._fault = fault

    def _felt_c(self) -> float:
        air_c, host = self._room.intake_c, self._host
        if host is None:
            return air_c
        # Fans, and what they draw back, come and go with the power.
        gone = math.exp(-max(0.0, self._timeline.now - host.stage_since) / physics.INTAKE.tau_s)
        drawn = {Stage.OFF: gone, Stage.BOOTING: 1.0 - gone}.get(host.stage, 1.0)
        return air_c + host.plan.inlet_offset_k + drawn * RECIRCULATION_K_PER_KW * host.plan.busy_kw


def inlets_of(
    bmcs: Iterable[BmcState], cluster: VirtualCluster, room: VirtualRoom, seed: int,
) -> dict[str, ServerInlet]:
    """By the BMC's address."""
    return {
        bmc.plan.address: ServerInlet(
            bmc.plan.inlet, None if bmc.plan.host is None else cluster.hosts[bmc.plan.host], room, cluster.timeline,
            random.Random(f"{seed}/inlet/{bmc.plan.address}").uniform(-BIAS_K, BIAS_K),  # noqa: S311 - as in `room`
        ) for bmc in bmcs
    }
