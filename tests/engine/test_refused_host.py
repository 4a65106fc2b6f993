"""A host that takes no direct login, on a site whose vCenter is one of the machines that are off."""

from pathlib import Path

from engine.days import HOUR_S, cool, heat
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office


def test_a_host_that_only_vcenter_would_show_does_not_hold_vcenter_up(tmp_path: Path) -> None:
    """Its BMC says On and nobody sees more of it: vCenter is started meanwhile, and then shows it."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        guarded.start()
        await guarded.clock.sleep(900)
        guarded.site.faults.deny_login("esx3")
        heat(guarded)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        cool(guarded)
        await guarded.until(lambda: guarded.of(ev.SitePoweredOn), 2 * HOUR_S)
        took_s = await guarded.until(guarded.is_closed, HOUR_S)
        await guarded.kill()
        assert took_s < guarded.settings.timing.host_boot_s, guarded.story()
        assert not guarded.before.differences(guarded.world.running()), guarded.story()

    run(scenario())
