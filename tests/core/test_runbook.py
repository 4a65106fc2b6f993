"""The runbook: who is in which tier and why, what is given to each, and which orders cannot be followed."""

from core.plants import vm
from thermo_guard.core.plant import Role
from thermo_guard.core.runbook import KEPT_LAST, Ready, Runbook, TierRule, VmRule

FILE = (
    VmRule(("DB-*",), tier=4, grace_s=900.0, ready=Ready(port=5432)),
    VmRule(("db-test", "ID-7"), tier=9, never_touch=True),
    VmRule(("dns*",), keep_last=True),
)
BOOK = Runbook((("db*", 3), ("*-test", 1)), 2, FILE, {4: TierRule(grace_s=60.0, start_delay_s=30.0), 3: TierRule(20.0)})


def test_the_file_goes_before_a_tag_a_tag_before_a_pattern_a_pattern_before_the_default() -> None:
    """Each tier bears the reason for which a VM is in it."""
    found = {name: BOOK.place_of(vm(name, "esx1", tier=tier, tier_by="tag" if tier else ""))
             for name, tier in (("db-1", 7), ("web-test", 7), ("web2-test", None), ("web", None))}
    assert {name: (place.tier, place.why) for name, place in found.items()} == {
        "db-1": (4, "runbook, as DB-*"), "web-test": (7, "tag"), "web2-test": (1, "name like *-test"),
        "web": (2, "default"),
    }


def test_each_matter_is_settled_by_the_first_rule_that_speaks_of_it() -> None:
    """Two rules fit: the tier is the first one's, what only the second says counts as well."""
    place = BOOK.place_of(vm("db-test", "esx1"))
    assert (place.tier, place.is_untouched, place.grace_s, place.ready.port) == (4, True, 900.0, 5432)


def test_a_vm_can_be_named_by_its_instance_uuid() -> None:
    """Names change hands."""
    assert BOOK.place_of(vm("anything", "esx1", id="id-7")).tier == 9


def test_a_grace_is_the_vms_own_else_its_tiers_else_the_settings() -> None:
    """None says that the setting counts."""
    assert BOOK.place_of(vm("db", "esx1")).grace_s == 20.0
    assert BOOK.place_of(vm("web", "esx1")).grace_s is None


def test_what_is_kept_last_stands_above_every_tier() -> None:
    """It stops after all others and starts before them."""
    assert BOOK.place_of(vm("dns1", "esx1")).tier == KEPT_LAST


def test_what_starts_after_another_is_ordered_within_its_tier() -> None:
    """Across tiers the tiers say it already."""
    book = Runbook((("db*", 2),), 1, (VmRule(("app*",), after=("cache", "db*")),))
    after, problems = book.orderings([vm(name, "esx1") for name in ("app1", "app2", "cache", "db1")])
    assert after == {"id-app1": ("id-cache",), "id-app2": ("id-cache",)}
    assert problems == ()


def test_an_order_against_the_tiers_is_told_and_left_out() -> None:
    """The tiers are followed: a runbook that contradicts itself must still bring everything down."""
    book = Runbook((("app", 2), ("db", 1)), 1, (VmRule(("app",), after=("db",)),))
    after, problems = book.orderings([vm("app", "esx1"), vm("db", "esx1")])
    assert after == {}
    assert len(problems) == 1
    assert "app (tier 2) is to start after db" in problems[0]


def test_a_circle_is_told_and_only_its_members_do_not_wait() -> None:
    """Who stands before or behind it keeps his place."""
    book = Runbook(rules=(VmRule(("a",), after=("b",)), VmRule(("b",), after=("a", "x")), VmRule(("c",), after=("a",))))
    after, problems = book.orderings([vm(name, "esx1") for name in "abcx"])
    assert after == {"id-b": ("id-x",), "id-c": ("id-a",)}
    assert len(problems) == 1
    assert "a, b wait for each other" in problems[0]


def test_vms_that_others_manage_are_in_no_order() -> None:
    """A cluster service that fits a pattern is not waited for."""
    book = Runbook(rules=(VmRule(("app",), after=("*",)),))
    after, _ = book.orderings([vm("app", "esx1"), vm("vCLS-1", "esx1", role=Role.VCLS), vm("db", "esx1")])
    assert after == {"id-app": ("id-db",)}
