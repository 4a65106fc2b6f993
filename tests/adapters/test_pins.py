"""DATA_DIR/pins.json: what is written is whole and stays; what cannot be read trusts nobody."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from thermo_guard.adapters.pins import Pin, PinFile
from thermo_guard.ports import Refused

AT = 1_767_340_800.0
A, B = "aa" * 32, "bb" * 32
WRITER = """
import sys
from pathlib import Path
from thermo_guard.adapters.pins import PinFile
pins = PinFile(Path(sys.argv[1]))
for n in range(int(sys.argv[3])):
    pins.trust({f"{sys.argv[2]}-{n}:443": ("cc" * 32, "CN=x")}, "who", 1.0)
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), name, str(count)])


def test_a_pin_outlives_the_process(tmp_path: Path) -> None:
    """What a person has trusted is on the disk with who and when, in a file that only its owner reads."""
    PinFile(tmp_path / "new" / "data").trust({"VC.example:443": (A.upper(), "CN=vc")}, "root@nas", AT)
    pins = PinFile(tmp_path / "new" / "data")
    assert pins.pin_of("vc.example:443") == A
    assert pins.read() == {"vc.example:443": Pin(A, "root@nas", "2026-01-02T08:00:00+00:00", "CN=vc")}
    assert pins.path.stat().st_mode & 0o777 == 0o600
    assert pins.path.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(pins.path.read_text())["vc.example:443"]["by"] == "root@nas"


def test_reading_writes_nothing(tmp_path: Path) -> None:
    """`check` asks for pins before there is a data folder, and must not make one."""
    pins = PinFile(tmp_path / "data")
    assert pins.pin_of("vc:443") is None
    assert pins.fault is None
    assert not pins.forget("vc:443", "me", AT)
    assert list(tmp_path.iterdir()) == []


def test_a_running_guard_takes_up_what_another_process_writes(tmp_path: Path) -> None:
    """No restart is needed after `thermo-guard pin`, nor after a pin is changed or taken back."""
    guard = PinFile(tmp_path)
    assert guard.pin_of("ilo:443") is None
    assert writer(tmp_path, "ilo", 1).wait(30) == 0
    assert guard.pin_of("ilo-0:443") == "cc" * 32
    PinFile(tmp_path).trust({"ilo-0:443": (B, "")}, "me", AT)
    assert guard.pin_of("ilo-0:443") == B
    PinFile(tmp_path).forget("ilo-0:443", "me", AT)
    assert guard.pin_of("ilo-0:443") is None


@pytest.mark.parametrize("damage", [
    "", "{", "[]", "null", "7", '{"vc:443": "aa"}', '{"vc:443": {"sha256": "aa", "by": "", "at": ""}}',
    '{"vc:443": {"sha256": 1}}', '{"vc:443": {"sha256": "' + "zz" * 32 + '", "by": "", "at": ""}}', "\x00\xff",
    "[" * 100_000,
])
def test_a_damaged_file_trusts_nobody_and_is_left_as_it_is(tmp_path: Path, damage: str) -> None:
    """It is not an empty one: no pin counts, none is written over it, nothing is met for the first time."""
    pins = PinFile(tmp_path)
    pins.trust({"vc:443": (A, "")}, "me", AT)
    pins.path.write_text(damage, encoding="latin-1")
    assert pins.pin_of("vc:443") is None
    assert str(pins.path) in (pins.fault or "")
    for write in (
        lambda: pins.trust({"vc:443": (B, "")}, "me", AT), lambda: pins.trust_unmet("new:443", (B, ""), AT),
        lambda: pins.note_met("new:443", "ca", AT), lambda: pins.forget("vc:443", "me", AT),
    ):
        with pytest.raises(Refused, match="damaged"):
            write()
    assert pins.path.read_text(encoding="latin-1") == damage


def test_it_recovers_when_the_file_is_mended(tmp_path: Path) -> None:
    """A file that was put back from a backup counts at once."""
    pins = PinFile(tmp_path)
    pins.trust({"vc:443": (A, "")}, "me", AT)
    whole = pins.path.read_bytes()
    pins.path.write_bytes(whole[:20])
    assert pins.pin_of("vc:443") is None
    pins.path.write_bytes(whole)
    assert pins.pin_of("vc:443") == A
    assert pins.fault is None


def test_what_cannot_be_opened_is_told_with_its_name(tmp_path: Path) -> None:
    """An unreadable file is no missing one either; and a folder that takes no file is named."""
    (tmp_path / "pins.json").mkdir()
    pins = PinFile(tmp_path)
    assert pins.pin_of("vc:443") is None
    assert "cannot be read by this user" in (pins.fault or "")
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"file/data/pins\.json cannot be written"):
        PinFile(tmp_path / "file" / "data").trust({"vc:443": (A, "")}, "me", AT)


def test_first_use_is_once(tmp_path: Path) -> None:
    """Whatever is on record of an endpoint (a pin, one taken back, an authority's word), no other is its first."""
    pins = PinFile(tmp_path)
    assert pins.trust_unmet("ilo:443", (A, "CN=ilo"), AT)
    assert pins.read()["ilo:443"].by == "first use"
    assert not pins.trust_unmet("ILO:443", (B, ""), AT)
    assert pins.pin_of("ilo:443") == A
    assert pins.forget("ilo:443", "me", AT)
    assert not pins.trust_unmet("ilo:443", (B, ""), AT)
    pins.note_met("vc:443", "ca", AT)
    assert not pins.trust_unmet("vc:443", (B, ""), AT)
    assert pins.pin_of("ilo:443") is None
    assert pins.pin_of("vc:443") is None
    pins.note_met("ilo:443", "ca", AT)
    assert pins.read()["ilo:443"].by == "forgotten by me"


def test_an_ipv6_address_has_one_pin_however_it_is_spelt(tmp_path: Path) -> None:
    """Each adapter spells it in its own way."""
    pins = PinFile(tmp_path)
    pins.trust({"[FD00:0:0::0009]:8443": (A, "")}, "me", AT)
    assert pins.pin_of("[fd00::9]:8443") == A
    assert pins.pin_of("[fd00::9]:443") is None


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """The command and the running guard write the same file: what one has added the other keeps."""
    beside = writer(tmp_path, "process", 20)

    def write(n: int) -> None:
        PinFile(tmp_path).trust({f"thread-{n}:443": (A, "")}, "me", AT)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert beside.wait(60) == 0
    assert len(PinFile(tmp_path).read()) == 60


def test_a_writer_killed_at_any_instant_leaves_a_whole_file(tmp_path: Path) -> None:
    """A loss of power in mid-write must not take the pins that were there, nor leave a lock behind."""
    PinFile(tmp_path).trust({"vc:443": (A, "")}, "me", AT)
    for life in range(3):
        pins = PinFile(tmp_path)
        process = writer(tmp_path, f"life-{life}", 100_000)
        while f"life-{life}-{life}:443" not in pins.read():
            assert process.poll() is None
        process.kill()
        process.wait()
        after = PinFile(tmp_path)
        assert after.pin_of("vc:443") == A
        after.trust({f"after-{life}:443": (B, "")}, "me", AT)
        assert after.pin_of(f"after-{life}:443") == B


def test_a_pin_that_vanishes_trusts_nobody(tmp_path: Path) -> None:
    """A file that was deleted beside a running guard: its pins are gone with it, and nothing is raised."""
    pins = PinFile(tmp_path)
    pins.trust({"vc:443": (A, "")}, "me", AT)
    pins.path.unlink()
    assert pins.pin_of("vc:443") is None
    assert pins.fault is None
