"""What the guard leans on goes with what it switches off: names, logins, mail, the way out."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from engine import rig
from engine.days import (
    HOUR_S,
    POWER_ONS,
    assert_tried_rarely,
    hot_day,
    in_phase,
    is_as_before,
    leaning_on,
    restart,
    told,
    with_vm,
)
from engine.rig import Guarded
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.notify import Delivery, Message, Outbox
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
from thermo_guard.core.finding import Area, Verdict
from thermo_guard.ports import Clock
from thermo_guard.sim.blueprint import Infrastructure
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import infrastructure
from thermo_guard.sim.world import World
from thermo_guard.virtual_preflight import virtual_preflight

# ---- the DNS server ----


@pytest.mark.parametrize("is_vcenter_inside", [True, False])
def test_the_dns_server_stops_with_tier_1(tmp_path: Path, *, is_vcenter_inside: bool) -> None:
    """Names that were resolved in quiet time carry the guard through the whole of the way down and back."""

    async def scenario() -> None:
        plan = infrastructure(is_vcenter_inside=is_vcenter_inside)
        guarded = Guarded(tmp_path, leaning_on(plan, dns="dns"))
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        stopped = [h.object for h in guarded.world.log if h.kind == "vm.off"]
        assert stopped.index("dns") < stopped.index("mail")
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert is_as_before(guarded)

    run(scenario())


@pytest.mark.parametrize("phase", [Phase.HOSTS, Phase.LAST_HOST, Phase.ALL_OFF, Phase.FIRST_HOST, Phase.START_VCENTER])
def test_a_guard_that_starts_without_dns_knows_its_names(tmp_path: Path, phase: Phase) -> None:
    """The journal holds the addresses: a new process needs no DNS server to find hosts, BMCs, vCenter and sensors."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, leaning_on(infrastructure(), dns="dns"))
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, phase), 4 * HOUR_S)
        assert not guarded.is_on("dns")
        await restart(guarded)
        if phase in {Phase.HOSTS, Phase.LAST_HOST}:
            await guarded.until(guarded.all_off, HOUR_S)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        assert is_as_before(guarded)

    run(scenario())


@pytest.mark.parametrize("is_restarted", [False, True])
def test_an_alarm_soon_after_the_first_start_finds_its_hosts(tmp_path: Path, *, is_restarted: bool) -> None:
    """The hosts' names are on record as soon as the hosts are known, not only at a second look ten minutes later."""

    async def scenario() -> None:
        plan = replace(infrastructure(), infrastructure=Infrastructure(dns="dns"))
        guarded = Guarded(tmp_path, plan)
        guarded.start()
        await guarded.clock.sleep(120)
        guarded.world.fail_cooling(1.5 * HOUR_S)
        guarded.make_room(38.5)
        if is_restarted:
            await guarded.until(lambda: not guarded.is_on("dns"), HOUR_S)
            await restart(guarded)
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert is_as_before(guarded)

    run(scenario())


def test_a_dns_server_that_is_gone_before_the_alarm_takes_nothing_with_it(tmp_path: Path) -> None:
    """What was known stays known while the journal lives, however often the guard is started in the meantime."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, leaning_on(infrastructure(), dns="dns"))
        guarded.start()
        await guarded.clock.sleep(900)
        guarded.world.turn_vm("dns", is_on=False)
        await restart(guarded)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.kill()
        gone = guarded.before.differences(guarded.world.running())
        assert gone in ((), ("dns does not run",))

    run(scenario())


# ---- the domain controller ----


def test_the_domain_controller_stops_and_the_session_lasts(tmp_path: Path) -> None:
    """The session goes on to serve who is logged in: no login is tried while the way down needs none."""

    async def scenario() -> None:
        plan = with_vm(infrastructure(), "dc-1", tier=1)
        guarded = Guarded(tmp_path, leaning_on(plan, domain_controller="dc-1"))
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        assert len([t for t in guarded.site.doors.tries if t.endpoint.startswith("vcenter")]) == 1
        await guarded.kill()

    run(scenario())


@pytest.mark.parametrize("phase", [Phase.GUESTS, Phase.HOSTS])
def test_a_guard_that_starts_without_the_domain_controller_goes_by_the_hosts(tmp_path: Path, phase: Phase) -> None:
    """The login at vCenter is refused as with a wrong password: all goes down by the hosts' own accounts."""

    async def scenario() -> None:
        plan = with_vm(infrastructure(), "dc-1", tier=1)
        guarded = Guarded(tmp_path, leaning_on(plan, domain_controller="dc-1"))
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, phase) and not guarded.is_on("dc-1"), 4 * HOUR_S)
        await restart(guarded)
        await guarded.until(guarded.all_off, HOUR_S)
        assert told(guarded, "Login refused: thermo-guard@office.virtual.invalid at vcenter.virtual.invalid:443")
        await guarded.kill()

    run(scenario())


