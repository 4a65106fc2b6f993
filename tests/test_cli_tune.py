"""`thermo-guard tune`, from the command line: a recording, and a guard's own folder."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.cli import app
from thermo_guard.core import events as ev
from thermo_guard.core.readings import Kind, Reading

BEGAN = 1_767_340_800.0


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No .env of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))


def readings() -> list[Reading]:
    """Two days, a heat in the second, three sensors and an inlet, every five minutes."""
    found = []
    for step in range(576):
        at = BEGAN + 300.0 * step
        heat = 14.0 if 400 <= step < 406 else 0.0
        found += [Reading(name, 22.0 + place + heat, at, at, 0.0) for place, name in enumerate("abc")]
        found.append(Reading("ilo-1", 25.0 + heat, at, at, 0.0, Kind.BMC))
    return found


def tuned(*arguments: str) -> dict[str, dict[str, object]]:
    done = CliRunner().invoke(app, ["tune", "--json", *arguments])
    assert done.exit_code == 0, done.output
    answer: dict[str, dict[str, object]] = json.loads(done.stdout)
    return answer


def proposed(answer: Mapping[str, object]) -> dict[str, str]:
    return {one["setting"]: one["proposed"] for one in answer["proposals"]}  # type: ignore[attr-defined]


def rows_of(found: Iterable[Reading]) -> str:
    return "time,sensor,source,celsius\n" + "".join(
        f"{datetime.fromtimestamp(one.stamp, UTC).isoformat()},{one.sensor},{one.kind},{one.celsius}\n"
        for one in found)


def test_the_guards_own_history_and_its_incidents(tmp_path: Path) -> None:
    """A trip while an incident was open is none for nothing; the same one without it counts as false."""
    journal = SqlJournal.open(tmp_path / "data")
    journal.keep_readings(readings())
    alone = tuned()["past"]
    began = BEGAN + 300.0 * 400
    journal.append(began + 300, ev.AlarmTripped("i", "high", ()))
    journal.append(began + 9000, ev.IncidentClosed("i", ()))
    journal.close()
    real = tuned()["past"]
    (before,), (after,) = (
        [one for one in past["variants"] if one["what"] == "as it is set"]  # type: ignore[attr-defined]
        for past in (alone, real))
    assert (len(before["trips"]), before["false"]) == (1, 1)
    assert proposed(tuned()) == {}, "a heat of half an hour in two days is no habit"
    assert (len(after["trips"]), after["false"]) == (1, 0)
    sensors = {one["sensor"]: one for one in real["sensors"]}  # type: ignore[attr-defined]
    assert (sensors["a"]["usual_c"], sensors["a"]["hottest_c"], sensors["ilo-1"]["kind"]) == (22.0, 36.0, "bmc")


def test_sensors_that_measure_at_times_of_their_own_stand_together(tmp_path: Path) -> None:
    """Meraki's sensors never measure in the same second, and the vote counts them together all the same."""
    journal = SqlJournal.open(tmp_path / "data")
    rows = [Reading(one.sensor, one.celsius, at, at, 0.0, one.kind)
            for one in readings() for at in [one.stamp + 60.0 * "abci".index(one.sensor[0])]]
    journal.keep_readings(rows)
    first = BEGAN + 300.0 * 400
    for number, at in enumerate((first + 300, first + 40000)):  # the second one was of another cause
        journal.append(at, ev.AlarmTripped(str(number), "high", ()))
        journal.append(at + 9000, ev.IncidentClosed(str(number), ()))
    real = tuned()["past"]
    assert [one["false"] for one in real["variants"] if one["what"] == "as it is set"] == [0]  # type: ignore[attr-defined]
    assert real["voted_most_c"] == 23.0
    journal.close()
    file = tmp_path / "room.csv"
    file.write_text("time,sensor,source,celsius\n" + "".join(
        f"{datetime.fromtimestamp(one.stamp, UTC).isoformat()},{one.sensor},{one.kind},{one.celsius}\n"
        for one in rows))
    assert tuned(str(file))["past"]["voted_most_c"] == 37.0, "b and c, for files know no incident"


def test_a_file_and_words_for_people(tmp_path: Path) -> None:
    """It says how little two days are, and how near the vote came."""
    rows = [f"{datetime.fromtimestamp(one.stamp, UTC).isoformat()},{one.sensor},{one.kind},{one.celsius}"
            for one in readings()]
    file = tmp_path / "room.csv"
    file.write_text("time,sensor,source,celsius\n" + "\n".join(rows) + "\n")
    done = CliRunner().invoke(app, ["tune", str(file)], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    assert "it has not seen every weekday" in done.output
    assert "2.0 above it" in done.output


@pytest.mark.parametrize("value", [85.0, 73.2, 1e308])
def test_what_a_broken_sensor_says_is_no_habit(tmp_path: Path, value: float) -> None:
    """Of the room or a server: it is named as one that wants repair, and nothing is proposed of what it said."""
    file = tmp_path / "room.csv"
    calm = [replace(one, celsius=one.celsius % 14 + 14 + 0.2 * math.sin(one.stamp)) for one in readings()]
    file.write_text(rows_of(
        replace(one, celsius=value) if one.sensor in {"a", "ilo-1"} and one.stamp > BEGAN + 40_000 else one
        for one in calm))
    answer = tuned(str(file))
    assert proposed(answer) == {}
    past = answer["past"]
    believed = {one["sensor"]: (one["believed"], one["hottest_c"]) for one in past["sensors"]}  # type: ignore[attr-defined]
    for sensor, (share, hottest_c) in believed.items():
        assert (share < 0.5) == (sensor in {"a", "ilo-1"})
        assert hottest_c < 40
    done = CliRunner().invoke(app, ["tune", str(file)], env={"COLUMNS": "200"})
    assert "a (room) was suspect for" in done.output
    assert "It wants repair" in done.output


def test_a_sensor_that_never_said_anything_believable_and_odd_rows_are_told(tmp_path: Path) -> None:
    """They are neither hidden nor counted."""
    file = tmp_path / "room.csv"
    file.write_text(rows_of([one for one in readings() if one.kind is Kind.ROOM])
                    + rows_of([replace(one, sensor="dead", celsius=-127.0) for one in readings()[::4]])
                    + "2026-01-02T09:00:00Z,a\n")
    done = CliRunner().invoke(app, ["tune", str(file)], env={"COLUMNS": "200"})
    assert "Odd rows: " in done.output
    assert "fewer fields than the header (1)" in done.output
    assert "dead (room): nothing it said was believed" in done.output
    assert "Files know no incidents" in done.output


@pytest.mark.parametrize("arguments", [["nowhere.csv"], ["--high", "hot"], []])
def test_what_cannot_be_read_ends_with_2(arguments: list[str]) -> None:
    """A file that is not there, a wrong option, a folder without a journal."""
    assert CliRunner().invoke(app, ["tune", *arguments]).exit_code == 2
