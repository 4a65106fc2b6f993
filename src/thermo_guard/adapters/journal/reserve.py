"""DATA_DIR/reserve: room on the disk that is kept for the night on which it is full.

Random bytes, since btrfs and ZFS would store others compressed and have nothing to give back.
"""

import os
from contextlib import suppress
from pathlib import Path

import structlog

RESERVE_FILE = "reserve"
RESERVE_BYTES = 32 * 2**20
"""An incident of 200 VMs writes about 1 MB; the rest is for whoever fills the disk beside."""
STAYS_FREE = 4
"""So many times the reserve must still be free when it has been made: it must not be what fills the disk."""

_CHUNK = 2**20

log = structlog.get_logger()


def make(folder: Path, size: int) -> None:
    """Make the reserve where there is none, or only a part of one; none, and a warning, where the disk lacks room."""
    path = folder / RESERVE_FILE
    try:
        if path.exists() and path.stat().st_size >= size:
            return
        disk = os.statvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        if free < size * (1 + STAYS_FREE):
            path.unlink(missing_ok=True)
            log.warning("reserve.not_made", folder=str(folder), free_mb=free // 2**20,
                        what="the disk of the data folder has too little room for it: free some space")
            return
        _fill(path, size)
    except OSError as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        log.warning("reserve.not_made", folder=str(folder), reason=error.strerror)
        return
    log.info("reserve.made", folder=str(folder), size_mb=size // 2**20)


def give_back(folder: Path) -> bool:
    """Delete it, durably; False where there is none or the disk does not even take that."""
    path = folder / RESERVE_FILE
    try:
        path.unlink()
        sync(folder)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("reserve.not_given_back", folder=str(folder), reason=error.strerror)
        return False
    return True


def sync(folder: Path) -> None:
    """Make what was made, renamed or deleted in a folder outlast a loss of power."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        path.chmod(0o600)
        for begin in range(0, size, _CHUNK):
            file.write(os.urandom(min(_CHUNK, size - begin)))
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)
