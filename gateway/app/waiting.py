"""An agent whose keys are not installed yet: it answers on its control socket what is missing, and looks again.

So a new box neither starts over and over nor hides what it wants; once the keys are there, it goes to work by itself.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from config.site import Site
from gateway.app import described, status
from gateway.app.gives import WAITING
from gateway.clock import SystemClock
from gateway.control.routes import Call, get
from gateway.control.server import ControlServer
from gateway.notify import Notifier
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet, SigningKey

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 2.0

Keys = tuple[SigningKey, KeySet]


class Waiting:
    """Waits for what `load` gives, and raises KeyFileError as long as it cannot; tells what is missing meanwhile."""

    def __init__(self, site: Site, load: Callable[[Site], Keys], systemd: Notifier) -> None:
        self._site = site
        self._load = load
        self._systemd = systemd
        self._clock = SystemClock()
        self._started_ms = self._clock.boot_ms()
        self._missing: tuple[str, ...] = ()
        self._looks = 0

    async def keys(self) -> Keys:
        """Give the keys once they are there; raise ControlSocketError where nobody could be told."""
        if (found := self._look()) is not None:
            return found
        control = ControlServer(
            self._site.control.socket,
            [
                get("/v1/status", "What the agent waits for.", self._status, gives=WAITING),
                described.route(self._site),
            ],
            version=status.program(),
        )
        await control.open()
        tasks = [
            asyncio.create_task(control.run(), name="control"),
            asyncio.create_task(self._systemd.keep(lambda: self._looks, lambda: f"waits: {self._missing[0]}")),
        ]
        self._systemd.ready()
        self._systemd.state(f"waits: {self._missing[0]}")
        try:
            while (found := self._look()) is None:  # noqa: ASYNC110 - files tell nobody that they have come
                await asyncio.sleep(LOOK_AGAIN_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        log.info("all keys are there")
        return found

    async def _status(self, _: Call) -> object:
        return await self.status()

    async def status(self) -> status.Json:
        """Give what the control socket serves as /v1/status while nothing is metered yet."""
        now = self._clock.boot_ms()
        return {
            "gateway": self._site.gateway.id,
            "name": self._site.gateway.name,
            "version": status.program(),
            "boot_ms": now,
            "up_ms": now - self._started_ms,
            "missing": list(self._missing),
        }

    def _look(self) -> Keys | None:
        """Give the keys, or None after noting all that is missing; what is new about it is logged."""
        self._looks += 1
        broker = self._site.broker
        missing = [
            text for path in (broker.ca_file, broker.certificate_file, broker.key_file) for text in _why_not(path)
        ]
        found = None
        try:
            found = self._load(self._site)
        except KeyFileError as error:
            missing[:0] = str(error).splitlines()
        if found is None and tuple(missing) != self._missing:
            log.warning("waiting for keys, nothing is metered yet:\n%s", "\n".join(missing))
        self._missing = tuple(missing)
        return found


def _why_not(path: Path) -> list[str]:
    """Say why a file of the link to the broker cannot be read; nothing where it can."""
    try:
        path.open("rb").close()
    except OSError as error:
        return [f"{path}: cannot be read ({error.strerror}): install it, readable by the agent"]
    return []
