"""A folder for a page: with a certificate made once for all tests, as making one takes a moment."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.web import certificate
from gateway.web.settings import Settings
from gateway.web.tests.browser import Page, serving


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of a page."""
    folder = tmp_path_factory.mktemp("certificate")
    return certificate.kept(Settings(state=folder, listen="127.0.0.1"), time.time()).file


@pytest.fixture
def state(tmp_path: Path, pem: Path) -> Path:
    """The folder of a page that nobody has used."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    shutil.copy(pem, folder / "page.pem")
    return folder


@pytest.fixture
def page(state: Path) -> Iterator[Page]:
    """A page that nobody has used."""
    with serving(state) as running:
        yield running
