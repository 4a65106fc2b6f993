"""How the demo looks: one line an event, calm, readable in a terminal and in a pipe alike.

The screen knows degrees, times and words; what they mean is `story`'s. It moves no cursor and clears nothing, so that
the output of a run under CI is the same text. Glyphs beyond ASCII only where the output's encoding has them.
"""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

NOTICE = "VIRTUAL SITE: NOTHING HERE IS REAL"
COLDEST_C, HOTTEST_C = 18.0, 46.0
"""Ends of the bar, one cell a degree."""
MOVED_K = 1.0
"""A temperature is worth a line when it has moved by so much."""
SILENT_S = 600.0
"""Or when none was shown for so long."""
GROUP_S = 20.0
"""Things of one kind that happen within so long share a line."""
ALONE = 2
"""Up to so many each get a line of their own."""
NAMES_SHOWN = 12


class Kind(StrEnum):
    """What sort of thing happened."""

    PHASE = "phase"
    ALARM = "alarm"
    GOOD = "good"
    NOTE = "note"
    PERSON = "person"
    VM_OFF = "vm_off"
    VM_ON = "vm_on"
    HOST_OFF = "host_off"
    HOST_ON = "host_on"
    HOST_POWERED = "host_powered"
    HOST_IN_MAINTENANCE = "host_in_maintenance"
    HOST_OUT_OF_MAINTENANCE = "host_out_of_maintenance"


_LOOKS = {  # sign, the same in ASCII, style, and for what comes in numbers: one, several, what became of them
    Kind.ALARM: ("●", "!", "bold red", None),
    Kind.GOOD: ("●", "*", "bold green", None),
    Kind.NOTE: ("·", ".", "default", None),
    Kind.PERSON: ("▲", "!", "bold yellow", None),
    Kind.VM_OFF: ("▽", "-", "blue", ("VM", "VMs", "off")),
    Kind.VM_ON: ("△", "+", "green", ("VM", "VMs", "on")),
    Kind.HOST_OFF: ("▼", "-", "bold blue", ("host", "hosts", "off")),
    Kind.HOST_ON: ("▲", "+", "bold green", ("host", "hosts", "on")),
    Kind.HOST_POWERED: ("·", ".", "default", ("host", "hosts", "given power")),
    Kind.HOST_IN_MAINTENANCE: ("·", ".", "default", ("host", "hosts", "in maintenance mode")),
    Kind.HOST_OUT_OF_MAINTENANCE: ("·", ".", "default", ("host", "hosts", "out of maintenance mode")),
}
_LEVEL_STYLES = {
    "low": "green", "band": "yellow", "high": "red", "critical": "bold white on red", "blind": "magenta",
}
_SPARKS = "▁▂▃▄▅▆▇█"
_ASCII_SPARKS = "_.,-~=^#"


@dataclass(frozen=True, slots=True)
class DayOutcome:
    """What the closing table says; times are seconds since 1970 UTC, None for what did not come about."""

    cooling_failed_at: float | None
    alarm_at: float | None
    all_off_at: float | None
    peak_c: float
    recovered_at: float | None
    back_at: float | None
    vms: tuple[int, int]
    """How many run now, how many ran before."""
    hosts: tuple[int, int]
    differences: tuple[str, ...]


