"""Files of recorded temperatures: whatever form they have is read, and what is no measurement is counted and named."""

import gzip
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.written import HEADER, MIDNIGHT, quiet, row, save
from thermo_guard.core.readings import Kind
from thermo_guard.replay.recorded import UnreadableError, read, seconds_of
from thermo_guard.replay.recording import Recording
from thermo_guard.replay.rows import Rows, Senders, Tally


def taken(path: Path) -> tuple[Rows, Senders, Tally]:
    senders, tally = Senders(), Tally()
    return read(str(path), senders, tally), senders, tally


def taken_bytes(folder: Path, content: bytes) -> tuple[Rows, Senders, Tally]:
    path = folder / "any.csv"
    path.write_bytes(content)
    return taken(path)


WRITTEN = f"{HEADER}\n2026-07-05T00:00:00Z,a,room,21.5\n2026-07-05T00:00:00Z,b,bmc,24\n"


@pytest.mark.parametrize("content", [
    WRITTEN, WRITTEN.replace("\n", "\r\n"), WRITTEN.replace("\n", "\r"), "\ufeff" + WRITTEN, WRITTEN.rstrip("\n"),
    WRITTEN.replace("\n", "\n\n"), "\n# made by hand\n" + WRITTEN, WRITTEN.replace(",", ";"),
    "sep=;\n" + WRITTEN.replace(",", ";").replace("21.5", "21,5"), WRITTEN.replace(",", "\t"),
    WRITTEN.replace(",", " , "),
    WRITTEN.replace("time", "Time").replace("celsius", "CELSIUS"), WRITTEN.replace(",room,", ",Room,"),
    WRITTEN.replace("a,", '"a",').replace("21.5", '"21.5"'), WRITTEN + WRITTEN[:len(HEADER) + 1],
    "source,note,celsius,time,sensor\nroom,hot,21.5,2026-07-05T00:00:00Z,a\nbmc,,24,2026-07-05T00:00:00Z,b\n",
    "time,sensor,source,celsius,note\n2026-07-05T00:00:00Z,a,room,21.5,x\n2026-07-05T00:00:00Z,b,bmc,24,\n",
    WRITTEN.replace("21.5", "21.5,").replace("24", "24,"),
], ids=lambda content: ascii(content[:30]))
def test_every_form_of_the_same_rows_is_read_alike(tmp_path: Path, content: str) -> None:
    """Line ends, a BOM, blank lines, delimiters, quotes, order and number of columns are the writer's business."""
    rows, senders, tally = taken_bytes(tmp_path, content.encode())
    assert [senders.names[who] for who in rows.sender] == [("a", Kind.ROOM), ("b", Kind.BMC)]
    assert list(rows.at) == [MIDNIGHT, MIDNIGHT]
    assert list(rows.celsius) == [21.5, 24.0]
    assert tally.counts.total() == 0


@pytest.mark.parametrize("text", [
    "2026-07-05T00:00:00Z", "2026-07-05T00:00:00+00:00", "2026-07-05T00:00:00", "2026-07-05 00:00:00",
    "2026-07-05T00:00:00.000Z", "2026-07-05T02:00:00+02:00", "2026-07-05T00:00Z", "20260705T000000Z",
    " 2026-07-05T00:00:00Z ", "2026-07-05t00:00:00z", "2026-07-05 00:00:00 UTC", "2026-07-05T00:00:00.0000000Z",
])
def test_each_form_of_a_time_is_the_same_instant(text: str) -> None:
    """ISO 8601 with Z, an offset or no zone, which is UTC, with or without a fraction."""
    assert seconds_of(text) == MIDNIGHT


@pytest.mark.parametrize("text", ["", "now", "1783216800", "2026-02-30T00:00:00Z", "05.07.2026 00:00", "NaN", "\0"])
def test_what_is_no_time_is_none(text: str) -> None:
    """A row without a time belongs nowhere."""
    assert seconds_of(text) is None


def test_fractions_of_a_second_are_kept() -> None:
    """Two measurements within a second are two."""
    assert seconds_of("2026-07-05T00:00:00.250Z") == MIDNIGHT + 0.25


@pytest.mark.parametrize("text", ["0", "-127", "85", "255", "71.6", "-0.5", "2.15e1", "+21", "999999"])
def test_any_finite_number_is_a_value_for_the_policy_to_judge(tmp_path: Path, text: str) -> None:
    """Reading a file decides nothing about thermometers: the policy names what is suspect."""
    rows, _, tally = taken(save(tmp_path, [row(MIDNIGHT, "a", text)]))
    assert list(rows.celsius) == [float(text)]
    assert not tally.counts
    assert not rows.nonsense


@pytest.mark.parametrize("text", [
    "NaN", "nan", "inf", "-Infinity", "1e400", "hot", "21.5C", "0x15", "2_1", "--", "null",
])
def test_what_is_no_number_is_told_as_nonsense_of_its_sensor(tmp_path: Path, text: str) -> None:
    """It is counted with its place, and the policy hears that this sensor sends nonsense."""
    rows, senders, tally = taken(save(tmp_path, [*quiet(1), row(MIDNIGHT + 60, "a", text)]))
    assert list(rows.nonsense) == [3]
    assert senders.names[rows.sender[3]] == ("a", Kind.ROOM)
    assert repr(text) in rows.nonsense[3]
    assert math.isnan(rows.celsius[3])
    assert tally.counts.total() == 1
    assert tally.examples == [f"{rows.name}:5: {next(iter(tally.counts))}: {text!r}"]


