"""What an order will do here and now, and what became of it: plain words for somebody who was asleep a minute ago."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .check_screen import print_beside
from .core.events import RehearsalWished, WishTaken
from .core.orders import Grounds, taken
from .core.plant import ClusterSeen, Host, Power, Sight, Unseen, Vm
from .core.policy import Assessment, Level
from .core.rehearsal import is_rehearsal, rehearsal
from .core.view import PlantNow, plant_now
from .core.wishes import STALE_S, Order, Wish
from .orders import Situation
from .rehearse import Course, Step
from .screens import goal_in_words, in_tier, many, moment, until_when

_ALARMS = {"high", "critical"}


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an order meets, and what it will do and leave."""

    now: tuple[str, ...]
    does: tuple[str, ...]
    does_not: tuple[str, ...]
    refusal: str
    """Why the guard will decline it as things stand; empty: nothing is known against it."""


def outlook(wish: Wish, situation: Situation) -> Outlook:
    """What will happen if this order is given now."""
    does, does_not = _EFFECTS[wish.order](wish, situation)
    return Outlook(_standing(situation), tuple(does), tuple(does_not), _refusal(wish, situation))


def show_outlook(console: Console, wish: Wish, ahead: Outlook) -> None:
    for line in ahead.now:
        console.print(Text(line), soft_wrap=not console.is_terminal)
    if ahead.refusal:
        print_beside(console, Text("As things stand the guard will DECLINE it:", style="bold yellow"),
                     f"{ahead.refusal}.")
        if wish.order is Order.REHEARSE:  # as often as not its target is mistyped: there is nothing to announce
            return
    for title, lines in ((f"`{wish.order}` will", ahead.does), ("It will not", ahead.does_not)):
        if lines:
            console.print(Text(title, style="bold"))
        for line in lines:
            print_beside(console, Text("  -"), line)


def _standing(situation: Situation) -> tuple[str, ...]:
    """Which cluster, how warm, what is under way."""
    facts = situation.facts
    hosts = facts.get("hosts") or []
    on = sum(1 for host in hosts if host["power"] == "on")
    room = (facts.get("level") or "not known yet").upper()
    hottest = "" if facts.get("hottest_c") is None else f", hottest {facts['hottest_c']:.1f} degC"
    lines = [
        (f"Cluster {situation.cluster or '(its name is not known yet)'}: {on} of {many(len(hosts), 'host')} on, "
         f"{many(facts.get('vms_on', 0), 'VM')} on; vCenter {facts.get('vcenter', 'not looked at yet')}."),
        f"Room: {room}{hottest}.",
        _incident(facts),
    ]
    if facts.get("standing"):
        lines.append(f"By itself the guard would do nothing about an alarm now: {facts['standing']}.")
    return tuple(lines)


def _incident(facts: Mapping[str, Any]) -> str:
    incident = facts.get("incident")
    if incident is None:
        return "No incident is open."
    by = f", as {incident['wished_by']} asked" if incident.get("wished_by") else ""
    phase = incident.get("phase_in_words") or "about to begin"
    return f"Incident {incident['id']} is open: goal {goal_in_words(incident)}{by}; now: {phase}."


_Effects = tuple[list[str], list[str]]


