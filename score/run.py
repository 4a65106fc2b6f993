"""What comes of one draw under each policy: unstopped up to the trip, or lived through as hosts stop and come back."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from score.draw import CRITICAL_C, LOW_C, NEVER, Course, Draw, Truth, truth_of
from score.noise import Pools
from score.policies import Maker, Policy
from score.sensing import EPOCH, Sensor, inlet_polls, room_poll
from thermo_guard.core.decisions import Decision, What
from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.core.readings import Kind, Poll
from thermo_guard.sim.physics import STEP_S, Heat, Outage, warmed


@dataclass(frozen=True, slots=True)
class Outcome:
    """One policy in one draw; times in seconds from the beginning."""

    number: int
    trip_s: float = NEVER
    margin_s: float | None = None
    """Of what was left when the last host was off; minus infinity where nothing stopped it; None: no 40 degC."""
    is_saveable: bool = False
    is_false: bool = False
    """Tripped, and unstopped the air would never have come to HIGH."""
    is_needless: bool = False
    """Tripped, and unstopped the air would never have come to CRITICAL."""
    was_hot: bool = False
    """The air came to CRITICAL while a host was on."""
    restart_s: float | None = None
    """From true recovery to the order that hosts may come back for good."""
    early: int = 0
    """Orders for the first host to come back while the cooling was gone."""
    is_untold: bool = False
    """With its hosts off the room stands, uncooled, where it stood at work: no thermometer tells."""
    early_rest: int = 0
    """Of the restarts, those in which a further host was ordered on while it had been gone for 10 min."""
    is_left_off: bool = False
    """Hours after the cooling is back for good the hosts are still off."""
    stops: int = 0
    stops_needed: int = 0
    told: Mapping[str, int] = field(default_factory=dict)
    why: str = ""
    """The reason of the trip."""

    @property
    def flaps(self) -> int:
        return max(0, self.stops - max(1, self.stops_needed)) if self.stops else 0


class Senses:
    """The sensors of a draw, and when which source is asked."""

    def __init__(self, draw: Draw, pools: Pools) -> None:
        start = draw.site.start
        self.rooms: list[Sensor] = []
        self.inlets: list[Sensor] = []
        for plan in draw.sensors:
            (self.rooms if plan.kind is Kind.ROOM else self.inlets).append(
                Sensor(plan, draw.key, pools, start.air_c, draw.site.power_kw, STEP_S))
        self._all = [*self.rooms, *self.inlets]
        self._draw = draw
        self._room_at_s = 20.0
        self._inlets_at_s = 20.0

    def polls(self, at_s: float, air_c: float, power_kw: float, running: frozenset[int]) -> list[Poll]:
        """What comes in at this time, after STEP_S in this air."""
        for sensor in self._all:
            sensor.feel(air_c, power_kw)
            if at_s >= sensor.next_at_s:
                sensor.measure(at_s)
        polls: list[Poll] = []
        if at_s >= self._room_at_s and self.rooms:
            self._room_at_s += self._draw.room_poll_s
            polls.append(room_poll(self.rooms, at_s))
        if at_s >= self._inlets_at_s and self.inlets:
            self._inlets_at_s += self._draw.inlet_poll_s
            polls += inlet_polls(self.inlets, at_s, running)
        return polls


def unstopped(draw: Draw, makers: Mapping[str, Maker], settings: PolicySettings, pools: Pools
              ) -> tuple[Truth, dict[str, Outcome]]:
    """When each policy trips in a room where nobody stops anything: until then all see the same."""
    truth = truth_of(draw)
    settings = replace(settings, stop_s=draw.site.stop_s)
    policies = {name: make(settings, EPOCH) for name, make in makers.items()}
    tripped: dict[str, tuple[float, str]] = {}
    told = {name: Counter[str]() for name in policies}
    senses, heat, site = Senses(draw, pools), draw.site.start, draw.site
    running = frozenset(range(site.hosts))
    end_s = min(draw.horizon_s, truth.critical_s + 1200.0)
    at_s = 0.0
    while at_s < end_s and len(tripped) < len(policies):
        heat = warmed(site.room, heat, site.power_kw, draw.cooling_kw(heat.air_c, at_s), STEP_S)
        at_s += STEP_S
        polls = senses.polls(at_s, heat.air_c, site.power_kw, running)
        if not polls:
            continue
        for name, policy in policies.items():
            if name in tripped:
                continue
            for poll in polls:
                policy.take(poll)
            for decision in policy.decide(EPOCH + at_s):
                told[name][decision.what] += 1
                if decision.what is What.TRIPPED:
                    tripped[name] = at_s, decision.reason
    return truth, {
        name: _judged(draw, truth, *tripped.get(name, (NEVER, "")), told[name]) for name in policies
    }


def _judged(draw: Draw, truth: Truth, trip_s: float, why: str, told: Counter[str]) -> Outcome:
    stop_s = draw.site.stop_s
    return Outcome(
        draw.number, trip_s, None if truth.critical_s == NEVER else truth.critical_s - trip_s - stop_s,
        truth.is_saveable(stop_s), is_false=trip_s < NEVER and truth.high_s == NEVER,
        is_needless=trip_s < NEVER and truth.critical_s == NEVER, stops=int(trip_s < NEVER), told=told, why=why)


BOOT_S = 240.0
"""From the order until a host draws its idle power; its guests take as long again."""
IDLE = 0.6
"""Of a host's power at work."""
STAGGER_S = 60.0
"""Between two hosts on the way up."""
UNTOLD_K = 1.0
"""Sensors and seasons differ by as much."""
BLIND_S = 600.0
"""Readings that are older are no ground for a restart."""
GONE_S = 600.0
"""Cooling that went only just now nobody can have noticed."""
OVER_S = 3600.0
"""A draw ends so long after everything is back."""


