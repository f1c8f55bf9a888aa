"""A profile: which registers a model of device has, and what each one means.

A device is a table with its source. This room holds the types of that table; `modbus.profile_text` reads them from
TOML, `modbus.plan` turns points into requests, and `modbus.values` turns registers into integers.
"""

from dataclasses import dataclass
from enum import StrEnum

LONGEST_REGISTERS = 125
"""Most registers in one read: Modbus Application Protocol V1.1b3, 6.3 and 6.4."""

LONGEST_BITS = 2000
"""Most coils or discrete inputs in one read: the same, 6.1 and 6.2."""


class Table(StrEnum):
    """The four address spaces of a Modbus device."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"

    @property
    def is_bits(self) -> bool:
        """Whether an address holds one bit instead of 16."""
        return self in (Table.COIL, Table.DISCRETE)

    @property
    def is_writable(self) -> bool:
        """Whether the protocol has a function that writes here."""
        return self in (Table.COIL, Table.HOLDING)


class Kind(StrEnum):
    """How the registers of one value are to be understood."""

    BIT = "bit"
    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    U64 = "u64"
    I64 = "i64"
    F32 = "f32"

    @property
    def width(self) -> int:
        """How many addresses it takes."""
        return _WIDTHS[self]

    @property
    def is_signed(self) -> bool:
        """Whether the highest bit is a sign (two's complement)."""
        return self in (Kind.I16, Kind.I32, Kind.I64)


_WIDTHS = {
    Kind.BIT: 1,
    Kind.U16: 1,
    Kind.I16: 1,
    Kind.U32: 2,
    Kind.I32: 2,
    Kind.U64: 4,
    Kind.I64: 4,
    Kind.F32: 2,
}


class Order(StrEnum):
    """Which part of a value comes first: the high one (what the norm says for bytes) or the low one."""

    BIG = "big"
    LITTLE = "little"


class Poll(StrEnum):
    """How often a point is worth asking for; the site says how many seconds that is."""

    FAST = "fast"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    def __contains__(self, value: int) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


@dataclass(frozen=True, slots=True)
class Hole:
    """Addresses `first` to `last` (on the wire, from 0) of one table, which no read may touch."""

    table: Table
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a device: `integer x 10**exponent` in `unit`, at `address` (on the wire, from 0) of `table`.

    `quantity` is a name of the site's closed vocabulary, checked by the driver. `absent` are the patterns (unsigned, in
    their full width, after word and byte order) that mean "not available". `plausible` and `limits` are in the
    integer's own steps: what a sound device can report, and what may be written; no `limits` means read only.
    """

    key: str
    table: Table
    address: int
    kind: Kind
    quantity: str
    unit: str = ""
    exponent: int = 0
    phase: int | None = None
    absent: tuple[int, ...] = ()
    plausible: Span | None = None
    poll: Poll = Poll.FAST
    limits: Span | None = None

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.kind.width


@dataclass(frozen=True, slots=True)
class Profile:
    """One model of device: who made it, the document that its registers come from, and its points."""

    id: str
    maker: str
    models: tuple[str, ...]
    source: str
    points: tuple[Point, ...]
    byte_order: Order = Order.BIG
    word_order: Order = Order.BIG
    longest_read: int = LONGEST_REGISTERS
    holes: tuple[Hole, ...] = ()

    def point(self, key: str) -> Point:
        """Give the point of that key; raise KeyError."""
        for point in self.points:
            if point.key == key:
                return point
        raise KeyError(key)
