"""Every word that the page can say is there, in both languages, with the same values."""

import re
import string
from pathlib import Path

import pytest

from gateway.web import rendering
from gateway.web.words import LANGUAGES, WORDS, said

TEMPLATES = sorted((Path(rendering.__file__).parent / "templates").rglob("*.html"))
CALLED = re.compile(r"""\bt\(\s*"([a-z0-9_.]+)"\s*[,)]""")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_word_of_a_template_is_known(template: Path) -> None:
    """A word that is missing would be an error in front of somebody."""
    for key in CALLED.findall(template.read_text("utf-8")):
        assert key in WORDS


@pytest.mark.parametrize("key", sorted(WORDS))
def test_both_languages_say_the_same(key: str) -> None:
    """A value that one language tells is told by the other too, and neither is empty."""
    told = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in WORDS[key]]
    assert told[0] == told[1]
    assert all(text.strip() for text in WORDS[key])
    assert all(said(language)(key, **dict.fromkeys(told[0], "x")) for language in LANGUAGES)
