"""How hosts and URLs are written in the settings."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from .core.endpoint import split_host
from .settings_forms import comma_list
from .settings_problems import Wrong, shown

_LABELS = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")


@dataclass(frozen=True, slots=True)
class HostAddress:
    """host or host:port, as text; `split_host` takes it apart. What looks like a login is never shown."""

    wanted: str = "a host name or IP address without https://, with :port where it is not the usual one"

    def __call__(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise Wrong("is empty" if isinstance(value, str) else "is no text")
        text = value.strip()
        seen = "" if "@" in text else f" {shown(text)}"
        if "://" in text:
            bare = urlsplit_host(text)
            raise Wrong(f"is a URL{seen}: only the host is wanted, without https://", example=bare)
        if "@" in text:
            raise Wrong("has an @ inside: the login has settings of its own")
        if "/" in text:
            raise Wrong(f"has a path behind the host{seen}: only the host is wanted")
        if not _is_host(text):
            raise Wrong(f"is{seen}, which is no host name or IP address")
        return text.lower()


@dataclass(frozen=True, slots=True)
class HostList:
    """Hosts as HostAddress takes them, comma-separated or as a JSON list, each once."""

    wanted: str = "host names or IP addresses, separated by commas or as a JSON list, with :port where it is not 443"

    def __call__(self, value: Any) -> tuple[str, ...]:
        form, hosts, texts = HostAddress(), list[str](), list[str]()
        for given in comma_list(value):
            try:
                hosts.append(form(given) or "")
            except Wrong as wrong:
                texts += [f"has an entry that {text}" for text in wrong.texts]
        known = [split_host(host, 443) for host in hosts]
        texts += [f"names {host} more than once" for n, host in enumerate(hosts) if known.index(known[n]) < n]
        if texts:
            raise Wrong(*texts)
        return tuple(hosts)


def urlsplit_host(url: str) -> str | None:
    """The host[:port] of a URL for an example, None where there is none to be found."""
    try:
        found = urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return None
    return found.lower() if _is_host(found) else None


def _is_host(text: str) -> bool:
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?", text, re.ASCII)
    named = re.fullmatch(r"([^:\[\]]+)(?::(\d{1,5}))?", text, re.ASCII)
    if bracketed:
        host, port, is_valid = bracketed[1], bracketed[2], _is_ip(bracketed[1]) and ":" in bracketed[1]
    elif named:
        host, port = named[1], named[2]
        is_valid = _is_ip(host) if re.fullmatch(r"[\d.]+", host, re.ASCII) else bool(_LABELS.fullmatch(host))
    else:
        return _is_ip(text)
    return is_valid and (port is None or 1 <= int(port) <= 65535)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


@dataclass(frozen=True, slots=True)
class ApiUrl:
    """https://..., or http:// on this machine only, since a key is sent to it."""

    wanted: str = "an https:// address without login, query or fragment (http:// only on this machine)"

    def __call__(self, value: Any) -> str:
        text = str(value).strip().rstrip("/")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise Wrong("is no address") from None
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise Wrong("has a login inside")
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"} or not _is_host(parts.netloc) or port == 0:
            raise Wrong(f"is {shown(text)}, which is no https:// address")
        if parts.query or parts.fragment or not text.isprintable() or " " in text:
            raise Wrong("has a query, a fragment or white space inside")
        if parts.scheme == "http" and not is_loopback(host):
            raise Wrong(f"is {shown(text)}: the API key would cross the network unencrypted")
        return text


def is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_ip(host) and ip_address(host).is_loopback)
