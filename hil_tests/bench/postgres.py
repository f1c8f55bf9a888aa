"""A PostgreSQL of the bench's own, in a folder of its own, on a Unix socket and nothing else.

It is started, killed and started again on the same data. PostgreSQL refuses to be root's: there it is made the user
`postgres`, whom Debian's package brings, or `nobody`.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

_PATIENCE_S = 60.0


class PostgresError(Exception):
    """PostgreSQL is not installed, or would not start; the text says what to do."""


class Postgres:
    """One server; `with Postgres() as server:` makes it, starts it, stops it and takes it away."""

    def __init__(self) -> None:
        # Not below pytest's folder: that is closed to the user whom the server runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="gw-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = _user()
            self._user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self.folder, user.pw_uid, user.pw_gid)

    def __enter__(self) -> Self:
        data = str(self.folder / "data")
        options = ("-D", data, "-U", "gateway", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        made = self._run(_program("initdb"), *options)
        if made.returncode:
            raise PostgresError(f"initdb: {made.stderr.decode()[-500:]}")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def conninfo(self) -> str:
        """How libpq finds it."""
        return f"host={self.folder} user=gateway dbname=postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        # Without fsync: whether PostgreSQL survives a power cut is not what the bench is about.
        settings = ("listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off", "shared_buffers=16MB")
        words = [word for setting in settings for word in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", str(self.folder / "data"), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._user,
            )
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.conninfo).close()
                return
            time.sleep(0.02)
        self.stop()
        raise PostgresError(f"PostgreSQL does not answer: {(self.folder / 'log').read_text()[-500:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it with all its connections (SIGINT), or as a crash does (SIGQUIT)."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Give the rows of a query, none where it is an order."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            done = connection.execute(query, values)
            return done.fetchall() if done.description else []

    def _run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(words, capture_output=True, check=False, cwd=self.folder, timeout=120, **self._user)


def _user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _program(name: str) -> str:
    """Find a program of PostgreSQL where Debian puts it; the newest there."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))
    if found is None:
        raise PostgresError(f"{name} is not installed: apt-get install postgresql")
    return found
