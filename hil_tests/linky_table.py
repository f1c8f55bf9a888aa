"""`make docs`: docs/linky.md, what each label of a customer output becomes, made from the tables of the code."""

import sys
from collections.abc import Iterator

from drivers.linky_channels import Pace, Point, points_of
from linky_tic.label import Label, Mode
from linky_tic.labels import BY_MODE

DEVICE = "linky"
TITLES = {
    Mode.STANDARD: 'Linky, standard mode (`mode = "auto"` or `"standard"`; 9600 Bd)',
    Mode.HISTORIQUE: 'Linky, historique mode, and the blue meters CBE and CBETM (`"auto"` or `"historique"`; 1200 Bd)',
    Mode.PME_PMI: 'PME-PMI (`mode = "pme-pmi"`; 1200, 2400, 4800, 9600 or 19200 Bd)',
    Mode.EMERAUDE: 'ICE, the green meter (`mode = "emeraude"`; 1200 Bd)',
    Mode.JAUNE: 'CJE, the yellow meter (`mode = "jaune"`; 1200 Bd)',
}
REPORTED = {
    Pace.FRAME: "each frame",
    Pace.INDEX: "each frame while it runs",
    Pace.CHANGE: "on a change",
}
HEAD = """\
# What a meter says, and what becomes of it

<!-- Made by `make docs` from the tables of linky_tic and drivers; a test holds it to them. Change those. -->

A [[linky]] of the site file reads the customer output (TIC) of one meter. Its `mode` says which channels it has:
"auto" those of a Linky in both modes, which the blue meters before it share; an older meter of 36 kVA or more is
named, and carries its own family's channels alone. Under "auto" such a meter is recognised and not read: `gateway
status` says which `mode` to write. Mode and speed are found at the start, and again whenever the line stops making
sense: within 10 s, mostly within 5.

A channel's name is the device's and the label's, `linky.sinsts`; the tables below call the device `linky`. A value is
an exact whole number times the power of ten of its unit, or a text as sent. Labels that name the meter or the
delivery point are personal data and no readings; a label that no table knows, or whose value has not the shape that
the norm gives it, never becomes a reading.

A four-quadrant ICE says most labels twice in a frame, each time after an Appli; only what is drawn is read.

## How often a value is reported

| reported | what | group |
|---|---|---|
| each frame | what is so now: currents, voltages, powers, an overrun while it lasts | `linky` |
| each frame while it runs | indexes: for a minute after they last moved, else each minute | `linky` |
| on a change | the rest, all of it when anything changes, comes or goes; else each minute | `linky.slow` |

Everything is repeated with the first frame after 57 s, within a minute of a Linky, and all of it with the first frame
after a start, a pause of the line or another mode. A value that becomes doubtful, or is believed again, is a change.
A reading carries the time at which the last character of its frame came.

A value is stale (`gateway channels`, the page) after two of its mode's longest frames where it comes with each, at
least 5 s: 5 s in standard mode, 6 s in historique, 34 s of a PME-PMI and 50 s of an ICE at 1200 Bd; after three
minutes where it is repeated each minute. A line that falls silent says so after 3 s, and after 5 s all its numbers
are stale, whatever they are.

## The meter's clock

DATE of the standard mode, with a capital season letter and bit 16 of STGE clear, is no channel. While neither the
kernel nor the centre has told the time, it stamps readings, as a clock record of the source `meter`, to 7 s: DATE + 2
s at the end of its frame, give or take 2 (whole seconds, up to one frame old, a frame of up to 1.5 s), and 5 s that
are assumed for the meter's own clock. It never makes a command acceptable. Where it is 30 s or more from the trusted
clock, that is an alarm, and a warning of `gateway doctor`, with both values.
"""


def page() -> str:
    """Give the whole document."""
    parts = [HEAD]
    for mode, title in TITLES.items():
        points = points_of(DEVICE, [mode])
        parts += [
            f"## {title}\n",
            "| label | meaning | channel | quantity | unit | OBIS | reported |",
            "|---|---|---|---|---|---|---|",
        ]
        for label in BY_MODE[mode].values():
            parts += _rows(label, points.get((mode, label.name), ()))
        parts.append("")
    return "\n".join(parts)


def _rows(label: Label, points: tuple[Point, ...]) -> Iterator[str]:
    if not points:
        why = "no reading: it names the meter or the delivery point" if label.personal else "no reading: see above"
        yield f"| {label.name} | {label.meaning} | | | | | {why} |"
    for point in points:
        channel = point.channel
        scale = f" x 10^{channel.exponent}" if channel.exponent else ""
        unit = "text" if channel.is_text else f"{channel.unit}{scale}".strip()
        cells = [
            label.name,
            label.meaning,
            f"`{channel.name}`",
            channel.quantity,
            unit,
            channel.obis or "",
            REPORTED[point.pace],
        ]
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
