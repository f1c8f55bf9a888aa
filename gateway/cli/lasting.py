"""The commands that run for years: told apart from the rest, so that the rest is not in their memory all the while."""

from pathlib import Path

from gateway.cli import answers
from gateway.cli.command import Command, option, port
from gateway.cli.plain import agent

DEFAULT_SITE = Path("/etc/gateway/site.toml")

SITE = option("--config", type=Path, default=DEFAULT_SITE, metavar="SITE", help="the site file (default %(default)s)")
STATE = option(
    "--state",
    type=Path,
    default=Path("/var/lib/gateway-web"),
    metavar="DIR",
    help="the page's own folder (default %(default)s)",
)

RUN = Command(
    "run",
    "run the agent until it is told to stop",
    agent,
    "gateway run --config site.toml",
    (
        SITE,
        option(
            "--await-keys",
            action="store_true",
            help="while keys are missing, say so on the control socket, do not end",
        ),
    ),
)

WEB = Command(
    "web",
    "serve the page of the building's manager until told to stop",
    answers.web,
    "gateway web --listen 127.0.0.1 --port 8443",
    (
        option(
            "--socket",
            type=Path,
            default=Path("/run/gateway/control.sock"),
            metavar="PATH",
            help="the agent's control socket (default %(default)s)",
        ),
        STATE,
        option("--listen", default="0.0.0.0", metavar="ADDRESS", help="where to listen (default %(default)s)"),  # noqa: S104 - the page is for the whole building
        option("--port", type=port, default=8443, metavar="N", help="0: any that is free (default %(default)s)"),
        option(
            "--name",
            action="append",
            default=[],
            metavar="NAME",
            help="another name by which browsers open it; again for more",
        ),
    ),
)

LASTING = (RUN, WEB)
