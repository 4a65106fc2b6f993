"""How each kind of setting is written: a form takes the text (or the value itself) and gives the value, or Wrong.

A form knows nothing of the other settings; what two of them have to do with each other the models say. Each has
`wanted`, the words for what it takes.
"""

import json
import math
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from .settings_problems import Wrong, shown

_IN_BRACKETS = re.compile(r"\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Form(Protocol):
    """What every form is. A form gives None for None: whether a setting may be absent is the setting's business."""

    @property
    def wanted(self) -> str: ...

    def __call__(self, value: Any) -> Any:
        """:raises Wrong: the value is not of this form."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number within bounds, both included."""

    unit: str
    low: float
    high: float
    is_whole: bool = False

    @property
    def wanted(self) -> str:
        kind = "a whole number" if self.is_whole else "a number"
        return f"{kind}{' of ' if self.unit else ''}{self.unit} from {self.low:g} to {self.high:g}"

    def __call__(self, value: Any) -> float | int | None:
        if value is None:
            return None
        number = self._read(value)
        if not math.isfinite(number):
            raise Wrong(f"is {shown(value)}, which is no finite number")
        if self.is_whole and number != int(number):
            raise Wrong(f"is {shown(value)}, which is no whole number")
        if not self.low <= number <= self.high:
            raise Wrong(f"is {shown(value)}, which is {'below' if number < self.low else 'above'} its bounds")
        return int(number) if self.is_whole else number

    def _read(self, value: Any) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                raise Wrong("is a number of hundreds of digits, which is no finite number") from None
        text = str(value).strip()
        if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            raise Wrong(f"is {shown(text)}, which is no finite number")
        if _NUMBER.fullmatch(text):
            return float(text)
        if _NUMBER.fullmatch(text.replace(",", ".", 1)):
            raise Wrong(f"is {shown(text)}: a decimal point is wanted, not a comma")
        raise Wrong(f"is {shown(text)}, which is no number (the unit is not written with it)")


@dataclass(frozen=True, slots=True)
class Celsius:
    """A room temperature. Above 60 degC no server runs, so that a higher number was meant as Fahrenheit."""

    low: float = 5.0
    high: float = 60.0

    @property
    def wanted(self) -> str:
        return f"degrees Celsius from {self.low:g} to {self.high:g}"

    def __call__(self, value: Any) -> float:
        number = Number("degrees Celsius", -math.inf, math.inf)(value)
        assert number is not None  # noqa: S101  a threshold is never absent: each has a default
        if number > self.high:
            celsius = round((number - 32) / 1.8, 1)
            if celsius <= self.high:
                raise Wrong(
                    f"is {shown(value)}, which looks like degrees Fahrenheit; {number:g} F is {celsius:g} C",
                    example=f"{celsius:g}",
                )
            raise Wrong(f"is {shown(value)}, hotter than any server room")
        if number < self.low:
            raise Wrong(f"is {shown(value)}, colder than any server room")
        return number


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of several, in any case."""

    words: type[StrEnum]

    @property
    def wanted(self) -> str:
        return "one of " + ", ".join(self.words)

    def __call__(self, value: Any) -> StrEnum:
        for word in self.words:
            if str(value).strip().casefold() == word.value.casefold():
                return word
        raise Wrong(f"is {shown(value)}, which is none of its words")


@dataclass(frozen=True, slots=True)
class Flag:
    wanted: str = "true or false"

    def __call__(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in {"true", "yes", "on", "1"}:
            return True
        if word in {"false", "no", "off", "0"}:
            return False
        raise Wrong(f"is {shown(value)}, which is neither true nor false")


@dataclass(frozen=True, slots=True)
class Text:
    """Text on one line, which a pattern may narrow."""

    wanted: str
    pattern: str = r".*"
    mistake: str = "which is not of the form wanted"

    def __call__(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise Wrong("is empty" if isinstance(value, str) else "is no text")
        text = value.strip()
        if not text.isprintable():
            raise Wrong("has a control character or bytes that are not UTF-8 inside")
        if not re.fullmatch(self.pattern, text):
            raise Wrong(f"is {shown(text)}, {self.mistake}")
        return text


@dataclass(frozen=True, slots=True)
class Secret:
    """Text that is never shown. Of a wrong one only its length, or what kind of character is in it, is told."""

    wanted: str
    min_length: int = 1
    is_token: bool = False
    """A token goes into a HTTP header: printable ASCII without white space."""

    def __call__(self, value: Any) -> SecretStr | None:
        if value is None:
            return None
        raw = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(raw, str):
            raise Wrong("is no text")
        text = raw.strip()
        if not text:
            raise Wrong("is empty")
        if self.is_token and re.search(r"\s", text):
            raise Wrong("has white space inside")
        if not text.isprintable():
            raise Wrong("has a control character or bytes that are not UTF-8 inside")
        if self.is_token and not text.isascii():
            raise Wrong("has a character inside that is not ASCII")
        if len(text) < self.min_length:
            raise Wrong(f"is {len(text)} characters long, too short")
        return SecretStr(text)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """SHA-256 of a certificate; given as 64 lower-case hex digits without colons."""

    wanted: str = "the SHA-256 fingerprint of the certificate: 64 hex digits, with or without colons"

    def __call__(self, value: Any) -> str | None:
        if value is None:
            return None
        digits = re.sub(r"^sha-?256[:=]", "", str(value).strip().lower()).replace(":", "").replace(" ", "")
        if not re.fullmatch(r"[0-9a-f]*", digits):
            raise Wrong("has a character inside that is no hex digit")
        if len(digits) == 40:
            raise Wrong("is a SHA-1 fingerprint, which can be forged")
        if len(digits) != 64:
            raise Wrong(f"has {len(digits)} hex digits")
        return digits


@dataclass(frozen=True, slots=True)
class CaFile:
    """A readable PEM file with at least one certificate."""

    wanted: str = "a readable PEM file with the certificates to trust"

    def __call__(self, value: Any) -> Path | None:
        if value is None:
            return None
        path = Path(str(value).strip())
        mistake: str | None = None
        try:
            ssl.create_default_context(cafile=path)
        except ssl.SSLError:
            mistake = "holds no certificate in PEM form"
        except OSError as error:
            mistake = f"cannot be read: {error.strerror}"
        except ValueError:
            mistake = "is no path"
        if mistake:
            raise Wrong(f"names {shown(str(path))}, which {mistake}")
        return path


@dataclass(frozen=True, slots=True)
class Folder:
    wanted: str = "a folder on a local disk, which the guard may write to"

    def __call__(self, value: Any) -> Path:
        path = Path(str(value).strip())
        if "\0" in str(path):
            raise Wrong("has a control character inside")
        return path


@dataclass(frozen=True, slots=True)
class Serials:
    """Serial numbers, comma-separated or as a JSON list, upper case, each once."""

    wanted: str = "serial numbers of sensors, separated by commas, each once"

    def __call__(self, value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        serials = tuple(item.upper() for item in comma_list(value))
        if not serials:
            raise Wrong("names no sensor")
        texts = [f"has {shown(s)} inside, which is no serial number" for s in serials if not _is_serial(s)]
        texts += [f"names {s} more than once" for s in dict.fromkeys(serials) if _is_serial(s) and serials.count(s) > 1]
        if texts:
            raise Wrong(*texts)
        return serials


def comma_list(value: Any) -> list[str]:
    """The texts of a comma-separated or JSON list; an IPv6 address in brackets begins no JSON.

    :raises Wrong: it is a list of something else.
    """
    if isinstance(value, str) and value.strip().startswith("[") and not _IN_BRACKETS.match(value.strip()):
        found = _json(value)
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise Wrong("is a list of something else than texts")
    else:
        found = value.split(",") if isinstance(value, str) else list(value)
    return [text for item in found if (text := str(item).strip())]


def _is_serial(text: str) -> bool:
    return re.fullmatch(r"[A-Z0-9-]+", text, re.ASCII) is not None


@dataclass(frozen=True, slots=True)
class Tiers:
    """A JSON object of shell patterns and tiers; gives (pattern, tier) pairs in its order."""

    wanted: str = 'a JSON object of VM name patterns and tiers from 1 to 99, e.g. {"test-*": 1, "db-*": 3}'

    def __call__(self, value: Any) -> tuple[tuple[str, int], ...]:
        pairs = self._pairs(value)
        patterns = [pattern for pattern, _ in pairs]
        texts = [
            f"gives {shown(pattern)} the tier {shown(tier)}, which is no whole number from 1 to 99"
            for pattern, tier in pairs
            if not isinstance(tier, int) or isinstance(tier, bool) or not 1 <= tier <= 99
        ]
        texts += [f"has the pattern {shown(p)} twice" for p in dict.fromkeys(patterns) if patterns.count(p) > 1]
        texts += ["has an empty pattern"] if any(not pattern.strip() for pattern in patterns) else []
        if texts:
            raise Wrong(*texts)
        return tuple(pairs)

    def _pairs(self, value: Any) -> list[tuple[str, Any]]:
        if isinstance(value, Mapping):
            return list(value.items())
        if not isinstance(value, str):
            return list(value)
        if not value.strip().startswith("{"):
            raise Wrong("is no JSON object")
        return list(_json(value, pairs=True))


def _json(text: str, *, pairs: bool = False) -> Any:
    """:raises Wrong: with the place of the mistake, and nothing of the text."""
    try:
        return json.loads(text, object_pairs_hook=list if pairs else None)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
    except (RecursionError, ValueError):
        place = "some place (a number too long, or nested too deep)"
    raise Wrong(f"is no valid JSON: it breaks at {place}")


@dataclass(frozen=True, slots=True)
class Maybe:
    """What may be absent."""

    form: Form

    @property
    def wanted(self) -> str:
        return self.form.wanted

    def __call__(self, value: Any) -> Any:
        return None if value is None else self.form(value)


@dataclass(frozen=True, slots=True)
class Kelvin:
    """A difference of temperatures."""

    wanted: str = "a number of degrees from 0 to 10"

    def __call__(self, value: Any) -> float | int | None:
        return Number("degrees", 0, 10)(value)


@dataclass(frozen=True, slots=True)
class BlindPolicy:
    """hold, or trip-after:MINUTES; the seconds, None to hold."""

    wanted: str = "hold, or trip-after:MINUTES with 1 to 120 minutes"

    def __call__(self, value: Any) -> float | None:
        if value is None or isinstance(value, float):
            return value
        word, _, minutes = str(value).strip().lower().partition(":")
        if word == "hold" and not minutes:
            return None
        if word != "trip-after" or not minutes.strip():
            raise Wrong(f"is {shown(value)}, which is neither of its forms", example="trip-after:15")
        try:
            number = Number("minutes", 1, 120)(minutes.strip())
        except Wrong as wrong:
            raise Wrong(f"is {shown(value)}, whose MINUTES are no number from 1 to 120",
                        example="trip-after:15") from wrong
        return None if number is None else 60.0 * number


_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*(([01]?\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hours:
    """From one time of the day to another, over midnight too; both as minutes of the day."""

    wanted: str = "two times of the day with a hyphen, as 06:00-22:00 or 20:00-06:00"

    def __call__(self, value: Any) -> tuple[int, int] | None:
        if value is None or isinstance(value, tuple):
            return value
        match = _HOURS.fullmatch(str(value).strip())
        if match is None:
            raise Wrong(f"is {shown(value)}, which is no span of the day")
        start = 60 * int(match[1]) + int(match[2])
        end = 24 * 60 if match[4] is None else 60 * int(match[4]) + int(match[5])
        if start == end:
            raise Wrong(f"is {shown(value)}, which begins where it ends: that is never")
        return start, end
