"""`gateway`: reads what was typed, lets the right module answer, and ends with its code. What there is: `catalogue`."""

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence

from gateway.cli.command import Command
from gateway.cli.exits import Ended
from gateway.cli.lasting import LASTING

CODES = (
    "Exit codes: 0 ok; 1 warnings (with --strict); 2 usage; 3 agent not running; 4 unknown channel or command; "
    "5 a check failed; 6 could not check; 7 refused; 27 timeout."
)


def parser() -> argparse.ArgumentParser:
    """Give the whole command line; documentation tests read it too."""
    from gateway.cli.catalogue import COMMANDS, FAMILIES  # noqa: PLC0415 - what runs for years needs none of it

    return _parser(COMMANDS, FAMILIES)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    alone = [command for command in LASTING if words[:1] == [command.words]]
    options = (_parser(alone, {}) if alone else parser()).parse_args(words)
    try:
        code = options.answer(options)
        sys.stdout.flush()
    except Ended as ended:
        sys.stdout.flush()
        for line in str(ended).splitlines():
            print(f"gateway {options.words}: {line}", file=sys.stderr)
        code = ended.code
    except BrokenPipeError:
        # Whoever read us has enough (`| head`): end as any filter does, with nothing left to complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    sys.exit(code)


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