class DemoScreen:
    """One presentation on one console.

    :param low_c, high_c, critical_c: thresholds, marked on the bar.
    :param zone: in which the virtual time of day is shown.
    """

    def __init__(
        self, console: Console, *, low_c: float = 30.0, high_c: float = 35.0, critical_c: float = 40.0,
        zone: tzinfo = UTC,
    ) -> None:
        self._console = console
        self._marks_c = (low_c, high_c, critical_c)
        self._zone = zone
        self._is_plain = not console.encoding.lower().startswith("utf")
        self._shown: deque[float] = deque(maxlen=14)
        self._last: tuple[float, float | None, str] | None = None
        self._group: list[str] = []
        self._group_kind: Kind | None = None
        self._group_at = 0.0

    def banner(self, *lines: str) -> None:
        """Say loudly that none of it is real; at the start and at the end."""
        self.flush()
        told = Text(NOTICE, style="bold", justify="center")
        for line in lines:
            told.append(f"\n{line}", style="not bold")
        self._console.print()
        frame = box.ASCII if self._is_plain else box.DOUBLE
        self._console.print(Panel(told, style="yellow", box=frame, padding=(1, 2)))
        self._console.print()

    def temperature(self, now: float, celsius: float | None, level: str) -> None:
        """Show the temperature and level, where they have changed enough to be worth a line.

        :param celsius: None while nothing is known.
        :param level: low, band, high, critical or blind.
        """
        if self._last is not None:
            was_at, was_c, was_level = self._last
            is_same = (celsius is None) == (was_c is None) and level == was_level
            has_moved = celsius is not None and was_c is not None and abs(celsius - was_c) >= MOVED_K
            if is_same and not has_moved and now - was_at < SILENT_S:
                return
        self.flush()
        self._last = (now, celsius, level)
        line = self._at(now)
        if celsius is None:
            line.append("   --.- ", style="magenta")
        else:
            self._shown.append(celsius)
            line.append(f"  {celsius:5.1f} ", style=_LEVEL_STYLES.get(level, ""))
        line.append("degC  " if self._is_plain else "°C  ", style="dim")
        line.append_text(self._bar(celsius, level))
        line.append(f"  {level.upper():<8}", style=_LEVEL_STYLES.get(level, ""))
        line.append(f"  {self._sparkline()}", style="dim")
        self._print(line)

    def happened(self, now: float, text: str, kind: Kind) -> None:
        """Show that something happened. Of VMs and hosts `text` is the name; many at a time share a line."""
        if kind is Kind.PHASE:
            self._heading(now, text)
            return
        if _LOOKS[kind][3] is None:
            self.flush()
            self._event(now, text, kind)
            return
        if self._group_kind is not kind or now - self._group_at > GROUP_S:
            self.flush()
            self._group_kind, self._group_at = kind, now
        self._group.append(text)

    def summary(self, outcome: DayOutcome) -> None:
        """Show the closing table."""
        self.flush()
        table = Table(
            title="The day in short", title_style="bold", box=box.ASCII if self._is_plain else box.ROUNDED,
            show_header=False, padding=(0, 1),
        )
        table.add_column(style="dim")
        table.add_column(justify="right", no_wrap=True)
        table.add_column()
        for name, value, remark in self._rows(outcome):
            table.add_row(name, value, remark)
        self._console.print()
        self._console.print(table)
        for difference in outcome.differences:
            self._print(Text(f"  {difference}", style="yellow"))

    def flush(self) -> None:
        """Show what is being gathered for one line."""
        group, kind = self._group, self._group_kind
        self._group, self._group_kind = [], None
        if kind is None or (words := _LOOKS[kind][3]) is None:
            return
        one, several, became = words
        if len(group) <= ALONE:
            for name in group:
                self._event(self._group_at, f"{one} {name} {became}", kind)
            return
        names = ", ".join(group[:NAMES_SHOWN]) + (
            f" and {len(group) - NAMES_SHOWN} more" if len(group) > NAMES_SHOWN else ""
        )
        self._event(self._group_at, f"{len(group)} {several} {became}: {names}", kind)

    def _rows(self, outcome: DayOutcome) -> list[tuple[str, str, Text]]:
        def after(at: float | None, since: float | None, what: str) -> Text:
            return Text("" if at is None or since is None else f"{_spoken(at - since)} after {what}", style="dim")

        unit = "degC" if self._is_plain else "°C"
        (vms, vms_before), (hosts, hosts_before) = outcome.vms, outcome.hosts
        is_whole = not outcome.differences and (vms, hosts) == (vms_before, hosts_before)
        verdict = Text("everything is as it was", style="bold green") if is_whole else Text(
            f"{len(outcome.differences)} differences", style="bold yellow"
        )
        return [
            ("Cooling failed", self._time(outcome.cooling_failed_at), Text()),
            ("Alarm", self._time(outcome.alarm_at),
             after(outcome.alarm_at, outcome.cooling_failed_at, "the cooling failed")),
            ("Everything off", self._time(outcome.all_off_at),
             after(outcome.all_off_at, outcome.alarm_at, "the alarm")),
            ("Peak of the air", f"{outcome.peak_c:.1f} {unit}", Text()),
            ("Room recovered", self._time(outcome.recovered_at), Text()),
            ("Everything back", self._time(outcome.back_at),
             after(outcome.back_at, outcome.recovered_at, "the recovery")),
            ("Running again", f"{vms}/{vms_before} VMs", Text(f"on {hosts} of {hosts_before} hosts", style="dim")),
            ("Against before", "", verdict),
        ]

    def _heading(self, now: float, text: str) -> None:
        self.flush()
        self._console.print()
        title = Text(f"{self._time(now)}  {text[:1].upper()}{text[1:]}", style="bold cyan")
        self._console.print(Rule(title, align="left", style="cyan", characters="-" if self._is_plain else "─"))

    def _event(self, now: float, text: str, kind: Kind) -> None:
        sign, plain_sign, style, _ = _LOOKS[kind]
        margin = len("  00:00:00  x ")
        for number, piece in enumerate(Text(text, style=style).wrap(self._console, self._console.width - margin - 1)):
            piece.rstrip()
            if number:
                self._print(Text(" " * margin).append_text(piece))
            else:
                head = self._at(now).append(f"  {plain_sign if self._is_plain else sign} ", style=style)
                self._print(head.append_text(piece))

    def _bar(self, celsius: float | None, level: str) -> Text:
        full, empty, mark = ("=", "-", "|") if self._is_plain else ("━", "─", "┊")
        bar = Text()
        filled = COLDEST_C if celsius is None else celsius
        for cell in range(int(COLDEST_C), int(HOTTEST_C)):
            if cell < filled:
                bar.append(full, style=_LEVEL_STYLES.get(level, ""))
            elif any(cell <= mark_c < cell + 1 for mark_c in self._marks_c):
                bar.append(mark, style="default")
            else:
                bar.append(empty, style="dim")
        return bar

    def _sparkline(self) -> str:
        sparks = _ASCII_SPARKS if self._is_plain else _SPARKS
        share = (min(1.0, max(0.0, (c - COLDEST_C) / (self._marks_c[-1] - COLDEST_C))) for c in self._shown)
        return "".join(sparks[round(part * (len(sparks) - 1))] for part in share)

    def _at(self, now: float) -> Text:
        return Text(f"  {self._time(now)}", style="dim")

    def _time(self, at: float | None) -> str:
        return "never" if at is None else f"{datetime.fromtimestamp(at, self._zone):%H:%M:%S}"

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
