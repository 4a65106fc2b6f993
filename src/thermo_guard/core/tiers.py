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
        return vm.tier if vm.tier is not None else self.by_name(vm.name)[0]

    def by_name(self, name: str) -> tuple[int, str]:
        """The tier that a VM's name alone gives it, and why in words."""
        for pattern, tier in self.patterns:
            if fnmatchcase(name.lower(), pattern.lower()):
                return tier, f"name like {pattern}"
        return self.default, "default"
