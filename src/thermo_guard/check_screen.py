"""What `check` prints: findings by area, one line each with what to do under it; reads alike without colour."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .core.finding import Conclusion, Finding, Verdict
from .screens import moment

_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}


def show_findings(console: Console, findings: Sequence[Finding], end: Conclusion) -> None:
    for area, group in groupby(findings, key=lambda finding: finding.area):
        console.print(Text(area, style="bold"))
        for finding in group:
            word = Text(f"  {str(finding.verdict).upper():<4}", style=_STYLES[finding.verdict])
            print_beside(console, word, finding.text)
            if finding.remedy:
                print_beside(console, Text("      "), f"-> {finding.remedy}")
    console.print()
    console.print(f"{_counted(findings)}.")
    console.print(Text(end.text, style="bold" if end.can_come_back else _STYLES[Verdict.FAIL]))


def show_again(console: Console, at: float, findings: Sequence[Finding], end: Conclusion, *, is_new: bool) -> None:
    """One check of many: all of it where its answer is new, else one line."""
    if is_new:
        show_findings(console, findings, end)
    console.print(Text(f"{moment(at)}: {'' if is_new else 'nothing new; '}{_counted(findings)}. {end.text}"),
                  soft_wrap=not console.is_terminal)


def _counted(findings: Sequence[Finding]) -> str:
    counts = {verdict: sum(finding.verdict is verdict for finding in findings) for verdict in Verdict}
    return f"{counts[Verdict.FAIL]} failed, {counts[Verdict.WARN]} warnings, {counts[Verdict.OK]} in order"


def print_beside(console: Console, head: Text, text: str) -> None:
    """One line; on a terminal that is too narrow it goes on under itself, in a pipe it stays whole for grep."""
    if not console.is_terminal:
        console.print(Text.assemble(head, " ", text), soft_wrap=True)
        return
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row(head, Text(text))
    console.print(table)


def findings_as_data(findings: Iterable[Finding], end: Conclusion) -> dict[str, object]:
    """The same for programs."""
    return {
        "conclusion": end.text,
        "can_go_down": end.can_go_down,
        "can_come_back": end.can_come_back,
        "findings": [
            {
                "area": str(finding.area), "verdict": str(finding.verdict), "text": finding.text,
                "remedy": finding.remedy or None,
                "stands_in_the_way_of": None if finding.way is None else str(finding.way),
            }
            for finding in findings
        ],
    }
