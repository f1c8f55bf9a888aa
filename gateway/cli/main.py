"""`gateway`: reads what was typed, lets the right module answer, and ends with its code. What there is: `catalogue`."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.cli.exits import Ended
from gateway.cli.plain import plain

if TYPE_CHECKING:
    import argparse


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = plain(words) or _typed(words)
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


def _typed(words: Sequence[str]) -> "argparse.Namespace":
    from gateway.cli.typed import typed  # noqa: PLC0415 - see gateway.cli.plain

    return typed(words)
