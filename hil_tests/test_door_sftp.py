"""The daily file on its way to a real OpenSSH server that is cut off, away or strange: it arrives once, and whole."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.door.errors import AwayError, DoorError
from gateway.door.sftp import Place, push
from gateway.door.spool import Spool, Waiting
from gateway.door.tests.files import DAY, GATEWAY, csv, made
from hil_tests.bench.relay import Relay
from hil_tests.bench.ssh_server import SshServer

BIG = 3_000_000


@asynccontextmanager
async def other_side(folder: Path) -> AsyncIterator[tuple[SshServer, Place]]:
    """A server that takes our key, and how to get there."""
    keys = made(folder)
    async with SshServer(folder / "server", keys.ssh_public) as server:
        known = folder / "known_hosts"
        known.write_text(server.host_line())
        yield (
            server,
            Place("127.0.0.1", server.port, server.user, "inbox", known, folder / "door_ssh.key"),
        )


def held(folder: Path, content: bytes = b"a file") -> Spool:
    """A spool with one day's file in it."""
    spool = Spool.open(folder / "door", GATEWAY)
    spool.hold(DAY, csv(), lambda _: content)
    return spool


async def test_a_file_arrives_under_its_name(tmp_path: Path) -> None:
    """It is there, byte for byte, nothing half beside it; a second push has nothing to do."""
    spool = held(tmp_path)
    async with other_side(tmp_path) as (server, place):
        await push(place, spool.waiting(), spool.delivered)
        assert [path.name for path in server.inbox.iterdir()] == ["gw-test_2026-11-25_r1.csv.p7m"]
        assert next(server.inbox.iterdir()).read_bytes() == b"a file"
        assert spool.waiting() == []


async def test_a_cut_upload_is_resumed(tmp_path: Path) -> None:
    """Cut in the midst, the next attempt sends what lacks, not all again, and the file is whole."""
    content = random.Random(5).randbytes(BIG)
    spool = held(tmp_path, content)
    async with other_side(tmp_path) as (server, direct), Relay(server.port) as relay:
        direct.known_hosts_file.write_text(server.host_line(relay.port))
        place = replace(direct, port=relay.port)

        async def cut_in_the_midst() -> None:
            while relay.up < BIG // 2:
                await asyncio.sleep(0.001)
            relay.cut()

        relay.rate = 4_000_000
        cutting = asyncio.create_task(cut_in_the_midst())
        with pytest.raises(AwayError, match="held"):
            await push(place, spool.waiting(), spool.delivered)
        await cutting
        [part] = server.inbox.iterdir()
        assert part.name.endswith(".part")
        before = relay.up
        await push(place, spool.waiting(), spool.delivered)
        [arrived] = server.inbox.iterdir()
        assert arrived.read_bytes() == content
        assert relay.up - before < BIG * 0.8
        assert spool.waiting() == []


async def test_half_of_another_file_is_not_gone_on_with(tmp_path: Path) -> None:
    """The box lost what it knew of a day and made it anew, under the name of which half an upload lies there."""
    content = random.Random(7).randbytes(BIG)
    spool = held(tmp_path, content)
    async with other_side(tmp_path) as (server, place):
        (server.inbox / f"{spool.waiting()[0].path.name}.part").write_bytes(random.Random(8).randbytes(BIG // 2))
        await push(place, spool.waiting(), spool.delivered)
        [arrived] = server.inbox.iterdir()
        assert arrived.read_bytes() == content


async def test_the_word_of_an_arrival_may_be_lost(tmp_path: Path) -> None:
    """A file that is there already, under its name and whole, is not sent again."""
    content = random.Random(6).randbytes(BIG)
    spool = held(tmp_path, content)
    async with other_side(tmp_path) as (server, place), Relay(server.port) as relay:
        place.known_hosts_file.write_text(server.host_line(relay.port))
        shutil.copy(spool.waiting()[0].path, server.inbox)
        await push(replace(place, port=relay.port), spool.waiting(), spool.delivered)
        assert relay.up < BIG // 10
        assert spool.waiting() == []


async def test_an_absent_side_is_waited_for(tmp_path: Path) -> None:
    """Nobody there: the file is held; back again: it arrives."""
    spool = held(tmp_path)
    async with other_side(tmp_path) as (server, place):
        await server.stop()
        with pytest.raises(AwayError, match="cannot be reached"):
            await push(place, spool.waiting(), spool.delivered)
        assert len(spool.waiting()) == 1
        await server.start()
        await push(place, spool.waiting(), spool.delivered)
        assert spool.waiting() == []


async def test_a_stranger_in_its_place_gets_nothing(tmp_path: Path) -> None:
    """Another host key: told, nothing sent, nothing lost."""
    spool = held(tmp_path)
    async with other_side(tmp_path) as (server, place):
        await server.stop()
        server.new_host_key()
        await server.start()
        with pytest.raises(DoorError, match="another host key"):
            await push(place, spool.waiting(), spool.delivered)
        assert list(server.inbox.iterdir()) == []
        assert len(spool.waiting()) == 1


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"directory": "nowhere"}, "there is no folder 'nowhere'"),
        ({"ssh_key_file": Path("other.key")}, "refuses our key"),
        ({"ssh_key_file": Path("absent.key")}, "cannot be read"),
        ({"known_hosts_file": Path("absent")}, "cannot be read"),
        ({"ssh_key_file": Path("no.key")}, "correct or replace"),
        ({"known_hosts_file": Path("empty")}, r"empty has no line for \[127\.0\.0\.1\]"),
    ],
)
async def test_what_people_must_mend_is_told(tmp_path: Path, wrong: dict[str, Path | str], text: str) -> None:
    """Each mistake of a setting is said with what to do, and the file is held."""
    other = tmp_path / "other"
    other.mkdir()
    made(other)
    shutil.copy(other / "door_ssh.key", tmp_path / "other.key")
    (tmp_path / "no.key").write_text("no key")
    (tmp_path / "empty").touch()
    spool = held(tmp_path)
    async with other_side(tmp_path) as (_, place):
        absolute = {name: tmp_path / value if isinstance(value, Path) else value for name, value in wrong.items()}
        with pytest.raises(DoorError, match=text):
            await push(replace(place, **absolute), spool.waiting(), spool.delivered)  # type: ignore[arg-type]
    assert len(spool.waiting()) == 1


async def test_files_go_in_order_and_each_counts(tmp_path: Path) -> None:
    """Of several files each is let go as soon as it arrived: what comes later may fail without it being sent again."""
    spool = held(tmp_path)
    spool.hold(DAY.replace(day=24), csv("other"), lambda _: b"the day before")
    seen: list[Waiting] = []

    def arrived(each: Waiting) -> None:
        seen.append(each)
        spool.delivered(each)
        raise AwayError("cut after the first")

    async with other_side(tmp_path) as (_, place):
        with pytest.raises(AwayError):
            await push(place, spool.waiting(), arrived)
    assert [each.day.day for each in seen] == [24]
    assert [each.day.day for each in spool.waiting()] == [25]
