"""What the documentation shows can be typed: every `gateway ...` line of it is one that the command line takes."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.typed import parser

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

BLOCK_LINE = re.compile(r"^    (?:\$ )?(?:sudo )?(gateway (?![a-z -]+: )[a-z-][^#\n]*)", re.MULTILINE)
"""A command; not what one says of its failure ("gateway read: no channel ...")."""
INLINE = re.compile(r"`(?:sudo )?(gateway [a-z][^`]*)`")


def examples() -> Iterator[tuple[str, str]]:
    """Each command line that a document shows, with the document's name."""
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        for pattern in (BLOCK_LINE, INLINE):
            for found in pattern.finditer(text):
                yield document.name, found[1].strip()


def every_command(of: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each command that can be typed, with its help."""
    families = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    if not families:
        yield words, of.format_help()
    for family in families:
        for word, below in family.choices.items():
            yield from every_command(below, (*words, word))


@pytest.mark.parametrize(("document", "line"), sorted(set(examples())))
def test_what_is_shown_can_be_typed(document: str, line: str) -> None:
    """A line that a reader copies is a line that the command takes."""
    assert document
    command, _, _ = line.partition(" > ")  # the shell's
    options = parser().parse_args(shlex.split(command)[1:])
    assert callable(options.answer)


def test_the_readme_shows_every_command() -> None:
    """A command that no document names is one that nobody finds."""
    shown = " ".join(line for _, line in examples())
    for words, _ in every_command(parser()):
        assert " ".join(("gateway", *words)) in shown, words


@pytest.mark.parametrize(("words", "help_"), sorted(every_command(parser())))
def test_every_command_has_an_example_that_works(words: tuple[str, ...], help_: str) -> None:
    """`--help` ends with a line that can be typed."""
    example = re.search(r"Example: (gateway .*)", help_)
    assert example is not None, words
    given = parser().parse_args(shlex.split(example[1])[1:])
    assert given.words == " ".join(words)
    # Without it most would only tell what they would do; in `centre ca sign` it spares a comparison.
    assert getattr(given, "yes", True) or words == ("centre", "ca", "sign")
