"""`gateway queue`: what an outbox holds, and that nothing in it can be changed without being found."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config.tests.sites import write
from gateway.cli.tests.agents import code_of, serving
from gateway.tests.metering import GATEWAY, KEY, Metering
from gateway.wire import cose
from gateway.wire.keys import make_signing_key

SEGMENTS = 6


async def _sealed(metering: Metering) -> None:
    for _ in range(SEGMENTS):
        metering.read()
        await metering.sealing.flush(seal=True)
    metering.read()
    await metering.sealing.flush(seal=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site whose outbox holds six segments, one row that is not sealed yet, and no agent."""
    path = write(tmp_path)
    (tmp_path / "data").mkdir()
    metering = Metering(tmp_path / "data" / "outbox.db")
    asyncio.run(_sealed(metering))
    metering.close()
    pem = KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key = tmp_path / "signing.key"
    key.write_bytes(b"key-id: " + KEY.key_id + b"\n" + pem)
    key.chmod(0o600)
    return path


def change(site: Path, statement: str, *values: object) -> None:
    """Change the outbox as somebody with the card in hand could."""
    with closing(sqlite3.connect(site.parent / "data" / "outbox.db")) as connection:
        assert connection.execute(statement, values).rowcount > 0
        connection.commit()


def files(site: Path) -> dict[str, bytes]:
    """Give every file of the storage folder."""
    return {path.name: path.read_bytes() for path in (site.parent / "data").iterdir()}


