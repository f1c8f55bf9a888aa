"""The link to the broker, as the site file describes it, and what it asks of the outbox."""

import logging
from collections.abc import Callable, Mapping, Sequence

from buffer.errors import StorageError
from buffer.outbox import Segment
from config.site import Site
from gateway.sealing import Store
from gateway.uplink.settings import Fallback, UplinkSettings
from gateway.uplink.worker import Uplink

log = logging.getLogger(__name__)

DAY_MARK = "link_day"
"""What a metered link has cost today, so that a restart gives no second budget."""

_MB = 1_000_000
_ALL = (1 << 63) - 1


def uplink_settings(site: Site) -> UplinkSettings:
    """Give what the uplink is told of the site."""
    broker = site.broker
    second = broker.fallback
    return UplinkSettings(
        host=broker.host,
        port=broker.port,
        ca_file=broker.ca_file,
        cert_file=broker.certificate_file,
        key_file=broker.key_file,
        gateway=site.gateway.id,
        reconnect_min_s=broker.reconnect_min_s,
        reconnect_max_s=broker.reconnect_max_s,
        resend_after_s=broker.resend_after_s,
        keepalive_s=broker.keepalive_s,
        receipts=broker.receipts,
        metered_bytes=round(broker.metered_mb_day * _MB) or None,
        fallback=None if second is None else Fallback(second.host, second.port, second.after_s, second.return_s),
    )


def kept(marks: Mapping[str, int | str]) -> str | None:
    """Give the link's books of an earlier run."""
    found = marks.get(DAY_MARK)
    return found if isinstance(found, str) else None


def books(uplink: Uplink) -> dict[str, int | str]:
    """Give the link's books as a mark; nothing where it is not metered."""
    text = uplink.books
    return {} if text is None else {DAY_MARK: text}


class Spooled:
    """What has no receipt, for the uplink; of streams that `permits` says no to, nothing."""

    def __init__(self, store: Store, permits: Callable[[str], bool]) -> None:
        self._store = store
        self._permits = permits

    async def pending(self, *, limit: int, after: Mapping[str, int], order: Sequence[str]) -> Sequence[Segment]:
        """Give what has no receipt; nothing while the disk cannot be read."""
        outbox = self._store.outbox
        try:
            # A consent may have ended that the disk has not been told of yet.
            barred = [stream for stream in await self._store.call(outbox.unsent) if not self._permits(stream)]
            after = {**after, **dict.fromkeys(barred, _ALL)}
            return await self._store.call(outbox.pending, limit=limit, after=after, order=order)
        except StorageError as error:
            log.warning("the backlog cannot be read: %s", error)
            return ()