class Hosts:
    """Which hosts run, and what the room draws for them."""

    def __init__(self, draw: Draw) -> None:
        site = draw.site
        self._stop_s = site.stop_s
        self._rest_kw = site.power_kw * site.rest
        self._host_kw = site.power_kw * (1 - site.rest) / site.hosts
        self._on_from: dict[int, float] = dict.fromkeys(range(site.hosts), -math.inf)
        self._count = site.hosts
        self._stops_from: float | None = None
        self._settled_s = -math.inf
        """From here on every host that is on is at work."""
        self.first_up_s: float | None = None
        """When the first of a restart is on."""
        self._last_order_s = 0.0

    def stop(self, at_s: float) -> None:
        if self._stops_from is None:
            self._stops_from = at_s
            self.first_up_s = None
            self._on_from = {host: since for host, since in self._on_from.items() if since <= at_s}

    def start_first(self, at_s: float) -> None:
        self._stops_from = None
        self._on_from = {0: at_s + BOOT_S}
        self._settled_s = at_s + 2 * BOOT_S
        self.first_up_s = at_s + BOOT_S
        self._last_order_s = at_s

    def start_next(self, at_s: float) -> None:
        self._on_from[len(self._on_from)] = at_s + BOOT_S
        self._settled_s = at_s + 2 * BOOT_S
        self._last_order_s = at_s

    def is_next_due(self, at_s: float) -> bool:
        """The first has been ordered on, not yet all, and none just now."""
        is_some_left = self.first_up_s is not None and len(self._on_from) < self._count
        return is_some_left and at_s >= self._last_order_s + STAGGER_S

    @property
    def are_back(self) -> bool:
        """All of them run, or have been told to."""
        return self._stops_from is None and len(self._on_from) == self._count

    def running(self, at_s: float) -> frozenset[int]:
        """In a stop guests go off in the first 40 % of X, the hosts one by one until its end."""
        if self._stops_from is None and at_s > self._settled_s:
            return frozenset(self._on_from)
        if self._stops_from is not None and at_s > self._stops_from + self._stop_s:
            return frozenset()
        return frozenset(host for host, since in self._on_from.items() if since <= at_s < self._off_at(host))

    def _off_at(self, host: int) -> float:
        if self._stops_from is None:
            return math.inf
        return self._stops_from + self._stop_s * (0.4 + 0.6 * (host + 1) / self._count)

    def power_kw(self, at_s: float, running: frozenset[int]) -> float:
        if self._stops_from is None and at_s > self._settled_s:
            return self._rest_kw + self._host_kw * len(running)
        power_kw = self._rest_kw
        for host in running:
            load = min(1.0, IDLE + (1 - IDLE) * max(0.0, at_s - self._on_from[host]) / BOOT_S)
            if self._stops_from is not None:
                load = min(load, max(IDLE, 1 - (1 - IDLE) * (at_s - self._stops_from) / (0.4 * self._stop_s)))
            power_kw += load * self._host_kw
        return power_kw


