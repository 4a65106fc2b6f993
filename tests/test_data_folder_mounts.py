"""The data folder on real mounts, in a mount namespace of the test's own: what `check` would say in a container."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LOOKS = """
import json, sys
from dataclasses import replace
from pathlib import Path
from thermo_guard.core.finding import Area, Verdict
from core.surveyed import judged
from thermo_guard.survey import look_at_folder
seen = replace(look_at_folder(Path(sys.argv[1]), None), in_container=True)
print(json.dumps([seen.storage, [f.text for f in judged(folder=seen) if f.verdict is Verdict.FAIL]]))
"""


def looked(folder: Path, prepare: str) -> tuple[str, list[str]]:
    """Mount something, then look at the folder: all in a namespace that ends with the process."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a mount namespace needs root and unshare")
    tests = str(Path(__file__).parent)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", f'{prepare}\nexec "$PYTHON" -c "$LOOKS" "$FOLDER/data"'],
        env={**os.environ, "PYTHON": sys.executable, "LOOKS": LOOKS, "FOLDER": str(folder), "PYTHONPATH": tests},
        capture_output=True, text=True, check=False, timeout=60,
    )
    if done.returncode != 0 and "mount" in done.stderr and "Traceback" not in done.stderr:
        pytest.skip(f"no mount can be made here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    storage, failures = json.loads(done.stdout)
    return storage, failures


def test_a_folder_in_memory_is_seen(tmp_path: Path) -> None:
    """A tmpfs over the folder, with little room: forgotten at the next start, and too small."""
    storage, failures = looked(tmp_path, 'mkdir "$FOLDER/data"; mount -t tmpfs -o size=100m none "$FOLDER/data"')
    assert storage == "memory"
    assert ["100 MB free" in failures[0], "lies in memory" in failures[1]] == [True, True]


def test_a_folder_in_a_containers_layer_is_seen(tmp_path: Path) -> None:
    """An overlay, as a container's root is."""
    prepare = (
        'cd "$FOLDER"; mkdir upper; mount -t tmpfs none upper; mkdir lower upper/u upper/w root\n'
        "mount -t overlay overlay -o lowerdir=lower,upperdir=upper/u,workdir=upper/w root\n"
        'mkdir root/data data; mount --rbind root/data data'
    )
    storage, failures = looked(tmp_path, prepare)
    assert storage == "layer"
    assert any("in the container itself" in text for text in failures)


@pytest.mark.parametrize(("volume", "storage"), [("thermo-guard", "disk"), ("0123456789abcdef" * 4, "anonymous")])
def test_a_volume_without_a_name_is_told_from_one_with(tmp_path: Path, volume: str, storage: str) -> None:
    """Docker's folder of volumes, bound as Docker binds it."""
    prepare = f'cd "$FOLDER"; mkdir -p volumes/{volume}/_data data; mount --bind volumes/{volume}/_data data'
    seen, failures = looked(tmp_path, prepare)
    assert seen == storage
    assert bool(failures) is (storage == "anonymous")


def test_a_volume_that_is_mounted_read_only_cannot_be_written(tmp_path: Path) -> None:
    """Root may write anywhere but there: what the mount says counts, not the folder's owner."""
    prepare = 'cd "$FOLDER"; mkdir on data; mount --bind on data; mount -o remount,ro,bind data'
    storage, failures = looked(tmp_path, prepare)
    assert storage == "disk"
    assert any("cannot be written" in text for text in failures)
