"""Which accounts were refused where: kept in the journal, so that neither ticks nor restarts lock an account.

Adapters ask before each login and tell how it ended; each refusal is durable before the next login can be tried.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from thermo_guard.core import events as ev
from thermo_guard.ports import Clock

NO_LOGIN_S = 20 * 60.0
"""After a refused login. vCenter's own lockout counts 5 failures in 3 minutes and lasts 5; ESXi's lasts 15; some BMCs
lock an account after three."""

Key = tuple[str, str]


class RefusedLogins:
    """Implements `ports.Logins`; of this process only until it is bound to a journal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: dict[Key, ev.LoginRefused] = {}
        self._write: Callable[[ev.Event], object] = lambda _: None

    def bind(self, known: Mapping[Key, ev.LoginRefused], write: Callable[[ev.Event], object]) -> None:
        """Take in what the journal remembers, and write there from now on."""
        self._refused = {**known, **self._refused}
        self._write = write

    def refusal(self, endpoint: str, user: str) -> str | None:
        event = self._refused.get((endpoint, user))
        return None if event is None or event.until <= self._clock.now() else _in_words(event)

    def refused(self, endpoint: str, user: str, why: str) -> str:
        event = ev.LoginRefused(endpoint, user, self._clock.now() + NO_LOGIN_S, why)
        self._refused[endpoint, user] = event
        self._write(event)
        return _in_words(event)

    def accepted(self, endpoint: str, user: str) -> None:
        if self._refused.pop((endpoint, user), None) is not None:
            self._write(ev.LoginAccepted(endpoint, user))

    def forgive(self) -> None:
        """Let each be tried again at once, as a person who has mended a password asks."""
        self._refused = {key: _over(event, self._clock.now()) for key, event in self._refused.items()}


def _over(event: ev.LoginRefused, now: float) -> ev.LoginRefused:
    return ev.LoginRefused(event.endpoint, event.user, min(event.until, now), event.why)


def _in_words(event: ev.LoginRefused) -> str:
    again = datetime.fromtimestamp(event.until, UTC).strftime("%H:%M UTC")
    return (f"{event.why}; it is not tried again before {again}, so as not to lock the account "
            "(`thermo-guard resume` tries at once)")
