"""What a real site does to a guard on its first night, and a guard to a real site: the main job with all of it at once.

A room that is hot when the guard is installed, certificates from the factory, a refused login, a DNS server that is
switched off with the rest, a power loss and a container stop in mid-shutdown.
"""

from pathlib import Path

import pytest

from e2e.plant import TIERS, Plant
from e2e.proof import COMMANDS, is_all_off, is_asked_once, is_back, is_in_order, is_ready
from e2e.sink import Sink
from peers.vsphere import ESXI_USER
from thermo_guard.core import events as ev

pytestmark = pytest.mark.peer
GRACE = {"VM_SHUTDOWN_TIMEOUT": "60"}
"""Longer than the 10 s for which an intent without an answer is watched before it is sent again: as in life."""


def test_the_first_night(tmp_path: Path) -> None:
    """Installed in the evening into a hot room of factory certificates and host names, it does no harm; armed, it
    brings all down and back though DNS goes, a login is refused, and it is killed and stopped on the way.
    """
    with Sink() as sink, Plant(
        tmp_path, is_vcenter_inside=True, has_tools=True, is_as_delivered=True, has_names=True,
        settings={"NOTIFY_URLS": sink.url, **GRACE},
    ) as plant:
        locked = plant.hosts[1]
        plant.vsphere.fault("Login", "fault", fault="InvalidLogin", face=locked)
        plant.heat()
        everything_is_pinned(plant)
        plant.guard.start()
        a_hot_room_is_not_acted_on(plant, sink)
        plant.cool()
        is_ready(plant)
        a_login_is_refused(plant, sink, locked)
        an_exchanged_certificate_is_refused(plant, sink, plant.hosts[2])
        plant.wait_for("the names on record", lambda: names_on_record(plant) >= set(plant.vsphere.names))
        plant.heat()
        the_power_fails_without_dns(plant)
        the_container_is_stopped(plant, sink)
        plant.wait_for("all off", plant.phase("all_off"))
        is_all_off(plant)
        is_in_order(plant)
        plant.cool()
        plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
        is_back(plant)
        is_asked_once(plant)
        sink.until("Everything is back as it was")
        direct = [entry["object"] for entry in plant.history
                  if entry["what"] == "call" and entry["face"] == plant.first_host]
        assert "vcsa" in direct, "nothing went over a host whose certificate only vCenter has shown"
        assert plant.vsphere.count(locked)["Login"] == 1, "it was tried again within 20 minutes"
        assert len(sink.of("Login refused")) == 1
        assert plant.names_file is not None
        assert plant.names_file.read_text() == ""


def everything_is_pinned(plant: Plant) -> None:
    """Before the first start, by `thermo-guard pin --yes`: it asks vCenter and the BMCs for nothing but a handshake."""
    pinned = plant.guard.ask("pin", "--yes")
    assert pinned.returncode == 0, pinned.stdout + pinned.stderr
    assert sum(plant.vsphere.count().values()) == 0
    assert not any(bmc.requests() for bmc in plant.bmcs.values())
    own = [*plant.vsphere.fingerprints.values(), *(bmc.fingerprint for bmc in plant.bmcs.values())]
    assert len(own) == len(set(own)) == 1 + 2 * len(plant.hosts)


def a_hot_room_is_not_acted_on(plant: Plant, sink: Sink) -> None:
    """It says so by log, message and status, and not one command reaches any peer."""
    observed = plant.wait_for("an alarm that is not acted on", lambda: plant.guard.of("alarm.observed"))
    assert "NOT ARMED" in observed[0].facts["why"]
    plant.wait_for("the first snapshot", lambda: plant.guard.status().get("snapshot_at"))
    plant.wait_for("the lack is told", lambda: plant.guard.of("guard.standing_by"))
    plant.wait_for("the lack on status", lambda: "Cool the room" in str(plant.guard.status().get("lacking")))
    status = plant.guard.status()
    assert not status["is_armed"]
    assert "NOT ARMED" in status["standing"]
    told = sink.until("NOTHING is being done")
    assert "NOT ARMED" in told["title"]
    assert "Cool the room" in sink.until("NOT ARMED: a confirmed alarm would do nothing")["message"]
    plant.wait_for("more of its ticks", lambda: plant.guard.status().get("at", 0.0) > status["at"] + 3)
    assert plant.guard.status()["incident"] is None
    assert [entry for entry in plant.history if entry["what"] == "call"] == []
    assert not any(bmc.posts() for bmc in [*plant.bmcs.values(), plant.foreign])
    assert plant.shape() == plant.before


def a_login_is_refused(plant: Plant, sink: Sink, locked: str) -> None:
    """One host's, while the guard proves the site: tried once, told, and no reason not to arm."""
    told = sink.until(f"Login refused: {ESXI_USER} at {locked}:")
    assert "thermo-guard resume" in told["message"]
    lacking = plant.wait_for("arming", lambda: plant.guard.of("guard.armed"))[0].facts["lacking"]
    assert any(locked in line and "no direct login" in line for line in lacking), lacking
    assert plant.vsphere.count(locked)["Login"] == 1


