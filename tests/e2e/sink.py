"""Where NOTIFY_URLS lead in these tests: an outlet on loopback that keeps what people are told."""

import json
import queue
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Sink:
    """Takes messages from when it is made until it is closed."""

    def __init__(self) -> None:
        self.messages: queue.Queue[Mapping[str, str]] = queue.Queue()
        """For whoever takes them one by one, oldest first."""
        self._told: list[Mapping[str, str]] = []
        self._came = threading.Condition()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sink.messages.put(message)
                with sink._came:
                    sink._told.append(message)
                    sink._came.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def until(self, words: str, within_s: float = 60.0) -> Mapping[str, str]:
        """The first message of all with these words in its title; waits for it where it has not come yet.

        :raises AssertionError: none came in time; with the titles of all that did.
        """
        with self._came:
            if not self._came.wait_for(lambda: self.of(words), within_s):
                titles = [message["title"] for message in self._told]
                raise AssertionError(f"nobody was told {words!r} within {within_s:g} s, only {titles}")
            return self.of(words)[0]

    def of(self, words: str) -> list[Mapping[str, str]]:
        """Every message so far with these words in its title."""
        with self._came:
            return [message for message in self._told if words in message["title"]]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
