"""What the commands print for people: status and plan, as calm text that also reads well in a log."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .adapters.status import Status
from .core.readings import Kind
from .core.rehearsal import is_rehearsal
from .core.runbook import KEPT_LAST

_LEVELS = {"low": "green", "band": "yellow", "high": "bold red", "critical": "bold red", "blind": "bold magenta"}


def show_status(console: Console, status: Status, *, is_alive: bool, now: float) -> None:
    """Print what the guard last said of itself; `now` is the wall clock's, seconds since 1970 UTC."""
    facts = status.facts
    if is_alive:
        console.print(f"The guard is running (MODE={facts['mode']}); its last look was "
                      f"{now - status.tick_at:.0f} s ago.")
    else:
        console.print(f"[bold red]The guard is NOT running[/], or its loop has stopped: its last tick was "
                      f"{moment(status.tick_at)}. What follows is from then.")
    _show_stance(console, facts)
    level = facts["level"] or "not known yet"
    hottest = "" if facts["hottest_c"] is None else f", hottest {facts['hottest_c']:.1f} degC"
    console.print(f"Room: [{_LEVELS.get(level, 'default')}]{level.upper()}[/]{hottest}; "
                  f"votes for HIGH: {facts['votes']}, needed: {facts['demand']}. {escape('; '.join(facts['reasons']))}")
    if facts["poll_fault"]:
        console.print(f"[bold]The last poll of the sensors failed[/]: {escape(facts['poll_fault'])}")
    if facts.get("journal_fault"):
        console.print("[bold red]The journal cannot be written[/]: a shutdown goes on from memory, nothing is powered "
                      f"on. {escape(facts['journal_fault'])}")
    console.print(_sensors(facts))
    if inlets := [one for one in facts.get("inlets") or [] if one["is_fresh"]]:
        hottest = max(inlets, key=lambda one: one["celsius"])
        console.print(f"{many(len(inlets), 'inlet')} fresh, the hottest {escape(hottest['sensor'])} at "
                      f"{hottest['celsius']:.1f} degC.")
    if facts["meraki_alerting_sensors"] is not None:
        console.print(f"Sensors that Meraki itself holds in alarm: {facts['meraki_alerting_sensors']} (not degrees).")
    console.print(f"vCenter {escape(str(facts['vcenter']))}; {many(facts['vms_on'], 'VM')} on. Snapshot: "
                  f"{'none yet' if facts['snapshot_at'] is None else moment(facts['snapshot_at'])}.")
    for host in facts["hosts"]:
        in_maintenance = ", maintenance mode" if host["in_maintenance"] else ""
        bmc = host["bmc"] or "no BMC matched"
        console.print(f"  host {escape(host['name'])}: {host['power']}{in_maintenance} ({escape(bmc)})")
    if facts.get("guard_vms"):
        console.print(f"The guard itself runs in the VM {escape(', '.join(facts['guard_vms']))}: it and its host are "
                      "left up.")
    for held in facts.get("refused_logins") or []:
        is_held = held["until"] > facts.get("at", now)
        when = f"not tried again before {moment(held['until'])}" if is_held else "tried again at the next look"
        console.print(f"[bold yellow]Login refused[/]: {escape(held['user'])} at {escape(held['endpoint'])}, {when} "
                      f"(`thermo-guard resume`: at once). {escape(held['why'])}")
    _show_incident(console, facts)


def _show_stance(console: Console, facts: dict[str, Any] | Any) -> None:
    """Whether a confirmed alarm would be acted on, what stands in the way, and what people have ordered."""
    if facts.get("standing"):
        console.print(f"[bold red]{escape(facts['standing'])}[/]: a confirmed alarm would do NOTHING now.")
        for line in facts.get("lacking") or []:
            console.print(f"  to do: {escape(line)}")
    elif facts.get("is_armed"):
        console.print("Armed: a confirmed alarm shuts the cluster down.")
    if facts.get("is_paused"):
        console.print(f"[bold red]PAUSED[/] {until_when(facts['paused_until'])}: nothing is commanded.")
    if facts.get("is_shelved") and "SHELVED" not in (facts.get("standing") or ""):
        console.print("[bold yellow]SHELVED[/]: the alarm that stood at the abort trips nothing until the room has "
                      "been below HIGH.")
    off = facts.get("off_bmcs") or []
    if off and facts["snapshot_at"] is None:
        console.print(f"[bold red]{many(len(off), 'machine')} off[/], and nothing is on record of why: BMCs "
                      f"{escape(', '.join(off))}. Where they should run: `thermo-guard power-on --unrecorded`.")
    if (known := facts.get("acknowledged")) is not None:
        console.print(f"Acknowledged by {escape(known['by'])} at {moment(known['at'])}.")


def _sensors(facts: dict[str, Any] | Any) -> Table:
    table = Table(box=None, padding=(0, 2))
    for column in ("sensor", "degC", "age", ""):
        table.add_column(column, justify="right" if column in {"degC", "age"} else "left")
    decide = facts.get("decides") == Kind.BMC
    inlets = [one | {"sensor": f"{one['sensor']} (inlet)"} for one in facts.get("inlets") or []
              if decide or not one["is_fresh"]]
    for sensor in (*facts["sensors"], *inlets):
        celsius = "--.-" if sensor["celsius"] is None else f"{sensor['celsius']:.1f}"
        age = "" if sensor["age_s"] is None else f"{sensor['age_s']:.0f} s"
        table.add_row(escape(sensor["sensor"]), celsius, age, escape(sensor["why"]))
    return table


def _show_incident(console: Console, facts: dict[str, Any] | Any) -> None:
    incident = facts["incident"]
    if incident is None:
        console.print("No incident.")
        if (last := facts["last_incident"]) is not None:
            console.print(f"The last one, {last['id']}, was closed {moment(last['closed_at'])} with "
                          f"{many(len(last['differences']), 'difference')}.")
            for difference in last["differences"]:
                console.print(f"  {escape(difference)}")
        return
    by = f", as {escape(incident['wished_by'])} asked" if incident.get("wished_by") else ""
    console.print(f"[bold]Incident {incident['id']}[/]: goal {goal_in_words(incident)}{by}, since "
                  f"{moment(incident['goal_since'])}; {incident['phase_in_words'] or 'about to begin'}.")
    if incident.get("way_back_waits_for"):
        console.print(f"  the way back waits for {escape(incident['way_back_waits_for'])}; `thermo-guard power-on` "
                      "does not wait")
    for wait in incident["waits"]:
        until = "" if wait["until"] is None else f", until {moment(wait['until'])}"
        console.print(f"  waiting for {escape(wait['for'])}: {escape(wait['what'])}{until}")
    for text in incident["needs_person"]:
        console.print(f"  [bold yellow]needs a person[/]: {escape(text)}")


def goal_in_words(incident: Mapping[str, Any]) -> str:
    """A rehearsal's is its one target's, a shed's what may be shed."""
    is_shed = incident.get("is_shed")
    what = "its one VM or host" if is_rehearsal(incident["id"]) else "what may be shed" if is_shed else "everything"
    return f"{what} OFF" if incident["goal"] == "off" else f"{what} back ON"


def until_when(until: float | None) -> str:
    """Until when a pause lasts; None is until an order ends it."""
    return "until `thermo-guard resume`" if until is None else f"until {moment(until)}"


def in_tier(tier: int) -> str:
    return "kept to the last" if tier == KEPT_LAST else f"tier {tier}"


def many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def moment(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
