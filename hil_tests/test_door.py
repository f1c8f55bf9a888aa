"""The easy door as its people use it: the commands of docs/door.md, a real OpenSSH server, and `openssl cms`."""

import asyncio
import datetime as dt
import json
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.door.tests.files import recipient
from gateway.export.tests.kept_outbox import INDEX, POWER, Filled, Read
from hil_tests.bench.ssh_server import SshServer

PARIS = ZoneInfo("Europe/Paris")
MINUTE = 60_000
PATIENCE_S = 60.0

YESTERDAY = dt.datetime.now(PARIS).date() - dt.timedelta(days=1)


async def program(*arguments: str | Path) -> tuple[int, str, str]:
    """Run a program to its end: exit code, what it printed, what it complained of."""
    process = await asyncio.create_subprocess_exec(*map(str, arguments), stdout=PIPE, stderr=PIPE)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode or 0, out.decode(), err.decode()


async def gateway(*arguments: str | Path) -> tuple[int, str, str]:
    """Run `gateway`."""
    return await program(sys.executable, "-m", "gateway", *arguments)


def site(folder: Path, server: SshServer) -> Path:
    """The site file of a gateway with a door; its keys are to be made."""
    file = folder / "site.toml"
    file.write_text(
        f"""
        [gateway]
        id = "gw-door"
        name = "Door"
        [storage]
        directory = "{folder}"
        [broker]
        host = "b"
        ca_file = "x"
        certificate_file = "x"
        key_file = "x"
        [signing]
        key_file = "x"
        [centre]
        keys_file = "x"
        [control]
        socket = "s"
        [door]
        host = "127.0.0.1"
        port = {server.port}
        user = "{server.user}"
        directory = "inbox"
        known_hosts_file = "known_hosts"
        ssh_key_file = "door_ssh.key"
        signing_key_file = "door_sign.key"
        certificate_file = "door_sign.pem"
        recipient_file = "recipient.pem"
        """
    )
    return file


def fill(path: Path, first: int, last: int, outbox: Filled | None = None) -> Filled:
    """An outbox that holds yesterday's hours, and the first of today's, from `first` to before `last`."""
    begins = int(dt.datetime.combine(YESTERDAY, dt.time(), PARIS).timestamp() * 1000)
    if outbox is None:
        outbox = Filled(path, (POWER, INDEX))
        outbox.clock(utc_ms=begins)
    for hour in range(first, last):
        minutes = range(hour * 60, hour * 60 + 60)
        ticks = [[Read(POWER, each, each * MINUTE), Read(INDEX, 5_000 + each, each * MINUTE)] for each in minutes]
        outbox.seal("minute", ticks, utc_ms=begins + (hour + 1) * 60 * MINUTE)
    return outbox


async def opened(folder: Path, file: Path) -> str:
    """Open a file as docs/door.md tells the recipient."""
    signed, day = folder / "signed.p7m", folder / "day.csv"
    code, _, err = await program(
        *("openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", file),
        *("-recip", folder / "recipient.pem", "-inkey", folder / "recipient.key", "-out", signed),
    )
    assert code == 0, err
    code, _, err = await program(
        *("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", signed),
        *("-CAfile", folder / "gateway.pem", "-out", day),
    )
    assert code == 0, err
    assert "successful" in err
    return day.read_text()


