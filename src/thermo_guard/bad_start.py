"""A guard that cannot start guards nothing, and nobody looks at a container's log: it is told, once an hour."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from .adapters import logs
from .adapters.clock import SteadyClock, wall_now
from .adapters.notify import Outbox
from .config import BadSettings, Problem, load_notify_urls
from .settings_hosts import secret_parts
from .settings_sources import gather

STAMP_FILE = "bad-start.told"
AGAIN_AFTER_S = 3600.0
"""A container restarts every minute; the same message once an hour is enough."""
WITHIN_S = 8.0
"""For all outlets together; the sending process alone takes 1 to 4 s to start."""

log = structlog.get_logger()


def tell_bad_settings(problems: Sequence[Problem], env: Mapping[str, str], dotenv: Path | None) -> None:
    """Tell people by NOTIFY_URLS, if that variable alone can be used, that nothing is guarded and why.

    :param problems: as `load` gave them: no secret is in their words.
    """
    try:
        urls = [url.get_secret_value() for url in load_notify_urls(env, dotenv)]
    except BadSettings:
        return
    logs.configure("auto", "INFO")
    logs.register_secrets({part for url in urls for part in secret_parts(url)})
    body = "\n".join(["Its settings cannot be used:", *(f"{one.variable} {one.wrong}" for one in problems)])
    _tell_once(body, urls, _folder(env, dotenv))


def tell_refused(why: str, urls: Sequence[str], data_dir: Path) -> None:
    """Tell people that the guard has ended and will not get further at its next start.

    :param urls: apprise addresses; registered as secrets.
    """
    _tell_once(why, urls, data_dir)


def _tell_once(body: str, urls: Sequence[str], data_dir: Path) -> None:
    if not urls:
        return
    title = "Thermo-Guard does not run: the room is NOT guarded"
    stamp, mark = data_dir / STAMP_FILE, hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()
    if _is_told(stamp, mark):
        log.info("bad_start.told_lately", again_after_s=AGAIN_AFTER_S)
        return
    outbox = Outbox(urls, SteadyClock(), deliver_timeout_s=WITHIN_S)
    said = asyncio.run(outbox.tell_now(title, body, urgent=True))
    for one in said:
        if not one.delivery.ok:
            log.warning("notify.failed", outlet=one.outlet, title=title, reason=one.delivery.reason)
    if any(one.delivery.ok for one in said):
        _keep(stamp, mark)


def _folder(env: Mapping[str, str], dotenv: Path | None) -> Path:
    """The data folder, whatever is wrong with the other settings; it is not made for this."""
    return Path(gather(env, dotenv, ["DATA_DIR"], []).values.get("DATA_DIR", "data"))


def _is_told(stamp: Path, mark: str) -> bool:
    """The same has been told within the last hour; where the wall clock has been set back since, it has not."""
    try:
        return 0 <= wall_now() - stamp.stat().st_mtime < AGAIN_AFTER_S and stamp.read_text(encoding="utf-8") == mark
    except (OSError, ValueError):
        return False


def _keep(stamp: Path, mark: str) -> None:
    try:
        stamp.write_text(mark, encoding="utf-8")
    except (OSError, ValueError) as error:
        log.debug("bad_start.not_stamped", reason=str(error))
