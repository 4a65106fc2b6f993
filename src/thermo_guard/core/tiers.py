"""In which tier a VM stops and starts: 1 stops first and starts last."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from .plant import Vm


@dataclass(frozen=True, slots=True)
class Tiers:
    """The rule: a tag or custom attribute on the VM, else the first name pattern that fits, else the default."""

    patterns: tuple[tuple[str, int], ...] = ()
    """Shell patterns on the VM's name, case folded, in order."""
    default: int = 1

    def of(self, vm: Vm) -> int:
        if vm.tier is not None:
            return vm.tier
        for pattern, tier in self.patterns:
            if fnmatchcase(vm.name.lower(), pattern.lower()):
                return tier
        return self.default
