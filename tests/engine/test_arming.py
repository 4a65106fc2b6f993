"""The first evening: the guard proves the site and the room before it takes hold, and says what is missing."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import (
    ARM_AFTER_S,
    HOUR_S,
    armed_after_s,
    as_it_began,
    commands,
    cool,
    first_evening,
    heat,
    hot_day,
    hot_for,
    reminders,
    told,
)
from engine.rig import Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.goal import Mode
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.wishes import Order
from thermo_guard.ports import MissingPrivilege
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office
from thermo_guard.sim.room import SensorFault
from thermo_guard.sim.site import SENSORS
from thermo_guard.virtual_preflight import FOLDER


def test_a_new_folder_arms_after_the_proof_and_the_time_below_high(tmp_path: Path) -> None:
    """Not before ARM_AFTER, not long after it, told and on record; and then the alarm trips."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        guarded.start()
        await guarded.clock.sleep(ARM_AFTER_S - 30)
        assert guarded.board.last["is_armed"] is False
        assert "NOT ARMED before 08:15 UTC" in str(guarded.board.last["standing"])
        await guarded.until(lambda: guarded.of(ev.GuardArmed), 180)
        assert ARM_AFTER_S <= (armed_after_s(guarded) or 0) <= ARM_AFTER_S + 90
        assert guarded.of(ev.GuardArmed) == [ev.GuardArmed("", guarded.of(ev.GuardArmed)[0].lacking)]
        assert len(told(guarded, "ARMED: all that a shutdown needs has been seen to work")) == 1
        assert reminders(guarded) == []
        heat(guarded)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()

    run(scenario())


def test_an_alarm_before_the_time_is_over_does_nothing(tmp_path: Path) -> None:
    """The time begins anew when the room has been hot in between."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        guarded.start()
        await guarded.clock.sleep(600)
        await hot_for(guarded, 36.5, 900)
        assert commands(guarded) == []
        assert told(guarded, "HIGH temperature, and NOT ARMED")
        cool(guarded)
        cooled_at = guarded.clock.now()
        await guarded.until(lambda: guarded.of(ev.GuardArmed), 2 * HOUR_S)
        await guarded.kill()
        assert guarded.clock.now() - cooled_at >= ARM_AFTER_S
        assert guarded.of(ev.AlarmTripped) == []

    run(scenario())


@pytest.mark.parametrize("celsius", [36.5, 41.5])
def test_a_room_that_is_hot_already_is_told_at_once_and_hourly(tmp_path: Path, celsius: float) -> None:
    """Nothing is done, also when it is CRITICAL: who installs this evening has not been proved to do no harm."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path, policy=PolicySettings(critical_c=40.0))
        guarded.make_room(celsius)
        guarded.world.fail_cooling(20 * HOUR_S)
        guarded.start()
        await hot_for(guarded, celsius, 300)
        assert told(guarded, "NOT ARMED: NOTHING is being done") or celsius < 40
        assert len(reminders(guarded)) == 1
        await hot_for(guarded, celsius, 600)
        level = "HIGH" if celsius < 40 else "CRITICAL"
        assert len(told(guarded, f"{level} temperature, and NOT ARMED: NOTHING is being done")) == 1
        await hot_for(guarded, celsius, 3 * HOUR_S)
        assert len(reminders(guarded)) == 4, "at once, and then each hour"
        assert all("TEMPERATURE_HIGH_THRESHOLD" in line and "thermo-guard arm" in line for line in reminders(guarded))
        assert commands(guarded) == []
        assert guarded.of(ev.AlarmTripped) == []
        await guarded.kill()

    run(scenario())


def without_login(guarded: Guarded) -> None:
    guarded.site.faults.deny_login(VCENTER)


def without_vcenter(guarded: Guarded) -> None:
    guarded.site.faults.silence(VCENTER)


def without_sensors(guarded: Guarded) -> None:
    guarded.site.faults.silence(SENSORS)


def without_two_of_three_sensors(guarded: Guarded) -> None:
    for serial in list(guarded.world.room.sensors)[:2]:
        guarded.world.set_sensor(serial, SensorFault.NONSENSE)


def without_space(guarded: Guarded) -> None:
    guarded.new_folder(replace(FOLDER, free_bytes=10**6))


def without_any_host(guarded: Guarded) -> None:
    for host in guarded.world.cluster.hosts:
        guarded.world.cut_power(host)


