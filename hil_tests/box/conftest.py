"""What the tests of the box share: the root file system, a network of their own, and the packages."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.box.container import Box, own_network
from hil_tests.box.packages import Packages, build
from hil_tests.box.rootfs import CannotRun, root_file_system


@pytest.fixture(scope="session", name="base")
def base_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the root file system of a box that this machine can boot; skip where it cannot."""
    try:
        base = root_file_system()
        with own_network(), Box(base, tmp_path_factory.mktemp("first") / "box", {}):
            return base
    except CannotRun as reason:
        # BOX_REQUIRED: whoever asks for the box wants to know that there is none.
        if os.environ.get("BOX_REQUIRED"):
            raise
        pytest.skip(f"no box on this machine: {reason}")


@pytest.fixture(scope="session", name="packages")
def packages_fixture(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """Build the packages where there is a box to install them in."""
    assert base.is_dir()
    return build(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module", name="network")
def network_fixture(base: Path) -> Iterator[None]:
    """Give the tests of a module a network with nothing but a loopback."""
    assert base.is_dir()
    with own_network():
        yield
