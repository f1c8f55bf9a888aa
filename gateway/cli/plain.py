"""`gateway run` as the service is started, read without argparse: a megabyte that the agent would keep for years.

Whatever else is typed (help, mistakes, the other commands, `run` in any other spelling) is `gateway.cli.typed`'s.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


def agent(options: Any) -> int:  # noqa: ANN401 - a Run, or argparse's Namespace
    """Start the agent."""
    from gateway.app import run  # noqa: PLC0415 - 40 MB of imports, the most of them later still

    return run(options.config, await_keys=options.await_keys)


class Run(NamedTuple):
    """What argparse gives for `gateway run`."""

    config: Path
    await_keys: bool
    words: str = "run"
    answer: Callable[[Any], int] = agent


def plain(words: Sequence[str]) -> Run | None:
    """Read `run --config SITE`, with `--await-keys` before or behind; None where anything else was typed."""
    match list(words):
        case (
            ["run", "--config", site]
            | ["run", "--config", site, "--await-keys"]
            | ["run", "--await-keys", "--config", site]
        ) if not site.startswith("-"):
            return Run(Path(site), "--await-keys" in words)
        case _:
            return None
