"""Files of recorded temperatures: CSV with a header `time,sensor,source,celsius`, plain or gzip.

Whoever has recorded them did so with a tool of his own: columns in any order, semicolons, a BOM, quotes, a torn end.
A row that says nothing usable is counted with its place and reason; nothing but an unreadable file is an error. Lines
are split by hand, since the csv module takes an unclosed quotation mark for the beginning of all that follows.
"""

import codecs
import csv
import gzip
import io
import math
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from thermo_guard.core.readings import Kind

from .rows import NOTHING, Rows, Senders, Tally

COLUMNS = ("time", "sensor", "source", "celsius")
DELIMITERS = (",", ";", "\t", "|")
SQLITE = b"SQLite format 3\0"
_GZIP = b"\x1f\x8b"
_BLOCK = 1 << 18
_LONGEST_LINE = 100_000
_REMEMBERED = 20_000
"""Texts whose meaning is kept: rows of one instant share their time, and sensors have few different values."""
_KINDS = {str(kind): kind for kind in Kind}
_LONGEST_SHOWN = 40


class UnreadableError(Exception):
    """A file that cannot be replayed at all; the text says why."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the four columns stand."""

    delimiter: str
    width: int
    time: int
    sensor: int
    source: int
    celsius: int


def read(path: str, senders: Senders, tally: Tally) -> Rows:
    """Read a file, `-` for standard input, in its own order.

    :raises UnreadableError: it cannot be opened, is compressed and broken from its start, or has no header.
    """
    try:
        with ExitStack() as stack:
            file = cast(BinaryIO, sys.stdin.buffer) if path == "-" else stack.enter_context(Path(path).open("rb"))
            reader = _Reader(Rows("standard input" if path == "-" else path), senders, tally)
            for lines in _lines(file, reader.rows.name, tally):
                reader.take(lines)
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in its name
        raise UnreadableError(f"{path!r} is no path: {error}") from error
    reader.end()
    return reader.rows


class _Reader:
    """Takes the lines of one file."""

    def __init__(self, rows: Rows, senders: Senders, tally: Tally) -> None:
        self.rows = rows
        self._senders = senders
        self._tally = tally
        self._layout: _Layout | None = None
        self._number = 0
        self._times: dict[str, float] = {}
        self._who: dict[tuple[str, str], int] = {}
        self._values: dict[str, float] = {"": NOTHING}

    def take(self, lines: Sequence[str]) -> None:
        begun = iter(lines)
        if self._layout is None:
            for line in begun:
                self._number += 1
                if line.strip() and not line.lower().startswith(("#", "sep=")):
                    self._layout = _layout_of(line, self.rows.name)
                    break
            else:
                return
        self._take_rows(begun, self._layout)

    def end(self) -> None:
        if self._layout is None:
            raise UnreadableError(f"{self.rows.name} has no header: its first line must be {','.join(COLUMNS)}")

    def _take_rows(self, lines: Iterator[str], layout: _Layout) -> None:
        """The way of nearly every row, at a microsecond each; whatever is unusual goes to `_look_closely`."""
        rows, times, values, who_of = self.rows, self._times, self._values, self._who
        add_at, add_who = rows.at.append, rows.sender.append
        add_celsius, add_line = rows.celsius.append, rows.line.append
        delimiter, width = layout.delimiter, layout.width
        time, sensor, source, degrees = layout.time, layout.sensor, layout.source, layout.celsius
        number = self._number
        for line in lines:
            number += 1
            fields = line.split(delimiter)
            if len(fields) == width and '"' not in line:
                at = times.get(fields[time])
                if at is None:
                    at = self._time_of(fields[time])
                celsius = values.get(fields[degrees])
                if celsius is None:
                    celsius = self._value_of(fields[degrees])
                who = who_of.get((fields[sensor], fields[source]))
                if at is not None and celsius is not None and who is not None:
                    add_at(at)
                    add_who(who)
                    add_celsius(celsius)
                    add_line(number)
                    continue
            self._number = number
            self._look_closely(line, layout)
        self._number = number

    def _time_of(self, text: str) -> float | None:
        at = seconds_of(text)
        if at is not None:
            if len(self._times) >= _REMEMBERED:
                self._times.clear()
            self._times[text] = at
        return at

    def _value_of(self, text: str) -> float | None:
        value = _number(text)
        if value is not None:
            if len(self._values) >= _REMEMBERED:
                self._values.clear()
            self._values[text] = value
        return value

    def _look_closely(self, line: str, layout: _Layout) -> None:
        """One row that is new or odd: taken where it can be, else counted."""
        text = line.strip()
        if not text or text.startswith("#"):
            return
        fields = _split(line, layout.delimiter)
        if len(fields) < layout.width or any(fields[layout.width:]):
            if len(fields) == 1 or not any(fields):
                self._not_taken("no row of the table", line)
            else:
                self._not_taken(f"{'more' if len(fields) > layout.width else 'fewer'} fields than the header", line)
            return
        if (fields[layout.time].lower(), fields[layout.celsius].lower()) == ("time", "celsius"):
            return  # a file that was put together of several
        at = seconds_of(fields[layout.time])
        kind = _KINDS.get(fields[layout.source].lower())
        if at is None:
            self._not_taken("time is not ISO 8601", fields[layout.time])
        elif not fields[layout.sensor]:
            self._not_taken("no sensor", line)
        elif kind is None:
            self._not_taken("source is neither room nor bmc", fields[layout.source])
        else:
            who = self._senders.number_of(_printable(fields[layout.sensor]), kind)
            if '"' not in line:
                raw = line.split(layout.delimiter)
                self._who[raw[layout.sensor], raw[layout.source]] = who
            self._add(at, who, fields[layout.celsius], layout.delimiter)

    def _add(self, at: float, who: int, degrees: str, delimiter: str) -> None:
        rows = self.rows
        celsius: float | None = NOTHING
        if degrees:
            has_comma = delimiter != "," and degrees.count(",") == 1
            celsius = _number(degrees.replace(",", ".") if has_comma else degrees)
        if celsius is None:
            is_number = _is_number(degrees)
            self._not_taken("celsius is no finite number" if is_number else "celsius is no number", degrees)
            rows.nonsense[len(rows)] = f"{_shown(degrees)} is no measurement"
        rows.at.append(at)
        rows.sender.append(who)
        rows.celsius.append(NOTHING if celsius is None else celsius)
        rows.line.append(self._number)

    def _not_taken(self, reason: str, value: str) -> None:
        self._tally.add(reason, f"{self.rows.name}:{self._number}", _shown(value))


