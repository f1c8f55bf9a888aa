"""The root file system of a box: the smallest Debian 12 with systemd, from where this machine has its own packages.

Made once and kept under the name of its recipe in BOX_FOLDER (a folder in TMPDIR); delete that to begin anew.
BOX_MIRROR names another place to get Debian from.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

SUITE = "bookworm"
DEBIAN = "http://deb.debian.org/debian"
PACKAGES = ("systemd-sysv", "udev", "dbus", "python3", "iproute2", "openssl", "sudo")
"""What Raspberry Pi OS has as well, and what looks at the box: `ss`."""

INSTALLER = "installer"
"""Who sets a box up: an ordinary user who may use sudo."""

PREPARED = (
    f'chroot "$1" useradd --create-home --shell /bin/bash {INSTALLER}',
    f'echo "{INSTALLER} ALL=(ALL) NOPASSWD: ALL" >"$1/etc/sudoers.d/installer"',
    'echo box >"$1/etc/hostname"',
    'printf "127.0.0.1 localhost\n127.0.1.1 box\n" >"$1/etc/hosts"',
)
SLIM = tuple(f"path-exclude=/usr/share/{folder}/*" for folder in ("man", "locale", "info"))


class CannotRun(Exception):
    """This machine cannot run a box; the text says why, and what would help."""


def root_file_system() -> Path:
    """Give the folder with the root file system, which is made if need be; raise CannotRun."""
    if os.geteuid() != 0:
        raise CannotRun("a box needs root: sudo make test-box")
    missing = [tool for tool in ("mmdebstrap", "systemd-nspawn", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise CannotRun(f"{', '.join(missing)} missing: apt-get install mmdebstrap systemd-container")
    sources = _sources()
    recipe = json.dumps([SUITE, PACKAGES, PREPARED, SLIM, sources])
    made = _kept() / hashlib.sha256(recipe.encode()).hexdigest()[:16]
    with (made.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make(made, sources)
    return made


def _kept() -> Path:
    folder = Path(os.environ.get("BOX_FOLDER") or Path(tempfile.gettempdir(), "building-gateway-box"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        # Whoever could write there would have what they like run as root.
        raise CannotRun(f"{folder} belongs to somebody else: delete it, or name another in BOX_FOLDER")
    return folder


def _sources() -> tuple[str, ...]:
    """Give the lines by which apt gets Debian 12: from this machine's own mirror, where it is a Debian."""
    mirror = os.environ.get("BOX_MIRROR")
    if mirror:
        return (f"deb {mirror} {SUITE} main",)
    release = platform.freedesktop_os_release()
    ours = release.get("VERSION_CODENAME") if release.get("ID") == "debian" else None
    places: dict[str, str] = {}
    for line in _index_targets() or (_updated() and _index_targets()):
        name, _, place = line.partition(" ")
        places.setdefault(name, place)
    if ours not in places:
        return (f"deb {DEBIAN} {SUITE} main",)
    security = places.get(f"{ours}-security")
    return (f"deb {places[ours]} {SUITE} main", *([f"deb {security} {SUITE}-security main"] if security else []))


def _index_targets() -> list[str]:
    asked = ("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages")
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()


def _updated() -> list[str]:
    """Have apt fetch its lists, without which it does not tell where it gets packages from."""
    subprocess.run(("apt-get", "update", "-qq"), capture_output=True, check=False)
    return ["updated"]


def _make(folder: Path, sources: tuple[str, ...]) -> None:
    new = folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt={option}" for option in SLIM]
    command += [f"--customize-hook={hook}" for hook in PREPARED]
    done = subprocess.run([*command, SUITE, str(new), *sources], capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(new, ignore_errors=True)
        raise CannotRun(f"mmdebstrap could not make a root file system: {done.stderr.strip()[-500:]}")
    new.rename(folder)
