"""ILO_HOSTS and NOTIFY_URLS: the two settings that are lists of entries with secrets in them.

What is wrong is told by the entry's number and key; no value of an entry is shown but a host that is one.
"""

import ast
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from .adapters.notify import refused
from .settings_addresses import HostAddress
from .settings_forms import CaFile, Fingerprint, Flag, Form, Secret, Text
from .settings_problems import Wrong


@dataclass(frozen=True, slots=True)
class IloHost:
    """One BMC: where it is, its login, how its certificate is trusted, and what is known of its ESXi host."""

    host: str
    """host or host:port; identifies the BMC everywhere."""
    username: str
    password: SecretStr
    esxi_host: str | None = None
    """The host's name in vCenter: overrides the search by UUID and serial number, and is verified."""
    esxi_user: str | None = None
    esxi_password: SecretStr | None = None
    """With `esxi_user`, the login on this ESXi host, instead of ESXI_USER and ESXI_PASSWORD."""
    fingerprint: str | None = None
    """SHA-256 of the BMC's certificate, 64 lower-case hex digits."""
    ca_file: Path | None = None
    insecure: bool = False
    """The BMC's certificate is not looked at."""
    inlet_sensor: str | None = None
    """The sensor of its server's air inlet, as the BMC names it; None: it is chosen."""


_KEYS: Mapping[str, Form] = {
    "host": HostAddress(),
    "username": Text("a user name on one line"),
    "password": Secret("the BMC's password"),
    "esxi_host": Text("the host's name as vCenter shows it"),  # in its case, which vCenter keeps
    "esxi_user": Text("a user name on one line"),
    "esxi_password": Secret("the password on this ESXi host"),
    "fingerprint": Fingerprint(),
    "ca_file": CaFile(),
    "insecure": Flag(),
    "inlet_sensor": Text("the name of a sensor, as the BMC shows it"),
}
_REQUIRED = ("host", "username", "password")
_SHOWABLE_KEY = re.compile(r"[A-Za-z][A-Za-z_ -]{0,30}", re.ASCII)
_LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class IloHosts:
    """JSON, or the same as a Python literal; all mistakes of all entries at once."""

    wanted: str = (
        "a JSON list with an object for each BMC: host, username, password; optional esxi_host, esxi_user, "
        "esxi_password, fingerprint, ca_file, insecure, inlet_sensor"
    )

    def __call__(self, value: Any) -> tuple[IloHost, ...]:
        entries = _parse(value) if isinstance(value, str) else value
        if isinstance(entries, Mapping):
            raise Wrong("is one object: a list of them is wanted, in [ ]")
        if not isinstance(entries, list | tuple):
            raise Wrong("is no list")
        texts: list[str] = []
        hosts: list[IloHost] = []
        for number, entry in enumerate(entries, 1):
            host, wrong = (entry, []) if isinstance(entry, IloHost) else _entry(entry)
            texts += [f"entry {number}: {text}" for text in wrong]
            if host is not None:
                hosts.append(host)
        names = [host.host for host in hosts]
        texts += [f"names the host {name} more than once" for name in dict.fromkeys(names) if names.count(name) > 1]
        if texts:
            raise Wrong(*texts)
        return tuple(hosts)


def _parse(text: str) -> Any:
    if len(text) > _LONGEST:
        raise Wrong(f"is {len(text)} characters long, too long")
    try:
        return json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
    except (RecursionError, ValueError):
        place = "some place (nested too deep, or a number too long)"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a password, which would be printed
            return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        pass
    raise Wrong(f"is neither JSON (it breaks at {place}) nor a Python list")


