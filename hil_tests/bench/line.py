"""The way from an outbox to the centre, without the agent around it: who stands at its ends, and what has arrived."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from gateway.centre.service import Centre
from gateway.centre.settings import CentreSettings
from hil_tests.bench.lost import Lost
from hil_tests.bench.pki import CENTRE_EPOCH, SiteKeys
from hil_tests.bench.sender import Sender, uplink_settings

GATEWAY = "gw-0001"
NOBODY = 9
"""A port of the loopback where nothing listens (discard)."""


def centre_settings(keys: SiteKeys, port: int, folder: Path) -> CentreSettings:
    """Give what a centre on a broker of the loopback needs; what it commits lies in `folder`."""
    return CentreSettings(
        host="127.0.0.1",
        port=port,
        ca_file=keys.ca,
        cert_file=keys.centre.cert,
        key_file=keys.centre.key,
        signing_key=keys.centre_signing_key,
        gateway_keys=keys.gateway_keys,
        database=folder / "centre.db",
        epoch=CENTRE_EPOCH,
        heartbeat_s=1,
        gap_after_s=0.2,
        receipt_late_s=0.2,
        reconnect_max_s=1,
    )


def centre_of(keys: SiteKeys, port: int, folder: Path) -> Centre:
    """Make such a centre."""
    return Centre(centre_settings(keys, port, folder))


def sender_of(keys: SiteKeys, port: int, folder: Path, **figures: object) -> Sender:
    """Make a gateway's way out to a broker of the loopback; its outbox lies in `folder`."""
    gateway = keys.gateways[GATEWAY]
    return Sender(gateway, uplink_settings(keys, gateway, port, **figures), folder / "outbox.db")


async def until(true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until something is so; raise TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.02)


def read(centre: Centre) -> list[int | str | None]:
    """Give every value of one channel that the centre can decode, in order."""
    return [value for table in centre.readings(GATEWAY, "meter") for value in table.columns["meter.east"]]


async def all_there(centre: Centre, sender: Sender, values: list[int] | None = None) -> None:
    """Hold that what was sealed is receipted, and decoded at the centre, each reading once and nothing else.

    Raise Lost.
    """
    wanted = sender.values if values is None else values
    await sender.done(120)
    await until(lambda: centre.verified_readings >= 2 * len(wanted))
    if read(centre) != wanted:
        raise Lost(f"the centre has {len(read(centre))} values of a channel, not the {len(wanted)} that were sealed")
    assert centre.verified_readings == 2 * len(wanted)
    counts = centre.counts
    assert (counts.bad_signatures, counts.malformed, counts.misplaced, counts.unreadable) == (0, 0, 0, 0)
    assert (counts.chain_breaks, counts.conflicts) == (0, 0)
    await until(lambda: centre.counts.gaps == 0)  # the centre counts them at its next look, not as messages come