def _shutdown(_wish: Wish, situation: Situation) -> _Effects:
    facts = situation.facts
    incident = facts.get("incident")
    hosts = facts.get("hosts") or []
    does = [
        (f"shut down all VMs that run ({facts.get('vms_on', 0)}), tier by tier (by force those whose time is over), "
         f"then {many(len(hosts), 'host')}, vCenter's last; before that HA goes off and DRS to manual"),
        "keep it down, however cool the room is, until `thermo-guard power-on`",
    ]
    if incident is not None and is_rehearsal(incident["id"]):
        does[0] = f"take the place of {incident['id']} at once: {does[0]}"
    elif incident is not None and incident.get("is_shed"):
        does[0] = f"widen {incident['id']}, in which only what is sheddable is stopped: {does[0]}"
    elif incident is not None and incident["goal"] == "off":
        does = ["go on with the shutdown that is under way", does[1]]
    elif incident is not None:
        does[0] = f"turn the way back round, and {does[0]}"
    does_not = ["touch anything outside this cluster"]
    if situation.kept is None and facts.get("vcenter") != "answers":
        does_not.append("be able to stop anything yet: vCenter does not answer, and no snapshot is on record")
    if facts.get("mode") == "observe" or facts.get("is_armed") is False:
        why = "MODE=observe" if facts.get("mode") == "observe" else "NOT ARMED"
        does_not.append(f"be held back by {why}: a person's order acts all the same")
    if facts.get("guard_vms"):
        does_not.append(f"stop {', '.join(facts['guard_vms'])}, in which the guard itself runs, nor its host")
    if unmatched := [host["name"] for host in hosts if not host["bmc"]]:
        does_not.append(f"be able to switch on again {_named(unmatched)}: no BMC is known to be built into it")
    return does, does_not


def _power_on(wish: Wish, situation: Situation) -> _Effects:
    facts, kept = situation.facts, situation.kept
    off = facts.get("off_bmcs") or []
    which = f" ({_named(off)})" if off else ""
    if kept is None and facts.get("incident") is None:
        does = [(f"power on, by their BMCs and one by one, the machines that are off{which}: nothing is on record of "
                 "what ran")]
        does_not = ["start any VM: which ran is not known. Start them by hand, vCenter's first"]
    else:
        what = "what is on record as having run"
        if kept is not None:
            hosts, vms = (sum(1 for one in kind if one.is_on) for kind in (kept.hosts, kept.vms))
            what += f" ({many(hosts, 'host')} and {many(vms, 'VM')}, as of {moment(kept.at)})"
        does = [(f"bring back {what}, as far as it does not run: one host, a watch over the room, the other hosts, "
                 "vCenter, HA and DRS as they were, the VMs")]
        does_not = ["power on any VM that was off before"]
        if wish.unrecorded:
            does.append("where all of that runs already: power on, by their BMCs and one by one, the machines that are "
                        f"off{which}, whatever they are")
        else:
            does_not.append("power on any machine that is not on record as running; --unrecorded does")
    if wish.despite_unseen:
        does.append("count on you: --despite-unseen says that a person stands in the room and has read that it is cool")
    if facts.get("standing") is None:
        does.append("turn round and shut down again if the heat comes back on the way")
    else:
        does_not.append("shut down again if the heat comes back on the way; it only powers nothing more on")
    return does, does_not


def _abort(_wish: Wish, situation: Situation) -> _Effects:
    does = ["end the open incident where it stands: nothing more is commanded"]
    does_not = [
        ("undo anything: HA and DRS stay as they are, what is off stays off, and what has been told to stop may still "
         "stop"),
        ("bring anything back later by itself. `thermo-guard power-on` still can, within 24 hours: after that what is "
         "off counts as switched off on purpose"),
    ]
    if situation.facts.get("level") in {"low", "band"}:
        does.append("leave the alarm as it was: the next confirmed one trips")
    else:
        does_not.append("trip on the alarm again until the room has been below HIGH; the alarm is still told")
    return does, does_not


def _pause(wish: Wish, situation: Situation) -> _Effects:
    how_long = until_when(None if wish.for_s is None else wish.at + wish.for_s)
    does = [f"command nothing {how_long}: an alarm shuts NOTHING down, whatever the heat",
            "go on watching the room and telling"]
    does_not = ["take back what has been sent already"]
    if situation.facts.get("incident") is not None:
        does.append("leave the open incident standing where it is, half-way")
    return does, does_not


def _resume(_wish: Wish, situation: Situation) -> _Effects:
    facts = situation.facts
    does = ["end the pause, and try refused logins again at once"]
    if facts.get("incident") is not None:
        does.append("go on with the open incident")
    elif _stands(facts) and facts.get("is_armed") and facts.get("mode") == "armed":
        does.append("SHUT DOWN AT ONCE: the alarm stands")
    return does, []


