"""What this machine shows of itself, read without sending anything."""

import socket
from pathlib import Path

import pytest

from thermo_guard.adapters import machine


def test_loopback_is_no_address_of_the_guard() -> None:
    """Every machine has it, so it tells none from another; nor does an address that is none, or is not reached."""
    assert machine.own_addresses(["127.0.0.2", "::1", "nonsense", "", "esx1.example"]) == ()


def test_the_address_by_which_a_peer_is_reached_is_one_of_this_machine() -> None:
    """The routing table's source address towards each peer, once; it can be bound, so it is this machine's."""
    found = machine.own_addresses(["192.0.2.1", "192.0.2.1", "198.51.100.1"])
    for address in found:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as proof:
            proof.bind((address, 0))
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(("mark", "text", "is_one"), [
    (".dockerenv", "", True), ("run/.containerenv", "", True), ("proc/1/cgroup", "0::/docker/0af1\n", True),
    ("proc/1/cgroup", "11:cpu:/kubepods/burstable/pod1\n", True), ("proc/1/cgroup", "0::/\n", False),
    ("proc/1/cgroup", "0::/init.scope\n", False), ("etc/hostname", "docker\n", False),
])
def test_a_container_is_known_by_its_marks(tmp_path: Path, mark: str, text: str, is_one: bool) -> None:
    """Docker's and Podman's files, or the control group of process 1; nothing else."""
    (tmp_path / mark).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mark).write_text(text)
    assert machine.is_container(tmp_path) is is_one


def test_the_maker_is_what_the_firmware_says(tmp_path: Path) -> None:
    """A machine without DMI, as a small NAS is, says nothing."""
    assert machine.maker(tmp_path) is None
    (tmp_path / "sys_vendor").write_text("VMware, Inc.\n")
    assert machine.maker(tmp_path) == "VMware, Inc."


def test_behind_systemds_own_server_the_real_ones_are_read(tmp_path: Path) -> None:
    """The stub names itself alone; who it asks stands in systemd's own file."""
    stub, behind = tmp_path / "resolv.conf", tmp_path / "behind.conf"
    behind.write_text("nameserver 192.0.2.53\n")
    stub.write_text("nameserver 192.0.2.1\n")
    assert machine.resolver_files(stub, behind) == ("nameserver 192.0.2.1\n",)
    stub.write_text("nameserver 127.0.0.53\n")
    assert machine.resolver_files(stub, behind) == ("nameserver 127.0.0.53\n", "nameserver 192.0.2.53\n")
    assert machine.resolver_files(tmp_path / "none", behind) == ("",)


def test_the_kernels_list_of_mounts_is_read() -> None:
    """There is a root in it."""
    assert " / " in machine.mounts()
