"""`gateway door run`: the service of the easy door."""

import asyncio
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from config.site import Site
from gateway.cli.door.door import site_of
from gateway.cli.exits import CHECK_FAILED, OK, Ended
from gateway.door.errors import DoorError
from gateway.notify import Notifier
from gateway.periods import zone_of

try:
    from gateway.door.running import Door
except ModuleNotFoundError as error:
    if error.name != "asyncssh":
        raise
    raise Ended(CHECK_FAILED, "asyncssh is not installed: install building-gateway[sftp]") from error


def opened(site: Site) -> Door:
    """Open the door of a site; raise Ended."""
    try:
        return Door(site, zone_of(site.gateway.timezone), utc=lambda: datetime.now(UTC))
    except DoorError as error:
        raise Ended(CHECK_FAILED, str(error)) from error


def run(site_file: Path) -> int:
    """Serve until told to stop; raise Ended where there is nothing to serve."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.ERROR)  # it tells of each connection
    site, _ = site_of(site_file)
    asyncio.run(_serve(opened(site)))
    return OK


async def _serve(door: Door) -> None:
    serving = asyncio.create_task(door.run())
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_, told.set)
    waiting = asyncio.create_task(told.wait())
    systemd = Notifier.of(os.environ)
    systemd.ready()
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    systemd.stopping()
    waiting.cancel()
    serving.cancel()
    try:
        await serving
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("told to stop")
