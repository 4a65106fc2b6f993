"""BMCs that nobody here wrote: OpenStack's sushy-emulator with its fake driver, one process a BMC, over TLS.

    with SushyBmc(folder, ca, [FakeSystem(uuid)], listen="127.0.0.11") as bmc: ...

The emulator is sushy-tools' own application with its own TLS and htpasswd; this file only launches it (it is its own
launcher, `python sushy.py CONFIG`), writes down each request that reaches it, and can lose an answer. It dies with
the process that started it, kill -9 included, because its standard input then ends.

Whatever stands for the machine behind the BMC (a host that ESXi shuts down, a host that boots) moves the power in the
emulator's own state file and never by Redfish, so every POST that a BMC has on record came from outside the harness.

After a Reset the fake driver shows the old PowerState for a random 1 to 11 s, and each further Reset draws that delay
anew. sushy-tools has no setting for it; `delay_s` moves the moment in the same state file. A redundant On is answered
204. There is no SessionService.
"""

import contextlib
import hashlib
import json
import os
import select
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

READY = "ready on port "


@dataclass(frozen=True, slots=True)
class FakeSystem:
    """One computer behind a BMC."""

    uuid: str
    name: str = "fake"
    is_on: bool = True
    extra: Mapping[str, object] = field(default_factory=dict)
    """Laid over its ComputerSystem resource, e.g. SerialNumber and SKU, which the fake driver lacks."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that reached a BMC, whether it was let in or not."""

    method: str
    path: str
    user_agent: str
    body: str


