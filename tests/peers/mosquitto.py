"""A broker that nobody here wrote: Eclipse Mosquitto as a process, the machine's own or one that apt fetches.

    with Mosquitto(folder) as broker: broker.port, await broker.publish(topic, payload), broker.kill(), broker.start()

Where it is not installed it is unpacked into .cache, without root, from the packages that apt names; where the
machine has no lists of packages, apt fetches some into .cache too. The process ends with its standard input, so that a
test run that is killed leaves nothing behind.
"""

import fcntl
import os
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiomqtt

from peers import absent

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "mosquitto"
_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_DIES_WITH_STDIN = '"$@" </dev/null & cat >/dev/null; kill -9 $!; wait $! 2>/dev/null'


@dataclass
class Mosquitto:
    """One broker on loopback; anybody may publish and read, or with a password only its user.

    :param folder: of its own.
    :param ca: the trustme.CA that signs its certificate for `name`; None: no TLS.
    """

    folder: Path
    user: str = ""
    password: str = ""
    ca: Any = None
    name: str = "127.0.0.1"
    port: int = 0
    _process: subprocess.Popen[str] | None = None
    _program: tuple[str, dict[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self._program = _found()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        self.configure()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def configure(self) -> None:
        """Write what it starts with."""
        lines = [f"listener {self.port} 127.0.0.1", "log_dest stderr", f"allow_anonymous {str(not self.user).lower()}"]
        if os.geteuid() == 0:
            lines.append("user root")  # or it looks for a user that only an installed one has
        if self.user:
            program, environment = self._program
            subprocess.run([Path(program).parent.parent / "bin" / "mosquitto_passwd", "-b", "-c", self.folder / "users",
                            self.user, self.password], env=environment, check=True, capture_output=True)
            lines.append(f"password_file {self.folder / 'users'}")
        if self.ca is not None:
            self.ca.cert_pem.write_to_path(self.folder / "ca.pem")
            self.ca.issue_cert(self.name).private_key_and_cert_chain_pem.write_to_path(self.folder / "server.pem")
            lines += [f"certfile {self.folder / 'server.pem'}", f"keyfile {self.folder / 'server.pem'}"]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Also again after `kill`, on the same port; it has forgotten everything then."""
        program, environment = self._program
        self._process = subprocess.Popen(
            ["sh", "-c", _DIES_WITH_STDIN, "sh", program, "-c", self.folder / "mosquitto.conf"], env=environment,
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        said = []
        assert self._process.stderr is not None
        for line in self._process.stderr:
            said.append(line)
            if "running" in line:
                return
        raise RuntimeError(f"mosquitto did not start: {''.join(said)}")

    def kill(self) -> None:
        """As a loss of power does."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    async def publish(self, *messages: tuple[str, str | bytes], retain: bool = False) -> None:
        """As a gateway does: each is with the broker when this returns."""
        tls = None
        if self.ca is not None:
            tls = ssl.create_default_context(cadata=self.ca.cert_pem.bytes().decode())
            tls.check_hostname = False
        async with aiomqtt.Client("127.0.0.1", self.port, username=self.user or None, password=self.password or None,
                                  tls_context=tls) as client:
            for topic, payload in messages:
                await client.publish(topic, payload, qos=1, retain=retain)


def _found() -> tuple[str, dict[str, str]]:
    """The program, and the environment that it runs in; skips the test where there is none."""
    installed = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), *_PLACES]))
    if installed is not None:
        return installed, dict(os.environ)
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        absent("mosquitto", "it is not installed, and there is no apt to fetch it")
    root = CACHE / "root"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _fetch(root)
    libraries = os.pathsep.join(sorted({str(one.parent) for one in root.rglob("*.so*")}))
    return str(root / "usr/sbin/mosquitto"), {**os.environ, "LD_LIBRARY_PATH": libraries}


def _fetch(root: Path) -> None:
    """Unpack it with those of its libraries that are not installed."""
    archives = CACHE / "cache" / "archives"
    for folder in (archives / "partial", CACHE / "state" / "lists" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-qq", "-y", "-o", f"Dir::Cache={CACHE / 'cache'}", "-o", "Debug::NoLocking=1",
           "-o", "APT::Sandbox::User="]
    own_lists = ["-o", f"Dir::State={CACHE / 'state'}", "-o", "Dir::State::status=/var/lib/dpkg/status",
                 "-o", "Acquire::Languages=none"]
    download = ["--no-install-recommends", "--download-only", "install", "mosquitto"]
    got = _run([*apt, *download])
    if got.returncode != 0:
        _run([*apt, *own_lists, "update"])
        got = _run([*apt, *own_lists, *download])
    packages = list(archives.glob("*.deb"))
    if got.returncode != 0 or not packages:
        why = (got.stderr.strip().splitlines() or ["apt fetched nothing"])[-1]
        absent("mosquitto", f"it is not installed, and apt cannot fetch it: {why}")
    fresh = root.with_suffix(f".{os.getpid()}")
    for package in packages:
        subprocess.run(["dpkg", "-x", package, fresh], check=True, capture_output=True)
    fresh.rename(root)
    for folder in (CACHE / "cache", CACHE / "state"):
        shutil.rmtree(folder)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300,
                          env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
