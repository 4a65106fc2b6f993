"""One guard a data folder: an exclusive flock on DATA_DIR/guard.lock, which the kernel lets go of with the process."""

import fcntl
import json
import os
import platform
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import EACCES, EAGAIN
from pathlib import Path

from thermo_guard.core.data_folder import folder_remedy
from thermo_guard.ports import Refused

LOCK_FILE = "guard.lock"


class FolderTakenError(Refused):
    """Another guard works on the folder."""


def nearest_of(folder: Path) -> tuple[Path, bool]:
    """What there is of a folder: itself or the first of its parents that can be seen, and whether that is a folder."""
    for path in (folder.absolute(), *folder.absolute().parents):
        try:
            return path, stat.S_ISDIR(path.stat().st_mode)
        except OSError:
            continue  # not there, or below what this user may not enter
    return Path("/"), True


def is_held(folder: Path) -> bool | None:
    """Whether the process that is named in the lock holds it now; None where that cannot be told.

    Read from the kernel's own list, since to try the lock could refuse a guard that is just starting: by process and
    inode, as btrfs shows another device there than to `stat`. Locks of another container's processes are not listed.
    """
    try:
        inode = (folder / LOCK_FILE).stat().st_ino
        holder = json.loads((folder / LOCK_FILE).read_text(encoding="utf-8"))
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        if holder["processes"] != _process_namespace():
            return None
        return any("FLOCK" in line and f" {holder['pid']} " in line and f":{inode} " in line for line in locks)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _process_namespace() -> str:
    """What tells the processes of one container from those of another."""
    return str(Path("/proc/self/ns/pid").readlink())


@dataclass(slots=True)
class FolderLock:
    """A held lock."""

    _fd: int

    @classmethod
    def take(cls, folder: Path, owner: str) -> "FolderLock":
        """Take the folder for this process and write down who holds it.

        :raises FolderTakenError: another process has it, and is named.
        :raises Refused: the folder cannot be written or locked.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            nearest, is_folder = nearest_of(folder)
            remedy = folder_remedy(str(folder.absolute()), str(nearest), os.getuid(), is_folder=is_folder)
            raise Refused(f"The data folder {folder} cannot be written by this user (id {os.getuid()}): "
                          f"{error.strerror}. {remedy}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held_by = _holder(fd)
            os.close(fd)
            if error.errno in (EAGAIN, EACCES):
                raise FolderTakenError(f"Another Thermo-Guard already guards the data folder {folder}: {held_by}. "
                                       "Two guards must never share a folder; stop that one first.") from error
            raise Refused(f"The data folder {folder} cannot be locked ({error.strerror}). It must be on a local "
                          "volume, not on SMB or NFS.") from error
        with suppress(OSError):  # on a full disk the lock holds without saying whose it is
            _write_holder(fd, owner)
        return cls(fd)

    @property
    def taken_at(self) -> datetime:
        """When this process took it, by the file system's own stamp: no clock is read here."""
        return datetime.fromtimestamp(os.fstat(self._fd).st_mtime, UTC)

    def release(self) -> None:
        """Let go; the file stays, since removing it would let two processes each lock their own."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _write_holder(fd: int, owner: str) -> None:
    """Over what the holder before has written: a full disk takes that where it would take nothing new."""
    os.pwrite(fd, b"{}", 0)
    started = datetime.fromtimestamp(os.fstat(fd).st_mtime, UTC).isoformat(timespec="seconds")
    holder = {"owner": owner, "pid": os.getpid(), "machine": platform.node(), "started": started}
    with suppress(OSError):  # where there is no /proc
        holder["processes"] = _process_namespace()
    text = json.dumps(holder).encode()
    os.pwrite(fd, text, 0)
    os.ftruncate(fd, len(text))


def _holder(fd: int) -> str:
    """Who has it, as far as can be read: the holder may be writing just now."""
    try:
        found = json.loads(os.pread(fd, 4096, 0))
        # Inside containers every guard is process 1, so the machine's (the container's) name stands beside it.
        return f"process {found['pid']} on {found['machine']}, since {found['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"its {LOCK_FILE} does not say which process"
