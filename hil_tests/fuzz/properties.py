"""The properties: each takes choices, builds an input of them, and asserts what must hold.

line      any bytes: nothing is raised, any pieces give the same events, no value of a damaged group shows, and
          what the decoder keeps stays small however often they come
meter     groups of the norm's labels: what is believed is what was encoded, and what fits its grammar is believed
values    texts: each parser gives a result or its documented error
"""

import pickle
from collections.abc import Callable
from itertools import pairwise

from hil_tests.fuzz.choices import Choices, one_of, printable
from linky_tic import fields, horodate, status, tariff
from linky_tic.decoder import Decoder, Event, Frame
from linky_tic.errors import TicError
from linky_tic.group import Group, Reason
from linky_tic.label import Label, Mode
from linky_tic.labels import BY_MODE, LONGEST_GROUP
from linky_tic.overrun import OverrunWatch
from linky_tic.plausibility import IndexWatch
from linky_tic.stuck import StuckWatch
from linky_tic.tests.encoder import Item, encode_frame

STATE_BYTES = 48_000
"""More than a decoder ever keeps, pickled: twice the groups of the largest frame, at their longest, take 34,000."""
_FED_BYTES = 65_536
_EACH, _SINGLE = 63, 8
"""Single bytes and endless streams take long: they are tried with one input in eight and one in 64."""
_MOST_ITEMS = 12
_A_WHILE_MS = 60_000


