"""Real peers of the tests: each is started as a process of its own, or the test skips and says why."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
"""Captures and specifications that are not shipped with the project; beside it where they are present."""


def absent(peer: str, reason: str) -> NoReturn:
    """Skip because a real peer cannot be had here; with REQUIRE_PEERS=1 that is a failure."""
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(f"{peer} is required here (REQUIRE_PEERS=1) and cannot be had: {reason}")
    pytest.skip(f"{peer} cannot be had: {reason}")


def shared(path: str) -> Path:
    """A file or folder of ../shared; skips where it is absent, since it is not shipped."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"../shared/{path} is not beside the project")
    return found
