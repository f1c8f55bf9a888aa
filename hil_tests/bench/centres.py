"""Several centres side by side, each a process of its own: `gateway centre listen` on one store and one broker."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.centre.ca.authority import Authority
from gateway.centre.ca.issue import Kind
from gateway.wire.keys import KeySet, make_signing_key
from hil_tests.bench.broker import CENTRE_TOPICS, Broker
from hil_tests.bench.pki import CENTRE, CENTRE_EPOCH, CENTRE_ROLES, SiteKeys, now, trusted, write_private

PATIENCE_S = 60.0


class SharedBroker(Broker):
    """A broker that lets several centres in, by the names of their certificates."""

    names: tuple[str, ...] = ()

    def _configuration(self) -> str:
        access = self.folder / "acl-of-several"
        access.write_text(
            self.access.value + "".join(f"\nuser {name}\n{CENTRE_TOPICS}" for name in self.names), "utf-8"
        )
        access.chmod(0o600)
        return super()._configuration().replace(f"acl_file {self.folder / 'acl'}\n", f"acl_file {access}\n")


class ListeningCentre:
    """One process; its standard output goes to `out`."""

    def __init__(self, folder: Path, name: str, keys: SiteKeys, port: int, *, session_expiry_s: int = 1) -> None:
        """Make its certificate, its signing key and its file; the store is `centre.db` in the folder."""
        self.name = name
        self.out, self.log = folder / f"{name}.out", folder / f"{name}.log"
        self.config = folder / f"{name}.toml"
        self.signing_key = folder / f"{name}-signing.pem"
        self.key = make_signing_key(self.signing_key, f"{name}-2026")
        self._process: Process | None = None
        tls = ec.generate_private_key(ec.SECP256R1())
        with closing(Authority.open(keys.folder)) as authority:
            issued = authority.issue(Kind.CENTRE, name, tls.public_key(), now())
        (folder / f"{name}.pem").write_bytes(issued.public_bytes(Encoding.PEM))
        write_private(folder / f"{name}.key", tls.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.config.write_text(
            f"""
[centre]
name = "{name}"
epoch = "{CENTRE_EPOCH.hex()}"
signing_key = "{self.signing_key}"
gateway_keys = "{keys.gateway_keys}"
database = "{folder / "centre.db"}"
heartbeat_s = 1
receipt_late_s = 0.25
gap_after_s = 0.5

[broker]
host = "127.0.0.1"
port = {port}
ca_file = "{keys.ca}"
certificate_file = "{name}.pem"
key_file = "{name}.key"
reconnect_max_s = 1
session_expiry_s = {session_expiry_s}
""",
            "utf-8",
        )

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *options: str) -> None:
        """Start it."""
        with self.out.open("ab") as out, self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "centre", "listen", "--config", str(self.config), *options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, or kill it; give its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.returncode is None:
            os.kill(process.pid, how)
        async with asyncio.timeout(PATIENCE_S):
            return await process.wait()

    def lines(self, kind: str) -> list[dict[str, object]]:
        """Give the JSON lines of one type that it has printed; one that is cut short is none yet."""
        whole = self.out.read_text("utf-8").rpartition("\n")[0].splitlines()
        return [told for told in map(json.loads, whole) if told["type"] == kind]


def believed(keys: SiteKeys, centres: list[ListeningCentre]) -> None:
    """Let the gateways believe these centres, as one issuer with several keys."""
    for gateway in keys.gateways.values():
        known = KeySet.load(gateway.centre_keys)
        more = [trusted(centre.key, CENTRE, CENTRE_EPOCH, CENTRE_ROLES) for centre in centres]
        made = KeySet.of([*known.keys.values(), *more], revision=known.revision + 1)
        gateway.centre_keys.write_text(made.to_toml(), "utf-8")
