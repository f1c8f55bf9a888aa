"""A disk of its own for a measurement: ext4 on a loop device, so that the kernel counts what reaches it.

`/proc/self/io` counts what a process hands to the kernel, which is not what a card must write: the file system's own
journal comes on top, and what is overwritten in memory never arrives. Needs root and loop devices.

The trace goes by faster than time: what ext4 writes by the clock (the times of files that changed, each five seconds)
is left out, for us and for the others, who write more often.
"""

import ctypes
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

_LIBC = ctypes.CDLL(None, use_errno=True)
_SECTOR = 512
_SECTORS_WRITTEN = 6  # Documentation/block/stat.rst, counted from 0


class NoDevice(Exception):
    """No private device can be made here; the text says why."""


class Device:
    """Within the block, `folder` is the root of an empty file system whose image lies in another folder."""

    def __init__(self, image: Path, *, megabytes: int) -> None:
        self._image = image
        self._bytes = megabytes << 20
        self._device = ""
        self.folder = image.with_suffix(".mounted")

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise NoDevice("a loop device is root's")
        with self._image.open("wb") as image:
            image.truncate(self._bytes)
        self.folder.mkdir()
        try:
            self._device = _run("losetup", "--find", "--show", str(self._image)).strip()
            # What ext4 would initialise at leisure in the background would be counted as ours.
            _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self._device)
            _run("mount", self._device, str(self.folder))
        except NoDevice:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _run("umount", str(self.folder))
        self._release()

    def written(self) -> int:
        """Give the bytes that the device was told to write until now, all of them: what waits in memory goes first."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)
        counts = Path(f"/sys/block/{Path(self._device).name}/stat").read_text("ascii").split()
        return int(counts[_SECTORS_WRITTEN]) * _SECTOR

    def _release(self) -> None:
        if self._device:
            _run("losetup", "--detach", self._device)
        self.folder.rmdir()
        self._image.unlink()


def _sync(descriptor: int) -> None:
    """Call syncfs(2), which Python's os does not have; other disks of the machine are left alone."""
    if _LIBC.syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), "syncfs")


def _run(*command: str) -> str:
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoDevice(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise NoDevice(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout
