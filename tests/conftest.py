"""What every test has: no log lines between the dots, but those of errors; and as many random cases as are asked."""

import os

import pytest
import structlog
from hypothesis import settings
from structlog.typing import EventDict, WrappedLogger

settings.register_profile("ordinary", max_examples=80, deadline=None)
settings.register_profile("thorough", max_examples=400, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ordinary"))


def _only_errors(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if method in {"error", "exception", "critical"}:
        return event
    raise structlog.DropEvent


@pytest.fixture(autouse=True)
def _quiet_logs() -> None:
    """As a processor, so that `capture_logs`, which takes their place, still sees every line."""
    structlog.reset_defaults()
    structlog.configure(processors=[_only_errors, *structlog.get_config()["processors"]])


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors: the tests of whole processes mostly wait for each other."""
    return len(os.sched_getaffinity(0)) + 2