def _layout_of(line: str, name: str) -> _Layout:
    """:raises UnreadableError: the line is no header."""
    best: list[str] = []
    for delimiter in DELIMITERS:
        columns = [column.lower() for column in _split(line, delimiter)]
        found = [column for column in COLUMNS if column in columns]
        if len(found) == len(COLUMNS):
            time, sensor, source, celsius = (columns.index(column) for column in COLUMNS)
            return _Layout(delimiter, len(columns), time, sensor, source, celsius)
        best = max(best, found, key=len)
    if not best:
        wanted = ",".join(COLUMNS)
        raise UnreadableError(f"{name} has no header: its first line must be {wanted}, and is {_shown(line)}")
    missing = [column for column in COLUMNS if column not in best]
    raise UnreadableError(f"{name} has no column {' and no '.join(missing)}: its header must name {','.join(COLUMNS)}")


def _split(line: str, delimiter: str) -> list[str]:
    """The fields of one line, without the white space around them; whatever is open at its end ends there."""
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    except csv.Error:  # longer than it takes
        return [field.strip() for field in line.split(delimiter)]


def _lines(file: BinaryIO, name: str, tally: Tally) -> Iterator[list[str]]:
    """Its lines, by blocks; of what is no UTF-8 the places are kept and the rest is read."""
    blocks = _blocks(file, name, tally)
    first = next(blocks, b"")
    if first.startswith(SQLITE):
        raise UnreadableError(f"{name} is a database: a journal is named by its folder, the guard's DATA_DIR")
    encoding = "utf-16" if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)("replace"), translate=True)
    rest = decoder.decode(first)
    for block in blocks:
        lines = rest.split("\n")
        rest = lines.pop()
        if len(rest) > _LONGEST_LINE:
            lines.append(rest)
            rest = ""
        yield lines
        rest += decoder.decode(block)
    rest += decoder.decode(b"", final=True)
    lines = rest.split("\n")
    yield lines if lines[-1] else lines[:-1]


def _blocks(file: BinaryIO, name: str, tally: Tally) -> Iterator[bytes]:
    """Its bytes, unpacked; a compressed file that is torn gives what comes before the tear."""
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, file))
    if not buffered.peek(2).startswith(_GZIP):
        while block := buffered.read(_BLOCK):
            yield block
        return
    unpacked = gzip.GzipFile(fileobj=buffered)
    count = 0
    try:
        while block := unpacked.read1(_BLOCK):
            count += 1
            yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        if not count:
            raise UnreadableError(f"{name} cannot be unpacked: {error}") from error
        tally.add("the compressed file is torn, the rest of it is lost", name, str(error))


def seconds_of(text: str) -> float | None:
    """Seconds since 1970 of a time in ISO 8601, UTC where it names no zone; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        plain = text.strip().upper().removesuffix("UTC").strip()
        if plain in {"", text}:
            return None
        return seconds_of(plain)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str) -> float | None:
    """A finite number as people write one; NOTHING for an empty text."""
    if not text or text.isspace():
        return NOTHING
    if not _is_number(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _is_number(text: str) -> bool:
    if "_" in text or not text.isascii():
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def _printable(text: str) -> str:
    """A sensor's name as it may stand on a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def _shown(text: str) -> str:
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
    return ascii(cut)
