"""The outbox's child process: it alone imports apprise, sends one message at a time and says what became of it.

It knows nothing of the guard: it is started with `-m`, and is killed when it hangs.
"""

import json
import logging
import os
import sys
from typing import Any
from urllib.parse import unquote, urlsplit


def main() -> None:
    """Answer orders on standard input, one JSON line each, until it is closed."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a plugin prints is no answer
    if sys.argv[1:] == ["validate"]:
        urls = json.load(sys.stdin)
        answers.write(json.dumps([place for place, url in enumerate(urls, 1) if _plugin(url) is None]))
        return
    os.nice(10)  # a message never takes the processor from the shutdown
    for line in sys.stdin:
        order = json.loads(line)
        answers.write(json.dumps(_send(order)) + "\n")


def _plugin(url: str) -> Any:
    """Apprise's object for an address, or None where it makes none."""
    import apprise  # noqa: PLC0415 - in the child only

    asset = apprise.AppriseAsset(app_id="Thermo-Guard", async_mode=False)
    return apprise.Apprise.instantiate(url, asset=asset)


def _send(order: dict[str, Any]) -> dict[str, Any]:
    import apprise  # noqa: PLC0415 - in the child only

    said = _Said()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    try:
        if (plugin := _plugin(order["url"])) is None:
            return {"ok": False, "reason": "not an address that apprise understands", "is_final": True}
        outlets = apprise.Apprise()
        outlets.add(plugin)
        kind = apprise.NotifyType.FAILURE if order["urgent"] else apprise.NotifyType.INFO
        # Apprise delivers nothing that has no body; a message that cannot ever go out holds up all that come after it.
        body = order["body"] if order["body"].strip() else order["title"]
        ok = bool(outlets.notify(
            title=order["title"], body=body, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
        ))
    except Exception as error:  # noqa: BLE001 - an outlet: whatever a plugin raises, this try has failed
        ok = False
        said.texts.append(type(error).__name__)
    finally:
        logger.removeHandler(said)
    reason = "" if ok else _scrubbed("; ".join(said.texts) or "apprise gave no reason", order["url"])
    return {"ok": ok, "reason": reason[:300]}


class _Said(logging.Handler):
    """Why a delivery failed, as apprise logs it: its answer is only yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _scrubbed(text: str, url: str) -> str:
    """The text without any part of the address, since with many services host and path are the token."""
    parts = urlsplit(url)
    pieces = {url, parts.netloc, parts.hostname or "", parts.username or "", parts.password or "", parts.fragment}
    pieces.update(parts.path.split("/"))
    for pair in parts.query.split("&"):
        pieces.add(pair.partition("=")[2])
    pieces.update({unquote(piece) for piece in pieces})
    for piece in sorted((piece for piece in pieces if len(piece) > 2), key=len, reverse=True):
        text = text.replace(piece, "***")
    return text


if __name__ == "__main__":
    main()
