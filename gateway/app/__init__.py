"""The composition root: builds the agent that a site file describes, and runs it until it is told to stop."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

from buffer.errors import StorageError as OutboxError
from config.errors import ConfigError
from config.load import load
from config.site import Site
from gateway.app.agent import Agent
from gateway.commands.errors import StorageError as JournalError
from gateway.control.server import ControlSocketError
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet, SigningKey, load_signing_key

OK, CHECK_FAILED = 0, 5


def run(path: Path) -> int:
    """Run the agent of a site file; give the exit code: 0 told to stop, 5 something is to be mended first.

    Whatever is wrong with the site, its keys or its disk is told on stderr, all at once where it can be.
    """
    # systemd and its journal stamp each line themselves.
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    # pymodbus logs each silence and each retry; the drivers say it once.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    try:
        site = load(path)
        key, keys = _keys(site)
        agent = Agent(site, key, keys)
        return asyncio.run(_until_told(agent))
    except (ConfigError, KeyFileError, OutboxError, JournalError, ControlSocketError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - to whoever started it, as it is
        return CHECK_FAILED


def _keys(site: Site) -> tuple[SigningKey, KeySet]:
    """Load our signing key and the keys of the centre; raise KeyFileError."""
    key = load_signing_key(site.signing.key_file)
    if key.key_id != site.signing.key_id.encode():
        raise KeyFileError(
            f"{site.signing.key_file}: holds the key {key.key_id.decode()!r}, the site file names "
            f"{site.signing.key_id!r}: correct [signing] key_id, or install the key that the centre knows"
        )
    return key, KeySet.load(site.centre.keys_file)


async def _until_told(agent: Agent) -> int:
    """Run until SIGTERM or SIGINT; an impatient second one does not cut the end short."""
    running = asyncio.create_task(agent.run())
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_, told.set)
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("told to stop: everything read is on the disk")
    return OK
