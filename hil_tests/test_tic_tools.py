"""`gateway tic listen` and `capture` as their user meets them: a window on a pty, a meter on another, every fault."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGINT, SIGTERM

import pytest

from hil_tests.bench.linky import BenchLinky, Fate, SentFrame
from hil_tests.bench.processes import gateway
from hil_tests.bench.terminal import Terminal
from hil_tests.bench.whole import Whole
from hil_tests.test_bench_linky import House, running, until
from linky_tic.decoder import Decoder, Frame
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE

ADDRESS = "041876000001"
POINT = "01234567000001"


class Rig:
    """A meter on a pty, and what it sent."""

    def __init__(self, folder: Path) -> None:
        self.port = folder / "tic"
        self.house = House()
        self.sent: list[SentFrame] = []
        self.linky = BenchLinky(self.port, self.house, ledger=self.sent.append)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Give a rig whose meter sends."""
    made = Rig(tmp_path)
    async with running(asyncio.create_task(made.linky.run())):
        await until(made.port.exists)
        yield made


async def silenced(rig: Rig) -> None:
    """Let the meter say no more, the frame that it has begun ended."""
    rig.linky.silent = True
    before = len(rig.sent)
    await until(lambda: len(rig.sent) > before)


async def test_a_window_shows_the_line_through_every_fault(rig: Rig) -> None:
    """Values, then another mode, an adapter that leaves and comes back, silence: each is seen, nothing stays as live.

    Ctrl-C ends it, and the terminal is as it was.
    """
    async with Terminal("tic", "listen", str(rig.port)) as terminal:
        first = await terminal.shows("standard, 9600 Bd, parity checked by software", "1500 VA", "ADSC", "a minute")
        assert terminal.on_other_page
        assert terminal.cursor_is_hidden
        assert any("reading" in line for line in first)
        assert not any(ADDRESS in line or POINT in line for line in first)
        assert any("ADSC" in line and "masked" in line for line in first)

        rig.house.phase_va = (2_500,)
        await terminal.shows("2500 VA")

        rig.linky.mode = Mode.HISTORIQUE
        await terminal.shows("historique, 1200 Bd", "PAPP", "resyncs 1")
        assert not any("SINSTS" in line for line in terminal.window)

        rig.linky.unplug()
        await terminal.shows("is not there: plug the adapter in")
        rig.linky.plug()
        await terminal.shows("reading", "openings 2", "PAPP")

        rig.linky.silent = True
        await terminal.shows("silent for", "check the wires")
        rig.linky.silent = False
        await terminal.shows("reading")

        terminal.type("\x03")
        assert await terminal.ends() == 128 + SIGINT
        assert (terminal.on_other_page, terminal.cursor_is_hidden) == (False, False)
        assert terminal.settings == terminal.found


async def test_a_window_follows_its_size_and_its_keys(rig: Rig) -> None:
    """A larger window shows more at once, a small one a page of it; q ends it with 0."""
    async with Terminal("tic", "listen", str(rig.port)) as terminal:
        window = await terminal.shows("lines 1 to", "ADSC", "PCOUP")
        assert not any("STGE" in line for line in window)
        terminal.type(" ")
        await terminal.shows("STGE", "within the subscribed power")
        terminal.resize(120, 60)
        window = await terminal.shows("SINSTS", "STGE", "PJOURF+1", "from 00:00 index 1")
        assert any(line.startswith("q or Ctrl-C ends it") for line in window)
        terminal.resize(40, 10)
        await terminal.shows("lines 1 to")
        terminal.type("q")
        assert await terminal.ends() == 0
        assert terminal.settings == terminal.found


async def test_what_has_not_changed_is_not_drawn_again(rig: Rig) -> None:
    """Ages alone cost an SSH connection some 1.5 kB a second, not the 8 kB of whole windows."""
    async with Terminal("tic", "listen", str(rig.port)) as terminal:
        await terminal.shows("SINSTS")
        rig.linky.silent = True
        await terminal.shows("silent for 4 s")
        before = terminal.sent
        await terminal.shows("silent for 6 s")
        assert terminal.sent - before < 6_000


async def test_a_killed_window_leaves_the_terminal_whole(rig: Rig) -> None:
    """SIGTERM, as of a closing session, ends it as Ctrl-C does."""
    async with Terminal("tic", "listen", str(rig.port)) as terminal:
        await terminal.shows("SINSTS")
        terminal.process.send_signal(SIGTERM)
        assert await terminal.ends() == 128 + SIGTERM
        assert (terminal.on_other_page, terminal.cursor_is_hidden) == (False, False)
        assert terminal.settings == terminal.found


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
async def test_no_color_is_a_block_a_frame(rig: Rig, environment: dict[str, str]) -> None:
    """With NO_COLOR, or where a terminal cannot, plain lines come, as in a pipe."""
    async with Terminal("tic", "listen", str(rig.port), "--count", "1", environment=environment) as terminal:
        assert await terminal.ends() == 0
        assert not terminal.on_other_page
        assert "-- standard, " in terminal.plain


