"""What `gateway centre` can be asked, but for its authority."""

from pathlib import Path

from gateway.cli.centre import answers
from gateway.cli.command import Command, counted, option, positive

_SITE = option(
    "--config",
    type=Path,
    default=Path("/etc/gateway-centre/centre.toml"),
    metavar="CENTRE",
    help="the centre's file (default %(default)s)",
)
TIERS = ("fine", "minute", "index")
_JSON = option("--json", action="store_true", help='one JSON object, whose "schema" tells its version')
_STRICT = option("--strict", action="store_true", help="end with 1 where anything is missing, doubled or waits")
_GATEWAY = option("--gateway", metavar="ID", help="only of this one (default: all)")

CENTRE = (
    Command(
        "centre listen",
        "receive, verify, store and receipt what gateways send, and show it, until Ctrl-C",
        answers.listen,
        "gateway centre listen --config centre.toml --postgres service=meters",
        (
            _SITE,
            option("--json", action="store_true", help="one JSON object a line: readings, gaps, drop records, alarms"),
            option("--csv", action="store_true", help="readings and gaps as CSV"),
            option(
                "--postgres",
                metavar="CONNINFO",
                nargs="?",
                const="",
                help="write readings to PostgreSQL too; as libpq knows it (service=NAME), alone: by its environment",
            ),
            _GATEWAY,
            option(
                "--tier",
                action="append",
                choices=TIERS,
                help="only readings of this tier; again for more (default: all)",
            ),
            option("--all", dest="everything", action="store_true", help="lines begin with all that the store holds"),
            option(
                "--patience",
                type=positive,
                default=60.0,
                metavar="S",
                help="seconds that lines wait for what is missing below them (default %(default)g)",
            ),
            option("--count", type=counted, metavar="N", help="end after so many segments shown"),
        ),
    ),
    Command(
        "centre report",
        "gaps, duplicates, dropped ranges, broken chains and what waits, for each gateway and stream",
        answers.report,
        "gateway centre report --gateway gw-lyon-017",
        (_SITE, _GATEWAY, _STRICT, _JSON),
    ),
    Command(
        "centre verify",
        "signatures and chains of messages in files: one, a concatenation, an outbox, a centre's store",
        answers.verify,
        "gateway centre verify outbox.db --keys gateways.toml",
        (
            option("file", type=Path, nargs="+", metavar="FILE", help="what to verify"),
            option("--keys", type=Path, metavar="KEYS", help="the trusted keys (default: those of the centre's file)"),
            _SITE,
            _STRICT,
            _JSON,
        ),
    ),
)
