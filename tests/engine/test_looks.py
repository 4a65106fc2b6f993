"""What a look is worth after the server that it looks at has stopped answering."""

from pathlib import Path

from engine.rig import Guarded
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.core.planner import direct_looks
from thermo_guard.core.plant import BmcSeen, ClusterSeen, ClusterSettings, Host, Power, Sight, Unseen
from thermo_guard.core.snapshot import KeptHost, Snapshot
from thermo_guard.core.view import plant_now
from thermo_guard.engine.lookout import MISSES, Look
from thermo_guard.ports import PowerController, Transient
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import day_of_failing_cooling, office


async def looked(look: Look[str]) -> None:
    look.ask_again()
    look.start_if_due(0.0)
    await look.clock.sleep(1.0)
    look.take()


async def is_lost_until_it_answers(look: Look[str], why: str) -> None:
    """The next look shows nothing for this reason, and the one after it all that is there."""
    await looked(look)
    unseen = look.value(60.0)
    assert isinstance(unseen, Unseen)
    assert why in unseen.reason
    await looked(look)
    assert look.value(60.0) == "all is off"


def answers(*given: str | Exception | None) -> Look[str]:
    """A look that shows these in turn; None is no answer, an exception is raised."""
    left = iter(given)

    async def ask() -> str:
        shown = next(left)
        if shown is None:
            raise Transient("connection refused")
        if isinstance(shown, Exception):
            raise shown
        return shown

    return Look("vCenter", ask, SteadyClock(epoch=0.0), misses=MISSES)


def test_a_server_that_does_not_answer_any_more_is_not_shown_as_it_was() -> None:
    """One miss is a hiccup; after two nothing of it counts, however long a look is valid in this phase."""

    async def scenario() -> None:
        look = answers("all is on", None, None, "all is off")
        await looked(look)
        await looked(look)
        assert look.value(60.0) == "all is on"
        await is_lost_until_it_answers(look, "refused")

    run(scenario())


def test_what_no_adapter_foresaw_is_a_look_without_an_answer() -> None:
    """A bug at one edge costs that look only, and its type is told; what was shown before counts as after a miss."""

    async def scenario() -> None:
        look = answers("all is on", ValueError("0x"), KeyError("power"), "all is off")
        await looked(look)
        await looked(look)
        assert isinstance(look.fault, Transient)
        assert "ValueError" in str(look.fault)
        assert look.value(60.0) == "all is on"
        await is_lost_until_it_answers(look, "KeyError")

    run(scenario())


class Nonsense:
    """ports.PowerController of a server whose answers break whoever reads them."""

    def __init__(self, bmc: PowerController) -> None:
        self.address = bmc.address

    async def observe(self) -> BmcSeen:
        raise ValueError("invalid literal for int() with base 10: 'Degraded'")

    async def power_on(self) -> None:
        raise ValueError("invalid literal for int() with base 10: 'Degraded'")

    async def force_off(self) -> None:
        raise ValueError("invalid literal for int() with base 10: 'Degraded'")

    async def aclose(self) -> None:
        return


def test_a_bmc_whose_look_breaks_stops_nobody(tmp_path: Path) -> None:
    """A server in the rack that answers nonsense from the start: the guard goes on, and the day ends as it began."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office()))
        guarded.bmcs = [Nonsense(bmc) if "ilo-x" in bmc.address else bmc for bmc in guarded.site.bmcs]
        guarded.start()
        await guarded.until(guarded.is_closed, 8 * 3600.0)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_a_host_that_is_off_by_its_silence_is_looked_at_on() -> None:
    """A dead host is shown as connected for a while: the look that proves its silence must not end (no flicker)."""
    settings = ClusterSettings(False, None, None, False, None, None, None)
    host = Host("esx1", "esx1:443", "4c4c4544-0031-3110-8051-b4c04f4d3132")
    kept = KeptHost(host.name, host.address, host.uuid, (), is_on=True, in_maintenance=False)
    snapshot = Snapshot(0.0, "c", (kept,), (), settings)
    sight = Sight(
        cluster=ClusterSeen(10.0, "c", (host,), (), settings),
        direct={"esx1": Unseen(9.0, "connection refused")},
        bmcs={"ilo": BmcSeen(10.0, "ilo", Power.OFF, uuid=host.uuid)},
    )
    plant = plant_now(sight, snapshot, {"esx1": "ilo"})
    assert plant.hosts["esx1"].power is Power.OFF
    assert direct_looks(plant, snapshot) == ("esx1",)
