"""The histories that a guard and Meraki keep, as recordings."""

import asyncio
from pathlib import Path

import pytest

from replay.written import MIDNIGHT, MINUTE
from sim.wire.on_meraki import KEY, ROOM, OnMeraki
from thermo_guard.adapters.journal import SqlJournal, read_history
from thermo_guard.core.readings import Kind, Reading
from thermo_guard.replay.history import is_journal, of_journal, of_meraki
from thermo_guard.replay.options import Wishes, asked
from thermo_guard.replay.recorded import UnreadableError
from thermo_guard.replay.rows import Senders


async def test_merakis_history_is_a_recording() -> None:
    """Six hours of three sensors, oldest first, with Meraki's own times; nothing but its own settings is needed."""
    async with OnMeraki() as on:
        on.clock.at += 86400
        env = {"MERAKI_API_KEY": KEY, "MERAKI_NETWORK_ID": ROOM, "MERAKI_API_BASE_URL": on.face.url}
        what = asked({}, Wishes(from_meraki="6h"), env, None)
        senders = Senders()
        rows = await asyncio.to_thread(of_meraki, what.settings, what.from_meraki_s or 0.0, senders)
        assert len(senders.names) == 3
        assert len(rows) > 500
        assert list(rows.at) == sorted(rows.at)
        assert rows.at[-1] - rows.at[0] == pytest.approx(6 * 3600, abs=600)
        assert rows.at[-1] <= on.clock.at


async def test_a_meraki_that_refuses_the_key_is_told() -> None:
    """Of an unreadable source the reason is told, and nothing else is replayed for it."""
    async with OnMeraki() as on:
        env = {"MERAKI_API_KEY": "wrong-key-0123", "MERAKI_NETWORK_ID": ROOM, "MERAKI_API_BASE_URL": on.face.url}
        what = asked({}, Wishes(from_meraki="6h"), env, None)
        with pytest.raises(UnreadableError, match="Meraki's history cannot be had"):
            await asyncio.to_thread(of_meraki, what.settings, 3600.0, Senders())


def test_a_guards_history_stands_at_the_times_of_its_measurements(tmp_path: Path) -> None:
    """A measurement that the guard was given two minutes later was made two minutes before. The guard may run."""
    assert not is_journal(str(tmp_path / "absent"))
    with pytest.raises(UnreadableError, match="no journal"):
        of_journal(str(tmp_path), Senders())
    journal = SqlJournal.open(tmp_path)
    journal.keep_readings([
        Reading("a", 22.25, 5.0, MIDNIGHT + 120, 120.0), Reading("b", 22.5, 6.0, MIDNIGHT + 90, 30.0),
        Reading("ilo-esx1", 24.5, 7.0, MIDNIGHT + 130, 0.0, Kind.BMC),
    ])
    for path in (tmp_path, tmp_path / "journal.sqlite3"):
        assert is_journal(str(path))
        senders = Senders()
        rows = of_journal(str(path), senders)
        assert list(zip(rows.at, rows.celsius, strict=True)) == [
            (MIDNIGHT, 22.25), (MIDNIGHT + MINUTE, 22.5), (MIDNIGHT + 130, 24.5)]
        assert senders.names[2] == ("ilo-esx1", Kind.BMC)
    assert [each.sensor for each in read_history(tmp_path, MIDNIGHT + 125)] == ["ilo-esx1"]
    journal.close()