async def test_a_day_reaches_its_recipient(tmp_path: Path) -> None:
    """From keys to an opened file by the guide's commands; a second push has nothing to do, and the status says so."""
    server = SshServer(tmp_path / "server", "")
    async with server:  # only for its port; nobody is let in yet
        file = site(tmp_path, server)
    fill(tmp_path / "outbox.db", 0, 27).close()
    code, out, err = await gateway("door", "keys", "--config", file, "--json")
    assert code == 0, err
    told = json.loads(out)
    (tmp_path / "gateway.pem").write_text(told["certificate"])
    (tmp_path / "known_hosts").write_text(server.host_line())
    recipient(tmp_path, ends=dt.datetime.now(dt.UTC) + dt.timedelta(days=30))
    server.admit(told["ssh_public"])
    async with server:
        code, out, err = await gateway("door", "push", "--config", file)
        assert (code, out) == (0, "1 files arrived\n"), err
        assert (await gateway("door", "push", "--config", file))[1].startswith("nothing waits")
    [arrived] = server.inbox.iterdir()
    assert arrived.name == f"gw-door_{YESTERDAY}_r1.csv.p7m"
    text = await opened(tmp_path, arrived)
    lines = text.splitlines()
    assert lines[0] == "time;channel;value;unit;state;clock"
    assert lines[-1] == f"# rows={len(lines) - 2} gaps=0 revision=1 complete=yes"
    assert sum(";main.east;" in line for line in lines) == len(lines) // 2 - 1
    assert (await gateway("door", "show", YESTERDAY.isoformat(), "--config", file))[1] == text
    days = json.loads((await gateway("door", "status", "--config", file, "--json"))[1])["days"]
    assert [(each["day"], each["delivered"]) for each in days] == [(YESTERDAY.isoformat(), True)]


async def test_the_service_waits_for_the_other_side(tmp_path: Path) -> None:
    """Started while the recipient is away it holds the day, says why once, and ends at once when told to stop."""
    server = SshServer(tmp_path / "server", "")
    async with server:
        file = site(tmp_path, server)
    fill(tmp_path / "outbox.db", 0, 27).close()
    assert (await gateway("door", "keys", "--config", file))[0] == 0
    (tmp_path / "known_hosts").write_text(server.host_line())
    recipient(tmp_path, ends=dt.datetime.now(dt.UTC) + dt.timedelta(days=30))
    service: Process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "door", "run", "--config", str(file), stderr=PIPE
    )
    assert service.stderr is not None
    line = (await asyncio.wait_for(service.stderr.readline(), PATIENCE_S)).decode()
    assert "cannot be reached" in line
    assert [each.name for each in (tmp_path / "door").glob("*.p7m")] == [f"gw-door_{YESTERDAY}_r1.csv.p7m"]
    service.terminate()
    assert await asyncio.wait_for(service.wait(), PATIENCE_S) == 0
    code, out, _ = await gateway("door", "status", "--config", file)
    assert code == 0
    assert "1 days known, 1 wait" in out


async def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """Without a [door], or without keys, a technician reads what to do, and no traceback."""
    server = SshServer(tmp_path / "server", "")
    async with server:
        file = site(tmp_path, server)
    fill(tmp_path / "outbox.db", 0, 27).close()
    code, _, err = await gateway("door", "push", "--config", file)
    assert code == 5
    assert "gateway door keys" in err
    text = file.read_text()
    file.write_text(text[: text.index("[door]")])
    for words in (("push",), ("status",), ("run",), ("show", "2026-11-25")):
        code, _, err = await gateway("door", *words, "--config", file)
        assert (code, "[door]" in err, "Traceback" in err) == (5, True, False)


async def test_export_is_streamed_by_range(tmp_path: Path) -> None:
    """`gateway export csv` gives a day's readings of one channel, French decimals, and says the gap after the last."""
    server = SshServer(tmp_path / "server", "")
    async with server:
        file = site(tmp_path, server)
    fill(tmp_path / "outbox.db", 0, 12).close()
    day = YESTERDAY.isoformat()
    words = ("--from", day, "--to", day, "--tier", "minute", "--channel", "main.east", "--comma", "--config", file)
    code, out, err = await gateway("export", "csv", *words)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[1].startswith(f"{day}T00:00:00.000+0")
    assert lines[1].endswith(";main.east;5,000;kWh;ok;trusted")
    assert lines[-1].endswith(";main.east;;kWh;absent;")
    assert len(lines) == 1 + 12 * 60 + 1
    code, _, err = await gateway("export", "csv", "--channel", "main.nothing", "--config", file)
    assert (code, "no channel" in err) == (4, True)
    code, _, err = await gateway("export", "csv", "--from", "yesterday", "--config", file)
    assert code == 2
