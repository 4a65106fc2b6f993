"""What the commands print for people: status and plan, as calm text that also reads well in a log."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .adapters.status import Status

_LEVELS = {"low": "green", "band": "yellow", "high": "bold red", "critical": "bold red", "blind": "bold magenta"}


def show_status(console: Console, status: Status, *, is_alive: bool, now: float) -> None:
    """Print what the guard last said of itself; `now` is the wall clock's, seconds since 1970 UTC."""
    facts = status.facts
    if is_alive:
        console.print(f"The guard is running ({facts['mode']}); its last look was {now - status.tick_at:.0f} s ago.")
    else:
        console.print(f"[bold red]The guard is NOT running[/], or its loop has stopped: its last tick was "
                      f"{_at(status.tick_at)}. What follows is from then.")
    level = facts["level"] or "not known yet"
    hottest = "" if facts["hottest_c"] is None else f", hottest {facts['hottest_c']:.1f} degC"
    console.print(f"Room: [{_LEVELS.get(level, 'default')}]{level.upper()}[/]{hottest}; "
                  f"votes for HIGH: {facts['votes']}, needed: {facts['demand']}. {escape('; '.join(facts['reasons']))}")
    if facts["poll_fault"]:
        console.print(f"[bold]The last poll of the sensors failed[/]: {escape(facts['poll_fault'])}")
    if facts.get("journal_fault"):
        console.print("[bold red]The journal cannot be written, and nothing is commanded until it can[/]: "
                      f"{escape(facts['journal_fault'])}")
    console.print(_sensors(facts))
    if facts["meraki_alerting_sensors"] is not None:
        console.print(f"Sensors that Meraki itself holds in alarm: {facts['meraki_alerting_sensors']} (not degrees).")
    console.print(f"vCenter {escape(str(facts['vcenter']))}; {facts['vms_on']} VMs on. Snapshot: "
                  f"{'none yet' if facts['snapshot_at'] is None else _at(facts['snapshot_at'])}.")
    for host in facts["hosts"]:
        in_maintenance = ", maintenance mode" if host["in_maintenance"] else ""
        bmc = host["bmc"] or "no BMC matched"
        console.print(f"  host {escape(host['name'])}: {host['power']}{in_maintenance} ({escape(bmc)})")
    _show_incident(console, facts)


def _sensors(facts: dict[str, Any] | Any) -> Table:
    table = Table(box=None, padding=(0, 2))
    for column in ("sensor", "degC", "age", ""):
        table.add_column(column, justify="right" if column in {"degC", "age"} else "left")
    for sensor in facts["sensors"]:
        celsius = "--.-" if sensor["celsius"] is None else f"{sensor['celsius']:.1f}"
        age = "" if sensor["age_s"] is None else f"{sensor['age_s']:.0f} s"
        table.add_row(escape(sensor["sensor"]), celsius, age, escape(sensor["why"]))
    return table


def _show_incident(console: Console, facts: dict[str, Any] | Any) -> None:
    incident = facts["incident"]
    if incident is None:
        console.print("No incident.")
        if (last := facts["last_incident"]) is not None:
            console.print(f"The last one, {last['id']}, was closed {_at(last['closed_at'])} with "
                          f"{len(last['differences'])} differences.")
            for difference in last["differences"]:
                console.print(f"  {escape(difference)}")
        return
    goal = "everything OFF" if incident["goal"] == "off" else "everything back ON"
    console.print(f"[bold]Incident {incident['id']}[/]: goal {goal} since {_at(incident['goal_since'])}; "
                  f"{incident['phase_in_words'] or 'about to begin'}.")
    for wait in incident["waits"]:
        until = "" if wait["until"] is None else f", until {_at(wait['until'])}"
        console.print(f"  waiting for {escape(wait['for'])}: {escape(wait['what'])}{until}")
    for text in incident["needs_person"]:
        console.print(f"  [bold yellow]needs a person[/]: {escape(text)}")


def _at(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
