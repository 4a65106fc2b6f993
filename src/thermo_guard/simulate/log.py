"""The log of a simulated guard: silent, since a run's trace says the same, but for what was not foreseen.

The loop survives a bug in an answer's reading or in a command, and says so in its log: here that is a broken promise.
"""

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

_UNFORESEEN: list[str] = []


def be_silent() -> None:
    """From now on in this process."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR), processors=[_take],
        cache_logger_on_first_use=False,
    )


def unforeseen() -> list[str]:
    """What was not foreseen since it was last asked."""
    found = list(_UNFORESEEN)
    _UNFORESEEN.clear()
    return found


def _take(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    if str(event.get("event", "")).endswith(".broken"):
        _UNFORESEEN.append(", ".join(f"{key}={value}" for key, value in event.items()))
    raise structlog.DropEvent
