"""What the virtual room's sensors send, and fail to send."""

import pytest

from sim.on_site import OnSite
from thermo_guard.ports import Transient
from thermo_guard.sim.plans import office
from thermo_guard.sim.room import NONSENSE_C, SensorFault
from thermo_guard.sim.site import SENSORS

ONE = "Q3CA-0001-VIRT"


async def test_a_measurement_is_served_until_the_next() -> None:
    """Polls between two measurements give the same stamp, so that one sample counts once."""
    on = OnSite(office(sensor_cadence_s=1200.0))
    stamps = set()
    for _ in range(60):
        stamps |= {(r.sensor, r.stamp) for r in (await on.site.sensors.poll()).readings}
        await on.wait(60.0)
    assert len(stamps) == pytest.approx(3 * 4, abs=3)


async def test_age_is_counted_from_the_measurement() -> None:
    """A reading's age grows from poll to poll and never exceeds the cadence of a healthy sensor."""
    on = OnSite()
    for _ in range(50):
        for reading in (await on.site.sensors.poll()).readings:
            assert 0.0 <= reading.age_s <= 61.0
            assert reading.measured_at == pytest.approx(reading.stamp)
        await on.wait(7.0)


async def test_an_offline_sensor_ages() -> None:
    """The source goes on serving the last measurement of a sensor that is gone."""
    on = OnSite()
    before = {r.sensor: r for r in (await on.site.sensors.poll()).readings}
    on.world.set_sensor(ONE, SensorFault.OFFLINE)
    await on.wait(600.0)
    after = {r.sensor: r for r in (await on.site.sensors.poll()).readings}
    assert after[ONE].stamp == before[ONE].stamp
    assert after[ONE].age_s > 590


async def test_a_stuck_sensor_sends_the_same_with_new_stamps() -> None:
    """A frozen value looks fresh; only that it never changes gives it away."""
    on = OnSite()
    before = {r.sensor: r for r in (await on.site.sensors.poll()).readings}[ONE]
    on.world.set_sensor(ONE, SensorFault.STUCK)
    on.world.fail_cooling(3600.0)
    await on.wait(1800.0)
    after = {r.sensor: r for r in (await on.site.sensors.poll()).readings}[ONE]
    assert after.stamp > before.stamp
    assert after.celsius == before.celsius
    assert on.world.air_c > before.celsius + 5


async def test_what_is_not_listed_is_absent() -> None:
    """A sensor that is not listed is absent; nonsense is passed on as it is, since the policy judges that."""
    on = OnSite()
    on.world.set_sensor(ONE, SensorFault.MISSING)
    on.world.set_sensor("Q3CA-0002-VIRT", SensorFault.NONSENSE)
    poll = await on.site.sensors.poll()
    assert [r.sensor for r in poll.readings] == ["Q3CA-0002-VIRT", "Q3CA-0003-VIRT"]
    assert poll.readings[0].celsius == NONSENSE_C
    assert poll.rejected == ()


async def test_without_a_wan_there_is_a_fault_and_no_poll() -> None:
    """A source that cannot be reached raises, and answers again when the WAN is back."""
    on = OnSite()
    on.site.faults.silence(SENSORS, for_s=300.0)
    with pytest.raises(Transient):
        await on.site.sensors.poll()
    await on.wait(300.0)
    assert len((await on.site.sensors.poll()).readings) == 3


async def test_alarm_count_is_a_number_of_sensors() -> None:
    """Meraki's own count follows the heat: none in a cool room, all in a hot one."""
    on = OnSite()
    assert (await on.site.sensors.alert_count()).temperature == 0
    on.world.fail_cooling(7200.0)
    await on.wait(2400.0)
    assert (await on.site.sensors.alert_count()).temperature == 3
