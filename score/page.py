"""docs/DECISIONS.md: what was found, as tables, in a short frame that holds no result."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from score import verdict
from score.benign import Spell
from score.measures import Burn, Calm, burn_of, calm_of, poisson_upper, quantile, return_of, wilson
from score.policies import ANY, OURS, POLICIES, SEEN, TWO
from score.rows import ROWS, Row
from score.traces import Trace
from score.verdict import Price, Prices, minutes
from score.work import CALM, GROUPS, Scored
from thermo_guard.core.decisions import What

HEAD = """\
# Decisions
What the policy would have done, against two rules that people write themselves. Written by `make score`; nothing here
is typed in.

- **{ours}**: the policy as it ships, every setting at its default; it is told X, the time to stop everything.
- **{any}**: one room sensor at or above 35 degC trips at once.
- **{two}**: two room sensors for a minute (one, where there is only one).

Both rules restart host after host when every room sensor has been below 30 degC for 15 min.

## How to read it
A draw is a room: volume, racks, 3 to 20 kW, heat in the mass, walls, outside air, cooling, time X to stop everything (5
to 15 min), room sensors with lags of 60 to 300 s, 0.1 degC and up to 1 degC off, inlets of BMCs in whole degrees that
breathe up to 4 K of their own air; all from the ranges published for small server rooms, none fitted to a measured
one. A row is {draws:,} draws, the same for every policy; number and row are the seed (`python -m score --draw
"Dips:17"` shows one).

- **margin**: what is left when the last host is off until the true air would have reached 40 degC had nobody stopped
  anything. p1: all but one in a hundred are better.
- **saveable**: physics allows it at all: an oracle that knows the true air and trips when it is 3 K above what it was
  before the failure has the last host off in time. **saved**: of those, margin at or above 0; in brackets the bounds of
  the share at 95 %. Margins are those of the saveable draws.
- **in sight**: of the saveable, those in which a trip would have been in time when two well sensors, of whatever kind,
  first stood at LOW (inlets at their own). No rule that holds a floor and asks for a second source can do better.
- **false**: trips in draws in which unstopped the air never comes to 35 degC, and how many such draws there are.
  **needless**: trips where it never comes to 40 degC.
- **too early**: an order for hosts to come back while the cooling is gone, or while no room sensor has been heard for
  10 min: for the first, and for more (of cooling that has been gone for 10 min). In brackets: in rooms that with their
  hosts off stand, uncooled, where they stood at work, or colder: no thermometer tells that nothing cools them.
  **restart**: from true recovery (cooling back for good, and the air at or below 30 degC from there on) to the last
  order to come back. **flaps**: stops beyond those that the cooling's course needs. **left off**: still off at the end.
- **trips a sensor-year**: of room sensors alone, inlets not counted; at most so many with 95 % confidence.
"""

NOT_SHOWN = """\
## Not shown
- The model has one node of air: no hot aisle, no corner that warms first, no duct. Real rooms are worse and better.
- X is known exactly here and is drawn; the guard computes it from what it has measured.
- Humidity, smoke, UPS and power failures; an air conditioner that heats.
- Whole incidents with vCenter, BMCs and crashes: `thermo-guard simulate` and docs/RELIABILITY.md.
- Three faulty sensors of three at once, but silence.
"""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a run has found."""

    rows: Mapping[str, Sequence[Scored]]
    groups: Mapping[str, Sequence[Mapping[str, Spell]]]
    traces: Sequence[Trace]
    is_noise_real: bool
    draws: int
    date: str