def line(choices: Choices) -> None:
    """Feed any bytes."""
    mode = one_of(choices, [None, *Mode])
    how = choices.ConsumeIntInRange(0, _EACH)
    cuts = [choices.ConsumeIntInRange(0, 4_096) for _ in range(choices.ConsumeIntInRange(0, 6))]
    data = choices.ConsumeBytes(choices.remaining_bytes())
    whole = _events(mode, [data])
    edges = (
        range(len(data) + 1) if 0 < how <= _SINGLE else [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    )
    assert _events(mode, [data[start:end] for start, end in pairwise(edges)]) == whole, "pieces change the events"
    if how == _EACH:
        _stays_small(mode, data)
    overrun, indexes, stuck = OverrunWatch(), IndexWatch(), StuckWatch()
    groups: list[Group] = []
    for at_ms, event in enumerate(whole):
        if isinstance(event, Frame):
            assert [group.label for group in event.groups] == [group.label for group in groups], "another frame's"
            assert event.groups, "an empty frame"
            groups = []
            overrun.frame(event)
            for judged in (indexes.judge(event.groups, at_ms), stuck.judge(event, at_ms * _A_WHILE_MS)):
                assert [group.value for group in judged] == [group.value for group in event.groups], "judged away"
        else:
            groups.append(event)
            overrun.group(event)
            _is_sound(event, mode)
    assert not groups, "groups that no frame has"


def _events(mode: Mode | None, pieces: list[bytes]) -> list[Event]:
    decoder = Decoder(mode)
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.flush()


def _is_sound(group: Group, mode: Mode | None) -> None:
    """Hold a group to what its docstring promises."""
    number = group.number
    if group.valid:
        assert group.value is not None, "valid without a value"
        assert group.mode is not None, "valid without a mode"
        assert mode in (None, group.mode), "another mode's group is believed"
        assert group.label in BY_MODE[group.mode], "a label that nobody knows is believed"
        assert group.value.isascii(), "a value that was never printable"
        assert group.value.isprintable(), "a value that was never printable"
    else:
        assert group.reason is not None, "refused without a reason"
        assert number is None, "a refused group has a number"
        if group.reason != Reason.UNKNOWN_LABEL:
            assert group.value is None, "a refused group shows its value"
            assert group.horodate is None, "a refused group shows its horodate"


def _stays_small(mode: Mode | None, data: bytes) -> None:
    decoder = Decoder(mode)
    for _ in range(1 + _FED_BYTES // (len(data) + 1)):
        decoder.feed(data)
    kept = len(pickle.dumps(decoder))
    assert kept <= STATE_BYTES, f"a decoder keeps {kept} bytes"


def meter(choices: Choices) -> None:
    """Encode groups of one mode, well-formed and not, and decode them."""
    mode = one_of(choices, list(Mode))
    table = list(BY_MODE[mode].values())
    items = [
        item
        for _ in range(choices.ConsumeIntInRange(1, _MOST_ITEMS))
        if len((item := _item(choices, one_of(choices, table))).value) < LONGEST_GROUP - 30
    ]
    decoder = Decoder(mode)
    events = decoder.feed(encode_frame(mode, items)) + decoder.flush()
    groups = [event for event in events if isinstance(event, Group)]
    assert len(groups) == len(items), f"{len(groups)} groups of {items}"
    for item, group in zip(items, groups, strict=True):
        _is_sound(group, mode)
        read = Item(group.label, group.value or "", group.horodate)
        assert not group.valid or read == item, f"{item} was sent, {group} believed"
        assert group.valid or not _fits(mode, item), f"{item} fits its grammar, and is refused as {group.reason}"
        assert group.reason != Reason.CHECKSUM, f"the checksum of {item}"


def _item(choices: Choices, label: Label) -> Item:
    """Choose a value and a horodate, now and then of the wrong kind."""
    size = label.size + one_of(choices, [0, 0, 0, 0, 1, -1])
    match choices.ConsumeIntInRange(0, 3):
        case 0:
            value = printable(choices, max(0, size))
        case 1:
            value = f"{choices.ConsumeIntInRange(0, (1 << 32) - 1):0{max(0, size)}X}"[-max(1, size) :]
        case _:
            value = f"{choices.ConsumeIntInRange(0, 10**9 - 1):0{max(0, size)}}"[-max(1, size) :]
    if label.name == "DATE" and label.stamped:
        value = ""
    is_stamped = label.stamped is (choices.ConsumeIntInRange(0, 9) > 0)
    if not is_stamped or label.mode is not Mode.STANDARD:
        return Item(label.name, value)
    return Item(label.name, value, _stamp(choices))


def _stamp(choices: Choices) -> str:
    """Choose a horodate whose parts are about what they may be."""
    most = (99, 13, 32, 24, 60, 60)
    parts = "".join(f"{choices.ConsumeIntInRange(0, part):02}" for part in most)
    return one_of(choices, ["H", "E", "h", "e", " ", "X"]) + parts


def _fits(mode: Mode, item: Item) -> bool:
    """Say whether the norm's row allows an item."""
    row = BY_MODE[mode][item.label]
    if row.stamped is not (item.horodate is not None) or not row.grammar.pattern.fullmatch(item.value.encode("ascii")):
        return False
    if item.horodate is None:
        return True
    try:
        horodate.parse_horodate(item.horodate)
    except TicError:
        return False
    return True


PARSERS: tuple[Callable[[str], object], ...] = (
    horodate.parse_horodate,
    horodate.parse_short_date,
    status.parse_status,
    status.parse_relays,
    status.parse_calendar,
    tariff.parse_ptec,
    tariff.parse_demain,
    tariff.parse_ltarf,
    fields.parse_jaune,
    fields.parse_period_start,
    fields.parse_fcou,
    fields.parse_energies,
    fields.parse_four,
    fields.parse_dynamic,
)


def values(choices: Choices) -> None:
    """Parse any text, and texts that look as they should."""
    match choices.ConsumeIntInRange(0, 5):
        case 0:
            text = _stamp(choices)
        case 5:
            pieces = [f"{choices.ConsumeIntInRange(0, 99):02}" for _ in range(choices.ConsumeIntInRange(1, 8))]
            text = "".join(piece + one_of(choices, [":", "/", " ", ""]) for piece in pieces)
        case 1:
            text = f"{choices.ConsumeIntInRange(0, (1 << 32) - 1):08X}"
        case 2:
            text = f"{choices.ConsumeIntInRange(0, 999):03}"
        case 3:
            blocks = [one_of(choices, ["NONUTILE", printable(choices, 8), "00008001"]) for _ in range(11)]
            text = " ".join(blocks)
        case _:
            text = choices.ConsumeBytes(choices.remaining_bytes()).decode("utf-8", "surrogateescape")
    for parse in PARSERS:
        try:
            found = parse(text)
        except TicError:
            continue
        if isinstance(found, horodate.Horodate):
            moment = found.utc()
            assert not found.ambiguous or moment is not None, "ambiguous, and no moment"


PROPERTIES: tuple[Callable[[Choices], None], ...] = (line, meter, values)


def check(choices: Choices) -> None:
    """Try the property that the choices name."""
    one_of(choices, list(PROPERTIES))(choices)
