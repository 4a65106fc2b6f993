"""What happens to the plant from outside, as orders to VMware's simulator: its journal tells what came of each.

An order to a host is given once for each of its stages, since firmware that protects itself asks again with every step
of the room until the host has obeyed.
"""

from collections.abc import Callable, Mapping

from thermo_guard.core.plant import Question
from thermo_guard.sim.machines import HostState, Stage, VmState

IN_VSPHERE = "in vSphere"
"""Why something happened that nobody did from outside."""

Send = Callable[[str, Mapping[str, str]], None]
"""Post a form to a path of the control face, after all that were sent before."""


class OverlayHands:
    """Implements sim.hands.Hands.

    :param names: the simulator's name of each host, by the world's.
    """

    def __init__(self, send: Send, names: Mapping[str, str]) -> None:
        self._send = send
        self._names = names
        self._asked: dict[tuple[str, str], int] = {}
        """The epoch of a host in which an order was given last."""
        self._isolated: set[str] = set()
        self._reasons: dict[str, str] = {}

    def reason(self, name: str) -> str:
        """Why what was ordered last for a host or VM was; told once."""
        return self._reasons.pop(name, IN_VSPHERE)

    def start(self, host: HostState, by: str) -> None:
        if host.stage is Stage.OFF:
            self._order(host, by, on="1")

    def shut_down(self, host: HostState, why: str) -> None:
        if host.stage is Stage.UP:
            self._order(host, why, on="0", graceful="1")

    def cut_power(self, host: HostState, why: str) -> None:
        if host.stage is not Stage.OFF:
            self._order(host, why, on="0")

    def let_go(self, host: HostState) -> None:
        self._host(host, connection="disconnected")

    def lock_down(self, host: HostState, *, is_on: bool) -> None:
        host.in_lockdown = is_on
        self._host(host, lockdown="normal" if is_on else "0")

    def isolate(self, host: HostState, *, is_cut: bool) -> None:
        """A host that has power and never an operating system answers nobody, or does again."""
        if is_cut is not (host.name in self._isolated):
            (self._isolated.add if is_cut else self._isolated.discard)(host.name)
            self._host(host, isolated="1" if is_cut else "0")

    def power_on(self, vm: VmState, why: str) -> None:
        self._vm(vm, why, power="on")

    def switch_off(self, vm: VmState, how: str) -> None:
        self._vm(vm, how, power="off")

    def move(self, vm: VmState, host: str, why: str) -> None:
        self._reasons[vm.name] = why
        self._send("/move", {"vm": vm.name, "host": self._names.get(host, host)})

    def ask(self, vm: VmState, question: Question) -> None:
        self._vm(vm, None, question=question.text)

    def lose(self, vm: VmState) -> None:
        self._vm(vm, None, connection="inaccessible")

    def break_vcenter(self, *, is_broken: bool) -> None:
        self._send("/vcenter", {"up": "0" if is_broken else "1"})

    def _order(self, host: HostState, why: str, **form: str) -> None:
        key = (host.name, str(form))
        if self._asked.get(key) != host.epoch:
            self._asked[key] = host.epoch
            self._reasons[host.name] = why
            self._host(host, **form)

    def _host(self, host: HostState, **form: str) -> None:
        self._send("/host", {"name": self._names.get(host.name, host.name), **form})

    def _vm(self, vm: VmState, why: str | None, **form: str) -> None:
        if why is not None:
            self._reasons[vm.name] = why
        self._send("/vm", {"name": vm.name, **form})
