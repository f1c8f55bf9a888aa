"""Day after day: files are made of days that are over, held, and pushed until the other side has them."""

import asyncio
import datetime as dt
import logging
import random
from collections.abc import Callable
from datetime import date, timedelta

from config.site import Site
from gateway.door.envelope import Sealer
from gateway.door.errors import AwayError, DoorError
from gateway.door.making import Maker
from gateway.door.sftp import Place, push
from gateway.door.spool import Csv, Spool, folder

log = logging.getLogger(__name__)

LOOK_S = 900.0
"""Whether a day is over is looked at so often; a minute's means are sealed within the hour."""

LATE_DAYS = 7
"""So long a day that was not complete is made again: a backlog of the clock or of the box itself may still come."""

_RETRY_S, _RETRY_MOST_S = 30.0, 3600.0


class Door:
    """The easy door of `site`, which has a [door]; `turn` once, or `run` until cancelled."""

    def __init__(self, site: Site, zone: dt.tzinfo, *, utc: Callable[[], dt.datetime]) -> None:
        """Open the spool; raise DoorError. `utc` is asked whether the recipient's certificate still holds."""
        if site.door is None:
            raise DoorError("the site file has no [door]: there is nothing to push; see docs/door.md")
        self._door = site.door
        self._utc = utc
        self._maker = Maker(site.storage.directory / "outbox.db", zone, site.door.tier, site.door.purpose)
        self.spool = Spool.open(folder(site.storage.directory), site.gateway.id)
        self._place = Place(
            site.door.host,
            site.door.port,
            site.door.user,
            site.door.directory,
            site.door.known_hosts_file,
            site.door.ssh_key_file,
        )

    async def run(self) -> None:
        """Make and push until cancelled; what people must mend is said once, and tried again."""
        said = ""
        delay_s = 0.0
        while True:
            try:
                await self.turn()
            except (DoorError, AwayError) as error:
                if str(error) != said:
                    log.warning("%s", error)
                said = str(error)
                delay_s = min(max(delay_s * 2, _RETRY_S), _RETRY_MOST_S)
            else:
                if said:
                    log.info("works again")
                said, delay_s = "", LOOK_S
            # Spread: a recipient that comes back must not meet all its buildings at once.
            await asyncio.sleep(random.uniform(delay_s / 2, delay_s))  # noqa: S311 - no secret

    async def turn(self) -> int:
        """Make what is due and push what waits; give how many files arrived; raise DoorError or AwayError.

        What waits goes also where no more can be made: a full disk, a recipient's certificate that has ended.
        """
        with self.spool.alone():
            failed: DoorError | None = None
            try:
                await asyncio.to_thread(self.make)
            except DoorError as error:
                failed = error
            waiting = self.spool.waiting()
            if waiting:
                await push(self._place, waiting, self.spool.delivered)
                log.info("%d files arrived, the last is %s", len(waiting), waiting[-1].path.name)
            if failed is not None:
                raise failed
            return len(waiting)

    def make(self) -> int:
        """Make the files of the days that are over and not yet known to be complete; give how many; raise DoorError."""
        days = self._maker.days(self._door.hold_days)
        if not days:
            return 0
        for gone in self.spool.forget(days[-1] - timedelta(days=self._door.hold_days - 1)):
            log.warning("%s: nobody took it for %d days: given up", gone.path.name, self._door.hold_days)
        due = [day for day in days if self._is_due(day, days[-1])]
        sealer = None
        made = 0
        for day in due:
            csv: Csv = self._maker.make(day)
            if sealer is None:
                sealer = self.sealer()
            made += self.spool.hold(day, csv, sealer.seal)
        return made

    def sealer(self) -> Sealer:
        """Load what signs and encrypts; raise DoorError with everything that is wrong."""
        door = self._door
        return Sealer.load(
            key_file=door.signing_key_file,
            certificate_file=door.certificate_file,
            recipient_file=door.recipient_file,
            now=self._utc(),
        )

    def _is_due(self, day: date, newest: date) -> bool:
        known = self.spool.days.get(day)
        return known is None or (not known.complete and newest - day < timedelta(days=LATE_DAYS))
