"""`gateway`: what it can be asked, and which module answers. Nothing is imported before it is known to be needed."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

DEFAULT_SITE = Path("/etc/gateway/site.toml")

OK, USAGE = 0, 2

Answer = Callable[[argparse.Namespace], int]


def _run(options: argparse.Namespace) -> int:
    from gateway.app import run  # noqa: PLC0415 - lazy: the agent is 40 MB of imports

    return run(options.config, await_keys=options.await_keys)


def _status(options: argparse.Namespace) -> int:
    from gateway.cli.status import status  # noqa: PLC0415 - lazy, as all below

    return status(options.config, options.socket, as_json=options.json, timeout_s=options.timeout)


def _config_check(options: argparse.Namespace) -> int:
    from gateway.cli.config import check  # noqa: PLC0415

    return check(options.file)


def _tic_decode(options: argparse.Namespace) -> int:
    from gateway.cli.tic import decode  # noqa: PLC0415

    return decode(options.file, options.mode, as_json=options.json)


def _version(_options: argparse.Namespace) -> int:
    from importlib.metadata import version  # noqa: PLC0415

    print(version("building-gateway"))
    return OK


def parser() -> argparse.ArgumentParser:
    """Give the whole command line; documentation tests read it too."""
    top = argparse.ArgumentParser(
        prog="gateway",
        description="The agent of a building: reads its meters, publishes what they say, sheds load on signed orders.",
        epilog="Exit codes: 0 ok; 2 usage; 3 agent not running; 5 a check failed; 27 timeout.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run_ = _command(commands, "run", "run the agent until it is told to stop", _run, "gateway run --config site.toml")
    _site_option(run_)
    run_.add_argument(
        "--await-keys", action="store_true", help="while keys are missing, say so on the control socket, do not end"
    )

    status = _command(
        commands, "status", "what the agent reads, keeps and sends, now", _status, "gateway status --json"
    )
    _site_option(status)
    status.add_argument("--socket", type=Path, metavar="PATH", help="the agent's control socket (default: the site's)")
    status.add_argument("--json", action="store_true", help="one JSON object")
    status.add_argument("--timeout", type=float, default=5.0, metavar="S", help="seconds to wait (default %(default)s)")

    config = _family(commands, "config", "the site file")
    check = _command(
        config, "check", "every mistake of a site file, with its line", _config_check, "gateway config check site.toml"
    )
    check.add_argument("file", type=Path, nargs="?", default=DEFAULT_SITE, help="the site file (default %(default)s)")

    tic = _family(commands, "tic", "the Linky's customer output")
    decode = _command(tic, "decode", "decode captured frames", _tic_decode, "gateway tic decode meter.tic --json")
    decode.add_argument("file", nargs="?", default="-", help="a file of bytes as on the wire, - for standard input")
    decode.add_argument("--mode", choices=("auto", "historique", "standard"), default="auto")
    decode.add_argument("--json", action="store_true", help="one JSON object a line for each frame, then a summary")

    _command(commands, "version", "the version of this program", _version, "gateway version")
    return top


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    options = parser().parse_args(arguments)
    answer: Answer = options.answer
    try:
        code = answer(options)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if TYPE_CHECKING:
    Subcommands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it


def _command(commands: "Subcommands", name: str, text: str, answer: Answer, example: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", epilog=f"Example: {example}"
    )
    made.set_defaults(answer=answer)
    return made


def _family(commands: "Subcommands", name: str, text: str) -> "Subcommands":
    made: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    return made.add_subparsers(dest=f"{name}_command", required=True, metavar="COMMAND")


def _site_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config", type=Path, default=DEFAULT_SITE, metavar="SITE", help="the site file (default %(default)s)"
    )
