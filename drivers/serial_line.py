"""A serial line to listen to: 7 bits, even parity, one stop bit; never blocking, read in gathered pieces.

pyserial is not used: it turns parity checking off when it opens a port (it clears INPCK and PARMRK), and its reads
raise three different things when an adapter leaves. The port is set by termios and read back; one that cannot do 7E1
(a pty never can) is read as 8N1 and its parity checked in software.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import termios
from typing import Any, NoReturn, Self

from drivers.errors import PortLeft, PortMissing
from drivers.parity import MarkedParity, SoftwareParity

GATHER_S = 0.2
"""Characters are read in pieces of this length: five wake-ups a second at any speed, a fifth of a second of latency.

Wake-ups are most of what reading a meter costs: ten a second took 0.3 % of a core, five take 0.2 % (`make bench-tic`).
"""

_SPEEDS = {
    1_200: termios.B1200,
    2_400: termios.B2400,
    4_800: termios.B4800,
    9_600: termios.B9600,
    19_200: termios.B19200,
}
_LEFT = frozenset({errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF})
_READ_SIZE = 4_096
_PTY_MAJORS = range(136, 144)
_IFLAG, _OFLAG, _CFLAG, _LFLAG, _ISPEED, _OSPEED, _CC = range(7)
_SHAPE = termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB
_MARKS = termios.INPCK | termios.PARMRK


class SerialLine:
    """One open port, for one reader; `path` as the site file names it. Close it when done, or use it in a `with`.

    Raises PortMissing when it cannot be opened, PortLeft when it goes away while open.
    """

    def __init__(self, path: str, baud: int) -> None:
        self.path = path
        self.baud = baud
        self._parity: MarkedParity | SoftwareParity = SoftwareParity()
        self._damaged_before = 0
        self._fd = _open(path)
        try:
            self.set_baud(baud)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def damaged(self) -> int:
        """Characters with wrong parity since the port was opened."""
        return self._damaged_before + self._parity.damaged

    @property
    def checked_by(self) -> str:
        """Who checks parity: "the port" (7E1) or "software" (8N1)."""
        return "the port" if isinstance(self._parity, MarkedParity) else "software"

    def set_baud(self, baud: int) -> None:
        """Set the speed, in bits a second, and forget what was received at the former one."""
        try:
            seven = not self._is_pty() and self._set(baud, termios.CS7 | termios.PARENB, _MARKS)
            if not seven and not self._set(baud, termios.CS8, 0):
                self._refuse(f"does not take {baud} Bd: use another adapter")
        except OSError as error:
            self._left(error)
        self.baud = baud
        self._damaged_before = self.damaged
        self._parity = MarkedParity() if seven else SoftwareParity()

    async def read(self, timeout_s: float) -> bytes:
        """Give the next characters, 7-bit, NUL for each damaged one; b"" when none came within `timeout_s`."""
        await asyncio.sleep(GATHER_S)
        data = self._take()
        if data:
            return data
        try:
            async with asyncio.timeout(timeout_s):
                while not data:
                    await self._readable()
                    await asyncio.sleep(GATHER_S)
                    data = self._take()
        except TimeoutError:
            return b""
        return data

    def close(self) -> None:
        """Give the port back; closing twice is harmless."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with contextlib.suppress(OSError, termios.error):
                fcntl.ioctl(fd, termios.TIOCNXCL)
            with contextlib.suppress(OSError):
                os.close(fd)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def arrived() -> None:
            loop.remove_reader(fd)
            if not ready.done():
                ready.set_result(None)

        fd = self._fd
        loop.add_reader(fd, arrived)
        try:
            await ready
        finally:
            loop.remove_reader(fd)

    def _take(self) -> bytes:
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            self._left(error)
        if not data:
            self._left(None)
        return self._parity.clean(data)

    def _is_pty(self) -> bool:
        return os.major(os.fstat(self._fd).st_rdev) in _PTY_MAJORS

    def _set(self, baud: int, shape: int, marks: int) -> bool:
        """Set a raw line; tell whether the port reads back what was asked."""
        speed = _SPEEDS[baud]
        try:
            wanted = termios.tcgetattr(self._fd)
            wanted[_IFLAG], wanted[_OFLAG], wanted[_LFLAG] = marks, 0, 0
            wanted[_CFLAG] = termios.CREAD | termios.CLOCAL | shape
            wanted[_ISPEED] = wanted[_OSPEED] = speed
            # With VMIN 1 a non-blocking read tells "nothing now" (EAGAIN) from "the port has gone" (no bytes).
            wanted[_CC][termios.VMIN], wanted[_CC][termios.VTIME] = 1, 0
            termios.tcsetattr(self._fd, termios.TCSAFLUSH, wanted)
            found = termios.tcgetattr(self._fd)
        except termios.error as error:
            if error.args[0] == errno.EINVAL:
                return False
            raise OSError(*error.args) from error
        return found[_IFLAG] & _MARKS == marks and found[_CFLAG] & _SHAPE == shape and _speed_of(found) == speed

    def _refuse(self, what: str) -> NoReturn:
        raise PortMissing(f"port {self.path} {what}")

    def _left(self, error: OSError | None) -> NoReturn:
        why = "" if error is None or error.errno in _LEFT else f" ({error.strerror})"
        raise PortLeft(f"port {self.path} has gone{why}: plug the adapter in again; it is looked for") from error


def _speed_of(attributes: list[Any]) -> int | None:
    """Give the speed of both directions, None where they differ."""
    speeds: set[int] = {attributes[_ISPEED], attributes[_OSPEED]}
    return speeds.pop() if len(speeds) == 1 else None


_GONE = "has no device behind it: plug the adapter in again"
_FORBIDDEN = "may not be opened: add this user to the group that owns it (`ls -l` shows it, often dialout)"
_BUSY = "is in use by another program: stop it (`fuser -v` names it)"
_LIST = "`ls /dev/serial/by-id` shows the ports present"
_WHY_NOT = {
    errno.ENOENT: f"is not there: plug the adapter in, or name another port ({_LIST})",
    errno.ENXIO: _GONE,
    errno.EIO: _GONE,
    errno.ENODEV: _GONE,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EBUSY: _BUSY,
    errno.EWOULDBLOCK: _BUSY,
    errno.ENOTTY: f"is no serial port: correct the site file ({_LIST})",
    errno.ENOTDIR: f"is not there: correct the site file ({_LIST})",
    errno.ELOOP: "is a link that leads in a circle: correct the site file",
}


def _open(path: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _take_alone(fd)
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        reason = _WHY_NOT.get(error.errno or 0, f"cannot be opened: {error.strerror}")
        raise PortMissing(f"port {path} {reason}") from error
    return fd


def _take_alone(fd: int) -> None:
    if not os.isatty(fd):
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    # The lock keeps out those who ask for it (pyserial's exclusive=True does), TIOCEXCL everybody but root.
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.major(os.fstat(fd).st_rdev) not in _PTY_MAJORS:
        fcntl.ioctl(fd, termios.TIOCEXCL)