def an_exchanged_certificate_is_refused(plant: Plant, sink: Sink, host: str) -> None:
    """Of a BMC, in quiet time: nothing is sent there until a person has pinned the new one.

    It is looked at each minute; the container's restart only brings the next look forward.
    """
    bmc, since = plant.bmcs[host], len(plant.guard.lines)
    bmc.renew_certificate()
    code, took_s = plant.guard.stop()
    assert (code, took_s < 8) == (0, True), plant.story()
    asked = len(bmc.requests())
    plant.guard.start()
    address = plant.bmc_address(host)
    plant.wait_for("the refusal", lambda: plant.guard.of("certificate.changed", since=since))
    assert address in sink.until("The certificate has changed, and is refused")["title"]
    assert len(bmc.requests()) == asked, "something was sent to it"
    pinned = plant.guard.ask("pin", address, "--yes")
    assert pinned.returncode == 0, pinned.stdout + pinned.stderr
    plant.wait_for("its trust", lambda: plant.guard.of("look.recovered", since=since, look=f"BMC {address}"))
    assert sink.of("in the middle of an incident") == []


def the_power_fails_without_dns(plant: Plant) -> None:
    """The DNS server was in tier 1; the next guard has no resolver, and knows the names from its journal alone."""
    off = {name for name in plant.vsphere.vms if plant.before["vms"][name]["power"] == "poweredOff"}
    first = set(plant.vsphere.vms) - set(TIERS) - off - {"vcsa"}
    plant.wait_for("tier 1 off", lambda: first <= set(plant.happened("vm.off")))
    plant.stop_dns()
    second = {name for name, tier in TIERS.items() if tier == 2}
    plant.wait_for("tier 2 asked", lambda: second <= set(plant.calls("ShutdownGuest")))
    plant.guard.kill()
    since = len(plant.guard.lines)
    plant.guard.start()
    plant.wait_for("a name from the journal", lambda: plant.guard.of("name.remembered", since=since))
    remembered = {line.facts["name"] for line in plant.guard.of("name.remembered", since=since)}
    assert remembered <= names_on_record(plant)


def the_container_is_stopped(plant: Plant, sink: Sink) -> None:
    """While hosts enter maintenance mode: 0 within 8 s, told, and the next start goes on without asking twice."""
    plant.wait_for("maintenance mode", lambda: plant.calls("EnterMaintenanceMode_Task"))
    code, took_s = plant.guard.stop()
    assert (code, took_s < 8) == (0, True), plant.story()
    assert isinstance(plant.guard.journal()[-1].event, ev.GuardStopped)
    sink.until("stopped in the middle of an incident")
    plant.guard.start()


def names_on_record(plant: Plant) -> set[str]:
    kept: set[str] = set()
    for entry in plant.guard.journal():
        if isinstance(entry.event, ev.NamesResolved):
            kept |= {name for name, _ in entry.event.names}
    return kept


def test_vcenters_own_host_refuses_the_login(tmp_path: Path) -> None:
    """Without that login vCenter and its host stay up and are told; all else goes down and comes back, and no restart
    tries the login again.
    """
    with Sink() as sink, Plant(
        tmp_path, is_vcenter_inside=True, has_tools=True, settings={"NOTIFY_URLS": sink.url}
    ) as plant:
        own = plant.first_host
        plant.vsphere.fault("Login", "fault", fault="InvalidLogin", face=own)
        plant.guard.start()
        is_ready(plant)
        armed = plant.wait_for("arming", lambda: plant.guard.of("guard.armed"))
        assert any(own in line for line in armed[0].facts["lacking"])
        plant.heat()
        plant.wait_for("all off that could be stopped", plant.phase("all_off"))
        left = {host for host, bmc in plant.bmcs.items() if bmc.power()}
        assert left == {own}, plant.story()
        assert plant.vsphere.vm("vcsa")["power"] == "poweredOn"
        assert "still heats the room" in sink.until("Needs a person: vm vcsa")["message"]
        assert "takes no direct login" in sink.until(f"Needs a person: host {own}")["message"]
        plant.guard.stop()
        since = len(plant.guard.lines)
        plant.guard.start()
        plant.wait_for("the next guard's sight", lambda: (plant.guard.status().get("incident") or {}).get("phase"))
        needs_person = "\n".join(plant.guard.status()["incident"]["needs_person"])
        assert own in needs_person
        assert "vcsa" in needs_person
        plant.cool()
        closed = plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed", since=since))
        assert closed[0].facts["differences"] == [], plant.story()
        assert plant.shape() == plant.before, plant.story()
        assert plant.vsphere.count(own)["Login"] == 1, "it was tried again within 20 minutes"
        assert len(sink.of("Login refused")) == 1
        assert not any(plant.calls(method).count(own) for method in COMMANDS)
        assert plant.bmcs[own].posts() == []
