"""In which tier a VM stops and starts."""

import pytest

from core.plants import vm
from thermo_guard.core.tiers import Tiers

RULE = Tiers((("DB-*", 3), ("*-test", 1), ("db-test", 9)), 2)


@pytest.mark.parametrize(("name", "tag", "tier"), [
    ("db-1", None, 3), ("Db-1", None, 3), ("web-TEST", None, 1), ("db-test", None, 3), ("web", None, 2),
    ("db-1", 7, 7), ("web", 1, 1),
])
def test_the_tag_then_the_first_pattern_that_fits_then_the_default(name: str, tag: int | None, tier: int) -> None:
    """In any case of letters; the tag or custom attribute goes before every pattern."""
    assert RULE.of(vm(name, "esx1", tier=tag)) == tier


def test_without_a_rule_all_are_in_one_tier() -> None:
    """The default of the issue."""
    assert {Tiers().of(vm(name, "esx1")) for name in ("a", "db", "vcsa")} == {1}
