"""The whole site over the wire as people have it: the command's process, its control face, and a real `check` of it."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from peers import absent
from thermo_guard.demo_wire import WiredSite
from thermo_guard.sim.wire.overlay import OverlayMissing, program

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("wire-site")]
PROGRAM = str(Path(sys.executable).with_name("thermo-guard"))


class Site:
    def __init__(self, process: "subprocess.Popen[str]", facts: dict[str, Any], env_file: Path) -> None:
        self.process = process
        self.facts = facts
        self.env_file = env_file

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.facts['control']}{path}", timeout=10) as answer:
            return json.loads(answer.read())

    def post(self, path: str, **body: object) -> tuple[int, Any]:
        request = urllib.request.Request(f"{self.facts['control']}{path}", json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two rooms, one of them with hosts that no vCenter holds together."""
    try:
        program()
    except OverlayMissing as missing:
        absent("virtual_vsphere", str(missing))
    folder = tmp_path_factory.mktemp("site")
    plant = folder / "closet.toml"
    plant.write_text("""
[[room]]
name = "Closet"
standalone = true
[room.cooling]
kw = 3
[[room.host]]
name = "lone"
""")
    with subprocess.Popen(
        [PROGRAM, "site", "branch-office", str(plant), "--json", "--die-with-stdin", "--env-file",
         str(folder / "env"), "--webhook", "http://127.0.0.1:8443/meraki", "--webhook-secret", "S3cret!w"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:
        assert process.stdout is not None
        yield Site(process, json.loads(process.stdout.readline()), folder / "env")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def test_its_first_line_says_where_everything_is(site: Site) -> None:
    """Rooms, hosts, BMCs and the settings of a guard of each."""
    assert [room["name"] for room in site.facts["rooms"]] == ["Branch office", "Closet"]
    branch, closet = site.facts["rooms"]
    assert set(branch["hosts"]) == set(branch["bmcs"]) == {"esx1", "esx2"}
    assert branch["settings"]["VCENTER_CLUSTER"] == "Branch"
    assert "VCENTER_HOST" not in closet["settings"]
    assert closet["settings"]["ESXI_HOSTS"] == closet["hosts"]["lone"]
    assert branch["settings"]["MERAKI_NETWORK_ID"] != closet["settings"]["MERAKI_NETWORK_ID"]
    assert {room["settings"]["WEBHOOK_PORT"] for room in site.facts["rooms"]} == {"8443"}
    assert branch["settings"]["MERAKI_WEBHOOK_SECRET"] == "S3cret!w"


def test_a_guard_of_it_could_bring_it_down_and_back(site: Site, tmp_path: Path) -> None:
    """`check` with the settings that the site gives, every adapter over its real protocol."""
    settings = site.facts["rooms"][0]["settings"]
    done = subprocess.run(
        [PROGRAM, "check"], env={**os.environ, **settings, "DATA_DIR": str(tmp_path / "data")}, cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=60,
    )
    assert "The site could be brought down and back." in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_a_drill_here_goes_up_to_the_acts(site: Site, tmp_path: Path) -> None:
    """Every act of both ways with its way, and nothing has changed: neither on the site nor in the data folder."""
    before = site.get("/log?room=Branch%20office")
    done = subprocess.run(
        [PROGRAM, "drill", "--here", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **site.facts["rooms"][0]["settings"], "DATA_DIR": str(tmp_path / "data")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    acts = told["acts"]
    assert not told["left_out"] + told["in_the_way"]
    assert {"shut_down_guest", "shut_down_host", "power_on_host", "power_on_vm"} <= {act["verb"] for act in acts}
    assert {act["via"] for act in acts if act["verb"] == "power_on_host"} == set(
        site.facts["rooms"][0]["bmcs"].values()
    )
    assert not [act for act in acts if act["why_not"]]
    assert site.get("/log?room=Branch%20office") == before
    assert not (tmp_path / "data").exists()


def test_a_drill_here_says_what_would_go_wrong_first(site: Site, tmp_path: Path) -> None:
    """A BMC that is gone: the way back stands on it."""
    site.post("/do", room="Branch office", what="kill BMC", target="esx1")
    done = subprocess.run(
        [PROGRAM, "drill", "--here"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **site.facts["rooms"][0]["settings"], "DATA_DIR": str(tmp_path / "data")},
    )
    site.post("/do", room="Branch office", what="revive BMC", target="esx1")
    assert done.returncode == 1
    assert "In the way:" in done.stdout
    assert site.facts["rooms"][0]["bmcs"]["esx1"] in done.stdout
    assert "Every way is open" not in done.stdout


def test_the_settings_are_written_for_a_shell(site: Site, tmp_path: Path) -> None:
    """For their owner alone, and read back by a shell they are the same."""
    assert site.env_file.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["sh", "-c", f'set -a; . {site.env_file}; printf %s "$ILO_HOSTS"'], capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout) == json.loads(site.facts["rooms"][0]["settings"]["ILO_HOSTS"])
    with urllib.request.urlopen(f"{site.facts['control']}/settings?room=Branch%20office&format=env") as answer:
        assert answer.read().decode() == site.env_file.read_text()


def test_what_is_done_to_a_room_shows_in_it(site: Site) -> None:
    """And in the log of that room alone."""
    status, _ = site.post("/do", room="Branch office", what="switch VM off", target="web")
    assert status == 200
    room = site.get("/state")["rooms"]["Branch office"]
    assert room["vms"]["web"] is False
    assert site.post("/do", room="Branch office", what="inlet", target="esx2", how="zero")[0] == 200
    inlets = site.get("/state")["rooms"]["Branch office"]["inlets"]
    assert inlets["esx1"] > inlets["esx2"] == 0
    assert site.post("/do", room="Branch office", what="inlet", target="esx2", how="none")[0] == 200
    log = site.get("/log?room=Branch%20office")
    assert ("vm.off", "web") in {(entry["kind"], entry["object"]) for entry in log}
    assert site.get(f"/log?room=Branch%20office&since={log[-1]['n']}") == []
    assert not [entry for entry in site.get("/log?room=Closet") if entry["object"] == "web"]


async def test_a_demo_sees_the_site_as_a_world(site: Site) -> None:
    """What the story of a day asks of one: what runs, what has happened, what its hosts are called."""
    async with aiohttp.ClientSession(site.facts["control"]) as session:
        watched = WiredSite(session, site.facts)
        await watched.look()
        before = watched.running()
        assert before.hosts == ("esx1", "esx2")
        assert watched.own_hosts == {"esx1", "esx2"}
        assert set(watched.labels.values()) == {"esx1", "esx2"}
        await watched.do("open door")
        await watched.look()
        await watched.do("close door")
        assert [one.kind for one in watched.log][-1:] == ["room.door_opened"]
        assert before.differences(watched.running()) == ()
        assert watched.peak_c >= site.get("/state")["rooms"]["Branch office"]["air_c"] - 0.1


def test_a_bmc_dies_and_comes_back_on_its_port(site: Site) -> None:
    """Of the host that is named."""
    host, _, port = site.facts["rooms"][0]["bmcs"]["esx2"].rpartition(":")
    assert site.post("/do", room="Branch office", what="kill BMC", target="esx2")[0] == 200
    assert not _listens(host, int(port))
    assert site.post("/do", room="Branch office", what="revive BMC", target="esx2")[0] == 200
    assert _listens(host, int(port))


def _listens(host: str, port: int) -> bool:
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@pytest.mark.parametrize(("path", "body", "said"), [
    ("/do", {"room": "Attic", "what": "open door"}, "Closet"), ("/do", {"what": "open door"}, "which"),
    ("/do", {"room": "Closet", "what": "explode"}, "break cooling"),
    ("/do", {"room": "Closet", "whta": "x"}, "whta"), ("/clock", {"speed": 0}, "speed"),
    ("/clock", {"sped": 2}, "sped"), ("/do", {"room": "Closet", "what": "cut power", "target": "x"}, "lone"),
])
def test_a_wrong_request_is_answered_with_words(site: Site, path: str, body: dict[str, object], said: str) -> None:
    """And 400; the site goes on."""
    status, answer = site.post(path, **body)
    assert status == 400
    assert said in answer["error"]


def test_time_is_made_to_pass(site: Site) -> None:
    """An hour at once: the rooms have lived through it."""
    before = site.get("/state")["now"]
    site.post("/do", room="Closet", what="break cooling")
    assert site.post("/clock", jump_s=3600)[0] == 200
    state = site.get("/state")
    assert state["now"] - before >= 3600
    assert state["rooms"]["Closet"]["air_c"] > state["rooms"]["Branch office"]["air_c"] + 1
    assert site.post("/clock", speed=2)[1]["speed"] == 2
    assert site.post("/clock", speed=1)[1]["speed"] == 1


def test_a_wrong_plant_file_ends_it_with_every_mistake(tmp_path: Path) -> None:
    """Exit 2, and nothing is served."""
    bad = tmp_path / "bad.toml"
    bad.write_text("[[room]]\nname = 3\n")
    done = subprocess.run([PROGRAM, "site", str(bad)], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "room[1].name" in done.stderr
    assert "room[1].host" in done.stderr


def test_two_rooms_of_one_name_are_refused() -> None:
    """One of them would be lost; exit 2."""
    done = subprocess.run(
        [PROGRAM, "site", "branch-office", "branch-office"], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 2
    assert "Branch office" in done.stderr


def test_without_the_simulator_one_sentence_says_so(tmp_path: Path) -> None:
    """And that the demo runs without it; exit 1."""
    nowhere = {**os.environ, "VIRTUAL_VSPHERE": str(tmp_path / "none")}
    done = subprocess.run([PROGRAM, "site"], env=nowhere, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "thermo-guard demo" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """By SIGTERM as by Ctrl-C, with everything that it has started."""
    with subprocess.Popen([PROGRAM, "site", "branch-office", "--json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
