"""The page's own files: what is vendored is what it was, and nothing outside the folder is served."""

import gzip
import hashlib

import pytest
from starlette.applications import Starlette

from gateway.web import statics
from gateway.web.tests.asgi import get

VENDORED = {
    "uplot.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uplot.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uplot.LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
"""uPlot 1.6.32 (MIT) as its npm package has it: dist/uPlot.iife.min.js, dist/uPlot.min.css, LICENSE."""


@pytest.mark.parametrize(("name", "digest"), VENDORED.items())
def test_what_is_vendored_is_what_its_maker_published(name: str, digest: str) -> None:
    """A changed byte of somebody else's code is a new version, looked at anew."""
    assert hashlib.sha256((statics.FOLDER / name).read_bytes()).hexdigest() == digest


APP = Starlette(routes=[statics.ROUTE])


async def test_a_file_is_served_for_ever_under_the_name_of_its_content() -> None:
    """Whoever has it needs not ask again; another content has another name."""
    address = statics.address("page.js")
    plain = await get(APP, address)
    assert plain.body == (statics.FOLDER / "page.js").read_bytes()
    assert "immutable" in plain.headers["cache-control"]
    squeezed = await get(APP, address, {"Accept-Encoding": "gzip, br"})
    assert squeezed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(squeezed.body) == plain.body


@pytest.mark.parametrize("path", ["/static/page.js", "/static/../statics.py", "/static/uplot.LICENSE.txt", "/static/"])
async def test_nothing_else_is_served(path: str) -> None:
    """Only a name that was made at the start is answered; no path reaches the disk."""
    assert (await get(APP, path)).status == 404
