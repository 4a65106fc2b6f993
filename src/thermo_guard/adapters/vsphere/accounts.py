"""First logins of an account of a domain: few at once, until a server has shown that its password is right.

All hosts are asked in the same second, before any refusal is known; the domain adds them up and locks the account.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 2


class FirstLogins:
    """Those of one account, at all its endpoints."""

    def __init__(self) -> None:
        self._is_right = False
        self._under_way = 0
        self._at_once = AT_ONCE
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, which is held as long as the login takes, however it ends."""
        while not self._is_right and self._under_way >= self._at_once:
            self._changed.clear()
            await self._changed.wait()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._changed.set()

    def accepted(self) -> None:
        """The password is right: no limit any more."""
        self._is_right = True
        self._changed.set()

    def refused(self) -> None:
        """The password may be wrong: one more at a time, so that the one under way is heard before another starts."""
        self._is_right = False
        self._at_once = 1
