"""What `gateway web` is told when it is started; the page reads no site file and no key of the agent."""

import socket
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - told apart here, not bound


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the agent is asked, where our own state is kept, where we listen, and the names that we answer to.

    A client that does not go on for `slow_s` is cut.
    """

    socket: Path = Path("/run/gateway/control.sock")
    state: Path = Path("/var/lib/gateway-web")
    listen: str = "0.0.0.0"  # noqa: S104 - the page is for the whole building
    port: int = 8443
    names: tuple[str, ...] = ()
    slow_s: float = 10.0

    @property
    def hosts(self) -> frozenset[str]:
        """Give the names that a Host header may have, besides the address that was connected to; in lower case."""
        own = socket.gethostname().lower()
        return frozenset({"localhost", own, f"{own}.local", *(name.lower().rstrip(".") for name in self.names)})

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the page."""
        return self.listen in LOOPBACK
