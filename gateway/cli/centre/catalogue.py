"""What `gateway centre` can be asked, but for its authority."""

import argparse
import re
from pathlib import Path

from gateway.cli.centre import answers
from gateway.cli.command import Command, counted, option, positive


def epoch(text: str) -> str:
    """Read the epoch of a key."""
    if re.fullmatch(r"[0-9a-f]{16}", text) is None:
        raise argparse.ArgumentTypeError(f"{text}: 16 hex digits are wanted")
    return text


_SITE = option(
    "--config",
    type=Path,
    default=Path("/etc/gateway-centre/centre.toml"),
    metavar="CENTRE",
    help="the centre's file (default %(default)s)",
)
ROLES = ("receipt", "dispatch", "config", "gateway")
# Written here, not taken from `gateway.wire`: what every start loads stays small. A test compares them.
TIERS = ("fine", "minute", "index")
_JSON = option("--json", action="store_true", help='one JSON object, whose "schema" tells its version')
_STRICT = option("--strict", action="store_true", help="end with 1 where anything is missing, doubled or waits")
_GATEWAY = option("--gateway", metavar="ID", help="only of this one (default: all)")

_KEY_FILE = option("file", type=Path, metavar="KEYS", help="the file of trusted keys")
_KEY_ID = option("id", metavar="ID", help="the key's id")

FAMILIES = {"centre keys": "a file of trusted keys"}

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
    Command(
        "centre keys list",
        "every key of a file, whose it is, what it may sign, and whether it is revoked",
        answers.keys_list,
        "gateway centre keys list gateways.toml",
        (_KEY_FILE, _JSON),
    ),
    Command(
        "centre keys add",
        "add a key to a file, which is made if it is not there",
        answers.keys_add,
        "gateway centre keys add keys.toml gw7-b --issuer gw7 --public gw7.pub",
        (
            _KEY_FILE,
            _KEY_ID,
            option("--issuer", required=True, metavar="NAME", help="whose it is: the gateway's id, or the centre's"),
            option("--public", required=True, metavar="KEY", help="base64 of its 32 bytes, or a PEM file"),
            option("--role", action="append", choices=ROLES, help="what it may sign (default: gateway)"),
            option("--epoch", default="0" * 16, type=epoch, metavar="HEX", help="for the centre's keys: 16 hex digits"),
        ),
    ),
    Command(
        "centre keys revoke",
        "revoke a key: it stays in the file, and what it signs is refused",
        answers.keys_revoke,
        "gateway centre keys revoke gateways.toml gw-lyon-017-2026",
        (_KEY_FILE, _KEY_ID),
    ),
)
