"""A guard on the virtual site, under a loop whose time is virtual: days in milliseconds."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core import events as ev
from thermo_guard.core.finding import Finding
from thermo_guard.core.goal import Mode
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.record import Record, fold
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.step import Timing
from thermo_guard.core.survey import DataFolder
from thermo_guard.core.wishes import Order, Wish
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.engine.loop import Loop
from thermo_guard.engine.terms import Edges, LoopSettings, Preflight
from thermo_guard.ports import Hypervisor, Journal, Names, PowerController, RoomSensors
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.physics import Heat
from thermo_guard.sim.site import VirtualSite
from thermo_guard.sim.world import World
from thermo_guard.virtual_preflight import FOLDER, virtual_preflight

E = TypeVar("E", bound=ev.Event)
STARTS_AT = 1_767_340_800.0
OPERATOR = "ada@nas"


@dataclass
class Outbox:
    """ports.Notifier that keeps what it was told."""

    told: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, title: str, body: str, *, urgent: bool = False) -> None:
        self.told.append((title, body))

    async def aclose(self, within_s: float) -> None:
        return

    @property
    def titles(self) -> list[str]:
        return [title for title, _ in self.told]


class Board:
    """ports.StatusBoard that keeps the last status."""

    def __init__(self) -> None:
        self.last: Mapping[str, object] = {}

    def publish(self, facts: Mapping[str, object], tick_bound_s: float) -> None:
        self.last = facts


SETTINGS = LoopSettings(policy=PolicySettings(critical_c=60.0, projects=False), timing=Timing(), active_s=5.0)
"""CRITICAL lies out of the way, and nothing is projected: what is done in haste has tests of its own."""


class Killed(Exception):  # noqa: N818 - what happened, not what went wrong
    """Stands for kill -9."""


class Guarded:
    """A virtual site with its guard, which can be killed and started again on the same journal."""

    def __init__(
        self, folder: Path, plan: Blueprint, settings: LoopSettings = SETTINGS, seed: int = 1, *,
        silence_s: float = 5.0,
    ) -> None:
        self.folder = folder
        self.clock = SteadyClock(epoch=STARTS_AT)
        self.world = World(seed, plan, STARTS_AT)
        self.site = VirtualSite(self.world, self.clock, silence_s=silence_s)
        self.hypervisor: Hypervisor = self.site.hypervisor
        self.bmcs: Sequence[PowerController] = self.site.bmcs
        self.sensors: RoomSensors = self.site.sensors
        self.names: Names = self.site.names
        self.settings = settings
        self.outbox = Outbox()
        self.board = Board()
        self.events: list[tuple[float, ev.Event]] = []
        self._task: asyncio.Task[None] | None = None
        self.journal_double: Callable[[Journal], Journal] = lambda journal: journal
        """Put around the real journal."""
        self._journal: SqlJournal | None = None
        self.loop: Loop | None = None
        self.dies_on: Callable[[ev.Event], bool] | None = None
        """The guard dies when this event is durable, before anything that follows from it."""
        self.before = self.world.running()
        self.is_armed = True
        """It has proved itself on an earlier day; else it begins in a new folder."""
        self.preflight: Preflight | None = None
        self.logins: RefusedLogins | None = None
        """As the adapters hold them in this life."""

    def start(self) -> None:
        self._journal = SqlJournal.open(self.folder)
        if self.is_armed and fold(Record(), self._journal.entries()).armed is None:
            self._journal.append(self.clock.now(), ev.GuardArmed(by="", lacking=()))
        self.logins = RefusedLogins(self.clock)
        self.open_edges(self.logins)
        self.loop = Loop(self.settings, Edges(
            clock=self.clock, sensors=self.sensors, hypervisor=self.hypervisor, bmcs=self.bmcs,
            journal=self.journal_double(self._journal), notifier=self.outbox, board=self.board,
            listeners=(self._hear,), preflight=self.preflight, logins=self.logins, names=self.names,
            ports=self.site.ports,
            own_addresses=lambda: self.world.network.guard_addresses,
        ))
        self.loop.ledger.write(ev.GuardStarted(owner=self._journal.owner, version="test"))
        self._task = asyncio.ensure_future(self.loop.run(asyncio.Event()))

    def open_edges(self, logins: RefusedLogins) -> None:
        """A new life knows nobody yet."""
        self.site.begin_process(logins)

    def new_folder(self, folder: DataFolder = FOLDER) -> None:
        """Begin as on the first evening: nothing is on record, and the site must prove itself."""
        self.is_armed = False

        async def preflight() -> Sequence[Finding]:
            assert self._journal is not None
            look = virtual_preflight(
                self.site, self.clock, self.settings, self._journal, hypervisor=self.hypervisor,
                bmcs=tuple(self.bmcs), folder=folder,
            )
            return await look()

        self.preflight = preflight

    def order(self, order: Order, **changes: object) -> int:
        """What an operator says beside the guard; its number in the inbox."""
        wish = Wish(0, self.clock.now(), order, OPERATOR, "works on the cooling")
        return SqlJournal.put_wish(self.folder, replace(wish, **changes))  # type: ignore[arg-type]

    def answer_to(self, number: int) -> ev.WishTaken | None:
        """What became of an order."""
        answers = [taken for taken in self.of(ev.WishTaken) if taken.wish.number == number]
        assert len(answers) <= 1, "an order is answered once"
        return answers[0] if answers else None

    def _hear(self, at: float, event: ev.Event) -> None:
        self.events.append((at, event))
        if self.dies_on is not None and self.dies_on(event):
            self.dies_on = None
            raise Killed

    async def kill(self) -> None:
        """End the guard wherever it is; nothing but its journal stays."""
        assert self._task is not None
        assert self._journal is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._journal.close()
        self._task = None

    async def until(self, holds: Callable[[], object], within_s: float) -> float:
        """Let time pass until something holds; the seconds that took."""
        began = self.clock.now()
        while not holds():
            if self._task is not None and self._task.done() and not self.is_dead:
                await self._task
                pytest.fail("the guard ended by itself")
            assert self.clock.now() - began < within_s, self.story()
            await self.clock.sleep(5.0)
            self.world.advance(self.clock.now())
        return self.clock.now() - began

    @property
    def is_dead(self) -> bool:
        """It died where `dies_on` said."""
        return self._task is not None and self._task.done() and isinstance(self._task.exception(), Killed)

    @property
    def record(self) -> Record:
        assert self.loop is not None
        return self.loop.ledger.record

    def of(self, kind: type[E]) -> list[E]:
        return [event for _, event in self.events if isinstance(event, kind)]

    def story(self) -> str:
        """What happened, for a failing test."""
        told = [f"{at - STARTS_AT:8.1f} {event}" for at, event in self.events][-60:]
        return "\n".join([*told, "--- world", *(str(h) for h in self.world.log[-40:])])

    def is_on(self, vm: str) -> bool:
        return any(state.plan.name == vm and state.is_on for state in self.world.cluster.vms.values())

    @property
    def snapshot(self) -> Snapshot | None:
        assert self.loop is not None
        return self.loop.ledger.snapshot

    def make_room(self, celsius: float) -> None:
        """Bring air and masses of the room to a temperature at once."""
        self.world.room.heat = Heat(celsius, celsius)

    def is_closed(self) -> bool:
        return bool(self.of(ev.IncidentClosed))

    def all_off(self) -> bool:
        """Every host of the guarded cluster is without power."""
        hosts = self.world.cluster.hosts.values()
        return all(host.stage is Stage.OFF for host in hosts if host.plan.cluster == self.world.plan.cluster)


def quick(settings: LoopSettings = SETTINGS, *, mode: Mode = Mode.ARMED, **timing: float) -> LoopSettings:
    """The same settings with other bounds, for scenarios that run into them."""
    return replace(settings, mode=mode, timing=replace(settings.timing, **timing))  # type: ignore[arg-type]