@pytest.mark.parametrize(("spoil", "line"), [
    (without_login, "VCENTER_PASSWORD"),
    (without_vcenter, "VCENTER_HOST"),
    (without_sensors, "MERAKI_API_BASE_URL"),
    (without_two_of_three_sensors, "dashboard"),
    (without_space, "Free some space"),
])
def test_what_a_shutdown_cannot_do_without_holds_arming_back(tmp_path: Path, spoil: object, line: str) -> None:
    """Told at once and hourly, with the line that mends it; nothing is ever commanded."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        spoil(guarded)  # type: ignore[operator]
        guarded.start()
        await guarded.clock.sleep(300)
        assert len(reminders(guarded)) == 1
        await guarded.clock.sleep(3 * HOUR_S)
        assert len(reminders(guarded)) == 4
        assert all(line in body for body in reminders(guarded)), reminders(guarded)
        assert guarded.of(ev.GuardArmed) == []
        assert any(line in str(lacking) for lacking in guarded.board.last["lacking"])  # type: ignore[attr-defined]
        heat(guarded)
        await guarded.clock.sleep(HOUR_S)
        assert commands(guarded) == []
        await guarded.kill()

    run(scenario())


def test_a_missing_privilege_holds_arming_back_until_it_is_given(tmp_path: Path) -> None:
    """The right that the way down needs is named; once it is there the guard takes hold by itself, and says so."""

    async def scenario() -> None:
        lacks = MissingPrivilege("host", "esx1", "Host.Config.Maintenance")
        guarded = first_evening(tmp_path, replace(office(), denied=(lacks,)))
        guarded.start()
        await guarded.clock.sleep(2 * HOUR_S)
        assert guarded.of(ev.GuardArmed) == []
        assert all("Host.Config.Maintenance" in body for body in reminders(guarded))
        guarded.world.plan = replace(guarded.world.plan, denied=())
        await guarded.until(lambda: guarded.of(ev.GuardArmed), 600)
        await guarded.kill()
        assert len(reminders(guarded)) == 2 + 1

    run(scenario())


def test_what_only_the_way_back_needs_does_not_hold_arming_back(tmp_path: Path) -> None:
    """A silent BMC and a refused direct login: it arms, and tells that the site could be brought down, not back."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        guarded.site.faults.silence("ilo-a.virtual.invalid")
        guarded.start()
        await guarded.until(lambda: guarded.of(ev.GuardArmed), 2 * ARM_AFTER_S)
        (armed,) = guarded.of(ev.GuardArmed)
        await guarded.kill()
        assert "could be brought down, not back" in armed.lacking[0]
        assert any("ilo-a.virtual.invalid" in line for line in armed.lacking)
        assert told(guarded, "could be brought down, not back")

    run(scenario())


def test_arming_survives_restarts(tmp_path: Path) -> None:
    """It is in the journal: the next life trips at once, and arms no second time."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        guarded.start()
        await guarded.until(lambda: guarded.of(ev.GuardArmed), 2 * ARM_AFTER_S)
        await guarded.kill()
        heat(guarded)
        guarded.start()
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()
        assert len(guarded.of(ev.GuardArmed)) == 1
        assert reminders(guarded) == []

    run(scenario())


def test_a_restart_before_it_is_armed_counts_the_time_anew(tmp_path: Path) -> None:
    """Of the time between nobody knows how warm it was."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        guarded.start()
        await guarded.clock.sleep(600)
        await guarded.kill()
        guarded.start()
        began = guarded.clock.now()
        await guarded.until(lambda: guarded.of(ev.GuardArmed), 2 * ARM_AFTER_S)
        await guarded.kill()
        assert guarded.clock.now() - began >= ARM_AFTER_S

    run(scenario())


