"""What to advise where the guard's folder cannot be used: never a command that would harm the machine. Pure."""

import re

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
