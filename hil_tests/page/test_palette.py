"""A picture that is made smaller still shows the same."""

from base64 import b64encode

import pytest
from playwright.async_api import Browser

from hil_tests.page.palette import smaller

pytestmark = pytest.mark.asyncio(loop_scope="package")

PICTURE = """
    <body style="margin: 0; width: 300px; background: linear-gradient(90deg, #100, #f40)">
    <p style="margin: 20px; color: #000">Passerelle</p></body>
"""
"""Hundreds of reds: more colours than a palette has."""

_POINTS = """async ([png, most]) => {
    const picture = new Image();
    picture.src = `data:image/png;base64,${png}`;
    await picture.decode();
    const canvas = new OffscreenCanvas(picture.width, most);
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    return [picture.width, picture.height, [...context.getImageData(0, 0, picture.width, most).data]];
}"""
ROWS = 50
NEAR = 24


async def test_a_picture_made_smaller_shows_the_same(browser: Browser) -> None:
    """A browser reads the same colours out of it, but for a shade, in as many rows as were wanted, from fewer bytes."""
    page = await browser.new_page(viewport={"width": 300, "height": 80})
    await page.set_content(PICTURE)
    taken = await page.screenshot()
    made = smaller(taken, ROWS)
    await page.set_content("")
    width, _, before = await page.evaluate(_POINTS, [b64encode(taken).decode(), ROWS])
    same_width, height, after = await page.evaluate(_POINTS, [b64encode(made).decode(), ROWS])
    assert (same_width, height) == (width, ROWS)
    assert len({tuple(before[at : at + 3]) for at in range(0, len(before), 4)}) > 256
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < NEAR
    assert len(made) < len(taken)
    await page.close()
