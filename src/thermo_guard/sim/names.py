"""Names in the virtual site: asked of its DNS server, remembered when that is one of the machines that are off."""

import math
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Clock, Transient

from .world import World

NO_ANSWER_S = 5.0
"""What a question takes that no server answers."""
IN_DOUBT_S = 30.0
"""After one of those, so long no one waits who has an address in memory."""


class SiteNames:
    """Implements `ports.Names`."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._known: dict[str, tuple[str, ...]] = {}
        self._silent_at = -math.inf

    async def resolve(self, host: str) -> tuple[str, ...]:
        """:raises Transient: no server answers and the name is not remembered, or no machine has it."""
        name = host.strip("[]").lower()
        if _is_ip(name):
            return (name,)
        self._world.advance(self._clock.now())
        network = self._world.network
        if network.dns_answers:
            ip = network.ip_of(name)
            if ip is not None:
                self._known[name] = (ip,)
            self._silent_at = -math.inf
        elif name not in self._known or self._clock.now() - self._silent_at >= IN_DOUBT_S:
            await self._clock.sleep(NO_ANSWER_S)
            self._silent_at = self._clock.now()
        if name not in self._known:
            why = "no machine has this name" if network.dns_answers else "no DNS server answers"
            raise Transient(f"{name} stands for no address: {why}").of(Trouble.NO_NAME)
        return self._known[name]

    def known(self) -> Mapping[str, tuple[str, ...]]:
        return dict(self._known)

    def recall(self, names: Mapping[str, tuple[str, ...]]) -> None:
        self._known = {**{name.lower(): tuple(ips) for name, ips in names.items()}, **self._known}

    def forget(self) -> None:
        """The process has ended, and what it remembered with it."""
        self._known = {}
        self._silent_at = -math.inf


@lru_cache(maxsize=4096)
def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
