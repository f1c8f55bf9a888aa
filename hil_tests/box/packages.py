"""Packages of this tree as it is now, built by the script that builds every release."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARCHITECTURES = ("amd64", "arm64")
VERSION, NEXT = "0.1.0", "0.1.1"


@dataclass(frozen=True, slots=True)
class Packages:
    """What a test installs: a package for this machine, a later one, and one tree built twice for each architecture."""

    ours: Path
    later: Path
    once: tuple[Path, ...]
    twice: tuple[Path, ...]


def build(folder: Path) -> Packages:
    """Build them all into a folder; two builds of one tree are in different folders and at the same time."""
    tree = folder / "tree"
    _copy(tree)
    jobs = [
        _start(tree, VERSION, folder / "once", ARCHITECTURES),
        _start(tree, VERSION, folder / "twice", ARCHITECTURES),
    ]
    for job in jobs:
        _finish(job)
    here = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    _finish(_start(tree, NEXT, folder / "later", (here,)))
    name = "building-gateway_{}_{}.deb"
    return Packages(
        ours=folder / "once" / name.format(VERSION, here),
        later=folder / "later" / name.format(NEXT, here),
        once=tuple(folder / "once" / name.format(VERSION, each) for each in ARCHITECTURES),
        twice=tuple(folder / "twice" / name.format(VERSION, each) for each in ARCHITECTURES),
    )


def _copy(tree: Path) -> None:
    """Copy what git knows of the tree, changes that are not committed too, so that it stays the same for all builds."""
    subprocess.run(["git", "clone", "--quiet", "--no-local", str(ROOT), str(tree)], check=True)
    subprocess.run(["git", "-C", str(tree), "rm", "-r", "-q", "."], check=True)
    known = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    there = b"\0".join(name for name in known.split(b"\0") if name and (ROOT / os.fsdecode(name)).exists())
    packed = subprocess.run(
        ["tar", "--null", "--files-from=-", "--create"], cwd=ROOT, input=there, capture_output=True, check=True
    )
    subprocess.run(["tar", "--extract", f"--directory={tree}"], input=packed.stdout, check=True)
    subprocess.run(["git", "-C", str(tree), "add", "--all"], check=True)
    (tree / ".venv").symlink_to(ROOT / ".venv")


def _start(tree: Path, version: str, into: Path, architectures: tuple[str, ...]) -> subprocess.Popen[str]:
    script = tree / "systemd" / "package" / "build.sh"
    return subprocess.Popen(
        [str(script), "--version", version, "--into", str(into), *architectures],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finish(job: subprocess.Popen[str]) -> None:
    said, _ = job.communicate()
    assert job.returncode == 0, said
