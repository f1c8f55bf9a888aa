"""Everything that `gateway` can be asked: the words, what they mean, what they take, who answers, and an example."""

from pathlib import Path

from gateway.cli import answers
from gateway.cli.centre.catalogue import CENTRE
from gateway.cli.centre.catalogue import FAMILIES as OF_CENTRE
from gateway.cli.command import Command, counted, lasting, option, positive
from gateway.cli.door.catalogue import DOOR
from gateway.cli.door.catalogue import FAMILIES as OF_DOOR
from gateway.cli.enrolment.catalogue import ENROLMENT
from gateway.cli.enrolment.catalogue import FAMILIES as OF_ENROLMENT
from gateway.cli.lasting import DEFAULT_SITE, LASTING, SITE, STATE
from gateway.cli.tic.catalogue import TIC

_SITE_FILE = option("file", type=Path, nargs="?", default=DEFAULT_SITE, help="the site file (default %(default)s)")
_SOCKET = option("--socket", type=Path, metavar="PATH", help="the agent's control socket (default: the site's)")
_TIMEOUT = option(
    "--timeout", type=positive, default=5.0, metavar="S", help="seconds to wait for an answer (default %(default)g)"
)
_JSON = option("--json", action="store_true", help='one JSON object, whose "schema" tells its version')
_JSON_LINES = option("--json", action="store_true", help="one JSON object a line")
_AGENT = (SITE, _SOCKET, _TIMEOUT)

FAMILIES = {
    "commands": "what was ordered, and the opt-out",
    "queue": "what is kept for the centre",
    "consent": "what each household lets leave the building",
    "config": "the site file",
    "tic": "a meter's customer output",
    "centre": "the other end, for the platform's people",
    "export": "what is kept here, for people",
    **OF_DOOR,
    **OF_CENTRE,
    **OF_ENROLMENT,
}
"""The first words that others follow, with what they are about; what stands above comes first."""

