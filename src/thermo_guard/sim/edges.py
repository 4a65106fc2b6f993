"""What lies between the guard and each machine of the virtual site: the time a call takes, and what goes wrong.

Each call takes virtual time, moves the world to that time, and then answers or raises the port's faults. `Faults` is
where a drill or a test says what shall go wrong at these edges; what goes wrong in the plant itself is the world's.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import StrEnum

from thermo_guard.core.commands import Command, Verb
from thermo_guard.ports import Ambiguous, Clock, Fault, Refused, Transient, Unauthorized

from .doors import Door, Doors
from .names import SiteNames
from .world import World

SENSORS = "sensors"
"""The edge to the sensors' source; the others are VCENTER, a host's name, a BMC's address."""


class Effect(StrEnum):
    """What becomes of a call."""

    REFUSE = "refuse"
    FORBID = "forbid"
    LOSE_REQUEST = "lose_request"
    """It times out before anything was done."""
    LOSE_ANSWER = "lose_answer"
    """It is done, and the answer times out."""


@dataclass(slots=True)
class _Rule:
    verb: Verb
    effect: Effect
    left: int
    target: str | None


@dataclass(slots=True)
class Faults:
    """What shall go wrong at the edges."""

    world: World
    _rules: list[_Rule] = field(default_factory=list)
    _silent_until: dict[str, float] = field(default_factory=dict)
    _denied_until: dict[str, float] = field(default_factory=dict)
    _slow: dict[str, tuple[float, float]] = field(default_factory=dict)

    def next_calls(self, verb: Verb, effect: Effect, times: int = 1, target: str | None = None) -> None:
        """Spoil the next calls of a verb; `target` narrows it to one VM, host or BMC, by its name or id."""
        self._rules.append(_Rule(verb, effect, times, target))

    def silence(self, edge: str, for_s: float = math.inf) -> None:
        """Let an edge not answer: SENSORS, VCENTER, a host's name (its API), a BMC's address."""
        self._silent_until[edge] = self.world.now + for_s

    def deny_login(self, edge: str, for_s: float = math.inf) -> None:
        """Let an edge end its sessions and refuse every login, as when a password was changed."""
        self._denied_until[edge] = self.world.now + for_s

    def slow(self, edge: str, by_s: float, for_s: float = math.inf) -> None:
        """Let each call to an edge take so much longer."""
        self._slow[edge] = (self.world.now + for_s, by_s)

    def mend(self, edge: str) -> None:
        """Let an edge answer as before and accept logins again."""
        self._slow.pop(edge, None)
        self._silent_until.pop(edge, None)
        self._denied_until.pop(edge, None)

    def clear(self) -> None:
        """Nothing goes wrong at the edges any more."""
        self._rules.clear()
        self._slow.clear()
        self._silent_until.clear()
        self._denied_until.clear()

    def is_silent(self, edge: str) -> bool:
        return self.world.now < self._silent_until.get(edge, -math.inf)

    def delay_s(self, edge: str) -> float:
        until, by_s = self._slow.get(edge, (-math.inf, 0.0))
        return by_s if self.world.now < until else 0.0

    def denies(self, edge: str) -> bool:
        return self.world.now < self._denied_until.get(edge, -math.inf)

    def effect_on(self, verb: Verb, *targets: str) -> Effect | None:
        """What becomes of this call; counts it."""
        for rule in self._rules:
            if rule.verb is verb and rule.left > 0 and (rule.target is None or rule.target in targets):
                rule.left -= 1
                return rule.effect
        return None


@dataclass(frozen=True, slots=True)
class Peer:
    """A machine of the site as one call goes to it; what may change while the call is on its way is asked there."""

    edge: str
    """As in `Faults`."""
    name: str
    """For people."""
    address: str
    """Host name or IP address by which the guard knows it."""
    ip: str | None
    """Where it stands in truth; None: nowhere."""
    answers: Callable[[], bool] = lambda: True
    door: Door | None = None
    life: Callable[[], Hashable] = lambda: 0
    """Changes when it forgets its sessions."""
    why_not: Callable[[], str] = str
    """Why it takes no login of the door's account now; empty where it does."""
    latency_s: float = 0.0
    """What a call takes on top of what every call takes."""


class Edges:
    """What all faces share: the time a call takes, and the faults at its edge."""

    def __init__(
        self, world: World, clock: Clock, faults: Faults, names: SiteNames, doors: Doors, latency_s: float,
        silence_s: float,
    ) -> None:
        self.world = world
        self.faults = faults
        self._clock = clock
        self._names = names
        self._doors = doors
        self._latency_s = latency_s
        self._silence_s = silence_s

    async def reach(self, peer: Peer) -> None:
        """Spend a call's time and come out where the peer has the request.

        :raises Transient: its name stands for no address, or it does not answer at that address.
        :raises Unauthorized: it refuses the login, or did so a while ago.
        """
        if peer.door is not None:
            self._doors.knock(peer.door, peer.life())
        addresses = await self._names.resolve(peer.address)
        await self.call(peer.edge, peer.latency_s)
        if self.faults.is_silent(peer.edge) or peer.ip not in addresses or not peer.answers():
            await self.wait_in_vain()
            raise Transient(f"{peer.name} does not answer")
        if peer.door is not None:
            self._log_in(peer, peer.door)

    async def call(self, edge: str, more_s: float = 0.0) -> None:
        """Spend a call's time."""
        await self._clock.sleep(self._latency_s + more_s + self.faults.delay_s(edge))
        self.world.advance(self._clock.now())

    def _log_in(self, peer: Peer, door: Door) -> None:
        is_denied = self.faults.denies(peer.edge)
        if is_denied:
            self._doors.close(door)
        why_not = f"refuses the user name or the password of {door.user}" if is_denied else peer.why_not()
        self._doors.enter(door, peer.life(), why_not)

    async def wait_in_vain(self) -> None:
        await self._clock.sleep(self._silence_s)
        self.world.advance(self._clock.now())

    async def act(self, command: Command, do: Callable[[], None]) -> None:
        """Carry out what a peer was asked, or spoil it, and note both.

        :raises Fault: as it was spoiled, or as the peer declined.
        """
        effect = self.faults.effect_on(command.verb, command.target, command.name, command.via)
        try:
            await self._spoiled(command, effect, do)
        except Fault as fault:
            self._note(command, f"{type(fault).__name__}: {fault}")
            raise
        self._note(command, "taken")

    async def _spoiled(self, command: Command, effect: Effect | None, do: Callable[[], None]) -> None:
        if effect is Effect.REFUSE:
            raise Refused(f"{command.name}: refused by drill")
        if effect is Effect.FORBID:
            raise Unauthorized(f"{command.name}: no right, by drill")
        if effect is Effect.LOSE_REQUEST:
            await self.wait_in_vain()
            raise Transient(f"{command.name}: timed out before it was sent")
        do()
        if effect is Effect.LOSE_ANSWER:
            await self.wait_in_vain()
            raise Ambiguous(f"{command.name}: the answer was lost")

    def _note(self, command: Command, result: str) -> None:
        self.world.timeline.note(f"call.{command.verb.value}", command.name, f"via {command.via}: {result}")
