"""Who acts of its own accord on what happens in the virtual cluster: vCenter's services and other solutions."""

from .machines import HostState, VmState


class Watcher:
    """Who acts on what happens, of its own accord."""

    def vm_off(self, vm: VmState) -> None:
        """A VM has gone off, whyever."""

    def vm_on(self, vm: VmState) -> None:
        """A VM has been switched on."""

    def host_enters(self, host: HostState) -> None:
        """A host begins to enter maintenance mode."""

    def host_ready(self, host: HostState) -> None:
        """A host takes VMs again."""

    def vms_lost(self, host: HostState, vms: list[VmState]) -> None:
        """A host has gone off with these still on."""

    def settings_changed(self) -> None: ...
