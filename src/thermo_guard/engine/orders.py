"""Takes up what an operator has put into the journal's inbox, and powers on by hand what is not on record."""

import structlog

from thermo_guard.core import events as ev
from thermo_guard.core.commands import Command, Outcome, Verb
from thermo_guard.core.orders import taken
from thermo_guard.core.plant import BmcSeen, Power
from thermo_guard.core.policy import Assessment
from thermo_guard.core.report import differences, missing
from thermo_guard.core.view import PlantNow
from thermo_guard.core.wishes import Order, Wish
from thermo_guard.ports import Fault, Notifier

from .hands import Hands
from .ledger import Ledger
from .logins import RefusedLogins
from .lookout import Lookout
from .terms import LoopSettings

log = structlog.get_logger()


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
        self._left: list[str] = []
        """BMCs that are still to be asked for On by a person's order, of machines that are not on record."""
        self._asked: set[str] = set()
        self._asked_at = float("-inf")

    def take_up(self, assessment: Assessment, plant: PlantNow, now: float) -> bool:
        """Take up each new order; whether the goal may have turned."""
        try:
            wishes = self._ledger.wishes()
        except Fault as fault:
            log.debug("inbox.not_read", reason=str(fault))
            return False
        return any([self._take(wish, assessment, plant, now) for wish in wishes])  # noqa: C419 - each is taken up

    def _take(self, wish: Wish, assessment: Assessment, plant: PlantNow, now: float) -> bool:
        record, snapshot = self._ledger.record, self._ledger.snapshot
        lacking = () if snapshot is None else missing(snapshot, plant)
        report = () if snapshot is None or record.incident is None else differences(snapshot, plant, record.incident)
        leftovers = self._leftovers()
        events = taken(wish, record, assessment, now, missing=lacking, leftovers=leftovers, report=report)
        is_turn = len(events) > 1 or wish.order is Order.PAUSE
        if is_turn and (recalled := self._hands.recall()):
            self._ledger.write(ev.Answered(recalled))
        if not self._ledger.write(*events):
            return False  # it stays in the inbox until the disk takes it
        if wish.order is Order.RESUME and self._logins is not None:
            self._logins.forgive()
        is_by_hand = wish.order is Order.POWER_ON and self._ledger.record.incident is None
        if is_by_hand and not (isinstance(events[0], ev.WishTaken) and events[0].declined):
            self._left = list(leftovers)
            self._notifier.tell(
                f"Powering on {len(leftovers)} machines that are not on record as running, as {wish.by} asked",
                "By their BMCs, one by one. What ran on them is not known: start their VMs by hand, vCenter's first.",
                urgent=True,
            )
        return is_turn

    def _leftovers(self) -> tuple[str, ...]:
        """BMCs that say OFF, of the cluster's hosts where it is known which they are."""
        matched = set(self._ledger.record.bmc_of.values())
        off = [address for address, look in self._lookout.bmcs.items()
               if isinstance(look.shown, BmcSeen) and look.shown.power is Power.OFF]
        return tuple(address for address in off if not matched or address in matched)

    def go_on(self, assessment: Assessment, now: float) -> None:
        """Ask the next of the machines that a person has ordered on; tell once where machines are off and unknown."""
        if self._is_memory_lost and self._lookout.has_looked:
            self._is_memory_lost = False
            self._tell_unknown()
        is_next = self._left and now >= self._asked_at + self._settings.timing.host_stagger_s
        if not is_next or assessment.is_alarm:
            return
        address = self._left[0]
        command = Command(Verb.POWER_ON_HOST, address, address, address)
        if self._hands.idle([command]) and self._ledger.write(ev.Intended((command,))):
            del self._left[0]
            self._asked.add(address)
            self._asked_at = now
            self._hands.start([command], {})

    def _tell_unknown(self) -> None:
        if self._ledger.record.incident is None and (off := self._leftovers()):
            self._notifier.tell(
                f"{len(off)} machines are off, and nothing is on record of why: nothing is powered on",
                f"By their BMCs {', '.join(off)}. Where they should run: `thermo-guard power-on`.", urgent=True,
            )

    def answered(self, answers: tuple[ev.Answer, ...]) -> None:
        """Tell where a machine that a person ordered on was not asked with success."""
        for answer in answers:
            if answer.target in self._asked and answer.verb is Verb.POWER_ON_HOST:
                self._asked.discard(answer.target)
                if answer.outcome is not Outcome.ACCEPTED:
                    title = f"Needs a person: BMC {answer.target} did not power on"
                    self._notifier.tell(title, answer.text, urgent=True)
