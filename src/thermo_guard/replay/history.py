"""What a guard or Meraki itself remembers, as rows: each measurement at the time at which it was made."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.journal import read_history
from thermo_guard.adapters.journal.database import DATABASE_FILE
from thermo_guard.adapters.meraki import Meraki
from thermo_guard.config import Settings
from thermo_guard.core.readings import Reading
from thermo_guard.ports import Fault

from .recorded import UnreadableError
from .rows import Rows, Senders


def is_journal(path: str) -> bool:
    """Whether it is a guard's data folder, or the journal in one."""
    try:
        return Path(path).is_dir() or (Path(path).name == DATABASE_FILE and Path(path).is_file())
    except (OSError, ValueError):
        return False


def folder_of(path: str) -> Path:
    return Path(path).parent if Path(path).name == DATABASE_FILE else Path(path)


def of_journal(path: str, senders: Senders) -> Rows:
    """The measurements that a guard keeps; it may be running.

    :raises UnreadableError: there is no journal, or this version cannot read it.
    """
    folder = folder_of(path)
    try:
        readings = read_history(folder)
    except Fault as fault:
        raise UnreadableError(str(fault)) from fault
    return _rows(f"the history in {folder}", [(each.measured_at, each) for each in readings], senders)


def of_meraki(settings: Settings, for_s: float, senders: Senders) -> Rows:
    """What Meraki has kept of the last `for_s` seconds.

    :raises UnreadableError: it gives no usable answer.
    """
    try:
        readings = asyncio.run(_asked(settings, for_s))
    except Fault as fault:
        raise UnreadableError(f"Meraki's history cannot be had: {fault}") from fault
    return _rows("Meraki's history", [(each.stamp, each) for each in readings], senders)


async def _asked(settings: Settings, for_s: float) -> Sequence[Reading]:
    sensors = Meraki(
        settings.meraki_api_key.get_secret_value(), settings.meraki_network_id, SteadyClock(),
        base_url=settings.meraki_api_base_url, ca_file=settings.meraki_ca_file,
    )
    try:
        return await sensors.history(for_s)
    finally:
        await sensors.aclose()


def _rows(name: str, readings: list[tuple[float, Reading]], senders: Senders) -> Rows:
    """The rows of readings that come each with the time at which it was made."""
    rows = Rows(name)
    for at, reading in sorted(readings, key=lambda each: each[0]):
        rows.at.append(at)
        rows.sender.append(senders.number_of(reading.sensor, reading.kind))
        rows.celsius.append(reading.celsius)
    return rows
