"""What runs on the virtual site at one time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Running:
    """What runs, for a comparison of before and after."""

    vms: tuple[tuple[str, str], ...]
    """(VM, host) of each that is on, by name."""
    hosts: tuple[str, ...]
    in_maintenance: tuple[str, ...]
    settings: str
    services: int = 0
    """Cluster services' VMs that are on: any of them are as good as any others."""

    def names_changed(self, after: "Running") -> set[str]:
        """VMs and hosts whose power, or maintenance mode, is another one after."""
        vms = {name for name, _ in self.vms} ^ {name for name, _ in after.vms}
        return vms | ({*self.hosts} ^ {*after.hosts}) | ({*self.in_maintenance} ^ {*after.in_maintenance})

    def differences(self, after: "Running") -> tuple[str, ...]:
        """Each way in which `after` is not as this, in words; where a VM runs is not among them."""
        was, now = {vm for vm, _ in self.vms}, {vm for vm, _ in after.vms}
        found = [f"{vm} does not run" for vm in sorted(was - now)]
        found += [f"{vm} runs and did not before" for vm in sorted(now - was)]
        found += [f"{host} is off" for host in self.hosts if host not in after.hosts]
        found += [f"{host} is on and was not before" for host in after.hosts if host not in self.hosts]
        if self.in_maintenance != after.in_maintenance:
            found.append(f"in maintenance: {after.in_maintenance or 'none'}, before {self.in_maintenance or 'none'}")
        if self.services != after.services:
            found.append(f"{after.services} cluster services' VMs run, before {self.services}")
        if self.settings != after.settings:
            found.append(f"settings are {after.settings}, before {self.settings}")
        return tuple(found)
