"""An account of a domain is one account wherever it is tried; a local one is another at each endpoint."""

import pytest

from thermo_guard.engine.logins import NO_LOGIN_S, RefusedLogins


class Hand:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.mark.parametrize("user", ["guard@lab.test", r"LAB\guard"])
def test_an_account_of_a_domain_refused_twice_is_tried_nowhere(user: str) -> None:
    """Two endpoints that refuse it stop it everywhere, in words that say so, until one of the refusals is over."""
    clock = Hand()
    logins = RefusedLogins(clock)
    logins.refused("a:443", user, "no")
    logins.refused("a:443", user, "no")
    assert logins.refusal("c:443", user) is None
    logins.refused("b:443", user.upper(), "no")
    assert "is an account of the domain lab" in (logins.refusal("c:443", user) or "")
    assert "a:443 and b:443 refused" in (logins.refusal("c:443", user) or "")
    clock.at += NO_LOGIN_S
    assert logins.refusal("c:443", user) is None


def test_a_local_account_is_stopped_only_where_it_was_refused() -> None:
    """Each host has a root of its own."""
    logins = RefusedLogins(Hand())
    for endpoint in ("a:443", "b:443"):
        logins.refused(endpoint, "root", "no")
    assert logins.refusal("a:443", "root") is not None
    assert logins.refusal("c:443", "root") is None


def test_a_person_or_an_acceptance_lets_it_be_tried_elsewhere() -> None:
    """`resume` forgives everywhere; a login that works shows that the password was not what was refused."""
    clock = Hand()
    for mend in (RefusedLogins.forgive, lambda logins: logins.accepted("d:443", "guard@lab.test")):
        logins = RefusedLogins(clock)
        for endpoint in ("a:443", "b:443"):
            logins.refused(endpoint, "guard@lab.test", "no")
        assert logins.refusal("c:443", "guard@lab.test") is not None
        mend(logins)
        assert logins.refusal("c:443", "guard@lab.test") is None
