"""The Meraki peer as a process of its own, for tests that start the whole program against it."""

import contextlib
import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self


class MerakiProcess:
    """A MerakiPeer in a process of its own, which dies with this one."""

    def __init__(self, *arguments: str) -> None:
        tests = Path(__file__).resolve().parents[1]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "peers.meraki", "--port", "0", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(tests)},
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError(f"the Meraki peer did not start; it ended with {self._process.wait(10)}")
        self.addresses: dict[str, str] = json.loads(said)
        self.url = self.addresses["url"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=10)

    @property
    def ended_with(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def control(self, what: str, asked: Mapping[str, Any]) -> None:
        """POST to one control endpoint: sensors, alerts or fault."""
        self._open(what, json.dumps(asked).encode())

    def requests(self) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = self._open("requests", None)
        return said

    def _open(self, what: str, body: bytes | None) -> Any:
        address = f"{self.addresses['control']}/{what}"
        asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        # The control speaks to loopback alone, whatever certificate the API there shows.
        trust = ssl._create_unverified_context() if address.startswith("https") else None
        with urllib.request.urlopen(asked, timeout=10, context=trust) as answer:
            return json.load(answer)
