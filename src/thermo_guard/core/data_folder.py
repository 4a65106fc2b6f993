"""Where the guard's folder lies, and what to advise where it cannot be used, which never harms the machine. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum

_SYSTEM = re.compile(r"/(bin|boot|dev|etc|lib\w*|proc|root|run|sbin|sys|usr)(/|$)")
"""Everything below these is the machine's own."""
_SHARED = re.compile(r"/|/(home|media|mnt|opt|srv|tmp|var|var/lib|volume\d+)/?")
"""These themselves are everybody's; a folder below them may be the guard's."""


def folder_remedy(path: str, nearest: str, user_id: int, *, is_folder: bool) -> str:
    """What makes the folder usable for this user.

    :param path: of the folder, absolute.
    :param nearest: what there is of it: the path itself, or the first of its parents that is there.
    :param is_folder: `nearest` is one.
    """
    if not is_folder:
        return f"{nearest} is no folder: name another one in DATA_DIR."
    if _SYSTEM.match(path) or _SHARED.fullmatch(path):
        return "Name another folder in DATA_DIR: this one is the system's."
    if path != nearest:
        return f"As root: mkdir -p {path} && chown {user_id} {path}; or name another folder in DATA_DIR."
    return f"As root: chown {user_id} {path}; or mount it writable."


def volume_remedy(path: str, user_id: int) -> str:
    """What makes a container's mount usable for this user: inside nobody may change its owner."""
    return (
        f"On the machine that runs the container, as root: chown {user_id} <the folder that is mounted at {path}> (of "
        "a named volume: /var/lib/docker/volumes/<its name>/_data); or mount it writable, without :ro."
    )


class Storage(StrEnum):
    """Where a folder lies, as far as that decides how long it is remembered."""

    DISK = "disk"
    """A volume with a name, a bind mount, or a machine's own disk."""
    LAYER = "layer"
    """The container's own writable layer: gone when the container is made anew."""
    ANONYMOUS = "anonymous"
    """A volume that nobody has named: a new container gets another one."""
    MEMORY = "memory"
    """Gone with the container's or the machine's next start."""
    NETWORK = "network"
    """A share of another machine."""


def storage_of(mountinfo: str, path: str) -> Storage:
    """Where a folder lies.

    :param mountinfo: /proc/self/mountinfo: id, parent, device, root, mount point, options, optional fields, a dash,
        kind of file system, source, more options; blanks and backslashes in octal.
    :param path: of the folder, absolute, without symbolic links.
    """
    mount = _mount_of(mountinfo, path)
    if mount is None:
        return Storage.DISK
    if mount.kind in {"tmpfs", "ramfs"}:
        return Storage.MEMORY
    if mount.kind in {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs"}:
        return Storage.NETWORK
    if _ANONYMOUS.search(mount.root):
        return Storage.ANONYMOUS
    if _POD_SCRATCH.search(mount.root):
        return Storage.LAYER
    if mount.kind in {"overlay", "aufs", "fuse.fuse-overlayfs"}:
        return Storage.LAYER
    is_own_disk = mount.root == "/" and mount.source.startswith("/dev/") and "/docker-" not in mount.source
    return Storage.LAYER if mount.point == "/" and not is_own_disk else Storage.DISK


@dataclass(frozen=True, slots=True)
class _Mount:
    root: str
    """What of the file system is mounted here."""
    point: str
    kind: str
    source: str


_ANONYMOUS = re.compile(r"/volumes/[0-9a-f]{64}/_data(/|$)")
_POD_SCRATCH = re.compile(r"/volumes/kubernetes\.io~empty-dir/")
_OCTAL = re.compile(r"\\([0-7]{3})")


def _mount_of(mountinfo: str, path: str) -> _Mount | None:
    """The mount that the path lies on: the longest mount point above it; of two at the same place the later one."""
    found: _Mount | None = None
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields, facts = before.split(" "), after.split(" ")
        if not dash or len(fields) < 6 or len(facts) < 2:
            continue
        mount = _Mount(_plain(fields[3]), _plain(fields[4]), facts[0], _plain(facts[1]))
        is_above = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        if is_above and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def _plain(field: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), field)


def mount_remedy(path: str) -> str:
    """The lines that give a container's folder a volume with a name."""
    return (
        f'In compose.yaml under the service: volumes: ["data:{path}"]; and at its end: volumes: {{data: {{}}}}. With '
        f"docker run: -v thermo-guard-data:{path}. Copy what is in it now first (docker cp)."
    )
