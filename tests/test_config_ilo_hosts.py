"""ILO_HOSTS: the list of BMCs, in which any value may be a password."""

import json
from collections.abc import Callable

import pytest

from peers.settings_bench import ENTRY, good, ilo, problem
from thermo_guard.config import BadSettings, explain


@pytest.mark.parametrize("form", [json.dumps, repr])
def test_bmcs_are_taken_as_json_and_as_the_plans_literal(form: Callable[[object], str]) -> None:
    """Both ways of writing the list give the same BMCs, with every optional key."""
    more = {
        "host": "10.0.0.9:8443", "username": "u", "password": "p\\d'\"", "esxi_host": "ESX9", "esxi_user": "root",
        "esxi_password": "pw-esxi-9", "fingerprint": "AB" * 32, "insecure": False, "inlet_sensor": "MB_TEMP1",
    }  # fmt: skip
    first, second = good(ILO_HOSTS=ilo(ENTRY, more, form=form)).ilo_hosts
    assert (first.host, first.username, first.password.get_secret_value()) == ("ilo1", "guard", "pw-ilo-1")
    assert (first.esxi_host, first.fingerprint, first.insecure) == (None, None, False)
    assert (first.inlet_sensor, second.inlet_sensor) == (None, "MB_TEMP1")
    assert (second.host, second.esxi_host, second.fingerprint) == ("10.0.0.9:8443", "ESX9", "ab" * 32)
    assert second.password.get_secret_value() == "p\\d'\""


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ({**ENTRY, "user": "x"}, ["entry 1: the key 'user' is not known: did you mean username?"]),
        ({**ENTRY, "finger_print": "x"}, ["did you mean fingerprint?"]),
        ({"password": "pw-ilo-1"}, ["entry 1: host is not given", "entry 1: username is not given"]),
        ({**ENTRY, "password": " "}, ["entry 1: password is not given"]),
        ({**ENTRY, "password": 12345678}, ["entry 1: password is no text"]),
        ({**ENTRY, "host": "https://pw-ilo-1"}, ["entry 1: host is not a host name or IP address without https://"]),
        ({**ENTRY, "insecure": "pw-ilo-1"}, ["entry 1: insecure is not true or false"]),
        ({**ENTRY, "fingerprint": "ab" * 20}, ["entry 1: fingerprint is a SHA-1 fingerprint"]),
        ({**ENTRY, "fingerprint": "ab" * 32, "insecure": True}, ["fingerprint and insecure are given: at most one"]),
        ({**ENTRY, "esxi_user": "root"}, ["esxi_user and esxi_password belong together"]),
        ({**ENTRY, "esxi_user": "root", "esxi_password": "pw"}, ["esxi_user is given without esxi_host"]),
        ("pw-ilo-1", ["entry 1: is no object"]),
    ],
)
def test_each_mistake_in_an_entry_is_told_without_its_values(entry: object, parts: list[str]) -> None:
    """A mistake in a list of secrets is found by entry and key; no value is shown, since any may be a password."""
    with pytest.raises(BadSettings) as caught:
        good(ILO_HOSTS=ilo(entry))
    told = explain(caught.value.problems)
    assert [part for part in parts if part not in told] == []
    assert len(caught.value.problems) == len(parts)
    assert "pw-ilo-1" not in told
    assert "12345678" not in told


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"host": "pw-ilo-1"}', "is one object"),
        ('"pw-ilo-1"', "is no list"),
        ("[{'host': pw-ilo-1}]", "neither JSON (it breaks at line 1 column 3) nor a Python list"),
        ("[" * 100_000, "neither JSON"),
        ('[{"host": "a", "host": "b", "username": "u", "password": "pw-ilo-1"}]', "host is given twice"),
        (ilo(ENTRY, {**ENTRY, "host": "ILO1"}), "names the host ilo1 more than once"),
    ],
)
def test_a_list_of_bmcs_that_is_none_is_refused(text: str, part: str) -> None:
    """What cannot be read as the list is told by its place, and a BMC is not driven twice."""
    told = problem("ILO_HOSTS", text).wrong
    assert part in told
    assert "pw-ilo-1" not in told