def test_what_was_never_touched_is_whole(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Six segments of readings and one of the schema verify; reading them changes no byte and leaves no file."""
    before = files(site)
    assert code_of("queue", "verify", "--config", site) == 0
    assert capsys.readouterr().out.splitlines() == [
        "schema: 1 segments kept, signatures and chain are whole (0 gone after their receipt, 0 dropped)",
        "fine: 6 segments kept, signatures and chain are whole (0 gone after their receipt, 0 dropped)",
    ]
    assert files(site) == before


def _blob(site: Path, sequence: int) -> bytes:
    with closing(sqlite3.connect(site.parent / "data" / "outbox.db")) as connection:
        (blob,) = connection.execute(
            "SELECT blob FROM segment JOIN stream ON stream.id = stream WHERE name = 'fine' AND sequence = ?",
            (sequence,),
        ).fetchone()
    assert isinstance(blob, bytes)
    return blob


FINE = "stream = (SELECT id FROM stream WHERE name = 'fine')"


def _flip(site: Path) -> None:
    blob = bytearray(_blob(site, 3))
    blob[-80] ^= 1
    change(site, f"UPDATE segment SET blob = ? WHERE sequence = 3 AND {FINE}", bytes(blob))  # noqa: S608 - ours


def _swap(site: Path) -> None:
    change(site, f"UPDATE segment SET blob = ? WHERE sequence = 3 AND {FINE}", _blob(site, 4))  # noqa: S608 - ours


def _newest_forged(site: Path) -> None:
    header = cose.peek(_blob(site, 6))
    forged = cose.sign(header, b"another payload", KEY.private)
    change(site, f"UPDATE segment SET blob = ? WHERE sequence = 6 AND {FINE}", forged)  # noqa: S608 - ours


def _middle_forged(site: Path) -> None:
    header = cose.peek(_blob(site, 3))
    forged = cose.sign(header, b"another payload", KEY.private)
    change(site, f"UPDATE segment SET blob = ? WHERE sequence = 3 AND {FINE}", forged)  # noqa: S608 - ours


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_flip, "fine 3: "),
        (_swap, "fine 3: was signed as gw-test/fine 4"),
        (_middle_forged, "fine 4: the chain is broken"),
        (_newest_forged, "fine 6: is not the one that was sealed last"),
    ],
)
def test_what_was_changed_is_found(
    site: Path, capsys: pytest.CaptureFixture[str], tamper: Callable[[Path], None], told: str
) -> None:
    """A changed byte, a swapped segment, and one signed anew by whoever has the key: each ends with 5 and its place."""
    tamper(site)
    assert code_of("queue", "verify", "--config", site) == 5
    assert told in capsys.readouterr().out


def test_what_gave_way_is_no_fault(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers that are gone after their receipt are counted, and the chain is held where it can be."""
    change(site, f"DELETE FROM segment WHERE sequence IN (1, 2, 4) AND {FINE}")  # noqa: S608 - ours
    assert code_of("queue", "verify", "--config", site, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "gateway/queue-verify/1"
    fine = next(each for each in told["streams"] if each["stream"] == "fine")
    assert (fine["kept"], fine["gone"], fine["fault_count"]) == (3, 3, 0)


def test_the_chain_holds_over_what_was_dropped(site: Path) -> None:
    """Of a dropped range the last digest is kept: what follows it must name that one, unless the card took it too."""
    digest = cose.digest(_blob(site, 2))
    change(site, f"DELETE FROM segment WHERE sequence <= 2 AND {FINE}")  # noqa: S608 - ours
    dropped = (
        "INSERT INTO dropped (stream, first_sequence, last_sequence, count, first_ms, last_ms, last_digest)"
        " VALUES ((SELECT id FROM stream WHERE name = 'fine'), 1, 2, 80, 0, 0, ?)"
    )
    change(site, dropped, digest)
    assert code_of("queue", "verify", "--config", site) == 0
    change(site, "UPDATE dropped SET last_digest = ?", b"x" * 32)
    assert code_of("queue", "verify", "--config", site) == 5
    change(site, "UPDATE dropped SET last_digest = ?", cose.NO_DIGEST)
    assert code_of("queue", "verify", "--config", site) == 0


def test_another_key_is_neither_good_nor_bad(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a change of keys the old signatures cannot be checked, and that is what is said, with 6."""
    (site.parent / "signing.key").unlink()
    make_signing_key(site.parent / "signing.key", "gw-test-2027")
    assert code_of("queue", "verify", "--config", site) == 6
    assert "fine: 6 segments kept, signatures and chain are whole; the signatures of 6 are another key's" in (
        capsys.readouterr().out
    )


def test_without_a_key_or_an_outbox_it_could_not_be_checked(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing is named, and nothing is called good."""
    (site.parent / "signing.key").rename(site.parent / "away.key")
    assert code_of("queue", "verify", "--config", site) == 6
    assert "signing.key" in capsys.readouterr().err
    (site.parent / "away.key").rename(site.parent / "signing.key")
    (site.parent / "data" / "outbox.db").write_bytes(b"this is no database" * 500)
    for word in ("verify", "peek", "stats"):
        assert code_of("queue", word, "--config", site) == 6
        assert "outbox.db" in capsys.readouterr().err


def test_stats_of_a_dead_agent_are_counted_in_the_file(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Readings without a receipt, sealed or not, and where the numbers are from."""
    assert code_of("queue", "stats", "--config", site, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["source"]) == ("gateway/queue-stats/1", "file")
    assert (told["readings_pending"], told["segments_pending"], told["journal_rows"]) == (7 * 40, 7, 1)
    assert told["quota_pages"] == 512 * 256
    assert code_of("queue", "stats", "--config", site) == 0
    assert "no agent is at work" in capsys.readouterr().out


def test_stats_of_an_agent_at_work_are_its_own(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the agent answers, what it says is shown under the same names as what is counted in the file."""
    code_of("queue", "stats", "--config", site, "--json")
    counted = json.loads(capsys.readouterr().out)
    outbox = {name: 17 for name in counted if name not in ("schema", "source")} | {"quota_pages": 100}
    with serving(site.parent / "control.sock", {"/v1/status": {"outbox": outbox}}):
        assert code_of("queue", "stats", "--config", site, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"schema": "gateway/queue-stats/1", "source": "agent", **outbox}


def test_peek_shows_what_goes_out_next(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The schema first, then the oldest readings; of a received one nothing but by its stream."""
    change(site, f"UPDATE segment SET received = 1 WHERE sequence = 1 AND {FINE}")  # noqa: S608 - ours
    assert code_of("queue", "peek", "--config", site, "--limit", "2", "--json") == 0
    told = json.loads(capsys.readouterr().out)["segments"]
    assert [(each["stream"], each["sequence"], each["received"]) for each in told] == [
        ("schema", 1, False),
        ("fine", 2, False),
    ]
    assert (told[1]["count"], told[1]["key_id"], told[1]["content"]) == (40, "gw-test-2026", "gw/segment;v=1")
    assert told[1]["sha256"] == cose.digest(_blob(site, 2)).hex()
    assert code_of("queue", "peek", "--config", site, "--stream", "fine") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == SEGMENTS
    assert lines[0].startswith("fine 1: 40 readings, ")
    assert ", received; gw/segment;v=1, key gw-test-2026" in lines[0]


def test_beside_a_writer_one_moment_is_read(site: Path) -> None:
    """An outbox that is open elsewhere, with a WAL, is read as it was last committed."""
    metering = Metering(site.parent / "data" / "outbox.db")
    metering.clock.now_ms += 1_000_000
    try:
        metering.read()
        asyncio.run(metering.sealing.flush(seal=True))
        assert code_of("queue", "verify", "--config", site) == 0
        assert metering.sealing.failure is None
    finally:
        metering.close()


def test_the_gateway_is_the_one_of_the_site(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another gateway's outbox, put into this box, is told for what it is."""
    site.write_text(site.read_text("utf-8").replace(GATEWAY, "gw-another"), "utf-8")
    assert code_of("queue", "verify", "--config", site) == 5
    assert "fine 1: was signed as gw-test/fine 1" in capsys.readouterr().out
