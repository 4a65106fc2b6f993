"""What this machine shows of itself: by which addresses it reaches its peers, whom it asks for names, where its files
lie. Nothing is sent, nothing is changed; what is read is judged in the core.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_ANY_PORT = 443
"""No packet leaves: a datagram socket's connect only asks the routing table."""
_MOST = 500
"""Peers that are asked about; more show no further address."""


def own_addresses(toward: Iterable[str]) -> tuple[str, ...]:
    """The addresses from which this machine would reach these ones; never loopback or link-local.

    A bridge that only containers use is none of them, and so never matches the bridge of the same address that many
    VMs have.

    :param toward: IP addresses; what is none, or cannot be reached, is left out.
    """
    found: dict[str, None] = {}
    for text in list(dict.fromkeys(toward))[:_MOST]:
        try:
            peer = ip_address(text)
        except ValueError:
            continue
        source = _source(peer)
        if source is not None and not (source.is_loopback or source.is_link_local or source.is_unspecified):
            found[str(source)] = None
    return tuple(found)


def _source(peer: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
    family = socket.AF_INET if peer.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((str(peer), _ANY_PORT))
            return ip_address(asking.getsockname()[0].partition("%")[0])
    except OSError:
        return None


def maker(dmi: Path = Path("/sys/class/dmi/id")) -> str | None:
    """Who made this machine, as its firmware says; None where it says nothing. A VM of vSphere is "VMware, Inc."."""
    return _text(dmi / "sys_vendor").strip() or None


def resolver_files(
    path: Path = Path("/etc/resolv.conf"), behind: Path = Path("/run/systemd/resolve/resolv.conf")
) -> tuple[str, ...]:
    """Whom the machine asks for names, as its file has it; behind systemd's own server also whom that one asks."""
    text = _text(path)
    return (text, _text(behind)) if "127.0.0.53" in text else (text,)


def mounts(path: Path = Path("/proc/self/mountinfo")) -> str:
    """What is mounted where, as the kernel has it; empty where it has no such file."""
    return _text(path)


def is_container(root: Path = Path("/")) -> bool:
    """Whether this process runs in a container: each kind leaves a mark of its own."""
    if any((root / mark).exists() for mark in (".dockerenv", "run/.containerenv")):
        return True
    return any(word in _text(root / "proc/1/cgroup") for word in ("/docker", "/kubepods", "/lxc", "libpod"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
