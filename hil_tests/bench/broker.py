"""A real mosquitto on a free port of the loopback: MQTT 5, TLS 1.3, client certificates, the contract's access list.

It is started, killed and started again on the same port, with or without persistence. Who has which certificate stands
in `pki`.
"""

import shutil
import signal
import socket
import subprocess
import time
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from hil_tests.bench.pki import CENTRE, SiteKeys

_PATIENCE_S = 10.0
_LOOPBACK = "127.0.0.1"

CENTRE_TOPICS = """\
topic read gw/v1/+/tele/#
topic read gw/v1/+/evt/#
topic read gw/v1/+/state
topic read gw/v1/+/conn
topic read gw/v1/+/ack
topic write gw/v1/+/cmd
topic write gw/v1/+/cfg
topic write gw/v1/+/receipt
"""
"""What a centre may touch: of every gateway, what it says, and the three ways to speak to it."""

_CONTRACT = f"""\
# A gateway is known by its certificate's name (%u) and touches its own topics alone.
pattern write gw/v1/%u/tele/#
pattern write gw/v1/%u/evt/#
pattern write gw/v1/%u/state
pattern write gw/v1/%u/conn
pattern write gw/v1/%u/ack
pattern read gw/v1/%u/cmd
pattern read gw/v1/%u/cfg
pattern read gw/v1/%u/receipt

user {CENTRE}
{CENTRE_TOPICS}"""


OBSERVER = "observer"
"""Certificate name of somebody who may hear everything and say nothing; no real site has one."""


class Access(Enum):
    """What the broker lets through: the contract; with an observer; without the right to publish readings (0x87)."""

    CONTRACT = _CONTRACT
    OBSERVED = f"{_CONTRACT}\nuser {OBSERVER}\ntopic read gw/#\n"
    NO_READINGS = _CONTRACT.replace("pattern write gw/v1/%u/tele/#\n", "")


class BrokerError(Exception):
    """Mosquitto is not installed, or would not start; the text says what to do."""


class Broker:
    """One mosquitto; `with Broker(folder, keys) as broker:` starts it and stops it."""

    def __init__(
        self,
        folder: Path,
        keys: SiteKeys,
        *,
        port: int = 0,
        persistent: bool = False,
        access: Access = Access.CONTRACT,
        queue: int = 1000,
        packet: int = 1_048_576,
    ) -> None:
        """Keep configuration, log and (where `persistent`) sessions in `folder`; port 0 means: find a free one.

        `queue` messages are kept for a client that is away, what comes then is lost; `packet` bytes is the longest.
        """
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.access = access
        self._keys = keys
        self._persistent = persistent
        self._queue = queue
        self._packet = packet
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """Everything that it has said since the folder was made."""
        path = self.folder / "mosquitto.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def start(self) -> None:
        """Start and wait until it accepts connections; raise BrokerError where it cannot."""
        if self.running:
            return
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        if program is None:
            raise BrokerError("mosquitto is not installed: apt-get install mosquitto")
        self.folder.mkdir(parents=True, exist_ok=True)
        _private_text(self.folder / "acl", self.access.value)
        _private_text(self.folder / "mosquitto.conf", self._configuration())
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(self.folder / "mosquitto.conf")], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait(self._process)

    def stop(self) -> None:
        """Ask it to end, as an operator would; sessions are saved where it is persistent."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Take it away as a power cut would: no farewell, nothing saved."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it do nothing, as a machine does that is short of everything, until it is to `thaw`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def reload(self) -> None:
        """Have it read its access list, certificates and list of revocations again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def restart(self, access: Access | None = None) -> None:
        """Kill it and start it again on the same port, with another access list where one is given."""
        self.kill()
        self.access = access or self.access
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            self.thaw()
            try:
                self._process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                self._process = None
                raise BrokerError(f"mosquitto ended at once on port {self.port}: {self.log[-500:].strip()}")
            try:
                socket.create_connection((_LOOPBACK, self.port), timeout=0.2).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        self.stop()
        raise BrokerError(f"mosquitto accepts nothing on port {self.port}: {self.log[-500:].strip()}")

    def _configuration(self) -> str:
        # `user` counts where the bench runs as root: there mosquitto would become a user who may not read the keys.
        # use_username_as_clientid: without it one gateway can connect with another's client id and throw it out.
        # max_inflight_messages is also what the broker announces as Receive Maximum.
        lines = [
            "user root",
            "per_listener_settings false",
            "log_dest stderr",
            *(f"log_type {kind}" for kind in ("error", "warning", "notice")),
            f"listener {self.port} {_LOOPBACK}",
            "allow_anonymous false",
            f"cafile {self._keys.ca}",
            f"certfile {self._keys.broker.cert}",
            f"keyfile {self._keys.broker.key}",
            f"crlfile {self._keys.revoked}",
            "tls_version tlsv1.3",
            "require_certificate true",
            "use_identity_as_username true",
            "use_username_as_clientid true",
            "allow_zero_length_clientid false",
            f"acl_file {self.folder / 'acl'}",
            "max_inflight_messages 100",
            f"max_queued_messages {self._queue}",
            f"max_packet_size {self._packet}",
            "persistent_client_expiration 14d",
            f"persistence {'true' if self._persistent else 'false'}",
        ]
        if self._persistent:
            lines += [f"persistence_location {self.folder}/", "autosave_interval 1", "autosave_on_changes true"]
        return "\n".join(lines) + "\n"


def free_port() -> int:
    """Give a TCP port of the loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _private_text(path: Path, text: str) -> None:
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(text, "utf-8")
