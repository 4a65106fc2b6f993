"""The long forms take tens of minutes: they are collected where TORTURE is set, as `make torture` does."""

import os

collect_ignore_glob = [] if os.environ.get("TORTURE") else ["test_*.py"]