def test_the_domain_controller_comes_back_before_vcenter_takes_a_login(tmp_path: Path) -> None:
    """Its VM is started by the hosts' own accounts; vCenter is then logged in to, and HA and DRS are as they were."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, leaning_on(infrastructure(), domain_controller="dc-1"))
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.until(lambda: guarded.is_on("vcenter"), 4 * HOUR_S)
        assert await guarded.until(lambda: guarded.is_on("dc-1"), HOUR_S) <= 600
        await guarded.until(guarded.is_closed, 2 * HOUR_S)
        await guarded.kill()
        assert is_as_before(guarded), guarded.of(ev.IncidentClosed)[-1]

    run(scenario())


# ---- the mail server ----


@dataclass
class Postman:
    """A courier of the real outbox, to the virtual site's mail server."""

    world: World
    clock: Clock
    delivered: list[Message] = field(default_factory=list)
    in_vain: int = 0

    async def deliver(self, message: Message) -> Delivery:
        await self.clock.sleep(1.0)
        self.world.advance(self.clock.now())
        if not self.world.network.mail_answers:
            self.in_vain += 1
            return Delivery(ok=False, reason="connection refused")
        self.delivered.append(message)
        return Delivery(ok=True)

    async def rest(self) -> None:
        return


class Mailed(rig.Outbox):
    """The rig's outbox, which gives everything to a real one as well."""

    def __init__(self, real: Outbox) -> None:
        super().__init__()
        self.real = real

    def tell(self, title: str, body: str, *, urgent: bool = False) -> None:
        super().tell(title, body, urgent=urgent)
        self.real.tell(title, body, urgent=urgent)


def test_messages_wait_for_the_mail_server(tmp_path: Path) -> None:
    """What is told while the mail server is off with the rest goes out when it is back: all of it, in order."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, leaning_on(infrastructure(), mail="mail"))
        postman = Postman(guarded.world, guarded.clock)
        outbox = Mailed(Outbox(["virtual://mail"], guarded.clock, courier_for=lambda _: postman))
        guarded.outbox = outbox
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        before = len(postman.delivered)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        await guarded.until(lambda: len(postman.delivered) == len(outbox.told), 600)
        await guarded.kill()
        await outbox.real.aclose(1.0)
        assert is_as_before(guarded)
        assert postman.in_vain > 5
        assert len(outbox.told) - before > 5
        assert [message.title for message in postman.delivered] == outbox.titles
        assert any("could not be delivered before" in message.body for message in postman.delivered)

    run(scenario())


# ---- the way out ----


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("phase", [Phase.GUESTS, Phase.ALL_OFF, Phase.WATCH, Phase.START_GUESTS])
def test_the_wan_goes_in_mid_incident(tmp_path: Path, phase: Phase, *, is_restarted: bool) -> None:
    """BLIND: the shutdown goes on to its end, and nothing is powered on until the room is seen again (S3)."""

    async def scenario() -> None:
        # The first tier to come back takes longer than the guard needs to see that it is blind.
        plan = hot_day(with_vm(infrastructure(), "dc-1", start_s=900.0))
        guarded = Guarded(tmp_path, plan, rig.quick(vm_start_s=900.0))
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, phase), 4 * HOUR_S)
        guarded.world.cut_wan()
        if is_restarted:
            await restart(guarded, after_s=60.0)
        await guarded.until(lambda: told(guarded, "BLIND"), HOUR_S)
        begun = len(guarded.world.log)
        await guarded.clock.sleep(2 * HOUR_S)  # with a way out, all of it is over by then
        assert not [h for h in guarded.world.log[begun:] if h.kind in POWER_ONS]
        if phase in {Phase.GUESTS, Phase.ALL_OFF}:
            assert guarded.all_off()
        guarded.world.mend_wan()
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        running = guarded.world.running()
        assert (running.vms, running.hosts) == (guarded.before.vms, guarded.before.hosts)

    run(scenario())


# ---- all of it ----


@pytest.mark.parametrize("phase", [None, Phase.GUESTS, Phase.VCENTER, Phase.ALL_OFF, Phase.OTHER_HOSTS,
                                   Phase.START_VCENTER, Phase.START_GUESTS])
def test_an_office_that_leans_on_itself(tmp_path: Path, phase: Phase | None) -> None:
    """DNS, domain, mail and the guard's own VM all on the cluster, with or without a restart on the way."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day(infrastructure(is_guard_inside=True)))
        guarded.start()
        if phase is not None:
            await guarded.until(lambda: in_phase(guarded, phase), 6 * HOUR_S)
            await restart(guarded)
        await guarded.until(guarded.is_closed, 10 * HOUR_S)
        await guarded.kill()
        assert not guarded.world.network.has_guard_died
        running = guarded.world.running()
        assert (running.vms, running.hosts) == (guarded.before.vms, guarded.before.hosts)
        for endpoint in {attempt.endpoint for attempt in guarded.site.doors.tries if not attempt.is_accepted}:
            assert_tried_rarely(guarded, endpoint)

    run(scenario())


def test_what_the_guard_leans_on_is_told_beforehand(tmp_path: Path) -> None:
    """The preflight names each VM that carries something of the guard's own, before the night on which it is off."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, infrastructure(is_guard_inside=True))
        guarded.start()
        await guarded.clock.sleep(60)
        journal = SqlJournal.open(tmp_path / "other")
        findings = await virtual_preflight(guarded.site, guarded.clock, guarded.settings, journal)()
        journal.close()
        await guarded.kill()
        found = [(f.verdict, f.text) for f in findings if f.area is Area.INFRASTRUCTURE]
        for vm, verdict in (("dns", Verdict.WARN), ("mail", Verdict.WARN), ("nas", Verdict.FAIL)):
            assert any(vm in text and of is verdict for of, text in found), (vm, found)

    run(scenario())
