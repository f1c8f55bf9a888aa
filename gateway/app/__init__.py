"""The composition root: builds the agent that a site file describes, and runs it until it is told to stop."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

from buffer.errors import StorageError as OutboxError
from config.errors import ConfigError
from config.load import load
from config.site import Site
from gateway.app import slim
from gateway.app.agent import Agent
from gateway.app.waiting import Waiting
from gateway.commands.errors import StorageError as JournalError
from gateway.control.server import ControlSocketError
from gateway.enrolment.box import finish
from gateway.enrolment.places import PlaceError, Places, alone
from gateway.notify import Notifier
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet, SigningKey, load_signing_key

OK, CHECK_FAILED = 0, 5


def run(path: Path, *, await_keys: bool = False) -> int:
    """Run the agent of a site file; give the exit code: 0 told to stop, 5 something is to be mended first.

    Whatever is wrong with the site, its keys or its disk is told on stderr, all at once where it can be. With
    `await_keys`, keys that are missing or wrong are no end: the control socket tells of them until they are right.
    """
    # systemd and its journal stamp each line themselves.
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    # pymodbus logs each silence and each retry; the drivers say it once.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    slim.begin()
    try:
        site = load(path)
        return asyncio.run(_until_told(_work(site, await_keys=await_keys)))
    except (ConfigError, KeyFileError, OutboxError, JournalError, ControlSocketError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - to whoever started it, as it is
        return CHECK_FAILED


def _keys(site: Site) -> tuple[SigningKey, KeySet]:
    """Load our signing key and the keys of the centre; raise KeyFileError, which tells what is wrong with either."""
    wrong: list[str] = []
    key = keys = None
    places = Places.of(site)
    if places.install.exists():
        wrong += _finished(places)
    try:
        key = _signing_key(site)
    except KeyFileError as error:
        wrong.append(str(error))
    try:
        keys = KeySet.load(site.centre.keys_file)
    except KeyFileError as error:
        wrong.append(str(error))
    if key is None or keys is None:
        raise KeyFileError("\n".join(wrong))
    return key, keys


def _finished(places: Places) -> list[str]:
    """Finish the installation of a bundle, into which a power cut had come; say why it cannot be, where it cannot."""
    try:
        with alone(places):
            finish(places)
    except PlaceError as error:
        return [str(error)]
    return []


def _signing_key(site: Site) -> SigningKey:
    key = load_signing_key(site.signing.key_file)
    if site.signing.key_id and key.key_id != site.signing.key_id.encode():
        raise KeyFileError(
            f"{site.signing.key_file}: holds the key {key.key_id.decode()!r}, the site file names "
            f"{site.signing.key_id!r}: correct [signing] key_id, or install the key that the centre knows"
        )
    return key


async def _work(site: Site, *, await_keys: bool) -> None:
    """Load the keys, waiting for them if told to, and run the agent until cancelled."""
    systemd = Notifier.of(os.environ)
    key, _ = await Waiting(site, _keys, systemd).keys() if await_keys else _keys(site)
    agent = Agent(site, key, systemd)
    slim.started()
    await agent.run()


async def _until_told(work: Coroutine[object, object, None]) -> int:
    """Run until SIGTERM or SIGINT; an impatient second one does not cut the end short."""
    running = asyncio.create_task(work)
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
