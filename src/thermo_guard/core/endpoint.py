"""host:port: the one way in which it is read, and the one in which it is written.

Written it is a key: pins and refused logins are kept under it.
"""

import re

HTTPS_PORT = 443
_WRITTEN = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]*))(?::([0-9]{1,5}))?")


def split_host(address: str, default_port: int = HTTPS_PORT) -> tuple[str, int]:
    """Host and port of 'vc', 'vc:8443', '10.0.0.9', 'fd00::9', '[fd00::9]', '[fd00::9]:8443'; no brackets in the host.

    :raises ValueError: the port is none, or a bracket is not closed.
    """
    if address.count(":") > 1 and not address.startswith("["):
        return address, default_port
    found = _WRITTEN.fullmatch(address)
    port = default_port if found is None or found[3] is None else int(found[3])
    if found is None or (found[3] is not None and not 1 <= port <= 65535):
        raise ValueError(f"{address!r} is not host:port")
    return found[1] or found[2], port


def joined(host: str, port: int) -> str:
    """host:port in lower case, an IPv6 address in brackets."""
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").lower()
