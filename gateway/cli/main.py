"""`gateway`: reads what was typed, lets the right module answer, and ends with its code. What there is: `catalogue`."""

import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.cli.exits import COULD_NOT_CHECK, Ended
from gateway.cli.plain import plain

if TYPE_CHECKING:
    import argparse


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = plain(words) or _typed(words)
    _speak_utf8()
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
        _hush()
        code = 128 + signal.SIGPIPE
    except OSError as error:
        if not _is_output_lost():
            raise
        _hush()
        print(f"gateway {options.words}: what it says cannot be written: {error.strerror}", file=sys.stderr)
        code = COULD_NOT_CHECK
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    sys.exit(code)


def _speak_utf8() -> None:
    """Write UTF-8 whatever the locale, as the formats are described; a terminal that has another shows what it can."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.encoding.lower() not in {"utf-8", "utf8"}:
        if out.isatty():
            out.reconfigure(errors="replace")
        else:
            out.reconfigure(encoding="utf-8")


def _is_output_lost() -> bool:
    """Tell whether standard output cannot be written, by writing there: what it refused may be kept in no buffer."""
    try:
        print(flush=True)
    except OSError:
        return True
    return False


def _hush() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _typed(words: Sequence[str]) -> "argparse.Namespace":
    from gateway.cli.typed import typed  # noqa: PLC0415 - see gateway.cli.plain

    return typed(words)
