"""Finds out whether a broker answers, without becoming its client: TCP, TLS with both certificates, and goodbye.

No CONNECT is sent: with our name it would end our own session there, or, on a cluster, the one that we use.
"""

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import AsyncIterator, Callable

from gateway.uplink.brokers import Choice
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.tls import LinkError, client_context
from gateway.uplink.traffic import Traffic, traffic

_ANSWER_S = 10.0
_LISTEN_S = 1.0


@contextlib.asynccontextmanager
async def looking(
    first: UplinkSettings, choice: Choice, note: Callable[[Traffic], None], back: Callable[[str], None]
) -> AsyncIterator[None]:
    """While we are on the second broker, ask the first now and then; call `back` once it is time to go back to it.

    `note` is told what each question has cost.
    """
    if not choice.on_fallback:
        yield
        return
    asking = asyncio.ensure_future(_ask(first, choice, note, back))
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.wait((asking,))
        if not asking.cancelled():
            asking.result()


async def _ask(
    first: UplinkSettings, choice: Choice, note: Callable[[Traffic], None], back: Callable[[str], None]
) -> None:
    random = secrets.SystemRandom()
    while True:
        mean_s = choice.probe_s()
        await asyncio.sleep(random.uniform(0.5 * mean_s, 1.5 * mean_s))  # a fleet does not ask in step
        is_there, cost = await answers(first)
        note(cost)
        if choice.probed(answers=is_there):
            back("the first broker answers again: going back to it")
            return


async def answers(settings: UplinkSettings) -> tuple[bool, Traffic]:
    """Say whether the broker of these settings takes our certificate, and what it has cost to ask."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(
                settings.host, settings.port, ssl=client_context(settings), server_hostname=settings.host
            )
    except (OSError, LinkError):
        return False, Traffic()
    connection = writer.get_extra_info("socket")
    shaken = traffic(connection)
    try:
        # In TLS 1.3 a refused certificate is only told after the handshake; a broker that takes it waits for us.
        is_there = await _keeps_silent(reader)
        return is_there, max(shaken, traffic(connection), key=lambda cost: cost.total)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _keeps_silent(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(_LISTEN_S):
            await reader.read(1)
    except TimeoutError:
        return True
    except (OSError, ssl.SSLError):
        return False
    return False
