"""A building with an installed box in it: devices, broker and centre outside, the agent inside.

Meters and buses reach the box as they reach one on a wall: the Linky as a serial device of group dialout, the pulse
counters as sockets, the BMS over the (own) network.
"""

import asyncio
import datetime as dt
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

from gateway.centre.ca.authority import Authority
from hil_tests.bench.pki import Certificate, GatewayKeys
from hil_tests.bench.processes import Agent, gateway
from hil_tests.bench.site import Wiring, site_text
from hil_tests.bench.whole import QUICK, Whole, all_first_read, meter
from hil_tests.books import nothing_lost
from hil_tests.box.container import HOME, Box
from hil_tests.box.guide import commands
from hil_tests.box.rootfs import INSTALLER
from hil_tests.demo.verdict import Span

GATEWAY = "gw-lyon-017"
"""The gateway of the example and of the guide."""

REQUEST, BUNDLE = "gateway.request", "gateway.bundle"
"""What the guide calls them."""

LINKY_PORT = "/dev/serial/by-id/usb-bench-linky"
GAS_SOCKET, WATER_SOCKET = "/run/bench/gas.sock", "/run/bench/water.sock"
DIALOUT = 20  # Debian: base-passwd gives this group the same number on every machine
STATE, SOCKET, KEYS = Path("/var/lib/gateway"), Path("/run/gateway/control.sock"), Path("/etc/gateway/keys")
SITE = Path("/etc/gateway/site.toml")


class BoxedAgent(Agent):
    """The agent of a box, which systemd starts and ends; asked over its control socket and no other way."""

    def __init__(self, box: Box) -> None:
        super().__init__(SITE, box.path(str(SOCKET)), box.log)
        self._box = box

    @property
    def pid(self) -> int:
        """The process' id, in the box."""
        return int(self._box.unit("gateway")["MainPID"])

    @property
    def running(self) -> bool:
        """Whether it runs or is about to be started again."""
        return self._box.unit("gateway")["ActiveState"] in {"active", "activating", "deactivating", "reloading"}


class Installed:
    """A box in a building; `typed` is what the installer typed into it, and what each command said."""

    def __init__(self, whole: Whole, box: Box) -> None:
        self.whole = whole
        self.box = box
        self.typed: dict[str, str] = {}
        self._unseen: dict[str, int] = {}

    async def type(self, command: str) -> str:
        """Type a command as the installer, whose editor puts the building's own site file in place of any other."""
        editor = f"SUDO_EDITOR=cp {HOME}/site.toml"
        said = await asyncio.to_thread(self.box.run, command, user=INSTALLER, environment=editor)
        self.typed[command] = said
        return said

    async def set_up(self) -> None:
        """Set it up by the guide; the centre answers the request that the box makes."""
        for command in commands():
            said = await self.type(command)
            if REQUEST in command:
                await self._grant("".join(said.split("fingerprint")[1].split()))

    async def in_service(self) -> int:
        """Wait until the agent is connected and reads every meter, and give the moment of the last first reading."""
        await self.whole.until(lambda s: s["link"]["connected"], "a connection")
        since_ms = int(await self.whole.until(all_first_read, "a first reading of each meter"))
        if not self._unseen:
            self._unseen = await self._pulses_unseen()
        return since_ms

    async def nothing_lost(self, since_ms: int, *left_out: Span) -> None:
        """Hold that all that was on the wires since, outside some spans, is verified, and nothing else."""
        await nothing_lost(self.whole, since_ms, *left_out, unseen=self._unseen)

    async def _pulses_unseen(self) -> dict[str, int]:
        """Count the pulses from before the agent was there, between two pulses."""
        while True:
            before = (await self.whole.bench.ask("pulses"))["pulses"]
            status = await self.whole.status()
            if before == (await self.whole.bench.ask("pulses"))["pulses"]:
                return {name: count - int(meter(status, name)["state"].split()[0]) for name, count in before.items()}

    async def _grant(self, fingerprint: str) -> None:
        """Have the centre sign the request, whose fingerprint the installer has read out, and send the bundle."""
        handed = self.whole.folder / "handed"
        status, bundle, told = await gateway(
            *("centre", "ca", "sign", handed / REQUEST),
            *("--folder", self.whole.keys.folder, "--fingerprint", fingerprint),
        )
        assert status == 0, told
        (handed / BUNDLE).write_text(bundle, "utf-8")


@asynccontextmanager
async def installed(base: Path, folder: Path, package: Path) -> AsyncIterator[Installed]:
    """Give a building with a clean box, the package in its installer's folder; its keys are still to be made."""
    async with Whole(folder, gateway=GATEWAY) as whole:
        # The bench has keys of this name too: nobody lets them in, or believes them, any more.
        with closing(Authority.open(whole.keys.folder)) as authority:
            authority.revoke(GATEWAY, dt.datetime.now(dt.UTC), "superseded")
        handed = folder / "handed"
        _hand_over(whole, handed)
        shutil.copy(package, handed)
        linky = whole.wiring.linky_port.resolve()
        os.chown(linky, 0, DIALOUT)
        linky.chmod(0o660)
        for socket in (whole.wiring.gas_socket, whole.wiring.water_socket):
            socket.chmod(0o666)
        binds = {
            HOME: handed,
            LINKY_PORT: linky,
            GAS_SOCKET: whole.wiring.gas_socket,
            WATER_SOCKET: whole.wiring.water_socket,
        }
        with Box(base, folder / "box", binds) as box:
            whole.agent = BoxedAgent(box)
            yield Installed(whole, box)


def _hand_over(whole: Whole, folder: Path) -> None:
    """Put into the installer's folder the site file that this one will write."""
    folder.mkdir()
    folder.chmod(0o777)  # the installer's home, whoever the box takes for its owner
    inside = GatewayKeys(
        GATEWAY, Certificate(KEYS / "gateway.pem", KEYS / "gateway.key"), KEYS / "signing.key", KEYS / "centre.toml"
    )
    wiring = Wiring(Path(LINKY_PORT), whole.wiring.modbus_port, Path(GAS_SOCKET), Path(WATER_SOCKET))
    text = site_text(
        replace(whole.keys, ca=KEYS / "ca.pem"),
        inside,
        wiring,
        tempo=QUICK,
        broker_port=whole.broker.port,
        state=STATE,
        linky_mode="standard",
    )
    site = folder / "site.toml"
    control = f'socket = "{SOCKET}"\nact_group = "gateway-act"'
    text = text.replace(f'socket = "{STATE / "control.sock"}"', control)
    site.write_text(text.replace(f'key_id = "{GATEWAY}-2026"\n', ""), "utf-8")
    site.chmod(0o644)
