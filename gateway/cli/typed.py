"""What was typed is read by argparse: every command with its options, its help, and what is said of a mistake."""

import argparse
from collections.abc import Iterable, Mapping, Sequence

from gateway.cli.command import Command
from gateway.cli.lasting import LASTING

CODES = (
    "Exit codes: 0 ok; 1 warnings (with --strict); 2 usage; 3 agent not running; 4 unknown channel or command; "
    "5 a check failed; 6 could not check; 7 refused; 27 timeout."
)


def parser() -> argparse.ArgumentParser:
    """Give the whole command line; documentation tests read it too."""
    from gateway.cli.catalogue import COMMANDS, FAMILIES  # noqa: PLC0415 - what runs for years needs none of it

    return _parser(COMMANDS, FAMILIES)


def typed(words: Sequence[str]) -> argparse.Namespace:
    """Read what was typed; SystemExit where it is no command, or asks for help."""
    alone = [command for command in LASTING if list(words[:1]) == [command.words]]
    return (_parser(alone, {}) if alone else parser()).parse_args(words)


def _parser(commands: Iterable[Command], families: Mapping[str, str]) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="gateway",
        description="The agent of a building: reads its meters, publishes what they say, sheds load on signed orders.",
        epilog=CODES,
    )
    first = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    below = {"": first}
    for name, text in families.items():
        above, _, word = name.rpartition(" ")
        made = below[above].add_parser(word, help=text, description=_sentence(text))
        below[name] = made.add_subparsers(dest=f"{word}_command", required=True, metavar="COMMAND")
    for command in commands:
        family, _, word = command.words.rpartition(" ")
        made = below[family].add_parser(
            word, help=command.text, description=_sentence(command.text), epilog=f"Example: {command.example}"
        )
        made.set_defaults(answer=command.answer, words=command.words)
        for option in command.options:
            option(made)
    return top


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
