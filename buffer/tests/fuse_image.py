"""A disk image that the kernel reads and writes through this process, which knows what was flushed and what was not.

Run as `python -m buffer.tests.fuse_image IMAGE MOUNT_POINT`: the image is served (FUSE, as one file mounted on a file;
no library needed) and commands are taken from the standard input, one JSON object a line, each answered by one:

    {"do": "cut", "to": path, "seed": n}    write the image as a power cut would leave it now
    {"do": "fail", "write": bool, "flush": bool, "read": bool}    answer such requests with EIO from now on;
                                            "lie": true: answer a flush with success and do nothing
    {"do": "count"}    bytes written and flushes since the start

A flush makes durable all that was written before it. What came since lies in the disk's own cache: after a cut all of
it is lost, or all is there, or the writes up to some moment, or any of them, each perhaps torn between two sectors.
"""

import contextlib
import ctypes
import errno
import json
import os
import random
import select
import stat
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECTOR = 512

_IN, _OUT = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ")
_ATTRIBUTES = struct.Struct("<QIIQQQQQQIIIIIIIIII")
_READ, _WRITE = struct.Struct("<QQI"), struct.Struct("<QQI20x")
_MAX_WRITE = 1 << 20
_DIRECT_IO = 1
_INIT_FLAGS = 1 << 5 | 1 << 22  # big writes, as many pages as max_write

# Requests, as linux/fuse.h numbers them.
FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, RELEASE, FSYNC, FLUSH, INIT, INTERRUPT, DESTROY, BATCH_FORGET = (
    2, 3, 4, 14, 15, 16, 18, 20, 25, 26, 36, 38, 42,
)  # fmt: skip


class Image:
    """The bytes of a disk: as they are seen, and as they are after a power cut."""

    def __init__(self, data: bytes) -> None:
        self.seen = bytearray(data)
        self.durable = bytearray(data)
        self.since: list[tuple[int, bytes]] = []
        self.written = 0
        self.flushes = 0

    def write(self, offset: int, data: bytes) -> None:
        """Take a write into the disk's cache."""
        self.seen[offset : offset + len(data)] = data
        self.since.append((offset, data))
        self.written += len(data)

    def flush(self) -> None:
        """Make durable what was written."""
        for offset, data in self.since:
            self.durable[offset : offset + len(data)] = data
        self.since.clear()
        self.flushes += 1

    def cut(self, rng: random.Random) -> bytes:
        """Give what a power cut leaves."""
        left = bytearray(self.durable)
        kind = rng.choice(("none", "all", "some first", "any", "torn"))
        upto = rng.randrange(len(self.since) + 1)
        for number, (offset, data) in enumerate(self.since):
            if kind == "all" or (kind == "some first" and number < upto) or (kind == "any" and rng.random() < 0.5):
                left[offset : offset + len(data)] = data
            elif kind == "torn":
                for at in range(0, len(data), SECTOR):
                    if rng.random() < 0.5:
                        left[offset + at : offset + at + SECTOR] = data[at : at + SECTOR]
        return bytes(left)


class Server:
    """Answers the kernel's requests for one file."""

    def __init__(self, image: Image, fd: int) -> None:
        self._image = image
        self._fd = fd
        self.failing: set[int] = set()
        self.lying = False
        self._answers: dict[int, Callable[[bytes], bytes]] = {
            INIT: self._init,
            GETATTR: self._attributes,
            SETATTR: self._attributes,
            OPEN: lambda _: struct.pack("<QII", 1, _DIRECT_IO, 0),
            READ: self._read,
            WRITE: self._write,
            FSYNC: self._flush,
            FLUSH: lambda _: b"",
            RELEASE: lambda _: b"",
        }

    def serve(self) -> bool:
        """Take one request; False at the end."""
        try:
            request = os.read(self._fd, _MAX_WRITE + 4096)
        except OSError as error:
            return error.errno != errno.ENODEV  # unmounted
        _, kind, unique, *_ = _IN.unpack_from(request)
        if kind in (FORGET, BATCH_FORGET, INTERRUPT):
            return True
        answer = self._answers.get(kind)
        if kind in self.failing:
            self._reply(unique, b"", errno.EIO)
        elif answer is None:
            self._reply(unique, b"", errno.ENOSYS)
        else:
            self._reply(unique, answer(request[_IN.size :]))
        return bool(kind != DESTROY)

    def _reply(self, unique: int, body: bytes, error: int = 0) -> None:
        with contextlib.suppress(FileNotFoundError):  # the request was given up meanwhile
            os.write(self._fd, _OUT.pack(_OUT.size + len(body), -error, unique) + body)

    def _init(self, body: bytes) -> bytes:
        major, minor = struct.unpack_from("<II", body)
        values = (major, min(minor, 31), 0, _INIT_FLAGS, 64, 48, _MAX_WRITE, 1, _MAX_WRITE // 4096, 0, 0)
        return struct.pack("<IIIIHHIIHHI28x", *values)

    def _attributes(self, _: bytes) -> bytes:
        size = len(self._image.seen)
        times = (0, 0, 0, 0, 0, 0)
        return _ATTRIBUTES.pack(3600, 0, 0, 1, size, size // SECTOR, *times, stat.S_IFREG | 0o600, 1, 0, 0, 0, 4096, 0)

    def _read(self, body: bytes) -> bytes:
        _, offset, size = _READ.unpack_from(body)
        return bytes(self._image.seen[offset : offset + size])

    def _write(self, body: bytes) -> bytes:
        _, offset, size = _WRITE.unpack_from(body)
        self._image.write(offset, body[_WRITE.size : _WRITE.size + size])
        return struct.pack("<II", size, 0)

    def _flush(self, _: bytes) -> bytes:
        if not self.lying:
            self._image.flush()
        return b""


def _command(image: Image, server: Server, said: dict[str, Any]) -> dict[str, Any]:
    if said["do"] == "cut":
        waiting = len(image.since)
        Path(said["to"]).write_bytes(image.cut(random.Random(said["seed"])))
        return {"unflushed": waiting}
    if said["do"] == "fail":
        server.failing = {
            number for name, number in (("write", WRITE), ("flush", FSYNC), ("read", READ)) if said.get(name)
        }
        server.lying = bool(said.get("lie"))
    return {"written": image.written, "flushes": image.flushes}


def main() -> None:
    """Serve until unmounted."""
    image = Image(Path(sys.argv[1]).read_bytes())
    fd = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fd},rootmode=100000,user_id=0,group_id=0"
    if libc.mount(b"card", sys.argv[2].encode(), b"fuse", 6, options.encode()):  # nosuid, nodev
        sys.exit(f"no FUSE mount: {os.strerror(ctypes.get_errno())}")
    server = Server(image, fd)
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - the answers
    waiting = [fd, 0]
    while True:
        ready, _, _ = select.select(waiting, [], [])
        if fd in ready and not server.serve():
            return
        if 0 in ready:
            line = sys.stdin.buffer.readline()
            if not line:
                waiting = [fd]
                continue
            print(json.dumps(_command(image, server, json.loads(line))), flush=True)  # noqa: T201 - the answers


if __name__ == "__main__":
    main()