def page(found: Findings) -> str:
    paid = prices(found)
    parts = [
        HEAD.format(ours=OURS, any=ANY, two=TWO, draws=found.draws),
        f"Run on {found.date}, {found.draws:,} draws a row. " + (
            "Noise: resampled in blocks from real traces (room air, BMC inlets, an office's days)."
            if found.is_noise_real else
            "Noise: **fitted**, since the real traces are not beside the project."),
        _wanted(found),
        *_burns(found, paid), *_returns(found, paid), *_calms(found, paid), _faults(found), _traces(found), NOT_SHOWN,
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def prices(found: Findings) -> Prices:
    """What each baseline pays, by this run: its false trips in benign rooms, and the burning rooms it loses."""
    paid = {name: {Price.FALSE_TRIPS: _false_trips(found, name), Price.ROOMS_LOST: _rooms_lost(found, name)}
            for name in verdict.BASELINES}
    return {name: {price: words for price, words in mine.items() if words} for name, mine in paid.items()}


def _false_trips(found: Findings, name: str) -> str:
    for group in GROUPS:
        if spent := found.groups.get(group.name):
            mine, theirs = (calm_of([s[n] for s in spent], group.days, "") for n in (OURS, name))
            if theirs.trips > mine.trips:
                return (f"which costs {theirs.trips / theirs.years:.3g} false trips a sensor-year against "
                        f"{mine.trips / mine.years:.3g} ({group.name})")
    return ""


def _rooms_lost(found: Findings, name: str) -> str:
    for row_name, scored in found.rows.items():
        mine, theirs = (burn_of([s.outcomes[n] for s in scored], 0) for n in (OURS, name))
        if mine.saved > theirs.saved:
            return f"which costs {mine.saved - theirs.saved} rooms of {mine.saveable} that ours saves ({row_name})"
    return ""


def _figures(scored: Sequence[Scored]) -> dict[str, Burn]:
    cool = sum(s.is_cool for s in scored)
    return {name: burn_of([s.outcomes[name] for s in scored], cool) for name in POLICIES}


def _of(row: Row) -> str:
    return f"**{row.name}**: {row.what}."


def _burns(found: Findings, paid: Prices) -> list[str]:
    lines: list[list[str]] = []
    said: list[str] = []
    for row in ROWS:
        scored = found.rows.get(row.name)
        if not scored or row.is_lived:
            continue
        figures = _figures(scored)
        in_sight = sum(_is_in_sight(s) for s in scored)
        for name, burn in figures.items():
            lines.append([
                row.name if name == OURS else "", name, f"{burn.saveable}" if name == OURS else "",
                f"{in_sight}" if name == OURS else "", _share(burn.saved, burn.saveable), _min(burn.least_s),
                _min(burn.median_s), f"{burn.false} of {burn.cool}", str(burn.needless)])
        said.append(f"- {_of(row)} {_sentence(verdict.verdict(verdict.BURN, figures, paid))}")
    if not lines:
        return []
    head = ["row", "policy", "saveable", "in sight", "saved", "margin p1", "median", "false", "needless"]
    return ["## Rooms that burn, and rooms that only look so", _table(head, lines), "\n".join(said)]


def _is_in_sight(scored: Scored) -> bool:
    margin = scored.outcomes[SEEN].margin_s
    return scored.outcomes[SEEN].is_saveable and margin is not None and margin >= 0


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _min(seconds: float | None) -> str:
    return "" if seconds is None else minutes(seconds)


def _share(hits: int, of: int) -> str:
    if not of:
        return ""
    low, high = wilson(hits, of)
    return f"{hits} = {100 * hits / of:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _returns(found: Findings, paid: Prices) -> list[str]:
    lines: list[list[str]] = []
    said: list[str] = []
    for row in ROWS:
        scored = found.rows.get(row.name)
        if not scored or not row.is_lived:
            continue
        figures = {name: return_of([s.outcomes[name] for s in scored]) for name in POLICIES}
        for name, back in figures.items():
            lines.append([
                row.name if name == OURS else "", name, str(back.tripped), str(back.hot),
                f"{back.early} ({back.early_untold})",
                str(back.early_rest), _min(back.median_s), _min(back.p90_s), str(back.flaps), str(back.not_back)])
        said.append(f"- {_of(row)} {_sentence(verdict.verdict(verdict.RETURN, figures, paid))}")
    if not lines:
        return []
    head = ["row", "policy", "tripped", "a host on at 40 degC", "first too early", "more too early", "restart median",
            "p90", "flaps", "left off"]
    return ["## Rooms that recover", _table(head, lines), "\n".join(said)]


def _calms(found: Findings, paid: Prices) -> list[str]:
    lines: list[list[str]] = []
    said: list[str] = []
    for group in GROUPS:
        if not (spent := found.groups.get(group.name)):
            continue
        figures: dict[str, Calm] = {}
        for name in POLICIES:
            figures[name] = calm = calm_of([s[name] for s in spent], group.days, What.WARNED)
            suspects = calm_of([s[name] for s in spent], group.days, What.SENSOR_SUSPECT).warnings_a_week
            blind = calm_of([s[name] for s in spent], group.days, What.BLIND).warnings_a_week
            told = [f"{number:.2f}" for number in (calm.warnings_a_week, suspects, blind)]
            lines.append([
                group.name if name == OURS else "", name, f"{calm.years:.1f}" if name == OURS else "", str(calm.trips),
                f"{calm.trips / calm.years:.3g}", f"{calm.upper:.3g}", *(told if name == OURS else ["", "", ""])])
        said.append(f"- **{group.name}**: {group.what}. {_sentence(verdict.verdict(verdict.CALM, figures, paid))}")
    if not lines:
        return []
    head = ["row", "policy", "sensor-years", "trips", "a sensor-year", "at most (95 %)", "warnings a week and room",
            "sensors suspected", "blind"]
    return ["## Rooms in which nothing is wrong", _table(head, lines), "\n".join(said)]


def _faults(found: Findings) -> str:
    """What each kind of fault costs ours, by the same draw with every sensor well."""
    costs: dict[str, list[float]] = defaultdict(list)
    shares: dict[str, list[bool]] = defaultdict(list)
    for scored in found.rows.get("Burning, one of three bad", ()):
        mine, twin = scored.outcomes[OURS], scored.twins[OURS]
        if mine.margin_s is not None and twin.margin_s is not None and twin.is_saveable:
            costs[scored.label].append(mine.trip_s - twin.trip_s)
            shares[scored.label].append(mine.margin_s >= 0 or twin.margin_s < 0)
    if not costs:
        return ""
    lines = []
    for label in sorted(costs):
        cost, kept = costs[label], shares[label]
        lines.append([label, str(len(cost)), _cost(quantile(cost, 0.5)), _cost(quantile(cost, 0.99)),
                      f"{sum(c <= 60 for c in cost)}", f"{len(kept) - sum(kept)}"])
    everything = [c for some in costs.values() for c in some]
    lines.append(["all", str(len(everything)), _cost(quantile(everything, 0.5)), _cost(quantile(everything, 0.99)),
                  str(sum(c <= 60 for c in everything)), str(sum(not k for some in shares.values() for k in some))])
    head = ["one of three", "saveable", "costs, median", "p99", "a minute or less", "lost by it"]
    return "\n".join([
        "## What a bad sensor costs", "",
        "The time by which ours trips later than in the same draw with every sensor well; negative where it trips",
        "sooner, as a drift upward or a sensor that falls out of a vote may make it.", "", _table(head, lines)])


def _cost(seconds: float | None) -> str:
    return "" if seconds is None else minutes(seconds)


def _traces(found: Findings) -> str:
    if not found.traces:
        return "## Public traces\nLeft out: they are not beside the project."
    lines = [[t.name, t.what, *(t.trips.get(name, "no trip").replace("|", "/") for name in POLICIES)]
             for t in found.traces]
    seen = [f"- {t.name}: {'; '.join(t.suspects)}" for t in found.traces if t.suspects]
    return "\n".join(["## Public traces", "No trip is wanted in any.", "",
                      _table(["trace", "what", *POLICIES], lines), "", "Sensors that ours suspected:" if seen else "",
                      *seen])


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of ours, and whether it is so."""

    what: str
    found: str
    is_met: bool


def _wanted(found: Findings) -> str:
    lines = [[wish.what, wish.found, "yes" if wish.is_met else "**no**"] for wish in wishes(found)]
    return "\n".join(["## Wanted, and found", "", _table(["wanted", "found", "met"], lines)])


def wishes(found: Findings) -> list[Wish]:
    """What the project set itself, against this run."""
    return [*_wishes_of_burning(found), *_wishes_of_calm(found), *_wishes_of_return(found)]


def _wishes_of_burning(found: Findings) -> list[Wish]:
    told = []
    for row in ROWS:
        if row.is_lived or not (scored := found.rows.get(row.name)):
            continue
        burn = _figures(scored)[OURS]
        if burn.share is None:
            continue
        seen = [s for s in scored if _is_in_sight(s)]
        kept = sum((s.outcomes[OURS].margin_s or 0.0) >= 0 for s in seen)
        of_seen = f"; of those in sight {100 * kept / len(seen):.1f} %" if seen else ""
        told.append(Wish(f"{row.name}: margin at or above 0 in 99 % of the saveable draws",
                         f"{100 * burn.share:.1f} %{of_seen}", burn.share >= 0.99))
    costs = [s.outcomes[OURS].trip_s - s.twins[OURS].trip_s for s in found.rows.get("Burning, one of three bad", ())
             if s.twins[OURS].is_saveable and s.twins[OURS].margin_s is not None]
    if costs:
        within = sum(c <= 60 for c in costs) / len(costs)
        told.append(Wish("One bad sensor of three costs at most a minute", f"in {100 * within:.1f} % of the draws",
                         within >= 0.99))
    return told


def _wishes_of_calm(found: Findings) -> list[Wish]:
    if not (spent := found.groups.get(CALM.name)):
        return []
    calm = calm_of([s[OURS] for s in spent], CALM.days, What.WARNED)
    return [Wish("No false trip in at least 30 sensor-years",
                 f"{calm.trips} in {calm.years:.1f}, so at most {poisson_upper(calm.trips) / calm.years:.3g} a year",
                 calm.trips == 0 and calm.years >= 30)]


def _wishes_of_return(found: Findings) -> list[Wish]:
    told = []
    if scored := found.rows.get("Recovery"):
        waits = [s.outcomes[OURS].restart_s for s in scored]
        known = [wait for wait in waits if wait is not None and wait >= 0]
        late = sum(wait > 2700 for wait in known)
        soon = sum(wait < 900 for wait in known)
        told.append(Wish("Restart 15 to 45 min after true recovery",
                         f"{len(known) - late - soon} of {len(known)}; sooner {soon}, in rooms that were cool before; "
                         f"later {late}", bool(known) and soon + late <= 0.01 * len(known)))
    if scored := found.rows.get("False recovery"):
        back = return_of([s.outcomes[OURS] for s in scored])
        told.append(Wish("No restart in a false recovery",
                         f"{back.early} first hosts, {back.early_untold} of them where no thermometer tells; "
                         f"{back.early_rest} times more", back.early == 0))
    return told


def worst(found: Findings, number: int) -> Iterable[str]:
    """For each row, the draws in which ours came off worst: a line each, for whoever betters the policy."""
    for row in ROWS:
        rank = _return_rank if row.is_lived else _burn_rank
        for scored in sorted(found.rows.get(row.name, ()), key=rank)[:number]:
            o = scored.outcomes[OURS]
            others = ", ".join(f"{name} {_min(other.margin_s)}" for name, other in scored.outcomes.items()
                               if name != OURS)
            yield (f"{row.name}:{scored.number} {scored.label} margin {_min(o.margin_s)} trip {o.trip_s:.0f} s "
                   f"false {o.is_false} early {o.early}/{o.early_rest} flaps {o.flaps} left off {o.is_left_off} "
                   f"({others}) {o.why}")




def _burn_rank(scored: Scored) -> float:
    mine = scored.outcomes[OURS]
    if mine.is_saveable and mine.margin_s is not None:
        return mine.margin_s
    return -1e6 if mine.is_false else 1e9


def _return_rank(scored: Scored) -> float:
    mine = scored.outcomes[OURS]
    return -float(100 * mine.early_rest + 50 * mine.is_left_off + 10 * mine.early + mine.flaps)
