"""Beside the running loop: trusts at first use where the settings say so, and tells of a certificate that has changed.

It waits for nobody and nobody waits for it. Of what the loop's looks have found it only reads why they failed, so that
it costs nothing while all is well.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from .adapters.pins import PinFile
from .core.finding import Finding
from .core.plant import Trouble
from .engine.lookout import Look, Lookout
from .ports import Clock, Fault, Notifier
from .survey import trouble_of
from .trust import Endpoint

log = structlog.get_logger()

EVERY_S = 5.0
RETRY_S = 60.0
RETRY_CAP_S = 600.0
AT_ONCE = 4
VOUCHED = "an authority vouches for it"
"""What is kept of an endpoint that needs no pin: what it presents later is never its first certificate."""


@dataclass(slots=True)
class _Unmet:
    """An endpoint that has not been met yet."""

    endpoint: Endpoint
    due_at: float
    pause_s: float = RETRY_S
    is_told: bool = False


class CertificateWatch:
    """One for a running guard; `start` it, and `aclose` it before the lookout ends.

    :param unmet: endpoints whose first certificate is trusted without asking; none where the settings do not say so.
    :param lookout: whose looks are made at once when a pin has come that they waited for.
    :param check: the guard's look at its whole site, which is made anew then too.
    """

    def __init__(
        self, pins: PinFile, lookout: Lookout, notifier: Notifier, clock: Clock, unmet: Sequence[Endpoint] = (),
        check: Look[Sequence[Finding]] | None = None,
    ) -> None:
        self._pins = pins
        self._lookout = lookout
        self._check = check
        self._notifier = notifier
        self._clock = clock
        self._unmet = [_Unmet(endpoint, clock.now()) for endpoint in unmet if not _is_settled(endpoint)]
        self._known: object = None
        self._wrong: set[str] = set()
        self._fault: str | None = None
        self._meeting: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(_tell_end)

    async def aclose(self) -> None:
        tasks = [task for task in (self._task, self._meeting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self.round()
            await self._clock.sleep(EVERY_S)

    def round(self) -> None:
        """One pass; blocks for no more than a look at a small file."""
        self._look_at_pins()
        self._tell_changed()
        if self._fault is None and self._meeting is None and self._due():
            self._meeting = asyncio.ensure_future(self._meet(self._due()))
            self._meeting.add_done_callback(self._has_met)

    # Pins

    def _look_at_pins(self) -> None:
        """Let what waited for a pin look again as soon as one has come, and tell once where none can be read."""
        before = self._known
        try:
            self._known = self._pins.read()
        except Fault as fault:
            if self._fault is None:
                self._notifier.tell("The pinned certificates cannot be read", str(fault), urgent=True)
            self._fault, self._known = str(fault), None
            return
        if self._fault is not None:
            self._fault = None
            log.info("pins.readable_again")
        if before is not None and before is not self._known:
            self._ask_again()

    def _ask_again(self) -> None:
        waiting = [look for look in self._lookout.all()
                   if look.fault is not None and trouble_of(look.fault) in {Trouble.UNTRUSTED, Trouble.WRONG_PIN}]
        for look in waiting:
            look.ask_again()
        if waiting and self._check is not None:
            self._check.ask_again()

    def _tell_changed(self) -> None:
        """Once for each look, until it has succeeded again: what fails for another reason meanwhile proves nothing."""
        looks = self._lookout.all()
        self._wrong -= {look.name for look in looks if look.fault is None and look.has_looked}
        wrong = {look.name: look.fault for look in looks
                 if look.fault is not None and trouble_of(look.fault) is Trouble.WRONG_PIN}
        new = {name: fault for name, fault in wrong.items() if name not in self._wrong}
        if not new:
            return
        self._wrong |= set(new)
        for name, fault in new.items():
            log.error("certificate.changed", look=name, reason=str(fault))
        self._notifier.tell(
            f"The certificate has changed, and is refused: {', '.join(new)}",
            "\n".join(str(fault) for fault in new.values()) + "\nNothing is sent there, so that it can be neither shut "
            "down nor switched on through it. If you renewed the certificate: `thermo-guard pin ENDPOINT` (or the "
            "fingerprint in the settings, where it stands there). If not, someone stands in between.", urgent=True,
        )

    # First use

    def _due(self) -> list[_Unmet]:
        now = self._clock.now()
        return [one for one in self._unmet if one.due_at <= now]

    def _has_met(self, task: asyncio.Task[None]) -> None:
        self._meeting = None
        _tell_end(task)

    async def _meet(self, due: Sequence[_Unmet]) -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(unmet: _Unmet) -> None:
            async with slots:
                await self._meet_one(unmet)

        await asyncio.gather(*(one(unmet) for unmet in due))

    async def _meet_one(self, unmet: _Unmet) -> None:
        try:
            await self._trust_first(unmet.endpoint)
        except Fault as fault:
            if not unmet.is_told:
                log.warning("certificate.not_met", endpoint=unmet.endpoint.key, reason=str(fault))
            unmet.is_told = True
            unmet.due_at = self._clock.now() + unmet.pause_s
            unmet.pause_s = min(2 * unmet.pause_s, RETRY_CAP_S)
        else:
            self._unmet.remove(unmet)

    async def _trust_first(self, endpoint: Endpoint) -> None:
        """Trust what the endpoint presents, if nothing was ever on record of it and no authority vouches for it.

        :raises Fault: it does not answer, or the pins cannot be read or written.
        """
        if endpoint.key in self._pins.read():
            return
        shown = await endpoint.presents()
        found, now = shown.certificate, self._clock.now()
        if shown.distrust is None:
            await asyncio.to_thread(self._pins.note_met, endpoint.key, VOUCHED, now)
            return
        is_first = await asyncio.to_thread(
            self._pins.trust_unmet, endpoint.key, (found.sha256, found.subject), now
        )
        if not is_first:
            return
        log.warning("certificate.trusted_at_first_use", endpoint=endpoint.key, kind=str(endpoint.kind),
                    sha256=found.fingerprint, subject=found.subject, issuer=found.issuer)
        self._notifier.tell(
            f"Trusted at first use: the certificate of {endpoint.kind} {endpoint.key}",
            f"Nobody was asked, since TLS_FIRST_USE=accept. Compare it with what the machine itself shows: SHA-256 "
            f"{found.fingerprint}, subject {found.subject or '(none)'}, issuer {found.issuer or '(none)'}. If it is "
            f"another one: `thermo-guard pin --forget {endpoint.key}`.",
        )
        self._ask_again()


def _is_settled(endpoint: Endpoint) -> bool:
    """The settings say themselves how it is trusted."""
    return endpoint.fingerprint is not None or endpoint.is_insecure


def _tell_end(task: asyncio.Task[None]) -> None:
    """Nobody awaits these tasks; one that breaks must not do so in silence."""
    if not task.cancelled() and (broken := task.exception()) is not None:
        log.error("certificate_watch.broken", exc_info=broken)
