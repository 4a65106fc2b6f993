"""What the guard can ask of the plant: one verb, one target, one way to it."""

from dataclasses import dataclass
from enum import StrEnum

from .plant import ClusterSettings

VCENTER = "vcenter"
"""`Command.via` where vCenter is asked; any other value is the name of the ESXi host that is asked directly."""


class Verb(StrEnum):
    DISARM_HA = "disarm_ha"
    DISARM_DRS = "disarm_drs"
    RETREAT_VCLS = "retreat_vcls"
    """Have vCenter remove its cluster services' VMs."""
    SHUT_DOWN_GUEST = "shut_down_guest"
    ANSWER_VM = "answer_vm"
    POWER_OFF_VM = "power_off_vm"
    TERMINATE_VM = "terminate_vm"
    """Kill the process that runs it, where a power-off hangs."""
    ENTER_MAINTENANCE = "enter_maintenance"
    SHUT_DOWN_HOST = "shut_down_host"
    FORCE_OFF_HOST = "force_off_host"
    """Have its BMC cut the power: only by explicit setting."""
    POWER_ON_HOST = "power_on_host"
    RECONNECT_HOST = "reconnect_host"
    """Have vCenter take a host back that it has let go."""
    EXIT_MAINTENANCE = "exit_maintenance"
    RESTORE_VCLS = "restore_vcls"
    RESTORE_HA = "restore_ha"
    RESTORE_DRS = "restore_drs"
    ADOPT_VM = "adopt_vm"
    POWER_ON_VM = "power_on_vm"
    RESTORE_ADMISSION = "restore_admission"


@dataclass(frozen=True, slots=True)
class Command:
    """One act on the plant. `key` identifies what is wanted, whatever the way to it."""

    verb: Verb
    target: str
    """VM instance UUID, host name, or cluster name."""
    name: str
    """The target's name for people."""
    via: str
    """VCENTER, or the host asked directly; for POWER_ON_HOST and FORCE_OFF_HOST the BMC's address."""
    force: bool = False
    """SHUT_DOWN_HOST: also outside maintenance mode."""
    timeout_s: float = 0.0
    """ENTER_MAINTENANCE: the server's own bound, > 0."""
    settings: ClusterSettings | None = None
    """RESTORE_*: what is restored."""
    path: str | None = None
    """ADOPT_VM: its .vmx file; `via` is the host that takes it."""
    answer: tuple[str, str] | None = None
    """ANSWER_VM: id of the question and key of the choice."""

    @property
    def key(self) -> tuple[Verb, str]:
        return (self.verb, self.target)


class Outcome(StrEnum):
    """How a command was answered; whether it was done is for a later look to say."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"
    TRANSIENT = "transient"
    """Not done, may be repeated."""
    AMBIGUOUS = "ambiguous"
    """The answer was lost: it may have been done."""
    UNSENT = "unsent"
    """It never left the guard: for its target, as if it had not been asked this time."""
