"""What stands around the simulated vSphere in a benchmark: a room and BMCs, as thin doubles behind the ports.

32 emulated BMCs as processes would take the processor and 1.6 GB from what is measured; these answer after the delay of
one call and show the power of the plant itself, as its journal tells it.
"""

import asyncio
import threading
import time
from typing import Any, Self

from peers.vsphere import HostFace, VirtualVsphere
from thermo_guard.core.plant import BmcSeen, Power
from thermo_guard.core.readings import AlertCount, Poll, Reading
from thermo_guard.ports import Clock


class Follower:
    """Reads the plant's journal in a thread of its own as it grows; `with Follower(plant) as it: ...`."""

    def __init__(self, plant: VirtualVsphere) -> None:
        self._plant = plant
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._is_over = threading.Event()
        self.entries: list[dict[str, Any]] = []
        self.off: set[str] = set()
        """Hosts without power."""
        self._lag_s = float("inf")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(5)

    def monotonic(self, entry: dict[str, Any]) -> float:
        """When an entry was written, on this machine's monotonic line; the quickest delivery gives the difference."""
        return float(entry["t"]) + self._lag_s

    def of(self, what: str) -> list[dict[str, Any]]:
        return [entry for entry in list(self.entries) if entry["what"] == what]

    def _follow(self) -> None:
        seen = 0
        while not self._is_over.is_set():
            found = self._plant.log(since=seen, wait_s=1)
            now = time.monotonic()
            for entry in found:
                seen = entry["n"]
                if entry["what"] == "host.off":
                    self.off.add(entry["object"])
                elif entry["what"] == "host.on":
                    self.off.discard(entry["object"])
            if found:
                self._lag_s = min(self._lag_s, now - float(found[-1]["t"]))
            self.entries.extend(found)


class FollowedBmc:
    """ports.PowerController of one host of the plant."""

    def __init__(self, host: HostFace, follower: Follower, clock: Clock, delay_s: float) -> None:
        self.address = f"bmc-{host.name}"
        self._host = host
        self._follower = follower
        self._clock = clock
        self._delay_s = delay_s

    async def observe(self) -> BmcSeen:
        await asyncio.sleep(self._delay_s)
        power = Power.OFF if self._host.name in self._follower.off else Power.ON
        return BmcSeen(self._clock.now(), self.address, power, uuid=self._host.uuid, serials=(self._host.serial,))

    async def power_on(self) -> None:
        raise NotImplementedError("the benchmarks only bring it down")

    async def force_off(self) -> None:
        raise NotImplementedError("the benchmarks cut nothing off")

    async def aclose(self) -> None:
        return


class Room:
    """ports.RoomSensors with three thermometers that show what they are told."""

    def __init__(self, clock: Clock, celsius: float) -> None:
        self._clock = clock
        self.celsius = celsius

    async def poll(self) -> Poll:
        now = self._clock.now()
        return Poll(now, tuple(Reading(f"Q2AA-{n}", self.celsius, now, now, 0.0) for n in range(3)))

    async def alert_count(self) -> AlertCount:
        return AlertCount(self._clock.now(), 0)

    async def aclose(self) -> None:
        return
