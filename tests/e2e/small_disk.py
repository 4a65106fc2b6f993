"""A data folder on a disk that really fills: a tmpfs where mounts are allowed, else the process's own file size limit.

A tmpfs gives the kernel's ENOSPC and EROFS; the limit (RLIMIT_FSIZE) gives EFBIG at the same calls, which SQLite tells
as a disk that does not take writes. Which of the two it was is printed, for the report of the run.
"""

import os
import resource
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

KEEPER = 'mount -t tmpfs -o size="$1" none "$0" && echo mounted || echo no; read -r _; umount -l "$0" 2>/dev/null'
"""Holds the mount while its standard input is open: whatever ends the test, its death too, unmounts it."""


class SmallDisk:
    """A context in which `folder` is a disk of its own.

    :param folder: made if it is absent; what is mounted over it is gone afterwards.
    :param size: as mount has it; 2m leaves no room for a reserve.
    """

    def __init__(self, folder: Path, size: str = "2m") -> None:
        self.folder = folder
        self._size = size
        self._filler = folder / "filler"
        self.is_mounted = False

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keeper = subprocess.Popen(
            ["sh", "-c", KEEPER, str(self.folder), self._size], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )
        assert self._keeper.stdout is not None
        self.is_mounted = self._keeper.stdout.readline() == b"mounted\n"
        print("disk:", f"tmpfs of {self._size}" if self.is_mounted else "no mount allowed here: RLIMIT_FSIZE")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.communicate(timeout=30)

    def fill(self, process_id: int) -> None:
        """To the last byte, a reserve gone before; without a mount, for this process only, until `make_room`."""
        if not self.is_mounted:
            resource.prlimit(process_id, resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))
            return
        (self.folder / "reserve").unlink(missing_ok=True)
        disk = os.statvfs(self.folder)
        self._resize(f"{(disk.f_blocks - disk.f_bfree) * disk.f_frsize + 2**20}")
        with self._filler.open("ab", buffering=0) as filler:
            size = 2**16
            while size:
                try:
                    filler.write(os.urandom(size))
                except OSError:
                    size //= 2

    def make_room(self, process_id: int) -> None:
        if self.is_mounted:
            self._resize(self._size)
            self._filler.unlink(missing_ok=True)
        else:
            resource.prlimit(process_id, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def _resize(self, size: str) -> None:
        """Shrunk, not written full: hundreds of megabytes of memory are not to be spent on it."""
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)

    def take_no_writes(self) -> None:
        """The whole of it read-only, for root too where it is mounted."""
        if self.is_mounted:
            subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)
        else:
            self.folder.chmod(0o500)

    def take_writes(self) -> None:
        if self.is_mounted:
            subprocess.run(["mount", "-o", "remount,rw", str(self.folder)], check=True)
        else:
            self.folder.chmod(0o700)
