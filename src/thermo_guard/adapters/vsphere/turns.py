"""One look at a time, whose failure is shared by who waited for it.

A look at a frozen server takes half a minute to fail; sixteen commands that need it in turn would take eight.
"""

import asyncio
from collections.abc import Awaitable, Callable

from thermo_guard.ports import Clock, Fault


class Turns:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._failed: tuple[float, Fault] | None = None
        """When a look last failed, and how."""

    async def take(self, look: Callable[[], Awaitable[object]], is_needless: Callable[[], bool] | None = None) -> None:
        """Look when it is this caller's turn.

        :param is_needless: asked when the turn has come: another's look may have shown what is wanted.
        :raises Fault: the look's own, or that of one which failed while this caller waited.
        """
        asked_at = self._clock.now()
        async with self._lock:
            if is_needless is not None and is_needless():
                return
            if self._failed is not None and self._failed[0] >= asked_at:
                raise again(self._failed[1]) from self._failed[1]
            try:
                await look()
            except Fault as fault:
                self._failed = (self._clock.now(), fault)
                raise


def again(fault: Fault, before: str = "") -> Fault:
    """The same for another caller, with words before it; chain it to the first."""
    told = type(fault)(f"{before}{fault}")
    told.trouble = fault.trouble
    return told
