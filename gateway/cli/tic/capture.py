"""`gateway tic capture`: the file that tests and helpers far away read: what a meter sent, as it was on the wire.

Numbers of meter and delivery point never reach the file (`masking`); it appears whole, under its name, or not at all.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gateway.cli.exits import OK, REFUSED, TIMEOUT, USAGE, Ended
from gateway.cli.tic.decode import Summary, pieces
from gateway.cli.tic.hearing import Line
from gateway.cli.tic.masking import Masking
from linky_tic.decoder import ETX, Decoder, Frame
from linky_tic.label import Mode

SCHEMA = "gateway/tic-capture/1"
"""The JSON of `as_json`: {"schema", "file", "mode", "speed", "parity_errors", "summary", "modes", "rejected"}.

`speed` and `parity_errors` are None for what came on standard input.
"""


def capture(line: Line, file: Path, *, frames: int | None, duration_s: int | None, as_json: bool) -> int:
    """Catch what comes on a line (its port "-": on standard input) in a new file; tell what it holds.

    Ends after so many whole frames or seconds, with Ctrl-C, or with what comes in. Raises Ended where the file exists
    already or cannot be written, where the port cannot be opened, and where nothing was caught.
    """
    is_port = line.port != "-"
    with _new(file) as out:
        catch = Catch(line, out, frames)
        if is_port:
            if not as_json:
                print(f"listening to {line.port}; Ctrl-C ends it", file=sys.stderr)
            state = asyncio.run(_from_port(line, catch, duration_s))
        else:
            state = _from_input(catch)
        catch.end()
        if not catch.summary.count:
            raise Ended(TIMEOUT, f"nothing was caught, and no file made: {state}")
    _tell(line, file, catch.summary, as_json=as_json)
    return OK


async def _from_port(line: Line, catch: "Catch", duration_s: int | None) -> str:
    """Catch what is wanted, or what comes until it is enough; give the line's state at that moment."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    hearing = asyncio.create_task(line.hear(catch))
    ends = [asyncio.create_task(event.wait()) for event in (stopped, catch.full)]
    try:
        await asyncio.wait((hearing, *ends), timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
        if hearing.done():
            hearing.result()
        return line.state
    finally:
        for task in (hearing, *ends):
            task.cancel()
        await asyncio.wait((hearing, *ends))


def _from_input(catch: "Catch") -> str:
    with suppress(KeyboardInterrupt):
        for piece in pieces(sys.stdin.fileno(), "standard input"):
            catch.take(piece)
            if catch.full.is_set():
                break
    return "the input was empty"


class Catch:
    """Takes what a line gives, masks it and writes it; `full` is set when it has as many whole frames as wanted.

    While mode and speed are found out, only what was heard at the speed that is then right is kept.
    """

    def __init__(self, line: Line, out: BinaryIO, frames: int | None) -> None:
        self.summary = Summary()
        self.full = asyncio.Event()
        self._line = line
        self._out = out
        self._frames = frames
        self._masking = Masking()
        self._decoder = Decoder()
        self._waiting = bytearray()
        self._speed = line.meter.speed

    def heard(self, data: bytes) -> None:
        """Take characters of a port."""
        meter = self._line.meter
        if meter.found is not None or self._line.is_told:
            self.take(bytes(self._waiting) + data)
            self._waiting.clear()
        elif meter.speed == self._speed:
            self._waiting += data
        else:
            self._waiting.clear()
        self._speed = meter.speed

    def frame(self, frame: Frame, at_ms: int) -> None:
        """Take a frame: what is written is decoded here."""

    def take(self, data: bytes) -> None:
        """Take characters, up to the end of the last frame that is wanted."""
        start = 0
        while start < len(data) and not self.full.is_set():
            end = data.find(ETX, start) + 1 or len(data)
            self._write(self._masking.feed(data[start:end]))
            start = end
            if self._frames is not None and self.summary.complete >= self._frames:
                self.full.set()

    def end(self) -> None:
        """Take the end of the line: what was begun is written, and what the file holds is known."""
        self._write(self._masking.flush())
        for event in self._decoder.flush():
            self.summary.take(event)
        self._out.flush()

    def _write(self, masked: bytes) -> None:
        self._out.write(masked)
        self.summary.count += len(masked)
        for event in self._decoder.feed(masked):
            self.summary.take(event)


@contextmanager
def _new(file: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name when the block ends well; raise Ended."""
    if os.path.lexists(file):
        raise _exists(file)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        out = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "wb")
    except OSError as error:
        raise _unwritable(file, error) from error
    try:
        with out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        _name(part, file)
    except OSError as error:
        raise _unwritable(file, error) from error
    finally:
        part.unlink(missing_ok=True)


def _name(part: Path, file: Path) -> None:
    """Give a file its name, which nobody has; raise Ended."""
    try:
        os.link(part, file)
    except FileExistsError as error:
        raise _exists(file) from error
    except OSError:
        # A FAT file system, as of a memory stick, has no second names.
        if os.path.lexists(file):
            raise _exists(file) from None
        part.rename(file)


def _exists(file: Path) -> Ended:
    return Ended(REFUSED, f"{file} exists already: name another file")


def _unwritable(file: Path, error: OSError) -> Ended:
    return Ended(USAGE, f"{file}: cannot be written ({error.strerror}): name another place")


def _tell(line: Line, file: Path, summary: Summary, *, as_json: bool) -> None:
    is_port = line.port != "-"
    known = [Mode(mode) for mode in summary.modes if mode != "unknown"]
    mode = max(known, key=lambda mode: summary.modes[mode]) if known else None
    if as_json:
        told = {
            "schema": SCHEMA,
            "file": str(file),
            "mode": mode,
            "speed": line.meter.speed if is_port else None,
            "parity_errors": line.meter.counters["characters_damaged"] if is_port else None,
            **summary.as_object(),
        }
        print(json.dumps(told))
        return
    speed = f", {line.meter.speed} Bd" if is_port else ""
    print(
        f"{file}: {summary.count} bytes, {summary.frames} frames ({summary.complete} whole),"
        f" {summary.valid} groups valid, {summary.causes()}, {mode or 'no mode'}{speed}"
    )
    print("numbers of meter and delivery point are masked; readings, times and tariffs are as they were")
