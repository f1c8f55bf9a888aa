"""Read plans: what must hold for any profile, and what is quickest on a slow line."""

from hypothesis import given
from hypothesis import strategies as st

from modbus.plan import Read, SerialLine, halves, plan
from modbus.profile import Hole, Kind, Point, Profile, Table

_KINDS: dict[bool, list[Kind]] = {True: [Kind.BIT], False: [kind for kind in Kind if kind is not Kind.BIT]}


@st.composite
def _profiles(draw: st.DrawFn) -> Profile:
    holes = []
    for table in Table:
        first = draw(st.integers(0, 300))
        holes.append(Hole(table, first, first + draw(st.integers(0, 5))))
    points = []
    for number in range(draw(st.integers(0, 40))):
        table = draw(st.sampled_from(Table))
        point = Point(
            f"p{number}", table, draw(st.integers(0, 400)), draw(st.sampled_from(_KINDS[table.is_bits])), "current"
        )
        if not any(_touches(point.table, point.address, point.end, hole) for hole in holes):
            points.append(point)
    return Profile("p", "m", ("x",), "s", tuple(points), longest_read=draw(st.integers(4, 125)), holes=tuple(holes))


def _touches(table: Table, start: int, end: int, hole: Hole) -> bool:
    return table is hole.table and start <= hole.last and hole.first < end


_LINES = st.sampled_from([None, SerialLine(9600, 11, 30), SerialLine(1200), SerialLine(115200, 10, 100)])


@given(_profiles(), _LINES)
def test_a_plan_carries_each_point_once_within_the_limits(profile: Profile, line: SerialLine | None) -> None:
    """Every point is in exactly one read, whole; no read is too long or crosses a hole."""
    reads = plan(profile, profile.points, line)
    carried = [point for read in reads for point in read.points]
    assert sorted(carried, key=lambda p: p.key) == sorted(profile.points, key=lambda p: p.key)
    for read in reads:
        assert 1 <= read.count <= (min(2000, 16 * profile.longest_read) if read.table.is_bits else profile.longest_read)
        assert not any(_touches(read.table, read.address, read.address + read.count, hole) for hole in profile.holes)
        for point in read.points:
            assert point.table is read.table
            assert read.address <= point.address
            assert point.end <= read.address + read.count


@given(_profiles(), _LINES)
def test_halving_ends_at_single_points_and_loses_none(profile: Profile, line: SerialLine | None) -> None:
    """Halving again and again asks for every point alone, each still whole."""
    reads = list(plan(profile, profile.points, line))
    alone: list[Read] = []
    while reads:
        parts = halves(reads.pop())
        if len(parts) == 1:
            alone += parts
        else:
            reads += parts
    assert sorted(read.points[0].key for read in alone) == sorted(point.key for point in profile.points)
    assert all((read.address, read.count) == (read.points[0].address, read.points[0].kind.width) for read in alone)


def _registers(*addresses: int) -> Profile:
    points = tuple(Point(f"p{at}", Table.INPUT, at, Kind.U16, "current") for at in addresses)
    return Profile("p", "m", ("x",), "s", points)


def test_on_tcp_the_fewest_requests_win() -> None:
    """A gap is read along as long as one request can hold it."""
    profile = _registers(0, 100, 124, 125)
    assert [(read.address, read.count) for read in plan(profile, profile.points)] == [(0, 125), (125, 1)]


def test_on_a_slow_line_a_gap_is_worth_reading_only_while_it_is_cheaper_than_a_request() -> None:
    """At 9600 Bd and 30 ms, a request costs about as much as 23 registers: 10 are read along, 60 are not."""
    profile = _registers(0, 11, 72)
    reads = plan(profile, profile.points, SerialLine(9600, 11, 30))
    assert [(read.address, read.count) for read in reads] == [(0, 12), (72, 1)]


@given(_profiles())
def test_the_plan_of_a_line_is_never_slower_than_one_request_for_each_value(profile: Profile) -> None:
    """Joining never costs more than not joining."""
    line = SerialLine(9600)
    single = [Read(point.table, point.address, point.kind.width, (point,)) for point in profile.points]
    assert line.cost_us(plan(profile, profile.points, line)) <= line.cost_us(single)
