"""What the loop shows of itself at each tick: facts as plain data, for `status`, the health check and later pages."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from thermo_guard.core.assessment import SensorNow
from thermo_guard.core.goal import is_paused
from thermo_guard.core.messages import described
from thermo_guard.core.policy import Assessment
from thermo_guard.core.view import PlantNow

if TYPE_CHECKING:
    from .loop import Loop

QUIET_BOUND_S = 20.0
INCIDENT_BOUND_S = 10.0
"""In quiet time and in an incident, a tick comes at least this often; the health check allows three times as much."""
_WAITS_SHOWN = 20


def status(loop: "Loop", assessment: Assessment, plant: PlantNow, now: float) -> Mapping[str, object]:
    """The loop's state; times are seconds since 1970 UTC, temperatures degrees Celsius."""
    record, step = loop.ledger.record, loop.step
    incident, stance = record.incident, loop.arming.stance(now)
    count = loop.lookout.counts.shown
    return {
        "at": now,
        "mode": str(loop.settings.mode),
        "is_armed": record.armed is not None,
        "standing": stance.why,
        "lacking": list(stance.lacking),
        "is_paused": is_paused(record, now),
        "paused_until": None if math.isinf(record.paused_until or 0.0) else record.paused_until,
        "is_shelved": record.is_shelved,
        "acknowledged": None if (known := record.acknowledged) is None else {"at": known[0], "by": known[1]},
        "refused_logins": [
            {"endpoint": r.endpoint, "user": r.user, "until": r.until, "why": r.why}
            for r in record.refused.values()
        ],
        "level": None if assessment.level is None else str(assessment.level),
        "permits_power_on": assessment.permits_power_on,
        "reasons": list(assessment.reasons),
        "decides": str(assessment.kind),
        "poll_fault": None if loop.lookout.polls.fault is None else str(loop.lookout.polls.fault),
        "journal_fault": loop.ledger.fault,
        "hottest_c": assessment.hottest_c,
        "votes": assessment.votes,
        "demand": assessment.demand,
        "stage": assessment.stage.name.lower(),
        "degraded": assessment.degraded or None,
        "not_yet": assessment.not_yet or None,
        "projection": None if assessment.projection is None else assessment.projection.as_data(),
        "stop_s": loop.stop_time.policy.stop_s,
        "sensors": _sensors(assessment.sensors),
        "inlets": _sensors(assessment.inlets),
        "meraki_alerting_sensors": None if count is None else count.temperature,
        "cluster": plant.cluster or None,
        "vcenter": "answers" if plant.settings is not None else _why(loop),
        "hosts": [{"name": host.name, "power": str(host.power), "in_maintenance": host.in_maintenance,
                   "bmc": host.bmc} for host in plant.hosts.values()],
        "guard_vms": [vm.name for vm in loop.ledger.snapshot.guard_vms] if loop.ledger.snapshot is not None else [],
        "vms_on": sum(1 for vm in plant.vms.values() if vm.power == "on"),
        "off_bmcs": list(loop.orders.leftovers()),
        "snapshot_at": None if loop.ledger.snapshot is None else loop.ledger.snapshot.at,
        "incident": None if incident is None else {
            "id": incident.id,
            "goal": str(incident.goal),
            "goal_since": incident.goal_since,
            "reasons": list(incident.reasons),
            "wished_by": incident.wished_by or None,
            "is_shed": incident.is_shed,
            "way_back_waits_for": incident.waits_for or None,
            "haste": incident.haste,
            "phase": None if step is None else str(step.phase),
            "phase_in_words": None if step is None else described(
                step.phase, step.tier, incident,
            ),
            "waits": [] if step is None else [
                {"for": wait.target, "what": wait.what, "until": wait.until} for wait in step.waits[:_WAITS_SHOWN]
            ],
            "needs_person": [
                *(["whether to go on after so long: `thermo-guard resume`, `abort` or `power-on`"]
                  if incident.is_doubted else []),
                *(f"{a.target_kind} {a.name}: {a.reason}" for a in incident.abandoned.values()),
            ],
        },
        "last_incident": None if loop.ledger.record.closed is None else {
            "id": loop.ledger.record.closed[1].incident,
            "closed_at": loop.ledger.record.closed[0],
            "differences": list(loop.ledger.record.closed[1].differences),
        },
    }


def _sensors(sensors: Sequence[SensorNow]) -> list[Mapping[str, object]]:
    return [{"sensor": s.sensor, "celsius": s.celsius, "age_s": s.age_s, "is_fresh": s.is_fresh, "why": s.why}
            for s in sensors]


def _why(loop: "Loop") -> str:
    fault = loop.lookout.cluster.fault
    return "not looked at yet" if fault is None else f"silent: {fault}"
