"""The settings of a simulated guard: short times, so that a whole incident is some minutes, and their bounds."""

from collections.abc import Mapping
from dataclasses import replace

from thermo_guard.core.goal import Mode
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.runbook import Runbook, TierRule
from thermo_guard.core.step import DIRECT_S, DISARM_S, GIVE_UP_S, RESTORE_S, TERMINATE_S, Timing
from thermo_guard.engine.terms import LoopSettings

SETTINGS = LoopSettings(
    policy=PolicySettings(critical_c=60.0, recovery_hold_s=180.0, watch_s=60.0),
    timing=Timing(
        vm_shutdown_s=120.0, host_shutdown_s=300.0, maintenance_s=60.0, vcenter_shutdown_s=240.0, host_boot_s=900.0,
        host_stagger_s=5.0, vcenter_start_s=900.0, vm_start_s=180.0, power_on_limit=50,
    ),
    active_s=20.0, snapshot_s=300.0, arm_after_s=120.0,
)
TUNABLE = frozenset({
    "active_s", "vm_shutdown_s", "critical_c", "max_age_s", "force_bmc_off", "answers_questions", "unarmed", "observe",
    "sheds_tier",
})
"""`unarmed`: the guard begins in a new folder and must prove itself; `observe`: MODE=observe; `sheds_tier`: which tier
may be shed."""


def settings_of(tuning: Mapping[str, float]) -> LoopSettings:
    """:raises ValueError: a name is not tunable."""
    if unknown := set(tuning) - TUNABLE:
        raise ValueError(f"not tunable: {', '.join(sorted(unknown))}")
    timing, policy = SETTINGS.timing, SETTINGS.policy
    return replace(
        SETTINGS, active_s=tuning.get("active_s", SETTINGS.active_s),
        mode=Mode.OBSERVE if tuning.get("observe") else Mode.ARMED,
        runbook=Runbook(tiers={int(tuning["sheds_tier"]): TierRule(sheddable=True)} if "sheds_tier" in tuning else {}),
        policy=replace(
            policy, critical_c=tuning.get("critical_c", policy.critical_c), max_age_s=tuning.get("max_age_s")
        ),
        timing=replace(
            timing, vm_shutdown_s=tuning.get("vm_shutdown_s", timing.vm_shutdown_s),
            force_bmc_off=bool(tuning.get("force_bmc_off")), answers_questions=bool(tuning.get("answers_questions")),
        ),
    )


def bound_down_s(timing: Timing, tiers: int) -> float:
    """By when every host is off or given up, if from the trip on nothing but what stands in the way already does.

    Each phase at its deadline, one after the other, as the runbook has them: nothing is taken from the planner.
    """
    forced_s = TERMINATE_S + GIVE_UP_S
    guests_s = tiers * (timing.vm_shutdown_s + forced_s)
    hosts_s = timing.maintenance_s + timing.host_shutdown_s + GIVE_UP_S
    vcenter_s = DIRECT_S + timing.vcenter_shutdown_s + forced_s
    return DISARM_S + guests_s + 2 * (hosts_s + GIVE_UP_S) + vcenter_s + SLACK_S


def bound_up_s(timing: Timing, tiers: int, hosts: int, hold_s: float, watch_s: float) -> float:
    """By when the incident is closed once the room is cool for good; likewise."""
    boots_s = 2 * timing.host_boot_s + hosts * timing.host_stagger_s + watch_s
    late_s = timing.vcenter_start_s + LATE_VCENTER_S + 2 * RESTORE_S
    return hold_s + boots_s + late_s + (tiers + 1) * 2 * timing.vm_start_s + timing.host_boot_s + SLACK_S


LATE_VCENTER_S = 1800.0
"""So long a vCenter that was given up is waited for once the guests run."""
SLACK_S = 900.0
"""For polls, refused logins that are not tried again at once, and answers that were under way."""
