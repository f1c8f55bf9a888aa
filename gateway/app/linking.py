"""The link to the broker, as the site file describes it, and what it asks of the outbox."""

import logging
from collections.abc import Mapping, Sequence

from buffer.errors import StorageError
from buffer.outbox import Segment
from config.site import Site
from gateway.sealing import Store
from gateway.uplink.settings import UplinkSettings

log = logging.getLogger(__name__)


def uplink_settings(site: Site) -> UplinkSettings:
    """Give what the uplink is told of the site."""
    broker = site.broker
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
    )


class Spooled:
    """What has no receipt, for the uplink."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def pending(self, *, limit: int, after: Mapping[str, int], order: Sequence[str]) -> Sequence[Segment]:
        """Give what has no receipt; nothing while the disk cannot be read."""
        try:
            return await self._store.call(self._store.outbox.pending, limit=limit, after=after, order=order)
        except StorageError as error:
            log.warning("the backlog cannot be read: %s", error)
            return ()
