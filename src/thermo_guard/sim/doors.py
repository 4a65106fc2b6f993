"""Logins to the machines of the virtual site: sessions that last, tries that are counted, refusals that are remembered.

As the real adapters do it: an account that was refused is not tried before the memory of it says so.
"""

import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from thermo_guard.ports import Logins, Unauthorized

from .world import World

TRIES_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Door:
    """One endpoint with one account."""

    name: str
    """For people."""
    endpoint: str
    """host:port, lower case."""
    user: str
    idle_s: float = math.inf
    """A session that nobody uses ends after this."""


@dataclass(frozen=True, slots=True)
class LoginTry:
    """A login that went over the wire."""

    at: float
    endpoint: str
    user: str
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class _Session:
    life: Hashable
    """What of the server it ends with."""
    used_at: float


class Doors:
    def __init__(self, world: World) -> None:
        self.logins: Logins | None = None
        """Who remembers refusals; None: nobody, and each call tries anew."""
        self.tries: deque[LoginTry] = deque(maxlen=TRIES_KEPT)
        self._world = world
        self._sessions: dict[tuple[str, str], _Session] = {}

    def knock(self, door: Door, life: Hashable) -> None:
        """Before anything goes over the wire.

        :param life: a value that changes when the server forgets its sessions.
        :raises Unauthorized: without a session, and the account must not be tried now.
        """
        if not self._has_session(door, life) and self.logins is not None:
            text = self.logins.refusal(door.endpoint, door.user)
            if text is not None:
                raise Unauthorized(text)

    def enter(self, door: Door, life: Hashable, why_not: str) -> None:
        """At the server: the session, or a login where there is none.

        :param why_not: why the server refuses this login; empty where it does not.
        :raises Unauthorized: it refused, or the account must not be tried now.
        """
        key, now = (door.endpoint, door.user), self._world.now
        if not self._has_session(door, life):
            self._sessions.pop(key, None)
            self.knock(door, life)
            self.tries.append(LoginTry(now, *key, is_accepted=not why_not))
            if why_not:
                text = f"{door.name} {why_not}"
                raise Unauthorized(text if self.logins is None else self.logins.refused(*key, text))
            if self.logins is not None:
                self.logins.accepted(*key)
        self._sessions[key] = _Session(life, now)

    def close(self, door: Door) -> None:
        """The server ends the session."""
        self._sessions.pop((door.endpoint, door.user), None)

    def close_all(self) -> None:
        """The guard's process has ended."""
        self._sessions.clear()

    def refusals(self, endpoint: str, since: float = -math.inf) -> list[float]:
        """When logins were refused at an endpoint: what counts towards a locked account."""
        return [t.at for t in self.tries if t.endpoint == endpoint and t.at >= since and not t.is_accepted]

    def _has_session(self, door: Door, life: Hashable) -> bool:
        session = self._sessions.get((door.endpoint, door.user))
        return session is not None and session.life == life and self._world.now - session.used_at <= door.idle_s
