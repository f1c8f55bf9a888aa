"""The commands of the installer's guide, as they stand there."""

import re
from collections.abc import Iterator
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "installer.md"
CHAPTER = "## Set it up"


def commands() -> tuple[str, ...]:
    """Give what an installer types to set a box up, one command each; a pipeline over two lines is one."""
    chapter = GUIDE.read_text("utf-8").split(f"{CHAPTER}\n")[1].split("\n## ")[0]
    return tuple(_joined(re.findall(r"^ {8}(.*)$", chapter, re.MULTILINE)))


def _joined(lines: list[str]) -> Iterator[str]:
    command = ""
    for line in lines:
        command = f"{command} {line.strip()}".strip()
        if not command.endswith(("|", "\\")):
            yield command
            command = ""
    assert not command, f"{GUIDE.name}: the last command does not end: {command}"
