"""What `status` shows of arming, of people's orders and of refused logins."""

import io
from typing import Any

import pytest
from rich.console import Console

from thermo_guard.adapters.status import Status
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.messages import described
from thermo_guard.core.record import Incident, Rehearsal
from thermo_guard.screens import show_status

NOW = 1_785_600_000.0
"""2026-08-01 16:00:00 UTC."""
OLDER: dict[str, Any] = {
    "mode": "armed", "level": "low", "poll_fault": None, "hottest_c": 22.5, "votes": 0, "demand": 2,
    "reasons": ["all is cool"], "sensors": [], "meraki_alerting_sensors": 0, "cluster": "Office", "vcenter": "answers",
    "hosts": [], "vms_on": 12, "snapshot_at": None, "incident": None, "last_incident": None,
}
"""As a guard of the first days published it."""
FACTS = OLDER | {
    "at": NOW, "is_armed": True, "standing": None, "lacking": [], "is_paused": False, "paused_until": None,
    "is_shelved": False, "acknowledged": None, "refused_logins": [], "guard_vms": [],
}


def shown(facts: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=1000, highlight=False)
    show_status(console, Status(NOW - 3, 20.0, facts), is_alive=True, now=NOW)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_armed_guard_says_so_and_nothing_more() -> None:
    """In quiet time the screen stays short."""
    words = shown(FACTS)
    assert "Armed: a confirmed alarm shuts the cluster down." in words
    for word in ("NOT ARMED", "PAUSED", "SHELVED", "Acknowledged", "refused", "to do", "None"):
        assert word not in words


def test_what_an_older_guard_does_not_publish_is_left_out() -> None:
    """Nothing is claimed of arming where nothing is known of it."""
    words = shown(OLDER)
    assert "rmed: a confirmed" not in words
    assert "ARMED" not in words.replace("MODE=armed", "")


def test_inlets_are_listed_while_they_decide() -> None:
    """Else one line tells of all that are well, and each that is not has its own."""
    inlets = [{"sensor": f"10.0.0.{place}", "celsius": 24.0 + place, "age_s": 20.0, "is_fresh": place < 3,
               "why": "fresh" if place < 3 else "stale"} for place in (1, 2, 3)]
    words = shown(FACTS | {"inlets": inlets, "decides": "room"})
    assert "2 inlets fresh, the hottest 10.0.0.2 at 26.0 degC." in words
    assert "10.0.0.3 (inlet)" in words
    assert "10.0.0.1 (inlet)" not in words
    words = shown(FACTS | {"inlets": inlets, "decides": "bmc"})
    assert all(f"10.0.0.{place} (inlet)" in words for place in (1, 2, 3))


def test_a_guard_that_is_not_armed_says_loudly_what_is_missing() -> None:
    """Each line that stands in the way, with what mends it."""
    lacking = ["vCenter: the login is refused. Mend VCENTER_PASSWORD", "Sensors [all]: none is fresh. Wait"]
    words = shown(FACTS | {"is_armed": False, "standing": "NOT ARMED", "lacking": lacking})
    assert "NOT ARMED: a confirmed alarm would do NOTHING now." in words
    for line in lacking:
        assert f"to do: {line}" in words


@pytest.mark.parametrize(("until", "words"), [
    (None, "PAUSED until `thermo-guard resume`"), (NOW + 3600, "PAUSED until 2026-08-01 17:00:00 UTC"),
])
def test_a_pause_says_until_when(until: float | None, words: str) -> None:
    """Somebody will have forgotten it."""
    assert words in shown(FACTS | {"is_paused": True, "paused_until": until, "standing": "PAUSED"})


def test_what_people_have_ordered_is_named_with_them() -> None:
    """Shelved, acknowledged, and whose shutdown it is that no recovery ends."""
    incident = {
        "id": "20260801T150000Z", "goal": "off", "goal_since": NOW - 60, "reasons": [], "wished_by": "eve@nas",
        "phase": "all_off", "phase_in_words": "everything is off", "waits": [], "needs_person": [],
    }
    words = shown(FACTS | {"is_shelved": True, "acknowledged": {"by": "ann@nas", "at": NOW}, "incident": incident})
    assert "SHELVED" in words
    assert "Acknowledged by ann@nas at 2026-08-01 16:00:00 UTC." in words
    assert "goal everything OFF, as eve@nas asked, since" in words


def test_a_refused_login_is_shown_with_its_next_try_and_the_guards_own_vm_by_name() -> None:
    """Until then nobody wonders why nothing happens there; afterwards no time in the past is promised."""
    held = {"endpoint": "vc:443", "user": "guard@vsphere.local", "until": NOW + 600, "why": "wrong password [1]"}
    words = shown(FACTS | {"refused_logins": [held], "guard_vms": ["nas-vm"]})
    assert "guard@vsphere.local at vc:443, not tried again before 2026-08-01 16:10:00 UTC" in words
    assert "wrong password [1]" in words
    assert "runs in the VM nas-vm" in words
    assert "tried again at the next look" in shown(FACTS | {"refused_logins": [held | {"until": NOW - 1}]})


REHEARSED = Incident("rehearsal-1", NOW, Goal.OFF, NOW, (), rehearsal=Rehearsal("vm", "web", "web"))


def test_a_rehearsal_is_not_told_as_the_whole_clusters_way() -> None:
    """Who reads `status` in the middle of one must not believe that everything is going down."""
    incident = {"id": "rehearsal-1", "goal": "off", "goal_since": NOW, "wished_by": "ann", "waits": [],
                "phase_in_words": described(Phase.RESTORE, None, REHEARSED), "needs_person": []}
    words = shown(FACTS | {"incident": incident})
    assert "goal its one VM or host OFF, as ann asked" in words
    assert "; leaving maintenance mode." in words
    for word in ("everything", "HA", "DRS"):
        assert word not in words


def test_one_is_not_told_in_the_plural() -> None:
    """One VM and one difference are singular."""
    last = {"id": "i", "closed_at": NOW, "differences": ["web is off"]}
    words = shown(FACTS | {"vms_on": 1, "last_incident": last})
    assert "1 VM on." in words
    assert "with 1 difference." in words