COMMANDS = (
    *LASTING,
    Command(
        "passwd",
        "a one-time code, by which the page's password is set or a forgotten one replaced",
        answers.passwd,
        "gateway passwd",
        (STATE, _JSON),
    ),
    Command(
        "status",
        "what the agent reads, keeps and sends, now",
        answers.status,
        "gateway status --json",
        (*_AGENT, _JSON),
    ),
    Command(
        "doctor",
        "everything that can be wrong, looked at one by one, with what to do",
        answers.doctor,
        "gateway doctor --strict",
        (*_AGENT, option("--strict", action="store_true", help="end with 1 where there are only warnings"), _JSON),
    ),
    Command(
        "channels",
        "every channel with its last value, its age and its quality",
        answers.channels,
        "gateway channels",
        (*_AGENT, _JSON),
    ),
    Command(
        "read",
        "the last value of one channel",
        answers.read,
        "gateway read main.east",
        (option("channel", metavar="CHANNEL", help="its name, as `gateway channels` lists it"), *_AGENT, _JSON),
    ),
    Command(
        "tail",
        "each reading as it comes, until Ctrl-C",
        answers.tail,
        "gateway tail main.sinsts --json",
        (
            option("channel", metavar="CHANNEL", nargs="*", help="only these (default: all)"),
            option("--interval", type=positive, default=1.0, metavar="S", help="how often to look (default 1 s)"),
            option("--count", type=counted, metavar="N", help="end after so many readings"),
            *_AGENT,
            _JSON_LINES,
        ),
    ),
    Command(
        "queue stats",
        "how much waits for the centre's receipt",
        answers.queue_stats,
        "gateway queue stats --json",
        (*_AGENT, _JSON),
    ),
    Command(
        "queue peek",
        "the next segments to go out, without their content",
        answers.queue_peek,
        "gateway queue peek --limit 3",
        (
            option("--limit", type=counted, default=10, metavar="N", help="so many (default %(default)s)"),
            option("--stream", metavar="NAME", help="the newest kept of one stream (fine, schema, clock) instead"),
            SITE,
            _JSON,
        ),
    ),
    Command(
        "queue verify",
        "whether all that is kept is whole and signed by this gateway",
        answers.queue_verify,
        "gateway queue verify",
        (SITE, _JSON),
    ),
    Command(
        "queue purge",
        "delete what the centre has signed for; what it has not stays",
        answers.queue_purge,
        'gateway queue purge --reason "the box moves" --yes',
        (
            option("--reason", required=True, metavar="TEXT", help="why; the centre sees it"),
            option("--yes", action="store_true", help="do it; without, only what it would do is told (exit 7)"),
            *_AGENT,
            _JSON,
        ),
    ),
    Command(
        "consent list",
        "every household, what it may consent to, and what it has",
        answers.consent_list,
        "gateway consent list",
        (*_AGENT, _JSON),
    ),
    *(
        Command(
            f"consent {word}",
            text,
            answer,
            f"gateway consent {word} apt-1 research --who Roy --reason {ground} --yes",
            (
                option("dwelling", metavar="DWELLING", help="its name in the site file"),
                option("purpose", metavar="PURPOSE", help="one of its purposes in the site file"),
                option("--who", required=True, metavar="NAME", help="who says so, for the record: it stays here"),
                option("--reason", required=True, metavar="TEXT", help="on what ground, for the record: it stays here"),
                option("--yes", action="store_true", help="do it; without, only what it would do is told (exit 7)"),
                *_AGENT,
                _JSON,
            ),
        )
        for word, text, answer, ground in (
            ("give", "let a household's readings leave for a purpose", answers.consent_give, "form"),
            ("withdraw", "let nothing more of them leave for it", answers.consent_withdraw, "left"),
        )
    ),
    Command(
        "commands list",
        "the newest orders, what became of them, and who has opted out; without an agent, as its file says",
        answers.commands_list,
        "gateway commands list --limit 5",
        (
            option("--limit", type=counted, default=20, metavar="N", help="so many (default %(default)s, at most 200)"),
            *_AGENT,
            _JSON,
        ),
    ),
    Command(
        "commands show",
        "all that is known of one order; without an agent, as its file says",
        answers.commands_show,
        "gateway commands show dr-2026-11-23-1",
        (option("id", metavar="ID", help="as `gateway commands list` shows it"), *_AGENT, _JSON),
    ),
    Command(
        "commands opt-out",
        "end what is shed on a load or the building, and refuse what comes, for a time",
        answers.commands_opt_out,
        'gateway commands opt-out building --for 4h --reason "exams" --yes',
        (
            option("target", metavar="TARGET", help='a load\'s name, or "building"'),
            option("--for", dest="duration", type=lasting, required=True, metavar="TIME", help="90min, 4h, 2d"),
            option("--reason", required=True, metavar="TEXT", help="why; it is kept, and the centre sees it"),
            option("--yes", action="store_true", help="do it; without, only what it would do is told (exit 7)"),
            *_AGENT,
            _JSON,
        ),
    ),
    Command(
        "config check",
        "every mistake of a site file, with its line",
        answers.config_check,
        "gateway config check site.toml",
        (_SITE_FILE, _JSON),
    ),
    Command(
        "config show",
        "what is in force with a site file, defaults included",
        answers.config_show,
        "gateway config show site.toml",
        (_SITE_FILE, _JSON),
    ),
    Command(
        "config schema",
        "the JSON schema of a site file, for editors",
        answers.config_schema,
        "gateway config schema",
        (option("--json", action="store_true", help="wrapped like every other answer"),),
    ),
    Command(
        "export csv",
        "the readings that are kept here, of a range of days",
        answers.export_csv,
        "gateway export csv --from 2026-11-01 --to 2026-11-07 --comma",
        (
            option("--from", dest="begin", metavar="DAY", help="a day, or a moment as 2026-11-25T14:30 (default: all)"),
            option("--to", dest="end", metavar="DAY", help="the last day, included; a moment is not"),
            option(
                "--tier", choices=("fine", "minute", "index"), default="fine", help="how fine (default %(default)s)"
            ),
            option("--channel", action="append", default=[], metavar="NAME", help="only this one; again for more"),
            option("--comma", action="store_true", help="decimals as French spreadsheets want them"),
            SITE,
        ),
    ),
    *DOOR,
    *TIC,
    *CENTRE,
    *ENROLMENT,
    Command(
        "support-bundle",
        "what somebody far away needs to help, in one file, secrets and meter numbers masked",
        answers.support_bundle,
        "gateway support-bundle help.tar.gz --log log.txt",
        (
            option("out", type=Path, metavar="OUT.tar.gz", help="the file to make; none is overwritten"),
            option("--log", type=Path, metavar="FILE", help="a log whose end goes in, as of journalctl -u gateway"),
            *_AGENT,
            _JSON,
        ),
    ),
    Command("version", "the version of this program", answers.version, "gateway version --json", (_JSON,)),
)
