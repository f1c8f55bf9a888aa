"""Files that wait for the other side, and what is known of each day: a folder, and one small file of state in it.

A file is whole and synced before the state names it, and the state says "delivered" before the file goes: whatever a
power cut leaves is taken up at the next turn. The bytes of a file never change while it bears its name, for the other
side may have the first half of it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from gateway.door.errors import AwayError, DoorError

SUFFIX = ".csv.p7m"

_VERSION = 1
_STATE = "state.json"
_STATE_BYTES = 1 << 20
_FILE = re.compile(r"(.+)_(\d{4}-\d\d-\d\d)_r(\d{1,6})\.csv\.p7m")


@dataclass(frozen=True, slots=True)
class Day:
    """What was last written of a day; `digest` is the SHA-256 of its CSV, by which a later one is told from it."""

    revision: int
    digest: str
    rows: int
    gaps: int
    complete: bool
    delivered: bool


@dataclass(frozen=True, slots=True)
class Csv:
    """A day as CSV: its lines, how many are readings, how many gaps, and whether nothing is known to lack."""

    lines: bytes
    rows: int
    gaps: int
    complete: bool

    @property
    def digest(self) -> str:
        """Tell this content from another: the SHA-256 of its lines and of whether they are complete, in hex."""
        return hashlib.sha256(self.lines + bytes([self.complete])).hexdigest()

    def file(self, revision: int) -> bytes:
        """Give the file, with the last line by which a whole one is known."""
        complete = "yes" if self.complete else "no"
        trailer = f"# rows={self.rows} gaps={self.gaps} revision={revision} complete={complete}\n"
        return self.lines + trailer.encode()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that the other side does not have."""

    day: date
    revision: int
    path: Path


class Spool:
    """The folder of one gateway's files; made by `open`, used by one process at a time: `alone`."""

    def __init__(self, folder: Path, gateway: str, days: dict[date, Day]) -> None:
        self._folder = folder
        self._gateway = gateway
        self.days = days
        """What is known of each day that a file was ever written of and that is still held."""

    @classmethod
    def open(cls, folder: Path, gateway: str) -> "Spool":
        """Open or make the folder; raise DoorError. A state that cannot be read is begun anew: files go out again."""
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            spool = cls(folder, gateway, _load(folder / _STATE))
        except OSError as error:
            raise _unusable(folder, error) from error
        with contextlib.suppress(AwayError), spool.alone():
            pass
        return spool

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off other processes for the length of a block, and go on from what they did; raise DoorError, AwayError.

        A technician pushes by hand while the service runs: both would write, and send, files of the same names.
        """
        try:
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _unusable(self._folder, error) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                what = "another one is at work there, and pushes what waits"
                raise AwayError(f"{self._folder}: {what}") from error
            self._take_up()
            yield
        finally:
            os.close(descriptor)

    @staticmethod
    def look(folder: Path) -> dict[date, Day]:
        """Give what is known of each day, without opening or changing anything; raise DoorError."""
        try:
            return _load(folder / _STATE)
        except OSError as error:
            raise _unusable(folder, error) from error

    def name(self, day: date, revision: int) -> str:
        """Give the name under which a file waits, and arrives."""
        return f"{self._gateway}_{day.isoformat()}_r{revision}{SUFFIX}"

    def waiting(self) -> list[Waiting]:
        """Give the files that the other side lacks, the oldest day first; none that the state does not know."""
        return [each for each in self._files() if self._is_known(each)]

    def _files(self) -> list[Waiting]:
        found = []
        for path in self._folder.glob(f"*{SUFFIX}"):
            named = _FILE.fullmatch(path.name)
            if named is not None and named[1] == self._gateway:
                found.append(Waiting(date.fromisoformat(named[2]), int(named[3]), path))
        return sorted(found, key=lambda each: (each.day, each.revision))

    def _is_known(self, file: Waiting) -> bool:
        known = self.days.get(file.day)
        return known is not None and not known.delivered and known.revision == file.revision

    def _take_up(self) -> None:
        try:
            self.days = _load(self._folder / _STATE)
            for path in self._folder.glob("*.tmp"):
                path.unlink()
            for each in self._files():
                if not self._is_known(each):
                    each.path.unlink()
        except OSError as error:
            raise _unusable(self._folder, error) from error

    def hold(self, day: date, csv: Csv, enclose: Callable[[bytes], bytes]) -> bool:
        """Take a day's CSV, of which `enclose` makes the file, unless it says what the last one said; True where taken.

        What an older revision still had waiting goes: the new file is whole. Raises DoorError.
        """
        known = self.days.get(day)
        if known is not None and known.digest == csv.digest:
            return False
        revision = 1 if known is None else known.revision + 1
        fresh = Day(revision, csv.digest, csv.rows, csv.gaps, csv.complete, delivered=False)
        try:
            _write(self._folder / self.name(day, revision), enclose(csv.file(revision)))
            self._save({**self.days, day: fresh})
            for old in self._files():
                if old.day == day and old.revision != revision:
                    old.path.unlink()
        except OSError as error:
            raise _unusable(self._folder, error) from error
        return True

    def delivered(self, waiting: Waiting) -> None:
        """Note that the other side has a file, and let it go; raise DoorError."""
        try:
            self._save({**self.days, waiting.day: replace(self.days[waiting.day], delivered=True)})
            waiting.path.unlink()
        except OSError as error:
            raise _unusable(self._folder, error) from error

    def forget(self, before: date) -> list[Waiting]:
        """Forget the days before one, and give the files that never arrived and are given up; raise DoorError."""
        gone = [each for each in self.waiting() if each.day < before]
        kept = {day: known for day, known in self.days.items() if day >= before}
        try:
            if kept.keys() != self.days.keys():
                self._save(kept)
            for each in gone:
                each.path.unlink()
        except OSError as error:
            raise _unusable(self._folder, error) from error
        return gone

    def _save(self, days: dict[date, Day]) -> None:
        told = {day.isoformat(): asdict(known) for day, known in sorted(days.items())}
        _write(self._folder / _STATE, json.dumps({"version": _VERSION, "days": told}, indent=1).encode())
        self.days = days


def folder(storage: Path) -> Path:
    """Give the folder of the door's files, beside the readings."""
    return storage / "door"


def _load(path: Path) -> dict[date, Day]:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_STATE_BYTES))
        if document["version"] != _VERSION:
            return {}
        return {date.fromisoformat(day): _day(known) for day, known in document["days"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _day(known: dict[str, object]) -> Day:
    day = Day(**known)  # type: ignore[arg-type]  # checked right below
    kinds = (int, str, int, int, bool, bool)
    values = (day.revision, day.digest, day.rows, day.gaps, day.complete, day.delivered)
    if any(type(value) is not kind for value, kind in zip(values, kinds, strict=True)):
        raise ValueError("a day's state of other kinds")
    return day


def _write(path: Path, content: bytes) -> None:
    """Write a file so that either all of it or nothing of it stands under its name after a power cut."""
    beside = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unusable(folder: Path, error: OSError) -> DoorError:
    return DoorError(f"{folder}: {error.strerror}: check the disk and who may write there; nothing is lost")
