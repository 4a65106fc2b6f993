"""Logs: one stream, one form, UTC, and never a secret in it.

structlog goes through the standard library's logging, so that what libraries say takes the same way out, from WARNING
up. Secrets are taken out twice: from each value before the line is made, and from the finished line, since a secret
can arrive in an exception's text or inside a longer string, and be escaped on the way out.
"""

import base64
import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "***"
LogFormat = Literal["console", "json", "auto"]

_OUR_LOGGER = "thermo_guard"
_SHORT = 4
"""Secrets of fewer characters are masked only where they stand alone: "a" must not make every line unreadable."""
_CREDENTIALS = re.compile(r"(?i)\b(Basic|Bearer)([\s:=]+)[\w.~+/=-]{4,}")
_USERINFO = re.compile(r"(?<=://)[^/\s@'\"]+@")


def configure(
    log_format: LogFormat, level: str, *, stream: TextIO | None = None, now: Callable[[], float] | None = None
) -> None:
    """Set logging up for this process, anew at each call.

    :param log_format: 'auto' is the console's form on a terminal and JSON lines elsewhere.
    :param level: of Thermo-Guard's own events, a name of the standard library's: DEBUG shows each poll.
    :param stream: default standard error; standard output is for what commands print.
    :param now: seconds since 1970 UTC of a line, where the wall clock is not the one to show (the demo's).
    """
    stream = stream or sys.stderr
    is_terminal = stream.isatty()
    as_json = log_format == "json" or (log_format == "auto" and not is_terminal)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _timestamper(now),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=lambda *_: logging.getLogger(_OUR_LOGGER),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_RedactingFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(as_json, is_terminal)],
    ))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each.formatter, _RedactingFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(_OUR_LOGGER).setLevel(level.upper())
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a closed stream must not print a record's arguments elsewhere
    sys.excepthook = _log_crash


def register_secrets(secrets: Iterable[str]) -> None:
    """From here on, none of these appears in a line, nor in their URL-quoted or base64 forms; empty ones are ignored.

    :param secrets: passwords, keys, and addresses that hold them. Sets add up over calls.
    """
    _secrets.update(each for each in secrets if each)
    forms = [form for secret in sorted(_secrets, key=len, reverse=True) for form in _forms(secret)]
    _state["pattern"] = re.compile("|".join(forms)) if forms else None


def redact(text: str) -> str:
    """The text without any registered secret, login in a URL, or Basic and Bearer credential."""
    pattern = _state["pattern"]
    if pattern is not None:
        text = pattern.sub(MASK, text)
    text = _USERINFO.sub(f"{MASK}@", text)
    return _CREDENTIALS.sub(rf"\1\2{MASK}", text)


_secrets: set[str] = set()
_state: dict[str, re.Pattern[str] | None] = {"pattern": None}


def _forms(secret: str) -> Iterable[str]:
    """Patterns of every form in which a secret leaves a program."""
    written = "".join(_written(char) for char in secret)
    yield written if len(secret) >= _SHORT else rf"(?<!\w){written}(?!\w)"
    # A Basic header encodes "user:secret", so the secret begins at any of three places in a group of three bytes; the
    # characters that also hold a neighbour's bits are left to the run around the rest.
    data = secret.encode("utf-8", "surrogatepass")
    for shift in range(3):
        end = (shift + len(data)) // 3 * 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(b"\0" * shift + data).decode()[4 if shift else 0:end]
            if len(core) >= _SHORT:
                yield rf"[\w+/=-]{{0,200}}{re.escape(core)}[\w+/=-]{{0,200}}"


def _written(char: str) -> str:
    """A pattern of one character as it is, or as JSON, a repr (of bytes too) or a URL writes it, nested or not."""
    if char.isascii() and char.isalnum():
        return char
    if char == "\\":
        return r"(?:\\+|%5[Cc])"
    data = char.encode("utf-8", "surrogatepass")
    forms = [
        rf"\\*{re.escape(char)}",
        "".join(f"(?i:%{byte:02x})" for byte in data),
        "".join(rf"\\+(?i:x{byte:02x})" for byte in data),
        rf"\\+(?i:u{ord(char):04x}|x{ord(char):02x}|U{ord(char):08x})",
    ]
    if ord(char) > 0xFFFF:
        pair = char.encode("utf-16-be").hex()
        forms.append(rf"\\+(?i:u{pair[:4]})\\+(?i:u{pair[4:]})")
    match char:
        case " ":
            forms.append(r"\+")
        case "\n" | "\r" | "\t":
            forms.append(rf"\\+{repr(char)[2]}")
    return f"(?:{'|'.join(forms)})"


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """The last look at a finished line."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: value if key.startswith("_") else _redacted(value) for key, value in event.items()}


def _redacted(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return redact(value)
        case Mapping():
            return {_redacted(key): _redacted(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(each) for each in value]
        case _:
            return redact(str(value) if isinstance(value, BaseException) else repr(value))


def _timestamper(now: Callable[[], float] | None) -> Processor:
    if now is None:
        return structlog.processors.TimeStamper(fmt="iso", utc=True)

    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["timestamp"] = datetime.fromtimestamp(now(), UTC).isoformat().replace("+00:00", "Z")
        return event

    return stamp


def _renderer(as_json: bool, is_terminal: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    # Plain tracebacks: the rich ones show local variables, a password among them.
    return structlog.dev.ConsoleRenderer(colors=is_terminal, exception_formatter=structlog.dev.plain_traceback)


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python would print of an exception that nobody caught, without the secrets in it."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger().critical("process.crashed", exc_info=(kind, error, trace))
