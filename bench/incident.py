"""A whole incident: from the trip until the last host is off, over the least that the plant itself takes.

    python -m bench.incident [--inside] [--outside] [--hosts 32] [--vms 1000] [--call-ms 50] [--scale 1.0]

The plant is VMware's simulator made to behave like one (virtual_vsphere), over TLS, with a delay on every call; the
adapter, the loop and the journal on disk are the real ones with their default settings, the room and the BMCs doubles
(bench/rack.py). The floor is the slowest guest of each tier, one maintenance mode and one host's shutdown, one after
another; with vCenter inside also its own VM, and maintenance mode and shutdown of its host once more. It is taken from
the plant's own durations, so that nothing the guard does is in it.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import trustme

from bench.rack import FollowedBmc, Follower, Room
from bench.table import Report
from peers.vsphere import ESXI_USER, PASSWORD, USER, VirtualVsphere
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.notify import Outbox
from thermo_guard.adapters.vsphere import TlsTrust, Vsphere
from thermo_guard.core import events as ev
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.step import Timing
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.engine.loop import Loop
from thermo_guard.engine.terms import Edges, LoopSettings

GOAL = 1.15
VCENTER = "vcsa"
SLOWEST_S = {1: 40.0, 2: 35.0, 3: 30.0}
"""A guest takes between half of its tier's and all of it; the last VM of each tier by name all of it."""
VCENTER_S, MAINTENANCE_S, HOST_OFF_S = 40.0, 4.0, 18.0
COOL_C, HOT_C = 21.5, 36.5


