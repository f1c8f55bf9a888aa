"""A memory card for tests: a real ext4, on a loop device, over an image that can be cut, and told to fail.

Why like this. A copy of a file under a running system shows what was written, synced or not; a virtual machine takes
seconds for each cut. Here the disk below the kernel's file system is ours (`fuse_image`), so that it is known which
writes the kernel has flushed: a cut keeps those, and of the rest what a disk's own cache might have kept, torn between
two sectors too. The file system, its journal and its recovery are the real ones, and hundreds of cuts take a minute.
What it does not show: a card whose controller lies about a flush, or damages what it does not write.

Needs root, /dev/fuse, loop devices and mkfs.ext4; `why_not` tells what is missing.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

IMAGE_BYTES = 24 << 20
_LONGEST_S = 60.0

_TOOLS = ("mkfs.ext4", "losetup", "mount", "umount")


def why_not() -> str | None:
    """Say why there can be no card here, or None if there can."""
    if os.geteuid():
        return "a card for tests needs root"
    if not Path("/dev/fuse").exists() or not Path("/dev/loop-control").exists():
        return "a card for tests needs /dev/fuse and loop devices"
    missing = [tool for tool in _TOOLS if shutil.which(tool, path=_path()) is None]
    return f"a card for tests needs {', '.join(missing)}" if missing else None


class Card:
    """A card, mounted at `mount` while the context lasts; with `image` (a file) one that was written before."""

    def __init__(self, folder: Path, *, image: Path | None = None, size: int = IMAGE_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._image = image or folder / "image"
        self._file = folder / "served"
        self.mount = folder / "mount"
        self._cuts = folder
        self._undo = contextlib.ExitStack()
        if image is None:
            make_image(self._image, size)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            self._file.touch()
            self.mount.mkdir(exist_ok=True)
            self._server = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "buffer.tests.fuse_image", str(self._image), str(self._file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            undo.callback(_end, self._server)
            undo.callback(_unmount, self._file)
            if not json.loads(_stream(self._server.stdout).readline() or "{}").get("ready"):
                raise OSError("the card's image is not served")
            undo.enter_context(mounted(self._file, self.mount))
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.fail()  # works again, so that nothing waits for it
        self._undo.close()

    def cut(self, seed: int) -> tuple[Path, int]:
        """Give an image as a power cut would leave it now, and how many writes were in the disk's cache; it goes on."""
        to = self._cuts / f"cut-{seed}"
        return to, self._ask(do="cut", to=str(to), seed=seed)["unflushed"]

    def fail(self, *, write: bool = False, flush: bool = False, read: bool = False, lie: bool = False) -> None:
        """Answer such requests with an I/O error from now on, or (`lie`) say "flushed" of nothing; none: work again."""
        self._ask(do="fail", write=write, flush=flush, read=read, lie=lie)

    def count(self) -> tuple[int, int]:
        """Give the bytes that were written to the card, and how often it was flushed, since it was mounted."""
        said = self._ask(do="count")
        return said["written"], said["flushes"]

    def _ask(self, **said: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        _stream(self._server.stdin).write(json.dumps(said) + "\n")
        _stream(self._server.stdin).flush()
        line = _stream(self._server.stdout).readline()
        if not line:
            raise OSError("the card's image is no longer served")
        return dict(json.loads(line))


def make_image(path: Path, size: int) -> None:
    """Make a file with an empty ext4 of so many bytes."""
    with path.open("wb") as image:
        image.truncate(size)
    _run("mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", str(path))


@contextlib.contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """Mount an image file at a folder; its journal is replayed, as at the start after a cut."""
    folder.mkdir(exist_ok=True)
    device = _loop(image)
    try:
        _run("mount", "-t", "ext4", device, str(folder))
        try:
            yield folder
        finally:
            _unmount(folder)
    finally:
        _run_quietly("losetup", "--detach", device)


def _loop(image: Path) -> str:
    """Give a free loop device for the image; another process may take one at the same moment."""
    end = time.monotonic() + _LONGEST_S
    while True:
        try:
            return _run("losetup", "--find", "--show", str(image)).strip()
        except subprocess.CalledProcessError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _unmount(place: Path) -> None:
    for _ in range(50):
        if not place.is_mount() and not place.is_file():
            return
        if _run_quietly("umount", str(place)):
            return
        time.sleep(0.1)
    _run_quietly("umount", "--lazy", str(place))


def _end(server: subprocess.Popen[str]) -> None:
    """Let go of a server that nothing is mounted from any more; what still hung on it gets an I/O error."""
    server.kill()
    server.communicate()


def _run(*command: str) -> str:
    return subprocess.run(  # noqa: S603 - programs of the system, named above
        command, check=True, capture_output=True, text=True, timeout=_LONGEST_S, env={"PATH": _path()}
    ).stdout


def _run_quietly(*command: str) -> bool:
    try:
        _run(*command)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return True


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def main() -> None:
    """Say, for `make soak`, whether power cuts and dying cards can be tried here."""
    missing = why_not()
    if missing:
        print(f"\n*** NOT PROVED HERE: power cuts and failing cards. {missing}. ***\n")  # noqa: T201 - what it is for


def _stream(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise ValueError("no pipe")
    return pipe


if __name__ == "__main__":
    main()