class Life:
    """A draw lived through under one policy."""

    def __init__(self, draw: Draw, policy: Policy, pools: Pools) -> None:
        self._draw = draw
        self._policy = policy
        self._hosts = Hosts(draw)
        self._senses = Senses(draw, pools)
        self._courses: list[Course] = list(draw.courses)
        self._has_relapsed = False
        self._good_from_s = draw.back_s if draw.back_s is not None else NEVER
        """The cooling is back for good."""
        self._cool_from_s: float | None = None
        """Since when the air has been at or under LOW with it."""
        self.orders: list[tuple[float, bool]] = []
        """When hosts were allowed back, and whether there was cooling then."""
        self.early_rest = 0
        self._is_rest_early = False
        self._cooled_s = 0.0
        """When the cooling last worked."""
        self.stops: list[float] = []
        self.why = ""
        self.was_hot = False
        self.told: Counter[str] = Counter()

    def through(self) -> Iterator[tuple[float, float, tuple[Decision, ...]]]:
        """Step by step: the time, the air, what was decided."""
        draw, site = self._draw, self._draw.site
        heat: Heat = site.start
        at_s = 0.0
        running = self._hosts.running(at_s)
        while at_s < draw.horizon_s and not self._is_over(at_s):
            power_kw = self._hosts.power_kw(at_s, running)
            share = min([course.share(at_s) for course in self._courses])
            heat = warmed(site.room, heat, power_kw, share * site.cooling.kw(heat.air_c), STEP_S)
            at_s += STEP_S
            self._cooled_s = at_s if share > 0 else self._cooled_s
            running = self._hosts.running(at_s)
            self.was_hot = self.was_hot or (heat.air_c >= CRITICAL_C and bool(running))
            self._note_cool(at_s, heat.air_c)
            polls = self._senses.polls(at_s, heat.air_c, power_kw, running)
            decided: tuple[Decision, ...] = ()
            if polls:
                for poll in polls:
                    self._policy.take(poll)
                decided = self._policy.decide(EPOCH + at_s)
                for decision in decided:
                    self._act(decision, at_s, is_cooled=share > 0 and not self._is_blind(at_s))
                self._stage(at_s, is_cooled=at_s < self._cooled_s + GONE_S and not self._is_blind(at_s))
            yield at_s, heat.air_c, decided

    def _is_over(self, at_s: float) -> bool:
        """The cooling is back for good, and the hosts have long been so too."""
        last_s = max(self._good_from_s, self.orders[-1][0] if self.orders else 0.0)
        return self._hosts.are_back and at_s > last_s + OVER_S and (
            self._draw.relapse is None or self._has_relapsed or not self.stops)

    def _is_blind(self, at_s: float) -> bool:
        """What its last readings said of it is no reason to restart."""
        silent = self._draw.blind_s
        return silent is not None and silent[0] + BLIND_S <= at_s < silent[1]

    def _note_cool(self, at_s: float, air_c: float) -> None:
        if at_s < self._good_from_s or air_c > LOW_C or self._is_blind(at_s):
            self._cool_from_s = None
        elif self._cool_from_s is None and (self._draw.relapse is None or self._has_relapsed):
            self._cool_from_s = at_s

    def _act(self, decision: Decision, at_s: float, *, is_cooled: bool) -> None:
        self.told[decision.what] += 1
        if decision.what is What.TRIPPED:
            self.stops.append(at_s)
            self.why = self.why or decision.reason
            self._hosts.stop(at_s)
        elif decision.what is What.PERMISSIVE:
            self.orders.append((at_s, is_cooled))
            self._hosts.start_first(at_s)
            self._is_rest_early = False
            self._fail_again(at_s)

    def _fail_again(self, at_s: float) -> None:
        again = self._draw.relapse
        if again is not None and not self._has_relapsed and at_s >= self._good_from_s:
            self._has_relapsed = True
            fails_s = at_s + again.after_s
            self._good_from_s = fails_s + again.lasts_s
            self._courses.append(Outage(fails_s, self._good_from_s, again.restart_s))

    def _stage(self, at_s: float, *, is_cooled: bool) -> None:
        """A host at a time, while the policy finds the room level."""
        first_up_s = self._hosts.first_up_s
        if first_up_s is None or not self._hosts.is_next_due(at_s):
            return
        if self._policy.is_clear(EPOCH + first_up_s, EPOCH + at_s):
            self._hosts.start_next(at_s)
            self.early_rest += not is_cooled and not self._is_rest_early
            self._is_rest_early = self._is_rest_early or not is_cooled

    @property
    def restart_s(self) -> float | None:
        """From true recovery until the last order to come back, if that was after it."""
        if not self.orders or self._cool_from_s is None:
            return None
        return self.orders[-1][0] - self._cool_from_s


def lived(draw: Draw, make: Maker, settings: PolicySettings, pools: Pools, truth: Truth) -> Outcome:
    life = Life(draw, make(replace(settings, stop_s=draw.site.stop_s), EPOCH), pools)
    for _ in life.through():
        pass
    trip_s = life.stops[0] if life.stops else NEVER
    site = draw.site
    idle_c = site.room.outside_c + site.power_kw * site.rest / site.room.leak_kw_per_k
    needed = int(truth.high_s < NEVER) + int(draw.relapse is not None and bool(life.orders))
    judged = _judged(draw, truth, trip_s, life.why, life.told)
    return replace(
        judged, was_hot=life.was_hot, is_untold=idle_c <= truth.normal_c + UNTOLD_K, restart_s=life.restart_s,
        stops=len(life.stops), stops_needed=needed,
        early=sum(not is_cooled for _, is_cooled in life.orders), early_rest=life.early_rest,
        is_left_off=bool(life.stops) and (not life.orders or life.orders[-1][0] < life.stops[-1]))


