"""Logs say what happened and never a secret."""

import base64
import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote_plus

import pytest
import structlog

from thermo_guard.adapters import logs

SECRET = 'S3cr\\et/+"pä \U0001f511ss'
KEY = "0123456789abcdef"
FORMS = [
    SECRET, quote_plus(SECRET), json.dumps(SECRET)[1:-1], repr(SECRET),
    base64.b64encode(SECRET.encode()).decode(),
    *(base64.b64encode(f"{user}:{SECRET}".encode()).decode() for user in ("a", "ab", "abc", "administrator")),
    *(base64.urlsafe_b64encode(f"{user}:{SECRET}:x".encode()).decode() for user in ("a", "ab", "abc")),
]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.raiseExceptions, sys.excepthook)
    logs.register_secrets([SECRET, KEY, "", "abc"])
    yield
    root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def _stream(log_format: Literal["json", "console", "auto"] = "json", level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(log_format, level, stream=stream)
    return stream


def _raised(text: str) -> Exception:
    """An exception with a traceback and a cause, the text in both."""
    with pytest.raises(LookupError) as raised:  # noqa: PT012 - a cause is made by catching another
        try:
            int(text)
        except ValueError as error:
            raise LookupError(f"outer {text}") from error
    return raised.value


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_secret_is_in_a_line(log_format: Literal["json", "console"], form: str) -> None:
    """S8: in a value, a nested value, a key, an exception's text, a traceback, a library's line or its arguments."""
    stream = _stream(log_format)
    log = structlog.get_logger()
    log.info("vcenter.refused", text=f"login {form} failed", nested={"a": [("b", form)], form: 1}, raw=form.encode())
    log.info("%s refused", form, error=_raised(form))
    log.error("bmc.failed", exc_info=_raised(form))
    logging.getLogger("aiohttp").warning("GET %s: %r", form, _raised(form))
    logging.getLogger("apprise").error("failed", exc_info=_raised(form))
    logging.getLogger("asyncio").critical("x %(a)s", {"a": form})
    sys.excepthook(ValueError, _raised(form), _raised(form).__traceback__)
    out = stream.getvalue()
    assert out.count(logs.MASK) >= 8
    assert "Traceback" in out
    assert "process.crashed" in out
    for known in {form, SECRET, json.dumps(SECRET)[1:-1], json.dumps(SECRET, ensure_ascii=False)[1:-1]}:
        assert known not in out
    assert "\U0001f511ss" not in out


def test_credentials_are_masked_even_where_nobody_named_them() -> None:
    """A header or a URL with a login in a library's words is a secret whoever's it is."""
    assert logs.redact("Authorization: Basic dXNlcjpw") == f"Authorization: Basic {logs.MASK}"
    assert logs.redact("Bearer abcdefgh123") == f"Bearer {logs.MASK}"
    assert logs.redact("https://root:calvin@10.0.0.1/redfish") == f"https://{logs.MASK}@10.0.0.1/redfish"
    assert logs.redact("mail to admin@example.org about https://host/x") == (
        "mail to admin@example.org about https://host/x"
    )


def test_a_short_secret_does_not_make_lines_unreadable() -> None:
    """A password of three letters is masked as a word, not within every word."""
    assert logs.redact("abc abcd password=abc;") == f"{logs.MASK} abcd password={logs.MASK};"


def test_a_json_line_has_utc_time_level_and_keys() -> None:
    """A log that a machine reads keeps its shape, and says UTC."""
    stream = _stream()
    structlog.get_logger().info("alarm.tripped", incident="i1", hottest_c=40.5, sensors=("Q1", "Q2"))
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "alarm.tripped", "level": "info", "incident": "i1", "hottest_c": 40.5, "sensors": ["Q1", "Q2"],
    }


def test_libraries_are_heard_from_warning_up() -> None:
    """Their DEBUG would drown ours and show addresses; their warnings must not be lost; ours follow LOG_LEVEL."""
    stream = _stream(level="debug")
    for name in ("apprise", "aiohttp.client", "alembic", "sqlalchemy.engine"):
        logging.getLogger(name).info("quiet")
        logging.getLogger(name).warning("loud")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old call", stacklevel=1)
    structlog.get_logger().debug("meraki.polled")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("logger") for line in lines] == [
        "apprise", "aiohttp.client", "alembic", "sqlalchemy.engine", "py.warnings", None,
    ]
    assert "quiet" not in stream.getvalue()


def test_below_the_level_nothing_is_written() -> None:
    """Each poll is a DEBUG line; at INFO a person reads only edges."""
    stream = _stream(level="INFO")
    structlog.get_logger().debug("meraki.polled")
    assert stream.getvalue() == ""


def test_configured_anew_each_line_is_written_once() -> None:
    """`demo` configures after `run` has: no line twice."""
    first, second = _stream(), _stream("auto")
    structlog.get_logger().info("guard.started")
    assert first.getvalue() == ""
    assert json.loads(second.getvalue())["event"] == "guard.started"


def test_another_clock_can_date_the_lines() -> None:
    """The demo's day runs in minutes: its lines carry the time of that day."""
    stream = io.StringIO()
    logs.configure("json", "INFO", stream=stream, now=lambda: 86400.0)
    structlog.get_logger().info("guard.started")
    assert json.loads(stream.getvalue())["timestamp"] == "1970-01-02T00:00:00Z"
