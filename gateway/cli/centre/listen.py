"""`gateway centre listen`: the whole centre, and what it takes shown: in a window, as lines, in PostgreSQL.

Whatever shows it has a thread of its own: a reader that is slow, a terminal that is stopped or a database that is away
holds up neither receipts nor heartbeats.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.centre.ca.authority import AuthorityError
from gateway.centre.errors import CentreError, LinkUnusable, SinkUnavailable, SinkUnusable
from gateway.centre.follow import View
from gateway.centre.issuing import Issuing
from gateway.centre.lines import Csv, Json, Lines
from gateway.centre.service import Centre, Handler
from gateway.centre.settings import CentreSettings
from gateway.centre.site import CentreItself
from gateway.cli.centre import window
from gateway.cli.centre.newest import Newest
from gateway.cli.centre.printer import Plain, Printer
from gateway.cli.centre.site import site
from gateway.cli.centre.view import Picture
from gateway.cli.enrolment.authority import Safe
from gateway.cli.exits import CHECK_FAILED, COULD_NOT_CHECK, OK, USAGE, Ended
from gateway.wire.errors import KeyFileError

if TYPE_CHECKING:
    from gateway.centre.sink import Sink

log = logging.getLogger(__name__)

_ENDS_S = 5.0
_ALL = View()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How it is to be shown; `postgres` is libpq's connection string, "" for its environment, None for none."""

    as_json: bool = False
    as_csv: bool = False
    postgres: str | None = None
    view: View = _ALL
    count: int | None = None


def listen(config: Path, wanted: Wanted) -> int:
    """Run the centre until Ctrl-C, SIGTERM, or `count` segments; raise Ended where it cannot begin or go on."""
    if wanted.as_json and wanted.as_csv:
        raise Ended(USAGE, "--json or --csv, not both")
    found = site(config)
    settings = found.settings()
    has_window = not (wanted.as_json or wanted.as_csv or wanted.count) and _is_window()
    logging.basicConfig(level=logging.CRITICAL if has_window else logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        sink = None if wanted.postgres is None else _sink(settings.database, wanted.postgres, wanted.view.tiers)
        centre = Centre(settings, _handlers(found.centre))
        return asyncio.run(_serve(centre, settings, sink, wanted, has_window=has_window))
    except (KeyFileError, LinkUnusable, SinkUnusable, AuthorityError) as error:
        raise Ended(CHECK_FAILED, str(error)) from error
    except CentreError as error:
        raise Ended(COULD_NOT_CHECK, str(error)) from error


def _is_window() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _handlers(found: CentreItself) -> dict[str, Handler]:
    """Give who answers further questions of gateways: an authority, where there is one, their renewals."""
    if found.authority is None:
        return {}
    passphrase = Safe(found.authority, found.passphrase_file).passphrase() if found.passphrase_file else None
    return {Issuing.CONTENT: Issuing(found.authority, passphrase=passphrase, days=found.certificate_days)}


def _sink(database: Path, conninfo: str, tiers: frozenset[str] | None) -> "Sink":
    try:
        from gateway.centre.sink import Sink  # noqa: PLC0415 - an extra, which not every centre has
    except ImportError as error:
        raise Ended(USAGE, "--postgres needs psycopg: pip install 'building-gateway[postgres]'") from error
    sink = Sink(database, conninfo, tiers)
    try:
        sink.check()
    except SinkUnavailable as error:
        log.warning("%s", error)
    return sink


async def _serve(
    centre: Centre, settings: CentreSettings, sink: "Sink | None", wanted: Wanted, *, has_window: bool
) -> int:
    stop, ended = threading.Event(), asyncio.Event()
    by: list[int] = []
    with _signals(ended, by):
        async with centre:
            log.info("%s listens at %s:%d; store %s", settings.name, settings.host, settings.port, settings.database)
            works: list[asyncio.Future[None]] = [
                asyncio.ensure_future(centre.over()),
                asyncio.ensure_future(_set(ended)),
            ]
            if sink is not None:
                works.append(_threaded(sink.run, stop))
            if has_window:
                newest = Newest(settings.database, wanted.view)
                works += [
                    _threaded(newest.run, stop),
                    asyncio.ensure_future(window.show(lambda: _picture(centre, settings, sink, newest), ended)),
                ]
            else:
                works.append(_threaded(_printer(settings.database, wanted).run, stop))
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            ended.set()
            await asyncio.wait(works[1:], timeout=_ENDS_S)
            for work in done:
                work.result()
    return 128 + signal.SIGINT if by == [signal.SIGINT] else OK


async def _set(event: asyncio.Event) -> None:
    await event.wait()


def _printer(database: Path, wanted: Wanted) -> Printer:
    lines: Lines = Json() if wanted.as_json else Csv() if wanted.as_csv else Plain()
    return Printer(database, lines, wanted.view, wanted.count)


def _picture(centre: Centre, settings: CentreSettings, sink: "Sink | None", newest: Newest) -> Picture:
    counts, standing = centre.counts, centre.standing
    link = "connected" if centre.connected else "NOT CONNECTED"
    duty = "" if standing.on_duty else ", another centre is on duty"
    refused = counts.bad_signatures + counts.malformed + counts.misplaced + counts.revoked_keys
    facts = [
        f"{counts.segments} segments",
        f"{counts.verified_readings} readings",
        f"{counts.gaps} missing",
        f"{counts.dropped_readings} readings told dropped",
        f"{counts.duplicates_dropped} duplicates",
        f"{counts.chain_breaks} chain breaks",
        f"{counts.conflicts} conflicts",
        f"{refused} refused",
        f"{counts.undecoded} not decoded yet",
        f"{counts.alarms} alarms",
    ]
    troubles = centre.troubles
    if sink is not None:
        facts.append(f"{sink.state.segments} segments to PostgreSQL")
        troubles += [] if sink.state.trouble is None else [sink.state.trouble]
    title = f"{settings.name} at {settings.host}:{settings.port}, {link}{duty}"
    return Picture(title, facts, troubles, newest.alarms(), newest.rows())


def _threaded(work: Callable[[threading.Event], None], stop: threading.Event) -> "asyncio.Future[None]":
    """Run work in a thread that ends with the program, whatever holds it up."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def ends(error: BaseException | None) -> None:
        if not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    def run() -> None:
        failed: BaseException | None = None
        try:
            work(stop)
        except BaseException as error:  # noqa: BLE001 - it is raised where the thread is waited for
            failed = error
        loop.call_soon_threadsafe(ends, failed)

    threading.Thread(target=run, daemon=True).start()
    return future


@contextmanager
def _signals(ended: asyncio.Event, by: list[int]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def end(number: int) -> None:
        by.append(number)
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
