"""What the guard is told of a room: sensors with their lag, steps, noise and faults, and how they are polled."""

import math
import random
from dataclasses import dataclass
from enum import StrEnum

from score.noise import Pools, Stream
from thermo_guard.core.readings import Kind, Poll, Reading, Rejected
from thermo_guard.sim.physics import Probe, quantised

EPOCH = 1_767_225_600.0
"""The beginning of every draw, on the guard's line and since 1970 alike."""


class Wrong(StrEnum):
    """What a sensor may do instead of measuring."""

    ZERO = "says 0"
    NO_PROBE = "says -127"
    POWER_ON = "says 85"
    ALL_BITS = "says 255"
    NAN = "says NaN"
    FAHRENHEIT = "Fahrenheit"
    STUCK = "stuck"
    DRIFT_UP = "drifts up"
    DRIFT_DOWN = "drifts down"
    SPIKES = "spikes"
    OFFLINE = "offline, last value served"
    GONE = "not listed"
    REJECTED = "no number"
    FUTURE = "stamps in the future"
    REPEATED = "stamp repeated"


CONSTANT = {Wrong.ZERO: 0.0, Wrong.NO_PROBE: -127.0, Wrong.POWER_ON: 85.0, Wrong.ALL_BITS: 255.0, Wrong.NAN: math.nan}


@dataclass(frozen=True, slots=True)
class Fault:
    wrong: Wrong
    start_s: float
    size: float = 0.0
    """K an hour of a drift, K of a spike."""
    end_s: float = math.inf


@dataclass(frozen=True, slots=True)
class SensorPlan:
    name: str
    kind: Kind
    probe: Probe
    cadence_s: float
    phase_s: float
    """Its first measurement comes so long after the beginning."""
    host: int = 0
    """Of an inlet: whose."""
    fault: Fault | None = None


class Sensor:
    """One sensor in a draw. Its noise is drawn in any case, so that a fault shifts no dice."""

    def __init__(self, plan: SensorPlan, key: str, pools: Pools, air_c: float, power_kw: float, step_s: float) -> None:
        self.plan = plan
        self.felt_c = plan.probe.settled_c(air_c, power_kw)
        self._bias_c, self._near_k_per_kw = plan.probe.bias_c, plan.probe.near_k_per_kw
        self._left = math.exp(-step_s / plan.probe.tau_s)
        self.next_at_s = 0.0
        is_room = plan.kind is Kind.ROOM
        stride = max(1, round(plan.cadence_s / 5)) if is_room else 1
        self._noise = Stream(pools.air if is_room else pools.inlets, stride, f"{key}/{plan.name}")
        self._dice = random.Random(f"{key}/{plan.name}/fault")
        self._stuck_c: float | None = None
        self.sent: Reading | Rejected | None = None
        self.measure(plan.phase_s - plan.cadence_s)

    def feel(self, air_c: float, power_kw: float) -> None:
        """Follow the air for a step."""
        settled_c = air_c + self._bias_c + self._near_k_per_kw * power_kw
        self.felt_c = settled_c + (self.felt_c - settled_c) * self._left

    def measure(self, at_s: float, *, extra_k: float = 0.0) -> None:
        """Take the measurement that is due."""
        self.next_at_s = at_s + self.plan.cadence_s
        noise = self._noise.next()
        odds = self._dice.random()
        celsius = quantised(self.felt_c + extra_k + noise, self.plan.probe.step_c)
        fault = self.plan.fault
        stamp = EPOCH + float(math.floor(at_s))
        if fault is None or not fault.start_s <= at_s < fault.end_s:
            self._stuck_c = celsius
            self._send(celsius, stamp, at_s)
        else:
            self._send_wrongly(fault, celsius, stamp, at_s, odds)

    def _send_wrongly(self, fault: Fault, celsius: float, stamp: float, at_s: float, odds: float) -> None:
        match fault.wrong:
            case Wrong.ZERO | Wrong.NO_PROBE | Wrong.POWER_ON | Wrong.ALL_BITS | Wrong.NAN:
                self._send(CONSTANT[fault.wrong], stamp, at_s)
            case Wrong.FAHRENHEIT:
                self._send(round(celsius * 9 / 5 + 32, 1), stamp, at_s)
            case Wrong.STUCK:
                self._stuck_c = celsius if self._stuck_c is None else self._stuck_c
                self._send(self._stuck_c, stamp, at_s)
            case Wrong.DRIFT_UP | Wrong.DRIFT_DOWN:
                sign = 1 if fault.wrong is Wrong.DRIFT_UP else -1
                drifted = celsius + sign * fault.size * (at_s - fault.start_s) / 3600
                self._send(quantised(drifted, self.plan.probe.step_c), stamp, at_s)
            case Wrong.SPIKES:
                self._send(celsius + (fault.size if odds < 0.15 else 0.0), stamp, at_s)
            case Wrong.OFFLINE:
                pass
            case Wrong.GONE:
                self.sent = None
            case Wrong.REJECTED:
                self.sent = Rejected(self.plan.name, "no number", self.plan.kind)
            case Wrong.FUTURE:
                self._send(celsius, stamp + 7200, at_s)
            case Wrong.REPEATED:
                self._send(celsius, EPOCH + float(int(fault.start_s)), at_s)

    def _send(self, celsius: float, stamp: float, at_s: float) -> None:
        self.sent = Reading(self.plan.name, celsius, stamp, EPOCH + at_s, 0.0, self.plan.kind)

    def shown(self, now_s: float, *, is_running: bool | None) -> Reading | Rejected | None:
        """What a source answers for it."""
        sent = self.sent
        if not isinstance(sent, Reading):
            return sent
        now = EPOCH + now_s
        return Reading(sent.sensor, sent.celsius, sent.stamp, now, max(0.0, now - sent.stamp), sent.kind, is_running)


def room_poll(sensors: list[Sensor], now_s: float) -> Poll:
    """One answer of the room's source; it lists all of its sensors."""
    shown = [s.shown(now_s, is_running=None) for s in sensors]
    return Poll(EPOCH + now_s, tuple(r for r in shown if isinstance(r, Reading)),
                tuple(r for r in shown if isinstance(r, Rejected)))


def inlet_polls(sensors: list[Sensor], now_s: float, running: frozenset[int]) -> list[Poll]:
    """The answers of the BMCs, each for itself."""
    polls = []
    for sensor in sensors:
        shown = sensor.shown(now_s, is_running=sensor.plan.host in running)
        if shown is not None:
            polls.append(Poll(
                EPOCH + now_s, (shown,) if isinstance(shown, Reading) else (),
                (shown,) if isinstance(shown, Rejected) else (), Kind.BMC, lists_all=False))
    return polls
