"""Where the data folder lies, read from the kernel's list of mounts, and what `check` says of it in a container."""

from dataclasses import replace

import pytest

from core.surveyed import FOLDER, judged, of, worse
from thermo_guard.core.data_folder import Storage, storage_of
from thermo_guard.core.finding import Area, Verdict, Way

NAME = "0123456789abcdef" * 4
OVERLAY = "600 500 0:52 / / rw,relatime master:240 - overlay overlay rw,lowerdir=/l1:/l2,upperdir=/u,workdir=/w"
DISK = "30 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw"


def bound(root: str, point: str = "/data", kind: str = "ext4", source: str = "/dev/sda1") -> str:
    return f"{OVERLAY}\n601 600 8:1 {root} {point} rw,relatime - {kind} {source} rw"


@pytest.mark.parametrize(("mounts", "storage"), [
    (OVERLAY, Storage.LAYER),
    ("600 500 0:52 / / rw - aufs none rw,si=1", Storage.LAYER),
    ("600 500 0:33 /@docker/btrfs/subvolumes/0af1 / rw - btrfs /dev/mapper/cachedev_0 rw", Storage.LAYER),
    ("600 500 0:33 / / rw - ext4 /dev/mapper/docker-8:1-77-0af1 rw", Storage.LAYER),
    ("600 500 0:33 / / rw - zfs tank/docker/0af1 rw", Storage.LAYER),
    (DISK, Storage.DISK),
    (bound("/var/lib/docker/volumes/thermo-guard_data/_data"), Storage.DISK),
    (bound("/volume1/docker/thermo-guard"), Storage.DISK),
    (bound(f"/var/lib/docker/volumes/{NAME}/_data"), Storage.ANONYMOUS),
    (bound(f"/@docker/volumes/{NAME}/_data", kind="btrfs"), Storage.ANONYMOUS),
    (bound(f"/volumes/{NAME[:-1]}/_data"), Storage.DISK),
    (bound("/", kind="tmpfs", source="tmpfs"), Storage.MEMORY),
    (bound("/pods/1/volumes/kubernetes.io~empty-dir/data"), Storage.LAYER),
    (bound("/", kind="nfs4", source="nas:/export"), Storage.NETWORK),
    (bound("/srv", point="/data/x"), Storage.LAYER),
    (bound("/srv", point="/dat"), Storage.LAYER),
    ("", Storage.DISK),
    ("nonsense\n1 2 3 - \n", Storage.DISK),
])
def test_a_folder_lies_on_the_nearest_mount_above_it(mounts: str, storage: Storage) -> None:
    """The longest mount point that holds the folder decides; what cannot be read is not held against anybody."""
    assert storage_of(mounts, "/data") is storage


def test_of_two_mounts_at_one_place_the_later_one_is_seen() -> None:
    """A volume that is mounted over another one hides it."""
    both = f"{bound('/srv/guard')}\n602 601 0:9 / /data rw - tmpfs tmpfs rw"
    assert storage_of(both, "/data/deep") is Storage.MEMORY


def test_a_mount_point_with_a_blank_in_its_name_is_found() -> None:
    """The kernel writes blanks in octal."""
    assert storage_of(bound("/srv/guard", point=r"/my\040data"), "/my data/guard") is Storage.DISK


@pytest.mark.parametrize(("storage", "way"), [
    (Storage.LAYER, Way.BACK), (Storage.ANONYMOUS, Way.BACK), (Storage.MEMORY, Way.DOWN),
])
def test_a_container_that_forgets_fails_with_the_lines_that_mend_it(storage: Storage, way: Way) -> None:
    """What a new container forgets costs the way back; what each start forgets costs the shutdown too."""
    (only,) = worse(folder=replace(FOLDER, in_container=True, storage=storage))
    assert (only.area, only.verdict, only.way) == (Area.DATA, Verdict.FAIL, way)
    assert 'volumes: ["data:/data"]' in only.remedy
    assert "docker run: -v thermo-guard-data:/data" in only.remedy


def test_a_mount_that_cannot_be_written_is_mended_on_the_machine() -> None:
    """Inside of a container nobody may change its owner: the line is for the machine that runs it."""
    (only,) = worse(folder=replace(FOLDER, in_container=True, is_writable=False, user_id=10001))
    assert "On the machine that runs the container, as root: chown 10001" in only.remedy
    assert "mounted at /data" in only.remedy


def test_on_a_machine_of_its_own_only_a_share_is_said() -> None:
    """Outside of a container there is nothing to mount; a network share is doubtful anywhere."""
    for storage in (Storage.LAYER, Storage.MEMORY, Storage.DISK):
        assert worse(folder=replace(FOLDER, storage=storage)) == []
    (only,) = worse(folder=replace(FOLDER, storage=Storage.NETWORK))
    assert only.verdict is Verdict.WARN


def test_it_is_said_that_two_folders_are_two_guards() -> None:
    """One line, wherever all is in order too."""
    said = [finding.text for finding in of(Area.DATA, judged()) if "two guards" in finding.text]
    assert len(said) == 1
