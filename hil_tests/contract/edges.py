"""Messages that are sound and unusual: what a reader meets at the edges of the contract."""

from collections.abc import Iterator

from gateway.wire import enrolling, messages
from gateway.wire.fields import Detail
from gateway.wire.messages import Message
from gateway.wire.schema import Schema
from hil_tests.contract.craft import ALL64, EDGES, MOST, message, of_centre, packed, segment, signed, single, varints
from hil_tests.contract.story import BOOT_ID, BOOT_MS, BOOT_NONCE, COMMANDS_EPOCH, EPOCH, UTC_MS, derived


def edges() -> Iterator[tuple[str, bytes]]:
    """Give what each shows, and the message."""
    for number, (about, payload) in enumerate(_segments(), 1):
        yield about, segment(payload, sequence=number)
    yield (
        "the longest names of a dwelling's stream; its schema came in the building's stream `schema`",
        segment(packed([[1, 0, 1, [5]]], varints(2)), "minute.abcdefghijkl.abcdefghijk"),
    )
    yield (
        "the schema of the segments above: it comes after them",
        message(Schema.CONTENT, EDGES.encode(), "schema", schema=EDGES.id),
    )
    for about, said, stream in _from_gateway():
        chained = stream not in ("evt", "state")
        epoch = COMMANDS_EPOCH if stream == "ack" else EPOCH
        signed_by_gateway = (
            message(said.CONTENT, said.encode(), stream, epoch=epoch)
            if chained
            else single(said.CONTENT, said.encode(), stream)
        )
        yield about, signed_by_gateway
    for about, said, stream, sequence in _from_centre():
        yield about, of_centre(said.CONTENT, said.encode(), stream, sequence)


def _segments() -> Iterator[tuple[str, bytes]]:
    yield (
        "from one end of 64 bits to the other: a step in a varint of 10 bytes",
        packed([[0, 0, 2, [[ALL64]]]], signed(5) + varints(0) + signed(-2 * ALL64)),
    )
    yield (
        "a text that never changes, of what only a segment's texts may hold; a text may be empty",
        packed([[0, 0, 3, [1, [["one\nline, another\u2028", ""], 1]]]], signed(2, 0) + varints(0, 0, 1, 1)),
    )
    yield (
        "a column with runs and qualities; its first run is empty; a quality that nobody has a name for yet",
        packed([[0, 3, 4, [{0: [7], 1: 3, 2: 2}]]], signed(1, 0, 0) + varints(0, 0, 1, 3, 1, 1, 15, 2) + signed(1, 1)),
    )
    yield "channel 1 left out, channel 2 of another group: 0 and 3", packed([[0, 0, 1, [5, 6]]], varints(0, 2))
    yield (
        "ticks that stand still and go back, to the first of the boot",
        packed([[0, 0, 3, [1]]], signed(0, -1000) + varints(0)),
    )
    yield "the last tick of all, and no group that begins at `start`", packed([[0, MOST - 1_000, 1, [1]]], varints(0))
    yield "a group without columns: it was asked, and no channel said anything", packed([[0, 0, 2, []]], signed(3))
    yield "groups in another order than their numbers", packed([[1, 5, 1, [2]], [0, 0, 1, [1]]], varints(2, 0))
    yield (
        "[first] of one tick: no steps; a step of 0",
        packed([[0, 0, 1, [[9]]], [1, 0, 2, [[4]]]], varints(0) + signed(1) + varints(2, 0)),
    )
    yield (
        "what our own writer never makes: one run alone, neighbours of one quality, a change by 0",
        packed([[0, 0, 3, [{0: [7, 2], 1: 1, 2: 2}]]], signed(1, 0) + varints(0, 3, 2, 1, 2, 2, 0, 0) + signed(0, 1)),
    )
    yield "qualities that are all good", packed([[0, 0, 1, [{0: 7, 2: 1}]]], varints(0, 0, 1))
    yield (
        "texts, one of them twice, one unused, indexes that fall",
        packed([[0, 0, 3, [[["a", "b", "a", "c"], 2]]]], signed(1, 0) + varints(1, 0, 0, 2, 0)),
    )


def _from_gateway() -> Iterator[tuple[str, Message, str]]:
    yield (
        "a meter's clock: provisional",
        messages.ClockRecord(BOOT_ID, BOOT_MS - 60_000, UTC_MS - 61_500, 2_000, "meter"),
        "clock",
    )
    yield "texts are counted in code points: 32 of them in 128 bytes", messages.Alarm("\U0001f525" * 32, "", 0), "alarm"
    yield (
        "a mark of byte order and a noncharacter are characters like any other",
        messages.Alarm("k", "\ufeff\uffff", 0),
        "alarm",
    )
    yield "a birth that says as little as it may", messages.Birth("1", BOOT_ID, bytes(8), EPOCH, None, ""), "state"
    detail: Detail = {"-1": [True, "x", -MOST], "__proto__": MOST, "empty": [], "no": False}
    yield "a detail of every kind", messages.Answer("c", "rejected", "", 0, 0, detail), "ack"
    yield (
        "a reason that nobody knows yet",
        messages.Dropped(EPOCH, "ack", 1, MOST, 0, 9, 5, derived("x"), "flood"),
        "dropped",
    )


def _from_centre() -> Iterator[tuple[str, Message, str, int]]:
    order = messages.Command(
        "c-2", "modify", "chauffe-eau", -1000, UTC_MS + 60_000, -1, 15, UTC_MS, UTC_MS + 1, BOOT_NONCE, "c-1"
    )
    yield "every field of a command; it is sound, and answered with `rejected`", order, "cmd", MOST
    yield "nothing is committed yet, and no range", messages.Receipt(EPOCH, "fine", 0), "receipt", MOST
    yield (
        "the lowest range there can be, and the highest",
        messages.Receipt(EPOCH, "schema.apt-12.research", 0, ((2, 2), (4, MOST))),
        "receipt",
        101,
    )
    refused = enrolling.Issued(derived("key"), b"\xff", (), "five certificates a day are enough")
    yield "no certificate, and why; a key id is any 1 to 64 bytes", refused, "cfg", 2
