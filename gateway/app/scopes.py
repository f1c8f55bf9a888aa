"""Which channels leave together: the building's own, and for each dwelling and purpose those of its devices."""

from collections.abc import Iterable, Mapping

from config.channel import Channel
from config.site import Site
from gateway.outgoing import TIERS, Scope

Key = tuple[str, str]
"""Dwelling, purpose."""


def building(site: Site, channels: Iterable[Channel]) -> Scope:
    """Give the building's own scope: every device that is in no dwelling."""
    inhabited = {device for dwelling in site.dwelling for device in dwelling.devices}
    return Scope(tuple(channel for channel in channels if channel.device not in inhabited))


def dwellings(site: Site, channels: Iterable[Channel]) -> Mapping[Key, Scope]:
    """Give what each consent would let out."""
    all_ = tuple(channels)
    return {
        (dwelling.name, purpose.name): Scope(
            tuple(channel for channel in all_ if channel.device in dwelling.devices),
            tuple(tier for tier in TIERS if tier in purpose.tiers),
            dwelling.name,
            purpose.name,
        )
        for dwelling in site.dwelling
        for purpose in dwelling.purpose
    }