async def test_a_frame_is_a_json_line(rig: Rig) -> None:
    """Each frame is one object with the line's state; numbers are zeros but where they are asked for."""
    code, out, err = await gateway("tic", "listen", rig.port, "--json", "--count", "3")
    assert (code, err) == (0, "")
    frames = [json.loads(line) for line in out.splitlines()]
    assert len(frames) == 3
    for frame in frames:
        assert (frame["schema"], frame["mode"]) == ("gateway/tic-frame/1", "standard")
        assert frame["line"]["state"] == "reading"
        assert (frame["line"]["speed"], frame["line"]["parity_checked_by"]) == (9_600, "software")
    values = {group["label"]: group["value"] for group in frames[-1]["groups"]}
    assert (values["ADSC"], values["PRM"], values["SINSTS"]) == ("0" * 12, "0" * 14, "01500")
    _, out, _ = await gateway("tic", "listen", rig.port, "--json", "--count", "2", "--show-numbers")
    values = {group["label"]: group["value"] for group in json.loads(out.splitlines()[-1])["groups"]}
    assert (values["ADSC"], values["PRM"]) == (ADDRESS, POINT)


async def test_a_silent_line_times_out_and_says_what_to_check(rig: Rig) -> None:
    """With --timeout a line that gives no frame ends with 27; without a terminal the change of state is told once."""
    await silenced(rig)
    code, out, err = await gateway("tic", "listen", rig.port, "--timeout", "4")
    assert code == 27
    assert "no frame for 4 s" in err
    assert "check the wires at the meter's I1 and I2" in err
    assert out.count("silent for") == 1


async def test_a_port_of_the_agent_is_left_to_it(tmp_path: Path) -> None:
    """While the agent holds the port both say so, what shows its readings, and how to have the port; it reads on."""
    async with Whole(tmp_path) as whole:
        await whole.begin()
        await whole.settled()
        port = whole.wiring.linky_port
        for words in (("listen", port), ("capture", port, tmp_path / "a.tic")):
            code, _, err = await gateway("tic", *words)
            assert code == 7
            for told in (str(port), "gateway run", "gateway tail", "systemctl stop gateway"):
                assert told in err
        assert not (tmp_path / "a.tic").exists()


async def test_a_port_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A wrong name ends at once with 2; a file is no port."""
    code, _, err = await gateway("tic", "listen", tmp_path / "nowhere")
    assert (code, "is not there" in err) == (2, True)
    (tmp_path / "file").touch()
    code, _, err = await gateway("tic", "listen", tmp_path / "file")
    assert (code, "is no serial port" in err) == (2, True)


@pytest.mark.parametrize("mode", [Mode.STANDARD, Mode.HISTORIQUE])
async def test_a_capture_holds_what_the_meter_sent(rig: Rig, tmp_path: Path, mode: Mode) -> None:
    """So many whole frames as asked, each group of them as sent but the numbers, and it says what it holds."""
    rig.linky.mode = mode
    file = tmp_path / "meter.tic"
    code, out, _ = await gateway("tic", "capture", rig.port, file, "--frames", "2", "--json")
    told = json.loads(out)
    assert (code, told["schema"], told["mode"], told["speed"]) == (0, "gateway/tic-capture/1", mode.value, mode.baud)
    data = file.read_bytes()
    assert told["summary"]["bytes"] == len(data)
    assert data.endswith(b"\x03")
    assert ADDRESS.encode() not in data
    assert POINT.encode() not in data
    frames = [event for event in Decoder().feed(data) if isinstance(event, Frame) and event.complete]
    assert len(frames) == 2
    sent = [frame.values for frame in rig.sent if frame.fate is Fate.HEARD and frame.mode is mode]
    for frame in frames:
        assert all(group.valid for group in frame.groups)
        values = {
            group.label: group.number if group.number is not None else group.value
            for group in frame.groups
            if not BY_MODE[mode][group.label].personal
        }
        assert any(all(each.get(label) == value for label, value in values.items()) for each in sent)


async def test_a_capture_outlives_its_adapter_and_ends_whole(rig: Rig, tmp_path: Path) -> None:
    """Unplugged and plugged in again it goes on; told to end, the file is there under its name, whole."""
    file = tmp_path / "meter.tic"
    async with Terminal("tic", "capture", str(rig.port), str(file)) as terminal:
        await until(lambda: len(rig.sent) >= 3)
        rig.linky.unplug()
        await until(lambda: rig.sent[-1].fate is Fate.UNPLUGGED)
        rig.linky.plug()
        await until(lambda: sum(frame.fate is Fate.HEARD for frame in rig.sent[-4:]) >= 3)
        assert not file.exists()
        terminal.type("\x03")
        assert await terminal.ends() == 0
        assert "groups valid" in terminal.plain
    frames = [event for event in Decoder().feed(file.read_bytes()) if isinstance(event, Frame) and event.complete]
    assert len(frames) >= 4
    assert [each.name for each in tmp_path.iterdir() if "part" in each.name] == []


async def test_a_silent_line_makes_no_file(rig: Rig, tmp_path: Path) -> None:
    """What caught nothing says what to check, ends with 27, and leaves nothing behind."""
    await silenced(rig)
    code, _, err = await gateway("tic", "capture", rig.port, tmp_path / "a.tic", "--for", "4s")
    assert code == 27
    assert "silent for" in err
    assert {each.name for each in tmp_path.iterdir()} == {"tic"}
