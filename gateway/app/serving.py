"""A loaded site served: keys found or waited for, the agent built and run until it is told to stop."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine

from buffer.errors import StorageError as OutboxError
from config.site import Site
from gateway.app import CHECK_FAILED, OK, slim
from gateway.app.agent import Agent
from gateway.app.waiting import Waiting
from gateway.commands.errors import StorageError as JournalError
from gateway.control.server import ControlSocketError
from gateway.enrolment.box import finish
from gateway.enrolment.places import PlaceError, Places, alone
from gateway.notify import Notifier
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet, SigningKey, load_signing_key


def serve(site: Site, *, await_keys: bool) -> int:
    """Run the agent of `site`, and give the exit code, as `gateway.app.run` does."""
    try:
        return asyncio.run(_until_told(_work(site, await_keys=await_keys)))
    except (KeyFileError, OutboxError, JournalError, ControlSocketError) as error:
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