class _Pairs(dict[str, Any]):
    """An object of JSON that remembers which keys it was given twice: json itself takes the last in silence."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.twice = tuple(key for key in dict.fromkeys(keys) if keys.count(key) > 1)


def _entry(entry: Any) -> tuple[IloHost | None, list[str]]:
    """An entry, or what is wrong with it."""
    if not isinstance(entry, Mapping):
        return None, ["is no object with keys and values"]
    wrong = [_unknown(key) for key in entry if key not in _KEYS]
    wrong += [f"{key} is given twice" for key in getattr(entry, "twice", ()) if key in _KEYS]
    # An empty value counts as not given, as an empty variable does.
    given = {key: value for key, value in entry.items() if key in _KEYS and value is not None and str(value).strip()}
    wrong += [f"{key} is not given" for key in _REQUIRED if key not in given]
    values: dict[str, Any] = {}
    for key, value in given.items():
        try:
            values[key] = _KEYS[key](value)
        except Wrong as mistake:
            # What a form shows of a host, a file or a flag may here be a password in the wrong place.
            tells = isinstance(_KEYS[key], Secret | Fingerprint)
            wrong += [f"{key} {text}" for text in mistake.texts] if tells else [f"{key} is not {_KEYS[key].wanted}"]
    trust = [key for key in ("fingerprint", "ca_file", "insecure") if values.get(key)]
    if len(trust) > 1:
        wrong.append(f"{' and '.join(trust)} are given: at most one of them")
    if ("esxi_user" in given) != ("esxi_password" in given):
        wrong.append("esxi_user and esxi_password belong together: one of them is not given")
    elif "esxi_user" in given and "esxi_host" not in given:
        wrong.append("esxi_user is given without esxi_host: it would not be known on which host this login is meant")
    return (None, wrong) if wrong else (IloHost(**values), [])


def _unknown(key: object) -> str:
    name = str(key)
    near = get_close_matches(name.lower(), _KEYS, n=1, cutoff=0.5)
    near = {"user": ["username"], "ip": ["host"], "address": ["host"], "pass": ["password"]}.get(name.lower(), near)
    told = f"the key {name!r}" if _SHOWABLE_KEY.fullmatch(name) else "a key"
    return f"{told} is not known" + (f": did you mean {near[0]}?" if near else "")


@dataclass(frozen=True, slots=True)
class NotifyUrls:
    """Apprise addresses, split as apprise itself splits them: an address may have a comma of its own."""

    wanted: str = "apprise addresses, separated by commas"

    def __call__(self, value: Any) -> tuple[SecretStr, ...]:
        if not isinstance(value, str):
            value = ",".join(v.get_secret_value() if isinstance(v, SecretStr) else str(v) for v in value)
        if not value.strip():
            return ()
        urls = _ADDRESS.findall(value.strip())
        texts = []
        left = value
        for url in urls:
            left = left.replace(url, " ", 1)
        has_strays = bool(left.strip(" ,;\t\r\n"))
        if has_strays:
            texts.append("has something before or between its addresses that is none: each begins with its schema://" if
                         urls else "has no address inside: each begins with its schema://")
        for place in refused(tuple(urls)):
            # What is none of them is not counted, so that a number would point at the wrong one.
            which = "an entry" if has_strays else f"entry {place} of {len(urls)}"
            texts.append(f"{which} is no address that apprise takes")
        if texts:
            raise Wrong(*texts)
        return tuple(SecretStr(url) for url in urls)


_ADDRESS = re.compile(r"[a-z0-9]+?://.*?(?=$|[\s,;]{1,32}[a-z0-9]{1,32}?://)", re.IGNORECASE)
"""Up to where the next one begins. Apprise itself would cost 25 MB here for as long as the guard runs."""


def secret_parts(url: str) -> frozenset[str]:
    """The address itself and what in it may be a secret: its password, and long parts that are no mail host.

    Many services put their token where a user, a host or a folder stands; where apprise logs a part of it, that part
    must be known to be redacted.
    """
    found = {url}
    try:
        parts = urlsplit(url)
        password, user, host = parts.password, parts.username, parts.hostname
    except ValueError:
        return frozenset(found)
    if password:
        found |= {password, unquote(password)}
    pieces = [*parts.path.split("/"), *(pair.partition("=")[2] for pair in parts.query.split("&"))]
    # The host as written, since urlsplit gives it in lower case and a token's case counts.
    written = parts.netloc.rpartition("@")[2].partition(":")[0]
    pieces += [user or "", written] if host and "." not in host and host != "localhost" else []
    found |= {piece for part in pieces for piece in (part, unquote(part)) if len(piece) >= _TOKEN_LENGTH}
    return frozenset(found)


_TOKEN_LENGTH = 8
"""Shorter parts are words of the language as often as tokens, and redacting those would ruin the log."""
