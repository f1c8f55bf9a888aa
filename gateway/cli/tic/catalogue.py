"""What `gateway tic` can be asked."""

from pathlib import Path

from gateway.cli import answers
from gateway.cli.command import Command, counted, lasting, option, positive

MODES = ("auto", "historique", "standard", "jaune", "emeraude", "pme-pmi")
SPEEDS = ("auto", "1200", "2400", "4800", "9600", "19200")
# Written here, not taken from `linky_tic` and `drivers`: what every start loads stays small. A test compares them.

_MODE = option("--mode", choices=MODES, default="auto", help="what the meter speaks (default: found out)")
_SPEED = option("--speed", choices=SPEEDS, default="auto", help="in bits a second (default: found out)")
_PORT_HELP = "the serial port, best as /dev/serial/by-id/..."

TIC = (
    Command(
        "tic listen",
        "what a meter says on a port, live, until Ctrl-C",
        answers.tic_listen,
        "gateway tic listen /dev/serial/by-id/usb-tic",
        (
            option("port", metavar="PORT", help=_PORT_HELP),
            _MODE,
            _SPEED,
            option("--count", type=counted, metavar="N", help="end after so many frames"),
            option("--timeout", type=positive, metavar="S", help="end with 27 when no frame came for so many seconds"),
            option("--show-numbers", action="store_true", help="do not mask the meter's and the delivery point's"),
            option("--json", action="store_true", help="one JSON object a line for each frame"),
        ),
    ),
    Command(
        "tic capture",
        "catch what a meter sends in a file, bytes as on the wire, numbers of meter and delivery point masked",
        answers.tic_capture,
        "gateway tic capture /dev/serial/by-id/usb-tic meter.tic --frames 20",
        (
            option("port", metavar="PORT", help=f"{_PORT_HELP}; - masks what comes on standard input"),
            option("file", type=Path, metavar="FILE", help="the file to make; none is overwritten"),
            _MODE,
            _SPEED,
            option("--frames", type=counted, metavar="N", help="end after so many whole frames"),
            option("--for", dest="duration", type=lasting, metavar="TIME", help="end after 90s, 5min, 1h, 2d"),
            option("--json", action="store_true", help='one JSON object, whose "schema" tells its version'),
        ),
    ),
    Command(
        "tic decode",
        "decode captured frames",
        answers.tic_decode,
        "gateway tic decode meter.tic --json",
        (
            option("file", nargs="?", default="-", help="a file of bytes as on the wire, - for standard input"),
            _MODE,
            option("--json", action="store_true", help="one JSON object a line for each frame, then a summary"),
        ),
    ),
)
