"""Which accounts were refused where: kept in the journal, so that neither ticks nor restarts lock an account.

Adapters ask before each login and tell how it ended; each refusal is durable before the next login can be tried.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from thermo_guard.core import events as ev
from thermo_guard.core.infrastructure import domain_of
from thermo_guard.ports import Clock

NO_LOGIN_S = 20 * 60.0
"""After a refused login. vCenter's own lockout counts 5 failures in 3 minutes and lasts 5; ESXi's lasts 15; some BMCs
lock an account after three."""

MOST_REFUSED = 2
"""Endpoints at which an account of a domain is refused before it is tried nowhere: the domain counts them together."""

Key = tuple[str, str]


class RefusedLogins:
    """Implements `ports.Logins`; of this process only until it is bound to a journal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: dict[Key, ev.LoginRefused] = {}
        self._accepted_at: dict[str, float] = {}
        """By account, anywhere: its password was right then, so that what was refused before is no wrong password."""
        self._write: Callable[[ev.Event], object] = lambda _: None

    def bind(self, known: Mapping[Key, ev.LoginRefused], write: Callable[[ev.Event], object]) -> None:
        """Take in what the journal remembers, and write there from now on."""
        self._refused = {**known, **self._refused}
        self._write = write

    def refusal(self, endpoint: str, user: str) -> str | None:
        event = self._refused.get((endpoint, user))
        if event is not None and event.until > self._clock.now():
            return _in_words(event)
        return self._refusal_of_domain(user)

    def refused(self, endpoint: str, user: str, why: str) -> str:
        event = ev.LoginRefused(endpoint, user, self._clock.now() + NO_LOGIN_S, why)
        self._refused[endpoint, user] = event
        self._write(event)
        return _in_words(event)

    def accepted(self, endpoint: str, user: str) -> None:
        self._accepted_at[_account(user)] = self._clock.now()
        if self._refused.pop((endpoint, user), None) is not None:
            self._write(ev.LoginAccepted(endpoint, user))

    def forgive(self) -> None:
        """Let each be tried again at once, as a person who has mended a password asks."""
        self._refused = {key: _over(event, self._clock.now()) for key, event in self._refused.items()}

    def _refusal_of_domain(self, user: str) -> str | None:
        """A wrong password that is tried at each endpoint once locks the account in the whole domain."""
        if (domain := domain_of(user)) is None:
            return None
        known_good_at = self._accepted_at.get(_account(user), 0.0)
        refusals = sorted(
            (event for event in self._refused.values()
             if _account(event.user) == _account(user) and event.until > self._clock.now()
             and event.until - NO_LOGIN_S > known_good_at),
            key=lambda event: event.until,
        )
        at = list({event.endpoint: event for event in refusals}.values())
        if len(at) < MOST_REFUSED:
            return None
        first, second = at[-MOST_REFUSED:]
        return (f"{user} is an account of the domain {domain}, which {first.endpoint} and {second.endpoint} refused: "
                f"it is tried nowhere before {_clock_time(first.until)}, so as not to lock it in the whole domain "
                "(`thermo-guard resume` tries at once)")


def _account(user: str) -> str:
    """Domains do not tell upper from lower case."""
    return user.strip().lower()


def _over(event: ev.LoginRefused, now: float) -> ev.LoginRefused:
    return ev.LoginRefused(event.endpoint, event.user, min(event.until, now), event.why)


def _in_words(event: ev.LoginRefused) -> str:
    return (f"{event.why}; it is not tried again before {_clock_time(event.until)}, so as not to lock the account "
            "(`thermo-guard resume` tries at once)")


def _clock_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M UTC")