def _acknowledge(_wish: Wish, _situation: Situation) -> _Effects:
    return (["stop the hourly reminders until something changes"],
            ["change anything else: what is under way goes on, and new alarms are told"])


def _arm(_wish: Wish, situation: Situation) -> _Effects:
    facts = situation.facts
    takes_hold = "take hold: from now on a confirmed alarm shuts the cluster down; that is kept over restarts"
    confirms = "confirm the cluster as it is now: its hosts, with every VM on them, are what it may stop"
    does = [confirms] if facts.get("is_armed") else [takes_hold, confirms]
    does += [f"do so although this is not in order: {line}" for line in facts.get("lacking") or []]
    does_not = ["touch anything by itself"]
    if facts.get("mode") == "observe":
        does_not = [OBSERVES]
    elif _stands(facts):
        does_not = []
        does.append("SHUT DOWN AT ONCE: the alarm stands")
    return does, does_not


def _rehearse(wish: Wish, situation: Situation) -> _Effects:
    does_not = [
        "touch any other VM or host, nor HA and DRS",
        "hold back an alarm: the shutdown then takes its place at once",
        "be held back by MODE=observe or NOT ARMED: a person's order acts all the same",
    ]
    if wish.host:
        bmc = next((host["bmc"] for host in situation.facts.get("hosts") or []
                    if host["name"].lower() == wish.host.lower()), None)
        return [f"REALLY bring the host {wish.host} into maintenance mode and shut it down",
                f"then power it on by its BMC{f' {bmc}' if bmc else ''}, and take it out of maintenance mode",
                "measure how long each step takes; the expected times are made of that"], does_not
    kept = situation.kept
    vm = None if kept is None else next((vm for vm in kept.vms if wish.vm.lower() in {vm.id, vm.name.lower()}), None)
    what = f"the VM {wish.vm}" if vm is None else f"the VM {vm.name} (on {vm.host}, {in_tier(vm.tier)})"
    return [f"REALLY shut down {what}: by its VMware Tools, by force when its grace is over",
            "then start it again and wait until it is ready",
            "measure how long each step takes; the expected times are made of that"], does_not


OBSERVES = ("act while MODE=observe, which stands above it: nothing is done about an alarm until MODE=armed is set and "
            "Thermo-Guard is restarted")
_EFFECTS = {
    Order.SHUT_DOWN: _shutdown, Order.POWER_ON: _power_on, Order.ABORT: _abort, Order.PAUSE: _pause,
    Order.RESUME: _resume, Order.ACKNOWLEDGE: _acknowledge, Order.ARM: _arm,
    Order.REHEARSE: _rehearse,
}


def _stands(facts: Mapping[str, Any]) -> bool:
    """An alarm would trip as soon as nothing holds it back."""
    return facts.get("level") in _ALARMS and not facts.get("is_shelved") and facts.get("incident") is None


def _refusal(wish: Wish, situation: Situation) -> str:
    """What the guard will say as things stand: its own rule, a tick earlier; empty where nothing is known."""
    if situation.facts.get("journal_fault"):
        return ""  # it goes on from memory, and what was read here is not what it knows
    room, record = _room(situation.facts), situation.record
    begun: RehearsalWished | str = ""
    if wish.order is Order.REHEARSE:
        begun = rehearsal(wish, record, room, situation.kept, plant_of(situation), situation.now)
    unknown = ("what does not run",)  # only the guard has looked
    first, *_ = taken(wish, record, room, situation.now, Grounds(missing=unknown, begun=begun))
    return first.declined if isinstance(first, WishTaken) else ""


def _room(facts: Mapping[str, Any]) -> Assessment:
    level = facts.get("level")
    return Assessment(
        level=None if level is None else Level(level), reasons=(), sensors=(), votes=0, demand=0, hottest_c=None,
        cool_since=None, cool_as_of=None, has_cooled=bool(facts.get("permits_power_on")), is_recovered=False,
    )


