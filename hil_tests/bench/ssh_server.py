"""A real OpenSSH server of the bench's own, for one user and one key, with SFTP and nothing else."""

import asyncio
import contextlib
import getpass
import os
import shutil
import socket
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PATIENCE_S = 30.0

_SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server")


class SshServer:
    """`async with SshServer(folder, public) as server:` takes the key of that line (`authorized_keys`) on loopback.

    Files land beside `inbox`; `host_line` is what a client's known_hosts takes for `port`.
    """

    def __init__(self, folder: Path, public: str) -> None:
        self.folder = folder
        self.user = getpass.getuser()
        self.inbox = folder / "inbox"
        self.port = 0
        self._public = public
        self._process: Process | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.inbox.mkdir(exist_ok=True)
        self.host_public = self.new_host_key()

    def new_host_key(self) -> str:
        """Give the server another identity, as a stranger in its place has; it counts from the next start."""
        key = Ed25519PrivateKey.generate()
        path = self.folder / "host.key"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")

    def host_line(self, port: int | None = None) -> str:
        """Give the line of known_hosts for a client that dials that port (ours, or a relay's)."""
        return f"[127.0.0.1]:{self.port if port is None else port} {self.host_public}\n"

    def admit(self, public: str) -> None:
        """Let the key of that line in, and no other, from the next start."""
        self._public = public

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it, on the same port as before."""
        self.port = self.port or _free_port()
        authorized = self.folder / "authorized_keys"
        authorized.write_text(f"{self._public}\n")
        sftp = next(path for path in _SFTP_SERVERS if Path(path).exists())
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder / 'host.key'}\nPidFile none\n"
            f"AuthorizedKeysFile {authorized}\nStrictModes no\nPasswordAuthentication no\n"
            f"KbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin prohibit-password\n"
            f"Subsystem sftp {sftp} -d {self.folder}\nForceCommand {sftp} -d {self.folder}\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd of Debian separates its privileges
        sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "sshd"
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sshd, "-D", "-e", "-f", str(config), stdin=DEVNULL, stdout=log, stderr=log
            )
        async with asyncio.timeout(PATIENCE_S):
            while not await self._answers():
                if self._process.returncode is not None:
                    raise RuntimeError((self.folder / "sshd.log").read_text())
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop it; files stay."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            greeting = await reader.read(4)
            writer.close()
            return greeting == b"SSH-"
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
