"""What `drill` prints: the stages with what was expected and what came of them, the promises, and what is left."""

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from .core.events import Goal
from .core.messages import described
from .drill import DrillReport
from .drill_here import Tried
from .plan_chart import WORDS, duration
from .simulate.screen import PROMISES

WAYS = {Goal.OFF: "down", Goal.ON: "back"}


def show_report(console: Console, report: DrillReport) -> None:
    console.print(f"Drill {report.scenario} in {report.room}", style="bold", markup=False)
    if report.alarm_after_s is None:
        console.print(f"No alarm: the room was at most {report.peak_c:.1f} degC.")
    else:
        console.print(f"Alarm after {duration(report.alarm_after_s)}, at most {report.peak_c:.1f} degC.")
    stages = Table("way", "what", "expected", "took")
    for stage in report.stages:
        stages.add_row(
            WAYS[stage.goal], described(stage.phase, stage.tier),
            "not expected" if stage.expected_s is None else duration(stage.expected_s),
            "did not come about" if stage.took_s is None else duration(stage.took_s),
        )
    console.print(stages)
    more = any(stage.expected_s is None for stage in report.stages)
    order = "In the expected order, with more than was expected." if more else "In the expected order."
    console.print(order if report.is_in_order else "NOT in the expected order.")
    promises = Table("promise", "", "checked", "broken")
    for name, words in PROMISES.items():
        if name not in report.checked:
            continue  # this scenario gave no occasion
        broken = sum(violation.promise == name for violation in report.violations)
        promises.add_row(name, words, str(report.checked.get(name, 0)), str(broken) if broken else "no")
    console.print(promises)
    for title, lines in (
        ("Given up, and told", report.given_up), ("Not as before, and named in the report", report.differences),
        ("Not as before, and NOT in the report", report.unnamed), ("Broken", [str(one) for one in report.violations]),
    ):
        if lines:
            console.print(f"{title}:")
        for line in lines:
            console.print(f"  {line}", markup=False)
    if not report.is_closed:
        console.print("The incident was not closed." if report.alarm_after_s is not None else "Nothing was drilled.")
    person = f" {len(report.differences)} differences are named, for a person." if report.differences else ""
    console.print(f"Passed.{person}" if report.is_passed else "NOT passed.", style="bold")


def report_as_data(report: DrillReport) -> dict[str, object]:
    return {**asdict(report), "is_passed": report.is_passed}


def show_tried(console: Console, tried: Sequence[Tried], left_out: Sequence[str], failed: Sequence[str]) -> None:
    """Each act with its way, then what stands in the way of any.

    :param left_out: what the plan gives up from the start.
    :param failed: what `check` fails for.
    """
    console.print("Everything up to the acts; nothing was sent that changes anything.", style="bold")
    table = Table("way", "stage", "act", "via", "of", "now")
    for one in tried:
        table.add_row(
            WAYS[one.goal], described(one.phase, one.tier), WORDS[one.verb], one.via, _of(one.names),
            "open" if not one.why_not else "; ".join(one.why_not),
        )
    console.print(table)
    blocked = next((one for one in tried if one.why_not), None)
    if blocked is not None:
        console.print(f"The first that would go wrong: {WORDS[blocked.verb]} {_of(blocked.names)}: "
                      f"{'; '.join(blocked.why_not)}", markup=False)
    for title, lines in (("Left out of the plan, for a person", left_out), ("In the way", failed)):
        if lines:
            console.print(f"{title}:")
        for line in lines:
            console.print(f"  {line}", markup=False)
    if blocked is None and not left_out and not failed:
        console.print("Every way is open, and the account may do all of it.")


def _of(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
