"""Real recordings that anyone can have: nothing in them is a reason to stop a site. They are not shipped."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from peers import shared
from replay.written import MIDNIGHT, replayed, row, save
from thermo_guard.core.decisions import What


def _nab(name: str) -> Iterator[str]:
    """Degrees Fahrenheit, told as Celsius."""
    with (shared("data/traces") / "nab" / name).open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            at = datetime.fromisoformat(line["timestamp"]).replace(tzinfo=UTC).timestamp()
            yield row(at, "office", (float(line["value"]) - 32) / 1.8)


def _motes() -> Iterator[str]:
    """One sample each 5 s; the recording names no times."""
    for mote in (1, 2):
        path = shared("data/traces") / "motes" / f"singlehop_indoor_moteid{mote}_data.txt"
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            number, _, _, celsius, *_ = line.split()
            yield row(MIDNIGHT + 5 * int(number), f"mote-{mote}", float(celsius))


def _fleet() -> Iterator[str]:
    path = shared("data/traces") / "bmc_fleet" / "inlets_first_2h.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            at = datetime.fromisoformat(line["ts"]).replace(tzinfo=UTC).timestamp()
            yield row(at, line["node"], line["value_c"], "bmc")


def test_an_office_over_a_year_never_trips(tmp_path: Path) -> None:
    """Hourly, with a week missing: unseen for most of each hour, never hot."""
    decisions, outcome = replayed(save(tmp_path, _nab("ambient_temperature_system_failure.csv")))
    assert outcome.trips == []
    assert decisions


def test_one_heated_mote_is_suspect_and_no_room_on_fire(tmp_path: Path) -> None:
    """Its neighbour stays cool beside it: the sensor is named, and nothing is stopped."""
    decisions, outcome = replayed(save(tmp_path, _motes()))
    assert outcome.trips == []
    assert {decision.sensor for decision in decisions if decision.what is What.SENSOR_SUSPECT} == {"mote-1"}


def test_two_hundred_idle_servers_trip_nothing(tmp_path: Path) -> None:
    """Whole degrees and some odd values, with no room sensor at all: blind, and told so, and no reason to act."""
    decisions, outcome = replayed(save(tmp_path, _fleet()))
    assert outcome.trips == []
    assert len(decisions) < 2000
