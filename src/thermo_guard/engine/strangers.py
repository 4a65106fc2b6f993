"""Tells once when a server presents another certificate than the one that is trusted: it is refused from then on."""

from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Notifier

from .lookout import Lookout


class Strangers:
    def __init__(self, lookout: Lookout, notifier: Notifier) -> None:
        self._lookout = lookout
        self._notifier = notifier
        self._known: set[str] = set()
        """Names of the looks whose server is refused now, and of which people have been told."""

    def tick(self) -> None:
        """Tell those that have newly become strangers."""
        refused = {look.name: str(look.fault) for look in self._lookout.all()
                   if look.fault is not None and look.fault.trouble is Trouble.WRONG_PIN}
        for name, why in refused.items():
            if name not in self._known:
                self._notifier.tell(f"Changed certificate: {name} is refused", why, urgent=True)
        self._known = set(refused)