def test_a_later_failure_is_told_once_and_arming_stays(tmp_path: Path) -> None:
    """A password that was changed next month: told once, not hourly; told again when it works; still armed."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        guarded.start()
        await guarded.until(lambda: guarded.of(ev.GuardArmed), 2 * ARM_AFTER_S)
        guarded.site.faults.silence("ilo-a.virtual.invalid")
        await guarded.clock.sleep(8 * HOUR_S)
        fails = [body for title, body in guarded.outbox.told if "A check of the site fails" in title]
        assert len(fails) == 1
        assert "ilo-a.virtual.invalid" in fails[0]
        assert guarded.board.last["is_armed"] is True
        assert guarded.board.last["standing"] is None
        guarded.site.faults.mend("ilo-a.virtual.invalid")
        await guarded.clock.sleep(3 * HOUR_S)
        assert len(told(guarded, "A check of the site holds again")) == 1
        heat(guarded)
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()

    run(scenario())


def test_arm_takes_hold_in_a_hot_room(tmp_path: Path) -> None:
    """A person's word goes before the proof: within a tick it is armed, and the alarm that stands trips."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        guarded.world.fail_cooling(3 * HOUR_S)
        guarded.make_room(37.5)
        guarded.start()
        await guarded.until(lambda: guarded.record.level == "high", HOUR_S)
        assert guarded.of(ev.AlarmTripped) == []
        guarded.order(Order.ARM)
        took_s = await guarded.until(lambda: guarded.of(ev.AlarmTripped), 60)
        assert took_s <= 20
        assert guarded.of(ev.GuardArmed)[0].by == "ada@nas"
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()

    run(scenario())


def test_mode_observe_never_arms_nor_acts(tmp_path: Path) -> None:
    """It is the operator's setting: no reminder of it, each alarm told once, nothing commanded."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path, mode=Mode.OBSERVE)
        guarded.start()
        await guarded.clock.sleep(2 * HOUR_S)
        await hot_for(guarded, 36.5, 2 * HOUR_S)
        await guarded.kill()
        assert guarded.of(ev.GuardArmed) == []
        assert reminders(guarded) == []
        assert len(told(guarded, "HIGH temperature, and MODE=observe: NOTHING is being done")) == 1
        assert commands(guarded) == []

    run(scenario())


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.ARMED], ids=["observe", "not-armed"])
def test_a_person_shuts_down_and_powers_on_without_arming(tmp_path: Path, mode: Mode) -> None:
    """A confirmed order acts in any mode, and power-on brings back exactly what ran."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path, mode=mode)
        guarded.start()
        await guarded.clock.sleep(300)
        guarded.order(Order.SHUT_DOWN, reason="the cooling is being replaced")
        await guarded.until(guarded.all_off, HOUR_S)
        assert told(guarded, "as ada@nas asked")
        await guarded.clock.sleep(HOUR_S)  # a recovery takes 25 minutes
        assert guarded.all_off(), "only a person turns it back"
        guarded.order(Order.POWER_ON)
        await guarded.until(guarded.is_closed, 2 * HOUR_S)
        await guarded.kill()
        assert guarded.of(ev.IncidentClosed)[-1].differences == ()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_a_shutdown_in_observe_mode_in_a_hot_room_stays_down_until_it_is_cool(tmp_path: Path) -> None:
    """Power-on is declined while the room is HIGH, whoever asks; then it is taken."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path, hot_day(), mode=Mode.OBSERVE)
        guarded.start()
        await guarded.until(lambda: guarded.record.level == "high", 2 * HOUR_S)
        guarded.order(Order.SHUT_DOWN)
        await guarded.until(guarded.all_off, HOUR_S)
        if guarded.record.level in {"high", "critical"}:
            number = guarded.order(Order.POWER_ON)
            await guarded.until(lambda: guarded.answer_to(number), 60)
            assert "heat" in getattr(guarded.answer_to(number), "declined", "")
        await guarded.until(lambda: guarded.record.level == "low", 3 * HOUR_S)
        assert guarded.all_off()
        guarded.order(Order.POWER_ON)
        await as_it_began(guarded, 2 * HOUR_S)

    run(scenario())


def test_the_proof_is_not_looked_for_in_an_incident(tmp_path: Path) -> None:
    """The looks that matter must not wait: the check that is under way at the trip is called off."""

    async def scenario() -> None:
        guarded = first_evening(tmp_path)
        guarded.settings = quick(guarded.settings)
        guarded.start()
        await guarded.until(lambda: guarded.of(ev.GuardArmed), 2 * ARM_AFTER_S)
        heat(guarded)
        await guarded.until(lambda: guarded.of(ev.AlarmTripped), HOUR_S)
        await guarded.clock.sleep(10)
        assert guarded.loop is not None
        assert guarded.loop.arming.look is not None
        tries = guarded.loop.arming.look.tries
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.clock.sleep(1800)
        assert guarded.loop.arming.look.tries == tries
        await guarded.kill()
        assert not [c for c in commands(guarded) if c == f"call.{Verb.POWER_ON_HOST}"]

    run(scenario())
