"""Plants 4, 5, 6 and 8 on the virtual site, each day in its whole order: vSAN, VMs and hosts that make trouble, and
hosts without a vCenter.
"""

from pathlib import Path

from engine.rig import Guarded, quick
from scenarios.chronicle import BY_NAME, at_phase, story_of, told
from thermo_guard.core.events import Phase
from thermo_guard.sim.plants import HostTrouble, standalone, troubled_hosts, troubled_vms, vcenter_inside, vsan


def test_with_vsan_the_vms_stop_and_the_hosts_stay_up(tmp_path: Path) -> None:
    """Plant 4: this version stops a vSAN cluster's VMs only, and says so."""
    guarded, text = story_of(tmp_path, vsan())
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        all_off: told Plant
        restore: asked restore_drs, restore_ha
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_vms_that_make_trouble_end_off_and_come_back(tmp_path: Path) -> None:
    """Plant 5: without tools, deaf, stuck, asking, lost, suspended, in pairs, of others, of another cluster."""
    guarded, text = story_of(tmp_path, troubled_vms())
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: powered off asks, asks-back, lying-tools, no-tools; killed hard-to-kill
        guests 2: shut down ft-app; with its primary ft-app-secondary
        guests 3: shut down db-1
        guests 4: shut down dc-1
        hosts: in maintenance esx2, esx3; by its manager filter-agent; host off esx2, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        start_vcenter: out of maintenance esx1; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance esx2, esx3
        start_guests 4: started dc-1, filter-agent
        start_guests 3: started db-1
        start_guests 2: started ft-app, ft-app-secondary
        start_guests 1: started asks, asks-back, hard-to-kill, lying-tools, no-tools
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()
    assert "other-app" in {vm for vm, _ in guarded.world.running().vms}
    assert not [h for h in guarded.world.log if h.object == "other-app"]


def test_a_question_is_answered_as_vsphere_proposes_by_policy(tmp_path: Path) -> None:
    """Plant 5: VM_QUESTIONS=answer-default lets the guest shut down; where nothing is proposed it is forced."""
    guarded, text = story_of(tmp_path, troubled_vms(), quick(answers_questions=True))
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down asks; powered off asks-back, lying-tools, no-tools; killed hard-to-kill
        guests 2: shut down ft-app; with its primary ft-app-secondary
        guests 3: shut down db-1
        guests 4: shut down dc-1
        hosts: in maintenance esx2, esx3; by its manager filter-agent; host off esx2, esx3
        vcenter: shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        start_vcenter: out of maintenance esx1; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance esx2, esx3
        start_guests 4: started dc-1, filter-agent
        start_guests 3: started db-1
        start_guests 2: started ft-app, ft-app-secondary
        start_guests 1: started asks, asks-back, hard-to-kill, lying-tools, no-tools
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_vms_that_people_switch_on_and_move_in_mid_shutdown_are_found(tmp_path: Path) -> None:
    """Plant 5: an earlier tier begins again for the one, the other is asked where it is now."""
    guarded, text = story_of(tmp_path, vcenter_inside(), meanwhile=at_phase(Phase.GUESTS, 3, meddle))
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: started web-1; moved db-1
        guests 1: shut down files, web-1
        guests 3: shut down db-1
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
        closed: differs VM db-1 runs on esx2, it ran on esx3
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_hosts_that_make_trouble_go_off_or_are_told(tmp_path: Path) -> None:
    """Plant 6: nine kinds of trouble; what hangs or has no BMC is a person's, and all the rest comes back."""
    _, text = story_of(tmp_path, troubled_hosts())
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down app-bmc-dead, app-bmc-says-off, app-hangs-down, app-let-go, app-lockdown, \
            app-refuses-maintenance, app-refuses-vcenter, web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance bmc-dead, bmc-says-off, esx2, hangs-down, let-go, lockdown, refuses-vcenter; host off \
            bmc-dead, bmc-says-off, esx2, in-maintenance, let-go, lockdown, refuses-maintenance, refuses-vcenter
        vcenter: told hangs-down; shut down vcenter
        last_host: in maintenance esx1; host off esx1
        all_off
        first_host: told hangs-down; power on esx1; host up esx1
        watch
        other_hosts: power on bmc-says-off, esx2, in-maintenance, let-go, lockdown, refuses-maintenance, \
            refuses-vcenter; host up bmc-says-off, esx2, in-maintenance, let-go, lockdown, refuses-maintenance, \
            refuses-vcenter; told bmc-dead
        start_vcenter: out of maintenance esx1; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance bmc-says-off, esx2, let-go, lockdown, \
            refuses-vcenter
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: moved app-bmc-dead, app-hangs-down; started app-bmc-dead, app-bmc-says-off, app-hangs-down, \
            app-let-go, app-lockdown, app-refuses-maintenance, app-refuses-vcenter, web-1, web-2
        restore: asked restore_admission
        verify
        closed: differs VM app-bmc-dead runs on bmc-says-off, it ran on bmc-dead, VM app-hangs-down runs on let-go, \
            it ran on hangs-down, host bmc-dead was on and is unknown, host hangs-down was on and is moving
    """)


def test_a_host_that_hangs_loses_its_power_by_setting(tmp_path: Path) -> None:
    """Plant 6: FORCE_BMC_OFF, last of all; then it comes back with the others."""
    guarded, text = story_of(tmp_path, troubled_hosts(HostTrouble.HANGS_DOWN), quick(force_bmc_off=True))
    assert text == told("""
        disarm: asked disarm_drs, disarm_ha
        guests 1: shut down app-hangs-down, web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx2, hangs-down; host off esx2
        vcenter: told hangs-down; shut down vcenter
        last_host: in maintenance esx1; host off esx1
        force_off: host off hangs-down
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, hangs-down; host up esx2, hangs-down
        start_vcenter: out of maintenance esx1; started vcenter
        restore: asked restore_drs, restore_ha; out of maintenance esx2, hangs-down
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started app-hangs-down, web-1, web-2
        restore: asked restore_admission
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_one_host_without_vcenter(tmp_path: Path) -> None:
    """Plant 8: its VMs and itself, by its own API."""
    guarded, text = story_of(tmp_path, standalone(1), BY_NAME)
    assert text == told("""
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx1; host off esx1
        all_off
        first_host: power on esx1; host up esx1
        restore: out of maintenance esx1
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def test_hosts_without_vcenter(tmp_path: Path) -> None:
    """Plant 8: several, one after another back."""
    guarded, text = story_of(tmp_path, standalone(3), BY_NAME)
    assert text == told("""
        guests 1: shut down web-1, web-2
        guests 2: shut down app-1, app-2
        guests 3: shut down db-1, files
        guests 4: shut down dc-1
        hosts: in maintenance esx1, esx2, esx3; host off esx1, esx2, esx3
        all_off
        first_host: power on esx1; host up esx1
        watch
        other_hosts: power on esx2, esx3; host up esx2, esx3
        restore: out of maintenance esx1, esx2, esx3
        start_guests 4: started dc-1
        start_guests 3: started db-1, files
        start_guests 2: started app-1, app-2
        start_guests 1: started web-1, web-2
        verify
        closed
    """)
    assert guarded.before.differences(guarded.world.running()) == ()


def meddle(guarded: Guarded) -> None:
    guarded.world.turn_vm("web-1", is_on=True)
    guarded.world.move_vm("db-1", "esx2")