class SushyBmc:
    """One emulated BMC. Not for use by several threads at once.

    :param folder: of its own; state, log and request record go there.
    :param ca: the trustme.CA that signs its certificate.
    :param name: host name that the certificate is made out for as well.
    :param delay_s: from a Reset to the change of PowerState; None leaves the emulator's own 1 to 11 s.
    """

    def __init__(
        self, folder: Path, ca: Any, systems: Sequence[FakeSystem], *, listen: str = "127.0.0.1",
        username: str = "guard", password: str = "correct horse", delay_s: float | None = None, name: str = "",
    ) -> None:
        self.username = username
        self.password = password
        self.ca_file = folder / "ca.pem"
        self._folder = folder
        self._systems = tuple(systems)
        self._listen = listen
        self._delay_s = delay_s
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self._ca = ca
        self._identities = [one for one in (listen, name) if one]
        self.fingerprint = ""
        """SHA-256 of its certificate, hex."""
        folder.mkdir(parents=True, exist_ok=True)
        ca.cert_pem.write_to_path(self.ca_file)
        self._certify()

    def _certify(self) -> None:
        certificate = self._ca.issue_cert(*self._identities)
        certificate.private_key_and_cert_chain_pem.write_to_path(self._folder / "server.pem")
        pem = certificate.cert_chain_pems[0].bytes().decode()
        self.fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    @property
    def port(self) -> int:
        return self._port

    @property
    def address(self) -> str:
        """host:port, as ILO_HOSTS has it."""
        return f"{self._listen}:{self._port}"

    @property
    def url(self) -> str:
        return f"https://{self.address}"

    @property
    def process_id(self) -> int:
        if self._process is None:
            raise RuntimeError("start it first")
        return self._process.pid

    def start(self) -> None:
        """Launch without waiting, so that several come up together."""
        config = self._folder / "config.json"
        config.write_text(json.dumps({
            "folder": str(self._folder), "listen": self._listen, "port": self._port, "delay_s": self._delay_s,
            "username": self.username, "password": self.password, "systems": [asdict(one) for one in self._systems],
        }))
        with (self._folder / "log.txt").open("a") as log:
            self._process = subprocess.Popen(
                # -P: this folder's modules bear the names of what they stand for and must not be imported for it.
                [sys.executable, "-P", str(Path(__file__)), str(config)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )

    def wait(self, timeout_s: float = 60.0) -> None:
        """Until it listens. :raises RuntimeError: it does not, with its log."""
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("start it first")
        readable, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        line = self._process.stdout.readline() if readable else ""
        if not line.startswith(READY):
            self.stop()
            raise RuntimeError(f"sushy-emulator did not come up: {(self._folder / 'log.txt').read_text()[-2000:]}")
        self._port = int(line.removeprefix(READY))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def renew_certificate(self) -> None:
        """Come up again on the same port with another certificate of the same CA."""
        self.stop()
        self._certify()
        self.start()
        self.wait()

    def __enter__(self) -> Self:
        self.start()
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def power(self, uuid: str | None = None) -> bool:
        """Whether the machine is on now, as Redfish would show it; reads the state file, sends nothing."""
        system = _state(self._folder)[uuid or self._systems[0].uuid]
        pending = system.get("pending_power")
        is_due = pending and time.time() >= pending["apply_time"]
        return bool((pending["power_state"] if is_due else system["power_state"]) != "Off")

    def set_power(self, is_on: bool, uuid: str | None = None) -> None:
        """Switch the machine as its own operating system would: at once, and not through the BMC."""
        key = uuid or self._systems[0].uuid
        state = _state(self._folder)
        state[key] = {**state[key], "power_state": "On" if is_on else "Off", "pending_power": None}

    def requests(self) -> list[Request]:
        """All that reached this BMC so far, oldest first."""
        record = self._folder / "requests.jsonl"
        return [Request(**json.loads(line)) for line in record.read_text().splitlines()] if record.exists() else []

    def posts(self) -> list[Request]:
        """Every POST that reached this BMC so far, oldest first."""
        return [request for request in self.requests() if request.method == "POST"]

    def lose_next_post(self, *, is_done: bool) -> None:
        """The next POST gets no answer, and takes effect or not."""
        (self._folder / "lose").write_text("done" if is_done else "undone")


@contextlib.contextmanager
def running(bmcs: Iterable[SushyBmc]) -> Iterator[None]:
    """All of them, started side by side; each takes about a second of processor time to come up."""
    with contextlib.ExitStack() as stack:
        started = list(bmcs)
        for bmc in started:
            stack.callback(bmc.stop)
            bmc.start()
        for bmc in started:
            bmc.wait()
        yield


def _state(folder: Path) -> Any:
    """The fake driver's own store of its systems, shared by file between emulator and harness.

    Imported here, so that this module can be, and a test can skip, where sushy-tools is absent.
    """
    from sushy_tools.emulator.memoize import PersistentDict  # type: ignore[import-untyped]  # noqa: PLC0415

    state = PersistentDict()
    state.make_permanent(str(folder / "state"), "fakedriver")
    return state


# Below: inside the emulator's process.


class _Recorded:
    """Outermost around the emulator: writes requests down, loses answers, moves the moment of a Reset."""

    def __init__(self, app: Any, config: Mapping[str, Any]) -> None:
        self._app = app
        self._folder = Path(config["folder"])
        self._delay_s = config["delay_s"]
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        import io  # noqa: PLC0415 - the emulator's process only

        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        request = Request(method, path, environ.get("HTTP_USER_AGENT", ""), body.decode(errors="replace"))
        with self._lock, (self._folder / "requests.jsonl").open("a") as record:
            record.write(json.dumps(asdict(request)) + "\n")
        loss = self._loss() if method == "POST" else None
        if loss == "undone":
            return self._drop(environ)
        answer = list(self._app(environ, start_response))
        if method == "POST" and self._delay_s is not None:
            self._move(path)
        return self._drop(environ) if loss else answer

    def _loss(self) -> str | None:
        marker = self._folder / "lose"
        if not marker.exists():
            return None
        loss = marker.read_text()
        marker.unlink()
        return loss

    def _move(self, path: str) -> None:
        state = _state(self._folder)
        for uuid in state:
            system = state[uuid]
            if uuid in path and system.get("pending_power"):
                system["pending_power"]["apply_time"] = time.time() + self._delay_s
                state[uuid] = system

    @staticmethod
    def _drop(environ: Mapping[str, Any]) -> Iterable[bytes]:
        import socket  # noqa: PLC0415 - the emulator's process only

        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError("answer lost on purpose")


def _serve(config: Mapping[str, Any]) -> None:
    import bcrypt  # noqa: PLC0415 - the emulator's process only
    import flask  # noqa: PLC0415
    from sushy_tools.emulator.main import app  # type: ignore[import-untyped]  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    folder = Path(config["folder"])
    digest = bcrypt.hashpw(config["password"].encode(), bcrypt.gensalt(rounds=4)).decode()
    (folder / "htpasswd").write_text(f"{config['username']}:{digest}\n")
    extras = {one["uuid"]: one["extra"] for one in config["systems"]}

    def lay_over(response: flask.Response) -> flask.Response:
        extra = extras.get(flask.request.path.rstrip("/").rpartition("/Systems/")[2])
        if extra and flask.request.method == "GET" and response.status_code == 200:
            response.set_data(json.dumps({**json.loads(response.get_data()), **extra}))
        return response

    app.after_request(lay_over)
    app.configure(extra_config={
        "SUSHY_EMULATOR_FAKE_DRIVER": True,
        "SUSHY_EMULATOR_STATE_DIR": str(folder / "state"),
        "SUSHY_EMULATOR_AUTH_FILE": str(folder / "htpasswd"),
        "SUSHY_EMULATOR_FAKE_SYSTEMS": [
            {"uuid": one["uuid"], "name": one["name"], "power_state": "On" if one["is_on"] else "Off", "nics": []}
            for one in config["systems"]
        ],
    })
    _ = app.systems.systems  # writes the state file, so that the harness may read it once we listen
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem")
    server = make_server(config["listen"], config["port"], _Recorded(app, config), threaded=True, ssl_context=tls)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(f"{READY}{server.port}", flush=True)
    server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _serve(json.loads(Path(sys.argv[1]).read_text()))
