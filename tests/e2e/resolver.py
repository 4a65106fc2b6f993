"""`thermo-guard` with a resolver of the test's own: `python resolver.py NAMES_FILE run`, or any other command.

The machine's resolver is the one peer that cannot be had without being root, so its place is taken where Python asks
it. What it knows is read from a file at each question: a line for each name, with its address; an empty file is a DNS
server that has gone. Everything else of the process is the real program.
"""

import ipaddress
import socket
import sys
from pathlib import Path
from typing import Any

_FILE = Path(sys.argv.pop(1))
_ask_system = socket.getaddrinfo


def _is_literal(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True


def ask(host: Any, port: Any, *how: Any, **named: Any) -> Any:
    """As socket.getaddrinfo.

    :raises socket.gaierror: EAI_AGAIN where no server answers, EAI_NONAME where it does not know the name.
    """
    if host is None or _is_literal(host):
        return _ask_system(host, port, *how, **named)
    name = (host.decode() if isinstance(host, bytes) else host).rstrip(".").lower()
    known = dict(line.split() for line in _FILE.read_text().splitlines())
    if not known:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    if name not in known:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _ask_system(known[name], port, *how, **named)


if __name__ == "__main__":
    from thermo_guard.cli import app

    socket.getaddrinfo = ask
    app()
