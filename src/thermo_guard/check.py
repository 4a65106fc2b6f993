"""`thermo-guard check` on the real site: its edges, its folder and what its journal remembers, put into one survey.

`look` is shared with `plan`, which starts from the same survey.
"""

from contextlib import AsyncExitStack
from datetime import UTC, datetime

from .adapters import logs
from .adapters import status as status_file
from .adapters.clock import SteadyClock, wall_now
from .adapters.names import SystemNames
from .adapters.pins import PinFile
from .config import Settings, secrets
from .core.survey import Memory, Survey
from .engine.logins import RefusedLogins
from .main import Site
from .ports import Logins, Refused
from .preflight import real_sides, recall
from .survey import look_at_folder, survey


async def look(settings: Settings, logins: Logins | None = None) -> Survey:
    """Look at the configured site once; what goes wrong is in the survey, and nothing is changed anywhere.

    :param logins: which accounts have been refused lately; default none, as a person asks who wants each one tried.
    """
    logs.configure("console", "ERROR")  # each trouble becomes a finding; a log beside it would say it twice
    logs.register_secrets(secrets(settings))
    clock = SteadyClock()
    folder = look_at_folder(settings.data_dir, _running(settings))
    async with AsyncExitStack() as stack:
        names = SystemNames(clock)
        pins = PinFile(settings.data_dir)
        memory = recall(settings, clock.now())
        known = memory.snapshot if isinstance(memory, Memory) else None
        site = Site(settings, clock, logins=logins or RefusedLogins(clock), names=names, pins=pins, known=known)
        stack.push_async_callback(site.aclose)
        sides = real_sides(settings, clock, site.sensors, site.hypervisor, site.bmcs, names, inlets=site.inlets,
                           messages=site.messages)
        return await survey(sides, folder, memory)


def _running(settings: Settings) -> str | None:
    """The guard that works on the folder now. Its lock is left alone: to try it would refuse one that just starts."""
    try:
        status = status_file.read(settings.data_dir)
    except Refused:
        return None
    if status is None or not status_file.is_alive(status, wall_now()):
        return None
    at = datetime.fromtimestamp(status.tick_at, UTC).strftime("%H:%M:%S UTC")
    return f"its loop last ticked at {at} (MODE={status.facts.get('mode', '?')})"
