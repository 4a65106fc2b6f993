"""Takes up what an operator has put into the journal's inbox, and powers on by hand what is not on record."""

from collections.abc import Callable

import structlog

from thermo_guard.core import events as ev
from thermo_guard.core.commands import Command, Outcome, Verb
from thermo_guard.core.goal import is_paused, permits_power_on
from thermo_guard.core.orders import Grounds, taken
from thermo_guard.core.plant import BmcSeen, Power
from thermo_guard.core.policy import Assessment
from thermo_guard.core.rehearsal import rehearsal
from thermo_guard.core.report import differences, missing
from thermo_guard.core.scope import scope_of
from thermo_guard.core.view import PlantNow
from thermo_guard.core.wishes import STALE_S, Order, Wish
from thermo_guard.ports import Fault, Notifier, Unauthorized

from .hands import Hands
from .ledger import Ledger, needs_disk
from .logins import RefusedLogins
from .lookout import Lookout
from .membership import confirmation
from .terms import LoopSettings

log = structlog.get_logger()

BY_HAND_S = 4 * 3600.0
"""What could not be asked for so long after the order, for heat or a pause, is no longer asked."""


class Orders:
    def __init__(
        self, settings: LoopSettings, ledger: Ledger, lookout: Lookout, hands: Hands, logins: RefusedLogins | None,
        notifier: Notifier,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._lookout = lookout
        self._hands = hands
        self._logins = logins
        self._notifier = notifier
        self._is_memory_lost = ledger.snapshot is None
        """Nothing was on record of any plant when this guard started."""
        self._by_hand = 0
        """Number of the order to power on what is not on record that is being carried out."""
        self._left: list[str] = []
        """BMCs that are still to be asked for On by it."""
        self._asked: set[str] = set()
        self._asked_at = float("-inf")

    def take_up(self, assessment: Assessment, plant: Callable[[], PlantNow], now: float) -> bool:
        """Take up each new order, in the order in which they were given; whether the goal may have turned.

        :param plant: as it is seen now; asked for where there is an order.
        """
        try:
            wishes = self._ledger.wishes()
        except Fault as fault:
            log.debug("inbox.not_read", reason=str(fault))
            return False
        has_turned = False
        for wish in wishes:
            if wish.order is Order.ABORT and not self._lookout.has_looked:
                break  # its report says how the plant stands; nothing is commanded before the first look anyway
            is_taken, is_turn = self._take(wish, assessment, plant(), now)
            has_turned |= is_taken and is_turn
            if not is_taken and wish is not wishes[-1]:  # it must not hold up an order that needs no disk
                why = "the journal cannot be written, and another order came after it"
                self._ledger.write(ev.WishTaken(wish, why))
        return has_turned

    def _take(self, wish: Wish, assessment: Assessment, plant: PlantNow, now: float) -> tuple[bool, bool]:
        """Whether it was taken up or declined, else it stays in the inbox until the disk takes it; whether it turns."""
        record, snapshot = self._ledger.record, self._ledger.snapshot
        lacking = () if snapshot is None else missing(snapshot, plant)
        report = () if snapshot is None or record.incident is None else differences(
            snapshot, plant, record.incident, scope_of(record, snapshot)
        )
        leftovers = self.leftovers() if wish.unrecorded or snapshot is None else ()
        begun = rehearsal(wish, record, assessment, snapshot, plant, now) if wish.order is Order.REHEARSE else ""
        confirmed = None if snapshot is None else confirmation(snapshot, wish.by)
        events = taken(wish, record, assessment, now, Grounds(lacking, leftovers, report, begun, confirmed))
        is_turn = (len(events) > 1 and wish.order is not Order.ARM) or wish.order is Order.PAUSE
        is_waiting = self._ledger.fault is not None and needs_disk(events)
        if is_turn and not is_waiting and (recalled := self._hands.recall()):
            self._ledger.write(ev.Answered(recalled))
        if not self._ledger.write(*events):
            return False, is_turn
        if wish.order is Order.RESUME and self._logins is not None:
            self._logins.forgive()
            for look in self._lookout.all():
                if isinstance(look.fault, Unauthorized):
                    look.ask_again()
        return True, is_turn

    def leftovers(self) -> tuple[str, ...]:
        """BMCs that say OFF, of the cluster's hosts where it is known which they are.

        Where there is a snapshot, what is off in it was off before, or nothing is known of it: only by a person's word.
        """
        matched = set(self._ledger.record.bmc_of.values())
        off = [address for address, look in self._lookout.bmcs.items()
               if isinstance(look.shown, BmcSeen) and look.shown.power is Power.OFF]
        return tuple(address for address in off if not matched or address in matched)

    def go_on(self, assessment: Assessment, now: float) -> None:
        """Ask the next of the machines that a person has ordered on; tell once where machines are off and unknown."""
        if self._is_memory_lost and self._lookout.has_looked:
            self._is_memory_lost = False
            self._tell_unknown()
        record = self._ledger.record
        ordered_at, wish = record.by_hand or (float("-inf"), None)
        if wish is None or record.incident is not None or now - ordered_at > BY_HAND_S:
            self._left.clear()  # from here the planner powers on, or nobody does
            return
        if wish.number != self._by_hand and now - ordered_at <= STALE_S and self._lookout.has_looked:
            self._begin(wish)
        is_permitted = permits_power_on(assessment, despite_unseen=wish.despite_unseen)
        is_next = self._left and now >= self._asked_at + self._settings.timing.host_stagger_s
        if not is_next or not is_permitted or is_paused(record, now):
            return
        address = self._left[0]
        command = Command(Verb.POWER_ON_HOST, address, address, address)
        if self._hands.idle([command]) and self._ledger.write(ev.Intended((command,))):
            del self._left[0]
            self._asked.add(address)
            self._asked_at = now
            self._hands.start([command], {})

    def _begin(self, wish: Wish) -> None:
        """An order that has just been taken up, or soon before this guard was started."""
        self._by_hand, self._left = wish.number, list(self.leftovers())
        if self._left:
            self._notifier.tell(
                f"Powering on {len(self._left)} machines that are not on record as running, as {wish.by} asked",
                "By their BMCs, one by one. What ran on them is not known: start their VMs by hand, vCenter's first.",
                urgent=True,
            )

    def _tell_unknown(self) -> None:
        if self._ledger.record.incident is None and (off := self.leftovers()):
            self._notifier.tell(
                f"{len(off)} machines are off, and nothing is on record of why: nothing is powered on",
                f"By their BMCs {', '.join(off)}. Where they should run: `thermo-guard power-on --unrecorded`.",
                urgent=True,
            )

    def answered(self, answers: tuple[ev.Answer, ...]) -> None:
        """Tell where a machine that a person ordered on was not asked with success."""
        for answer in answers:
            if answer.target in self._asked and answer.verb is Verb.POWER_ON_HOST:
                self._asked.discard(answer.target)
                if answer.outcome is not Outcome.ACCEPTED:
                    title = f"Needs a person: BMC {answer.target} did not power on"
                    self._notifier.tell(title, answer.text, urgent=True)
