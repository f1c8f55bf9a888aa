"""What `gateway cert` and `gateway centre ca` can be asked."""

import argparse
import re
from pathlib import Path

from gateway.cli.command import Command, option, positive
from gateway.cli.enrolment import answers

DAYS, LIST_DAYS = 398.0, 398.0
REASONS = ("key-compromise", "superseded", "cessation", "unspecified")
# Written here, not taken from `gateway.centre`: what every start loads stays small. A test compares them.


def days(text: str) -> float:
    """Read how long a certificate lasts."""
    value = float(text)
    if not 0 < value <= 3_650:
        raise argparse.ArgumentTypeError(f"{text}: more than 0 and at most 3650 days are wanted")
    return value


def name(text: str) -> str:
    """Read a name that becomes that of a file."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text) is None:
        raise argparse.ArgumentTypeError(f"{text}: 1 to 64 letters, digits, '.', '_' or '-' are wanted")
    return text


_SITE = option(
    "--config",
    type=Path,
    default=Path("/etc/gateway/site.toml"),
    metavar="SITE",
    help="the site file (default %(default)s)",
)
_JSON = option("--json", action="store_true", help='one JSON object, whose "schema" tells its version')
_FOLDER = option(
    "--folder", type=Path, default=Path(), metavar="DIR", help="where the authority is (default: this folder)"
)
_SECRET = option("--passphrase-file", type=Path, metavar="FILE", help="the first line of it opens the authority's key")
_DAYS = option("--days", type=days, default=DAYS, metavar="N", help="how long it lasts (default %(default)g)")
_CA = (_FOLDER, _SECRET, _JSON)

FAMILIES = {
    "cert": "the box's keys and its certificate",
    "centre ca": "a small certificate authority, for pilots and tests",
}

ENROLMENT = (
    Command(
        "cert csr",
        "make the box's keys if there are none, and print what they ask the centre for",
        answers.csr,
        "gateway cert csr",
        (
            option("--new-key", action="store_true", help="with a new TLS key; the one in use stays until then"),
            option("--new-signing", action="store_true", help="with a new signing key; that in use stays until then"),
            _SITE,
            _JSON,
        ),
    ),
    Command(
        "cert install",
        "install what the centre gave back, if nothing is wrong with it",
        answers.install,
        "gateway cert install gw-lyon-017.bundle",
        (option("bundle", type=Path, metavar="BUNDLE", help="the file; - for standard input"), _SITE, _JSON),
    ),
    Command(
        "cert show",
        "whose the certificate is, how much of its life is gone, and what follows it",
        answers.show,
        "gateway cert show --json",
        (_SITE, _JSON),
    ),
    Command(
        "cert renew",
        "have the agent ask for a new certificate now; by itself it does after two thirds of its life",
        answers.renew,
        "gateway cert renew",
        (
            option("--signing", action="store_true", help="and with a new signing key"),
            _SITE,
            option("--socket", type=Path, metavar="PATH", help="the agent's control socket (default: the site's)"),
            option(
                "--timeout",
                type=positive,
                default=5.0,
                metavar="S",
                help="seconds to wait for an answer (default %(default)g)",
            ),
            _JSON,
        ),
    ),
    Command(
        "centre ca init",
        "make an authority, and the centre's own keys and certificate where there are none",
        answers.ca_init,
        'gateway centre ca init --folder pilot --name "Pilot Lyon"',
        (option("--name", default="Building gateways", metavar="NAME", help="of the authority, for people"), *_CA),
    ),
    Command(
        "centre ca sign",
        "grant the request of a box, and print the bundle that goes back to it",
        answers.ca_sign,
        "gateway centre ca sign --folder pilot gw-lyon-017.request --fingerprint 13833373B292B6FA",
        (
            option("request", type=Path, metavar="REQUEST", help="what `gateway cert csr` gave; - for standard input"),
            option("--fingerprint", default="", metavar="HEX", help="as the box shows it, 16 digits at least"),
            option("--yes", action="store_true", help="sign without comparing it"),
            _DAYS,
            *_CA,
        ),
    ),
    Command(
        "centre ca issue",
        "make key and certificate of a broker or of another centre",
        answers.ca_issue,
        "gateway centre ca issue broker --as broker --host broker.example.org --folder pilot",
        (
            option("name", type=name, metavar="NAME", help="what it is known by; NAME.pem and NAME.key are made"),
            option("--as", dest="kind", choices=("broker", "centre"), required=True, help="what it may be used for"),
            option("--host", action="append", default=[], metavar="HOST", help="a name of the broker; again for more"),
            _DAYS,
            *_CA,
        ),
    ),
    Command(
        "centre ca list",
        "every certificate that was issued, and what became of it",
        answers.ca_list,
        "gateway centre ca list --folder pilot",
        _CA,
    ),
    Command(
        "centre ca revoke",
        "take back one certificate, or a gateway with all that it has signed",
        answers.ca_revoke,
        "gateway centre ca revoke gw-lyon-017 --folder pilot --yes",
        (
            option("what", metavar="WHAT", help="a name, or a serial number as `gateway centre ca list` shows it"),
            option("--reason", choices=REASONS, default="unspecified", help="why (default %(default)s)"),
            option("--yes", action="store_true", help="do it; without, only what it would do is told (exit 7)"),
            *_CA,
        ),
    ),
    Command(
        "centre ca crl",
        "write the list of revocations anew",
        answers.ca_crl,
        "gateway centre ca crl --folder pilot",
        (
            option(
                "--days", type=days, default=LIST_DAYS, metavar="N", help="how long it counts (default %(default)g)"
            ),
            *_CA,
        ),
    ),
)