def plant_of(situation: Situation) -> PlantNow:
    """The plant as the guard has published it, and where it has not, as its snapshot has it."""
    kept, shown = situation.kept, {host["name"]: host for host in situation.facts.get("hosts") or []}
    if kept is None:
        return plant_now(Sight(Unseen(situation.now, "not looked at")), None, {})
    hosts = tuple(
        Host(host.name, host.address, host.uuid, host.serials, is_connected=power is Power.ON,
             in_maintenance=bool(shown[host.name]["in_maintenance"]) if host.name in shown else host.in_maintenance,
             power=power)
        for host, power in ((host, Power(shown[host.name]["power"]) if host.name in shown else Power.UNKNOWN)
                            for host in kept.hosts)
    )
    vms = tuple(Vm(vm.id, vm.name, vm.host, Power.ON if vm.is_on else Power.OFF, role=vm.role) for vm in kept.vms)
    seen = ClusterSeen(situation.now, kept.cluster, hosts, vms, kept.settings)
    return plant_now(Sight(seen), kept, situation.record.bmc_of)


def begins(wish: Wish, situation: Situation) -> str:
    """What begins now that it was taken up."""
    facts = situation.facts
    match wish.order:
        case Order.SHUT_DOWN:
            return "The cluster is being shut down; it stays down until `thermo-guard power-on`."
        case Order.POWER_ON if situation.kept is None and facts.get("incident") is None:
            return "The machines that are off are being powered on by their BMCs, one by one. Start the VMs by hand."
        case Order.POWER_ON:
            return "What ran before is being brought back."
        case Order.ABORT:
            return "The incident has ended where it stood; nothing more is commanded."
        case Order.PAUSE:
            how_long = until_when(None if wish.for_s is None else wish.at + wish.for_s)
            return f"Paused {how_long}: an alarm shuts NOTHING down."
        case Order.RESUME:
            return "Resumed; refused logins are tried again."
        case Order.ACKNOWLEDGE:
            return "Reminders stop until something changes."
        case Order.REHEARSE:
            return f"{wish.vm or wish.host} is stopped and started again."
        case Order.ARM if facts.get("mode") == "observe":
            return f"Armed; but it will not {OBSERVES}."
        case Order.ARM:
            return "Armed: a confirmed alarm shuts the cluster down."


FOLLOW_ON = ("Look with `thermo-guard status`; `thermo-guard abort` ends it where it stands, and then what is off "
             "stays off.")


def show_step(console: Console, step: Step) -> None:
    """A step that has just been seen."""
    took = "" if step.took_s is None else f", {step.took_s:.0f} s after it was asked"
    console.print(Text(f"  {step.what}{took}"), soft_wrap=not console.is_terminal)


def show_steps(console: Console, course: Course) -> None:
    """How long each step took."""
    table = Table(box=None, padding=(0, 2), title="How long each step took", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for step in course.steps:
        table.add_row(Text(step.what), "" if step.took_s is None else f"{step.took_s:.0f} s")
    table.add_row("in all", f"{course.entries[-1].at - course.entries[0].at:.0f} s")
    console.print(table)


def ended(course: Course | None) -> tuple[str, str]:
    """How a rehearsal ended: a word for programs, and all of it for people."""
    if course is None or not course.is_over:
        return "unfinished", f"It is not over yet. {FOLLOW_ON}"
    if course.overtaken_by:
        return "overtaken", f"{course.overtaken_by[0].upper()}{course.overtaken_by[1:]} has taken its place."
    if course.has_come_back:
        return "came_back", f"{course.begun.name} is back as it was."
    closed = course.closed
    lines = () if closed is None else closed.differences
    if closed is not None and closed.aborted_by:
        return "aborted", "; ".join([f"It was ended where it stood, by {closed.aborted_by}", *lines]) + "."
    return "differs", f"NOT everything is as it was: {'; '.join(lines)}."


def unanswered(number: int, wish: Wish) -> str:
    """The guard has said nothing in time."""
    return (f"The guard has not answered yet. The order lies in its inbox as number {number} and is taken up at the "
            f"guard's next tick; it stays valid until {moment(wish.at + STALE_S)}. Look with `thermo-guard status` "
            "before you say it again.")


def _named(names: list[str], most: int = 8) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
