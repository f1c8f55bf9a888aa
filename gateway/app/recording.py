"""From readings to segments: what may leave, and the work of sealing it, joined."""

from collections.abc import Callable, Iterable, Mapping

from buffer.outbox import Segment
from config.channel import Channel
from config.site import Site
from drivers.linky_channels import Pace, modes_of, points_of
from gateway.acquisition import Acquisition
from gateway.app import scopes
from gateway.app.freshness import Freshness
from gateway.clock import Clock
from gateway.latest import Latest
from gateway.outgoing import Outgoing
from gateway.sealing import Sealing, Signer, Store
from gateway.uplink.worker import Uplink


class Recording:
    """Everything from the acceptance of a reading to its segment; `marks` and `alarm` as `Sealing` wants them."""

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        site: Site,
        channels: Iterable[Channel],
        *,
        store: Store,
        signer: Signer,
        clock: Clock,
        latest: Latest,
        freshness: Freshness,
        uplink: Callable[[], Uplink],
        marks: Callable[[], Mapping[str, int | str]],
        alarm: Callable[[str, str], None],
    ) -> None:
        channels = tuple(channels)
        self._storage = site.storage
        self._uplink = uplink
        self.outgoing = Outgoing(
            channels, clock, latest=latest.get, stale_after_ms=freshness.channels, held=frozenset(_held(site))
        )
        scope = scopes.building(site, channels)
        self.outgoing.open(scope)
        self.schema_id = self.outgoing.schema_id(scope)
        """Of the building's own schema."""
        self.sealing = Sealing(
            store,
            signer,
            clock,
            self.outgoing,
            marks=marks,
            journal_s=site.storage.journal_s,
            seal_s=self._seal_s,
            linked=lambda: uplink().connected,
            sealed=self.sealed,
            alarm=alarm,
        )
        self.acquisition = Acquisition(self.outgoing.accept, latest, self.sealing.urgent)

    def sealed(self, segment: Segment) -> None:
        """Hand a segment that was just sealed to the link."""
        self._uplink().wake(segment)

    def _seal_s(self) -> float:
        uplink = self._uplink()
        # On a metered link long segments are worth the wait: each costs some hundred bytes beside its own.
        is_quick = uplink.connected and not uplink.metered
        return self._storage.seal_up_s if is_quick else self._storage.seal_down_s


def _held(site: Site) -> Iterable[str]:
    """Name the channels of a Linky that are registers: maxima, means, what is subscribed."""
    for linky in site.linky:
        for points in points_of(linky.name, modes_of(linky.mode)).values():
            yield from (point.channel.name for point in points if point.pace is Pace.CHANGE)