def test_an_empty_cell_is_no_nonsense(tmp_path: Path) -> None:
    """The sensor was polled and had nothing: that is known, and nobody's fault."""
    rows, _, tally = taken(save(tmp_path, [row(MIDNIGHT, "a", ""), row(MIDNIGHT, "b", "  ")]))
    assert len(rows) == 2
    assert not rows.nonsense
    assert not tally.counts


def test_garbage_is_counted_by_reason_and_the_first_of_it_named(tmp_path: Path) -> None:
    """However much garbage there is, the good rows count and the summary stays short."""
    bad = ["nothing", ",,,", "2026-07-05T00:00:00Z,a,attic,21", "yesterday,a,room,21", "2026-07-05T00:00:00Z,,room,21",
           "2026-07-05T00:00:00Z,a,room", "2026-07-05T00:00:00Z,a,room,21,22"]
    rows, _, tally = taken(save(tmp_path, [*quiet(2), *bad * 100, *quiet(2, begin=MIDNIGHT + 120)]))
    assert len(rows) == 12
    assert tally.counts == {
        "no row of the table": 100, "source is neither room nor bmc": 100, "time is not ISO 8601": 200,
        "no sensor": 100, "fewer fields than the header": 100,
        "more fields than the header": 100,
    }
    assert len(tally.examples) == 12
    assert tally.examples[0] == f"{rows.name}:8: no row of the table: 'nothing'"


def test_a_quotation_mark_that_is_not_closed_costs_one_row(tmp_path: Path) -> None:
    """The csv module would take all the following rows for one field."""
    rows, _, _ = taken(save(tmp_path, [*quiet(2), '"2026-07-05T00:05:00Z,a,room,21', *quiet(2)]))
    assert len(rows) == 12


def test_a_name_cannot_write_on_a_terminal_what_it_likes(tmp_path: Path) -> None:
    """What stands in a file is shown to whoever replays it: no escape sequences."""
    _, senders, _ = taken(save(tmp_path, [row(MIDNIGHT, "a\x1b[2J", 22.0)]))
    assert senders.names == [("a\ufffd[2J", Kind.ROOM)]


def test_compressed_files_are_taken_as_they_are(tmp_path: Path) -> None:
    """Histories are kept compressed; the name of the file says nothing."""
    path = tmp_path / "history"
    path.write_bytes(gzip.compress(WRITTEN.encode()))
    rows, _, _ = taken(path)
    assert len(rows) == 2


def test_a_torn_compressed_file_gives_what_comes_before_the_tear(tmp_path: Path) -> None:
    """A copy that was cut off is still a recording, and says that it was cut off."""
    packed = gzip.compress("\n".join([HEADER, *quiet(20_000)]).encode())
    rows, _, tally = taken_bytes(tmp_path, packed[:len(packed) // 2])
    assert len(rows) > 10_000
    assert tally.counts["the compressed file is torn, the rest of it is lost"] == 1


@pytest.mark.parametrize(("content", "words"), [
    (b"", "has no header"), (b"\n\n\n", "has no header"), (b"2026-07-05T00:00:00Z,a,room,21\n", "has no header"),
    (b"time,sensor,celsius\n", "has no column source"), (b"time;source\n", "has no column sensor and no celsius"),
    (b"\x1f\x8bnot really", "cannot be unpacked"), (b"SQLite format 3\0rest", "is a database"),
    (bytes(range(256)) * 50, "has no header"),
])
def test_a_file_that_is_no_recording_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    """Without its header nobody knows what the columns are: better no answer than one about something else."""
    with pytest.raises(UnreadableError, match=words):
        taken_bytes(tmp_path, content)


def test_a_file_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    """A slip in a name is told as such."""
    with pytest.raises(UnreadableError, match="No such file"):
        taken(tmp_path / "absent.csv")
    with pytest.raises(UnreadableError, match="no path"):
        read("a\0b", Senders(), Tally())


def test_blocks_of_any_size_give_the_same_rows(tmp_path: Path) -> None:
    """A row that is cut by the end of a block is put together again."""
    rows, senders, tally = taken(save(tmp_path, quiet(10_000)))
    assert len(rows) == 30_000
    assert len(senders.names) == 3
    assert not tally.counts
    assert list(rows.line[-3:]) == [29_999, 30_000, 30_001]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.booleans(), st.booleans())
def test_no_bytes_make_it_fail(tmp_path_factory: pytest.TempPathFactory, content: bytes, headed: bool,
                               packed: bool) -> None:
    """Whatever stands in a file, it is read or refused in words, and what was read can be put in time."""
    content = (HEADER.encode() + b"\n" if headed else b"") + content
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(gzip.compress(content) if packed else content)
    recording = Recording()
    try:
        recording.add(read(str(path), recording.senders, recording.tally))
    except UnreadableError:
        assert not headed
    recording.settle()
    assert sum(1 for _ in recording.instants()) <= len(recording)


FIELDS = st.sampled_from([
    "2026-07-05T00:00:00Z", "2026-07-05T00:01:00Z", "2026-07-05T00:00:30.5Z", "1970-01-01", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00", "a", "b", "room", "bmc", "21.5", "-127", "NaN", "", '"', "1e308", "\0", "💥", ",",
])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(FIELDS, min_size=1, max_size=5), max_size=12))
def test_no_mixture_of_fields_makes_it_fail(tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]]) -> None:
    """Rows that are nearly right go further in than random bytes do."""
    path = save(tmp_path_factory.getbasetemp(), [",".join(fields) for fields in lines], "fields.csv")
    recording = Recording()
    recording.add(read(str(path), recording.senders, recording.tally))
    recording.settle()
    for instant in recording.instants():
        assert instant.polls
