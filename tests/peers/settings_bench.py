"""Settings as the tests write them: a whole set that is good, and what is wrong with a changed one."""

import json
from collections.abc import Callable

import pytest

from thermo_guard.config import BadSettings, Problem, Settings, load

KEY = "0123456789abcdef0123456789abcdef01234567"
GOOD = {
    "MERAKI_API_KEY": KEY,
    "MERAKI_NETWORK_ID": "L_646829496481105433",
    "VCENTER_HOST": "vcenter.example.com",
    "VCENTER_USER": "guard@vsphere.local",
    "VCENTER_PASSWORD": "hunter2 with blanks",
    "ILO_HOSTS": '[{"host": "ilo1", "username": "guard", "password": "pw-ilo-1"}]',
    "NOTIFY_URLS": "json://localhost:8080/",
}


def good(**more: str) -> Settings:
    return load({**GOOD, **more}, None)


def problems(**more: str) -> dict[str, str]:
    """What is wrong with these, by variable."""
    with pytest.raises(BadSettings) as caught:
        good(**more)
    return {problem.variable: problem.wrong for problem in caught.value.problems}


def problem(variable: str, value: str) -> Problem:
    with pytest.raises(BadSettings) as caught:
        good(**{variable: value})
    (only,) = caught.value.problems
    assert only.variable == variable
    return only


ENTRY = {"host": "ilo1", "username": "guard", "password": "pw-ilo-1"}


def ilo(*entries: object, form: Callable[[object], str] = json.dumps) -> str:
    """ILO_HOSTS, written."""
    return form(list(entries))
