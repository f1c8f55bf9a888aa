"""The documentation's pages hold together: what they link to is there, and what they quote of the page it does say."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.tests.test_docs import DOCUMENTS, ROOT
from gateway.web.words import LANGUAGES, WORDS

GUIDES = {"gestionnaire.md": "fr", "manager.md": "en"}
"""What managers read, each in the language of the page that it quotes."""

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
QUOTED = re.compile(r"\*\*([^*]+)\*\*")
VALUE = re.compile(r"\\\{\w+\\\}")


def links() -> Iterator[tuple[str, str]]:
    """Each relative link and image, with the path of its document."""
    for document in (*DOCUMENTS, ROOT / "CONTRIBUTING.md"):
        for found in LINK.finditer(document.read_text("utf-8")):
            if ":" not in found[1]:
                yield str(document.relative_to(ROOT)), found[1]


def tracked() -> frozenset[str]:
    """Every file of the repository, and every folder that holds one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout  # noqa: S607 - git is asked for by name everywhere
    files = [Path(name) for name in listed.split("\0") if name]
    return frozenset(str(each) for file in files for each in (file, *file.parents))


@pytest.mark.parametrize(("document", "link"), sorted(set(links())))
def test_a_link_leads_somewhere(document: str, link: str) -> None:
    """What a document links to, or shows, is a file of the repository: readers elsewhere have no other."""
    target = (ROOT / document).parent.joinpath(link).resolve()
    assert str(target.relative_to(ROOT)) in tracked()


@pytest.mark.parametrize("guide", sorted(GUIDES))
def test_what_is_quoted_of_the_page_is_what_it_says(guide: str) -> None:
    """A manager finds each bold word of the guide on the page; "…" stands for what the page fills in."""
    column = LANGUAGES.index(GUIDES[guide])
    said = [re.compile(VALUE.sub("…", re.escape(words[column]))) for words in WORDS.values()]
    quoted = set(QUOTED.findall((ROOT / "docs" / guide).read_text("utf-8")))
    assert quoted
    assert {each for each in quoted if not any(words.fullmatch(each) for words in said)} == set()
