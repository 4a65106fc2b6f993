"""The guard of a run, over all its lives: the real loop and journal, killed and started again on the same folder."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.journal import FolderTakenError, SqlJournal
from thermo_guard.core import events as ev
from thermo_guard.core.finding import Finding
from thermo_guard.core.record import Incident, Record
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.wishes import Order, Wish
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.engine.loop import Loop
from thermo_guard.engine.terms import Edges, LoopSettings
from thermo_guard.ports import Fault
from thermo_guard.sim.site import VirtualSite
from thermo_guard.virtual_preflight import virtual_preflight

from .life import Crash, Disk, Life, LivedJournal
from .promises import Promises
from .weather import FeltHypervisor, FeltSensors, Passage, Weather, felt_bmcs

OWNER = "simulated"


class Guard:
    """One guarded site.

    :param clock: the world's.
    :param is_unarmed: it begins in a new folder and must prove itself; else it has done so on an earlier day.
    """

    def __init__(
        self, settings: LoopSettings, folder: Path, site: VirtualSite, clock: SteadyClock, weather: Weather,
        promises: Promises, *, is_unarmed: bool = False,
    ) -> None:
        self.disk = Disk()
        self.crashes = 0
        self.has_lost_memory = False
        """It has died while it worked on an incident from memory: what it had done is on no record (ADR 0007)."""
        self.events: list[tuple[float, ev.Event]] = []
        """All lives', by the world's clock."""
        self.stepped_s = 0.0
        """How far the machine's clock has been set, all in all."""
        self._settings = settings
        self._is_unarmed = is_unarmed
        self._folder = folder
        self._site = site
        self._clock = clock
        self._weather = weather
        self._promises = promises
        self._life = Life(is_over=True)
        self._loop: Loop | None = None
        self._journal: SqlJournal | None = None
        self._back_at: float | None = None
        self._away_s = 0.0
        self._others: set[asyncio.Task[object]] = set()
        """Tasks that are not the guard's."""

    @property
    def incident(self) -> Incident | None:
        return None if self._loop is None else self._loop.ledger.record.incident

    @property
    def record(self) -> Record | None:
        return None if self._loop is None else self._loop.ledger.record

    @property
    def snapshot(self) -> Snapshot | None:
        return None if self._loop is None else self._loop.ledger.snapshot

    @property
    def is_dead(self) -> bool:
        return self._life.is_over or self._life.task is None or self._life.task.done()

    def start(self) -> None:
        """A new process begins; a disk that does not let it will let it later."""
        self._back_at = None
        self._others = {*asyncio.all_tasks()}
        try:
            self._journal = journal = SqlJournal.open(self._folder, owner=OWNER)
        except Fault:
            self._back_at = self._clock.now() + 60.0
            return
        entries = list(journal.entries())
        wall = self._clock.now() + self.stepped_s
        clock = SteadyClock(epoch=max([wall, *(entry.at for entry in entries[-1:])]))
        ahead_s = clock.now() - self._clock.now()
        self._promises.begins(entries, ahead_s)
        self._life = life = Life()
        lived = LivedJournal(journal, life, self.disk, self._promises.appended)
        if not entries and not self._is_unarmed:
            lived.append(clock.now(), ev.GuardArmed(by="", lacking=()))
            self._promises.heard(clock.now(), ev.GuardArmed(by="", lacking=()))
        logins = RefusedLogins(clock)
        self._site.begin_process(logins)
        way = Passage(life, self._weather, self._promises, ahead_s)
        hypervisor, bmcs = FeltHypervisor(self._site, way), felt_bmcs(self._site, way)

        async def preflight() -> Sequence[Finding]:
            look = virtual_preflight(
                self._site, clock, self._settings, journal, hypervisor=hypervisor, bmcs=tuple(bmcs)
            )
            return await look()

        self._loop = Loop(self._settings, Edges(
            clock=clock, sensors=FeltSensors(self._site, way), hypervisor=hypervisor, bmcs=bmcs, journal=lived,
            notifier=_Outbox(self._promises), board=_Board(self._promises), listeners=(self._hear,),
            preflight=preflight if self._is_unarmed else None, logins=logins, names=self._site.names,
            ports=self._site.ports, own_addresses=lambda: self._site.world.network.guard_addresses,
        ))
        life.task = asyncio.ensure_future(self._live(self._loop))

    async def _live(self, loop: Loop) -> None:
        loop.ledger.write(ev.GuardStarted(owner=OWNER, version="simulated"))
        await loop.run(asyncio.Event())

    def _hear(self, at: float, event: ev.Event) -> None:
        self.events.append((self._clock.now(), event))
        self._promises.is_disk_full = self.disk.is_full
        self._promises.heard(at, event)

    def crash(self, point: str, count: int, away_s: float) -> None:
        """Let the process end now, or as soon as it has passed a point so often; it comes back after `away_s`."""
        if self.is_dead:
            return
        self._away_s = away_s
        if point == "now":
            self._life.end()
        else:
            self._life.crash = Crash(point, count)

    def call_off_crashes(self) -> None:
        """Whatever it was to die of later, it does not; if it is dead, it comes back at once."""
        self._life.crash = None
        self._away_s = 0.0
        if self._back_at is not None:
            self._back_at = self._clock.now()

    async def revive_if_due(self) -> None:
        """Where it has ended, clear up after it; where its time has come, start it again."""
        if self._back_at is not None:
            if self._clock.now() >= self._back_at:
                self.start()
        elif self.is_dead:
            await self.bury()
            self._back_at = self._clock.now() + self._away_s

    async def bury(self) -> None:
        """Nothing of the life that has ended stays but its folder."""
        if self._journal is None:
            return
        life = self._life
        life.end()
        self.has_lost_memory |= self.disk.is_full and self.incident is not None
        rest = [task for task in asyncio.all_tasks() - self._others if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        for task, end in zip(rest, await asyncio.gather(*rest, return_exceptions=True), strict=True):
            if task is life.task and isinstance(end, Exception):
                self._promises.late(f"the guard ended by itself: {type(end).__name__}: {end}")
        if life.task is not None and life.task not in rest and not life.task.cancelled() and (
            isinstance(end := life.task.exception(), Exception)
        ):
            self._promises.late(f"the guard ended by itself: {type(end).__name__}: {end}")
        self._journal.close()
        self._journal = None
        self.crashes += 1

    async def kill(self) -> None:
        """The run is over."""
        if self._journal is not None:
            await self.bury()
            self.crashes -= 1

    def arm(self) -> None:
        """An operator says so."""
        at = self._clock.now() + self.stepped_s
        SqlJournal.put_wish(self._folder, Wish(0, at, Order.ARM, "ada@nas", "the simulation"))

    def try_second(self) -> None:
        """Another process comes to the same folder."""
        if self._journal is None:
            return
        try:
            SqlJournal.open(self._folder, owner="second").close()
        except FolderTakenError:
            self._promises.second_guard(was_let_in=False)
        else:
            self._promises.second_guard(was_let_in=True)


class _Outbox:
    """ports.Notifier."""

    def __init__(self, promises: Promises) -> None:
        self._promises = promises

    def tell(self, title: str, body: str, *, urgent: bool = False) -> None:  # noqa: ARG002 - the port has it
        self._promises.told(title, body)

    async def aclose(self, within_s: float) -> None:  # noqa: ARG002 - the port has it
        return


class _Board:
    """ports.StatusBoard."""

    def __init__(self, promises: Promises) -> None:
        self._promises = promises

    def publish(self, facts: Mapping[str, object], tick_bound_s: float) -> None:  # noqa: ARG002 - the port has it
        self._promises.ticked(facts)

