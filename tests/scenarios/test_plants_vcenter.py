"""Plants 1, 2, 3 and 7 on the virtual site, each day in its whole order: vCenter inside the cluster and in trouble, HA,
DRS and DPM, and vSphere's own cluster services.
"""

import math
from collections.abc import Callable
from pathlib import Path

from engine.days import HOUR_S
from engine.rig import Guarded
from scenarios.chronicle import at_phase, story_of, told
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Verb
from thermo_guard.core.events import Phase
from thermo_guard.sim.plants import (
    VclsKind,
    strict_ha,
    troubled_vcenter,
    vcenter_inside,
    vcls,
)
from thermo_guard.sim.site import Effect


def test_vcenter_inside_goes_last_on_the_host_where_drs_has_moved_it(tmp_path: Path) -> None:
    """Plant 1: DRS has moved vCenter's VM, which is followed, stopped last on its own host, and started first."""
    guarded, text = story_of(tmp_path, vcenter_inside())
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx1, esx3; host off esx1, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx2; host off esx2
        all_off
        first_host: power on esx2; host up esx2
        watch
        other_hosts: power on esx1, esx3; host up esx1, esx3
        start_vcenter: out of maintenance esx2; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance esx1, esx3
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_vcenter_is_found_again_when_its_host_is_dead(tmp_path: Path) -> None:
    """Plant 1: its host does not come back, and another host takes vCenter's VM from the path on record."""
    _, text = story_of(tmp_path, vcenter_inside(), meanwhile=at_phase(Phase.ALL_OFF, None, break_vcenters_host))
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx1, esx3; host off esx1, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx2; host off esx2
        all_off
        first_host: power on esx1, esx2; told esx2; host up esx1
        watch
        other_hosts: power on esx3; host up esx3
        start_vcenter: out of maintenance esx1; moved vcenter; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance esx3
        start_guests 4: started dc-1
        start_guests 3: started db-1, files; moved files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2; moved web-2
        restore: asked restore_admission
        verify
        closed: differs VM files runs on esx3, it ran on esx2, VM vcenter runs on esx1, it ran on esx2, VM web-2 runs \
            on esx1, it ran on esx2, host esx2 was on and is moving
    """)


def test_strict_ha_drs_with_overrides_and_dpm_are_disarmed_and_come_back(tmp_path: Path) -> None:
    """Plant 2: what was saved is restored and read back, a host in standby stays there."""
    guarded, text = story_of(tmp_path, strict_ha())
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx2, esx3; host off esx2, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        start_vcenter: out of maintenance esx1; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance esx2, esx3
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_ha_that_would_not_be_disarmed_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """Plant 2: the shutdown goes on with HA armed."""
    guarded, text = story_of(tmp_path, strict_ha(), meanwhile=refuse(Verb.DISARM_HA))
    assert text == told("""
        disarm: asked disarm_drs
        guests 1: told Plant; shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx2, esx3; host off esx2, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        start_vcenter: out of maintenance esx1; started vcenter
        restore: asked restore_drs; out of maintenance esx2, esx3
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_cluster_services_go_by_retreat_mode_and_come_back(tmp_path: Path) -> None:
    """Plant 3: vCLS of both kinds would start itself anew and keep every host out of maintenance mode."""
    guarded, text = story_of(tmp_path, vcls(VclsKind.DEPLOYED))
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha, retreat_vcls
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2; removed by retreat mode vCLS-1, vCLS-2, vCLS-3
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx2, esx3; host off esx2, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        start_vcenter: out of maintenance esx1; started vcenter
        restore: asked restore_drs, restore_ha, restore_vcls; out of maintenance esx2, esx3
        start_guests 4: started dc-1, vCLS-4, vCLS-5, vCLS-6
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_cluster_services_that_stay_hold_nobody_up(tmp_path: Path) -> None:
    """Plant 3: retreat mode is refused: after its bound each host goes without maintenance mode where one runs."""
    guarded, text = story_of(tmp_path, vcls(VclsKind.EMBEDDED), meanwhile=refuse(Verb.RETREAT_VCLS))
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        cluster_services
        hosts: in maintenance esx3; host off esx2, esx3; lost vCLS-2; started vCLS-3
        vcenter: powered off vCLS-1, vCLS-3; shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        start_vcenter: out of maintenance esx1; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance esx3
        start_guests 4: started dc-1, vCLS-4, vCLS-5
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_vsphere_nine_has_no_retreat_mode_and_needs_none(tmp_path: Path) -> None:
    """Plant 3: nothing is asked that the server does not know."""
    guarded, text = story_of(tmp_path, vcls(VclsKind.NONE))
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx2, esx3; host off esx2, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        start_vcenter: out of maintenance esx1; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance esx2, esx3
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_vcenter_that_dies_in_mid_shutdown_is_done_without(tmp_path: Path) -> None:
    """Plant 7: the hosts are asked directly from the second tier on, until vCenter is back with its VM."""
    guarded, text = story_of(
        tmp_path, vcenter_inside(),
        meanwhile=at_phase(Phase.GUESTS, 2, lambda guarded: guarded.site.faults.silence(VCENTER, HOUR_S)),
    )
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx1, esx3; host off esx1, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx2; host off esx2
        all_off
        first_host: power on esx2; host up esx2
        watch
        other_hosts: power on esx1, esx3; host up esx1, esx3
        start_vcenter: out of maintenance esx2; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance esx1, esx3
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_vcenter_unreachable_when_the_alarm_comes_and_the_guard_started_anew(tmp_path: Path) -> None:
    """Plant 7: the inventory on record and the hosts themselves are enough; what was never disarmed stays."""
    guarded, text = story_of(tmp_path, vcenter_inside(moves_every_s=math.inf), meanwhile=unreachable_and_restarted)
    assert text == told("""
        disarm
        guests 1: told Plant; shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx2, esx3; host off esx2, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        start_vcenter: out of maintenance esx1; started vcenter; told Plant
        restore: out of maintenance esx2, esx3
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        restore
        verify
        closed: differs HA and DRS of Plant are not known: vCenter does not answer
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_vcenter_that_is_slow_ends_sessions_and_never_comes_back(tmp_path: Path) -> None:
    """Plant 7: every VM starts in order, directly on its host, and what could not be restored is told."""
    _, text = story_of(tmp_path, troubled_vcenter())
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx2, esx3; host off esx2, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        start_vcenter: out of maintenance esx1; started vcenter; told Plant
        restore: out of maintenance esx2, esx3
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        restore
        verify
        closed: differs HA and DRS of Plant are not known: vCenter does not answer
    """)


def break_vcenters_host(guarded: Guarded) -> None:
    cluster = guarded.world.cluster
    assert cluster.vcenter_vm is not None
    cluster.hosts[cluster.vcenter_vm.host].is_broken = True


def refuse(verb: Verb) -> Callable[[Guarded], object]:
    return lambda guarded: guarded.site.faults.next_calls(verb, Effect.REFUSE, 999)


async def unreachable_and_restarted(guarded: Guarded) -> None:
    while guarded.loop is None or not guarded.of(ev.HostsConfirmed):
        await guarded.clock.sleep(60.0)
    guarded.site.faults.silence(VCENTER, 3 * HOUR_S)
    await guarded.clock.sleep(900.0)
    await guarded.kill()
    guarded.start()