@dataclass
class Heard:
    """ports.StatusBoard that keeps nothing, and the journal's events as they became durable."""

    events: list[tuple[float, ev.Event]] = field(default_factory=list)
    """(monotonic, event)."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, _at: float, event: ev.Event) -> None:
        self.events.append((time.monotonic(), event))
        self.changed.set()

    def publish(self, _facts: Mapping[str, object], _tick_bound_s: float) -> None:
        self.changed.set()

    def at(self, kind: type[ev.Event], **fields: object) -> float | None:
        return next((at for at, event in self.events if isinstance(event, kind)
                     and all(getattr(event, name) == value for name, value in fields.items())), None)

    async def until(self, kind: type[ev.Event], within_s: float, **fields: object) -> float:
        async with asyncio.timeout(within_s):
            while (at := self.at(kind, **fields)) is None:
                self.changed.clear()
                await self.changed.wait()
        return at


@dataclass(frozen=True)
class Run:
    took_s: float
    """From the trip until the last host has no power."""
    confirmed_s: float
    """From the trip until the guard has seen that."""
    floor_s: float
    phases: tuple[tuple[str, float, float], ...]
    """Phase, what it took, what the plant took of that."""

    @property
    def ratio(self) -> float:
        return self.took_s / self.floor_s


def furnish(plant: VirtualVsphere, scale: float, *, is_inside: bool, seed: int = 1) -> None:
    """Three tiers by attribute and a time for each guest; prints nothing and changes nothing else."""
    chance = random.Random(seed)
    by_tier: dict[int, list[str]] = {}
    for number, name in enumerate(plant.vms):
        if is_inside and name == VCENTER:
            plant.change_vm(name, **{"guest-ms": round(VCENTER_S * scale * 1000)})
            continue
        by_tier.setdefault(number % 3 + 1, []).append(name)
    for tier, names in by_tier.items():
        if tier > 1:
            for name in names:
                plant.post("/tier", vm=name, value=tier, how="attribute")
        last = max(names)
        for name in names:
            share = 1.0 if name == last else chance.uniform(0.5, 1.0)
            plant.change_vm(name, **{"guest-ms": round(SLOWEST_S[tier] * share * scale * 1000)})


def floor_s(scale: float, *, is_inside: bool) -> dict[str, float]:
    """What the plant takes, by phase; tiers of guests are phases."""
    floor = {f"guests {tier}": slowest_s * scale for tier, slowest_s in SLOWEST_S.items()}
    floor["hosts"] = (MAINTENANCE_S + HOST_OFF_S) * scale
    if is_inside:
        floor |= {"vcenter": VCENTER_S * scale, "last_host": (MAINTENANCE_S + HOST_OFF_S) * scale}
    return floor


async def incident(plant: VirtualVsphere, folder: Path, ca_file: str, call_s: float, floor: Mapping[str, float]) -> Run:
    clock = SteadyClock()
    heard = Heard()
    with Follower(plant) as follower:
        journal = SqlJournal.open(folder)
        journal.append(clock.now(), ev.GuardArmed(by="bench"))
        room = Room(clock, COOL_C)
        hypervisor = Vsphere(plant.vcenter, USER, PASSWORD, clock, logins=RefusedLogins(clock), cluster=plant.cluster,
                             tls=TlsTrust(ca_file=ca_file), esxi_user=ESXI_USER, esxi_password=PASSWORD)
        loop = Loop(
            LoopSettings(policy=PolicySettings(on_delay_s=0, poll_interval_s=1), timing=Timing(), poll_s=1.0),
            Edges(clock=clock, sensors=room, hypervisor=hypervisor, journal=journal, board=heard,
                  bmcs=[FollowedBmc(host, follower, clock, call_s) for host in plant.hosts],
                  notifier=Outbox((), clock), listeners=(heard.hear,)),
        )
        stop = asyncio.Event()
        running = asyncio.ensure_future(loop.run(stop))
        async with asyncio.timeout(60):
            while loop.ledger.snapshot is None:
                heard.changed.clear()
                await heard.changed.wait()
        room.celsius = HOT_C
        tripped = await heard.until(ev.AlarmTripped, 30)
        confirmed = await heard.until(ev.PhaseBegun, 900, phase=ev.Phase.ALL_OFF)
        stop.set()
        await running
        await hypervisor.aclose()
        journal.close()
        abandoned = [event for _, event in heard.events if isinstance(event, ev.Abandoned)]
        if abandoned or len(follower.off) != len(plant.hosts):
            raise RuntimeError(f"{len(follower.off)} of {len(plant.hosts)} hosts are off; abandoned: {abandoned[:3]}")
        last_off = max(follower.monotonic(entry) for entry in follower.of("host.off"))
    return Run(last_off - tripped, confirmed - tripped, sum(floor.values()), _phases(heard, tripped, last_off, floor))


def _phases(
    heard: Heard, tripped: float, last_off: float, floor: Mapping[str, float]
) -> tuple[tuple[str, float, float], ...]:
    begun = [(at, event) for at, event in heard.events if isinstance(event, ev.PhaseBegun) and at < last_off]
    names = [f"{event.phase} {event.tier}" if event.tier else str(event.phase) for _, event in begun]
    starts = [tripped, *(at for at, _ in begun), last_off]
    return tuple(
        (name, after - before, floor.get(name, 0.0))
        for name, before, after in zip(["snapshot", *names], starts, starts[1:], strict=False)
    )


def run(hosts: int, vms: int, call_ms: int, scale: float, *, is_inside: bool) -> Run:
    with tempfile.TemporaryDirectory(prefix="thermo-guard-bench-") as name:
        folder = Path(name)
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        with VirtualVsphere(
            folder / "plant", ca, hosts=hosts, vms=vms, call_delay_ms=call_ms,
            vcenter_vm=VCENTER if is_inside else "none", maintenance_ms=round(MAINTENANCE_S * scale * 1000),
            host_off_ms=round(HOST_OFF_S * scale * 1000),
        ) as plant:
            furnish(plant, scale, is_inside=is_inside)
            floor = floor_s(scale, is_inside=is_inside)
            return asyncio.run(incident(plant, folder / "data", str(folder / "ca.pem"), call_ms / 1000, floor))


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inside", action="store_true", help="only with vCenter inside the cluster")
    parser.add_argument("--outside", action="store_true", help="only with vCenter outside")
    parser.add_argument("--hosts", type=int, default=32)
    parser.add_argument("--vms", type=int, default=1000)
    parser.add_argument("--call-ms", type=int, default=50)
    parser.add_argument("--scale", type=float, default=1.0, help="of every duration of the plant")
    parser.add_argument("--runs", type=int, default=1)
    told = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    report = Report("incident")
    places = [False] * (told.outside or not told.inside) + [True] * (told.inside or not told.outside)
    for is_inside in places:
        found = [run(told.hosts, told.vms, told.call_ms, told.scale, is_inside=is_inside) for _ in range(told.runs)]
        where = f"vCenter {'inside' if is_inside else 'outside'}"
        report.add(f"{where}: trip to last host off", "s", [one.took_s for one in found],
                   note=f"floor {found[0].floor_s:g} s")
        report.add(f"{where}: over the floor", "x", [one.ratio for one in found], GOAL)
        report.add(f"{where}: until confirmed by every BMC", "s", [one.confirmed_s for one in found])
        for phase, took_s, of_plant_s in found[0].phases:
            report.add(f"{where}: {phase}", "s", [took_s], note=f"{took_s - of_plant_s:.1f} s over the plant's own")
    return report.show()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
