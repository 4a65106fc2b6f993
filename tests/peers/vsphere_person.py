"""A person at vCenter, who changes what the guard only reads: by VMware's own library, apart from the adapter's code.

with at_vcenter(plant, ca_file) as person: person.change_vm("db-1", managedBy=...)
"""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import SoapAdapter, VmomiSupport, vim

from peers.vsphere import PASSWORD, USER, VirtualVsphere


class Person:
    """Every act is over when its method returns."""

    def __init__(self, service: vim.ServiceInstance, cluster: str) -> None:
        self._content: Any = service.RetrieveContent()  # what a host lacks, vCenter has
        self._cluster_name = cluster

    @property
    def cluster(self) -> vim.ClusterComputeResource:
        found: vim.ClusterComputeResource = self._named(vim.ClusterComputeResource, self._cluster_name)
        return found

    def vm(self, name: str) -> vim.VirtualMachine:
        found: vim.VirtualMachine = self._named(vim.VirtualMachine, name)
        return found

    def change_vm(self, name: str, **spec: Any) -> None:
        """Reconfigure a VM; the spec's fields are keywords."""
        self._done(self.vm(name).Reconfigure(vim.vm.ConfigSpec(**spec)))

    def mark_vm(self, name: str, **entries: object) -> None:
        """Put entries into its extraConfig; two underscores stand for a dot."""
        told = [vim.option.OptionValue(key=k.replace("__", "."), value=v) for k, v in entries.items()]
        self.change_vm(name, extraConfig=told)

    def set_property(self, name: str, path: str, value: object) -> None:
        """Have the simulator show any property of a VM otherwise."""
        self.change_vm(name, extraConfig=[vim.option.OptionValue(key=f"SET.{path}", value=value)])

    def change_cluster(self, **spec: Any) -> None:
        self._done(self.cluster.ReconfigureEx(vim.cluster.ConfigSpecEx(**spec), modify=True))

    def configuration(self) -> str:
        """All of the cluster's configuration, as the server writes it."""
        newest = VmomiSupport.newestVersions.GetName("vim")
        return str(SoapAdapter.SerializeToStr(self.cluster.configurationEx, version=newest))

    @property
    def services_key(self) -> str:
        """Of the advanced setting that switches the cluster services (vCLS)."""
        return f"config.vcls.clusters.{self.cluster._moId}.enabled"

    def set_option(self, key: str, value: str) -> None:
        self._content.setting.UpdateValues([vim.option.OptionValue(key=key, value=value)])

    def option(self, key: str) -> str | None:
        """An advanced setting of vCenter; None where nobody set it."""
        try:
            return str(self._content.setting.QueryView(key)[0].value)
        except vim.fault.InvalidName:
            return None

    def _named(self, kind: type, name: str) -> Any:
        view = self._content.viewManager.CreateContainerView(self._content.rootFolder, [kind], True)
        try:
            return next(one for one in view.view if one.name == name)
        finally:
            view.Destroy()

    def _done(self, task: vim.Task) -> None:
        deadline = time.monotonic() + 10
        while task.info.state not in {"success", "error"}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{task.info.descriptionId} does not end")
        if task.info.state == "error":
            fault: Any = task.info.error
            raise fault


@contextmanager
def at_vcenter(plant: VirtualVsphere, ca_file: str) -> Iterator[Person]:
    host, _, port = plant.vcenter.partition(":")
    service = SmartConnect(host=host, port=int(port), user=USER, pwd=PASSWORD,
                           sslContext=ssl.create_default_context(cafile=ca_file))
    try:
        yield Person(service, plant.cluster)
    finally:
        Disconnect(service)
