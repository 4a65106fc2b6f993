"""What must never be touched, also when the world changes under the guard (S1)."""

from dataclasses import replace
from pathlib import Path

from engine.days import HOUR_S, hot_day
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.sim.loop import run


def test_a_bmc_address_that_now_belongs_to_another_server_gets_no_power_on(tmp_path: Path) -> None:
    """The journaled match is checked against the UUID that the BMC shows at the time: another machine is left alone."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        bmcs = guarded.world.cluster.bmcs
        address = guarded.record.bmc_of["esx3"]
        stranger = next(bmc for bmc in bmcs.values() if bmc.plan.host is None)
        bmcs[address].uuid = stranger.uuid
        bmcs[address].plan = replace(bmcs[address].plan, host=None)
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert not [h for h in guarded.world.log if h.kind == "call.power_on_host" and address in h.detail]
        assert any("esx3" in line for line in guarded.of(ev.IncidentClosed)[-1].differences)

    run(scenario())
