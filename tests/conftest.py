"""What every test has: no log lines between the dots, but those of errors."""

import pytest
import structlog
from structlog.typing import EventDict, WrappedLogger


def _only_errors(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if method in {"error", "exception", "critical"}:
        return event
    raise structlog.DropEvent


@pytest.fixture(autouse=True)
def _quiet_logs() -> None:
    """As a processor, so that `capture_logs`, which takes their place, still sees every line."""
    structlog.reset_defaults()
    structlog.configure(processors=[_only_errors, *structlog.get_config()["processors"]])
