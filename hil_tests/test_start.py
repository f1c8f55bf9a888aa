"""What is wrong before the first reading: told at once, all of it, with what to do; and what is only missing as yet."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.wire.keys import make_signing_key
from hil_tests.bench.processes import gateway, tail
from hil_tests.bench.whole import QUICK, Whole, meter
from hil_tests.books import POLL_MS, nothing_lost
from hil_tests.demo.verdict import Span

CHECK_FAILED = 5


def line_of(path: Path, start: str) -> int:
    """Give the number of the line that begins so."""
    return next(n for n, line in enumerate(path.read_text("utf-8").splitlines(), 1) if line.startswith(start))


async def test_every_mistake_of_a_site_file_is_told_by_run_and_by_check(tmp_path: Path) -> None:
    """`gateway run` and `gateway config check` exit 5 with the same list: file, line, key, what would be right."""
    async with Whole(tmp_path) as whole:
        whole.change_site('mode = "standard"', 'mode = "modern"')
        whole.change_site("journal_s = 0.3", "journal_s = 0")
        whole.change_site(
            'device = "bms"\npoint = "charger_1_setpoint"', 'device = "bsm"\npoint = "charger_1_setpoint"'
        )
        whole.change_site("[control]", "[contrl]")
        ran, _, said = await gateway("run", "--config", whole.site)
        checked, listed, _ = await gateway("config", "check", whole.site)
        assert (ran, checked) == (CHECK_FAILED, CHECK_FAILED)
        for key, start in (
            ("linky[1].mode", 'mode = "modern"'),
            ("storage.journal_s", "journal_s"),
            ("contrl", "[contrl]"),
            ("load[4].device", 'device = "bsm"'),
        ):
            place = f"{whole.site}:{line_of(whole.site, start)}: {key}: "
            assert place in said
        assert said.strip() in listed
        assert all("; " in mistake for mistake in said.strip().splitlines())
        assert not (whole.state / "outbox.db").exists()


def _expose_key(whole: Whole) -> None:
    whole.keys.gateways[whole.gateway].signing_key.chmod(0o644)


def _take_key_away(whole: Whole) -> None:
    whole.keys.gateways[whole.gateway].signing_key.unlink()


def _install_another_key(whole: Whole) -> None:
    path = whole.keys.gateways[whole.gateway].signing_key
    path.unlink()
    make_signing_key(path, "gw-other-2026")


def _spoil_key(whole: Whole) -> None:
    whole.keys.gateways[whole.gateway].signing_key.write_bytes(b"key-id: gw-bench-2026\nnot a key\n")


def _take_centre_keys_away(whole: Whole) -> None:
    whole.keys.gateways[whole.gateway].centre_keys.unlink()


def _spoil_centre_keys(whole: Whole) -> None:
    whole.keys.gateways[whole.gateway].centre_keys.write_text("version = 1\n[[key]]\nid = 7\n", "utf-8")


def _put_file_in_place_of_socket(whole: Whole) -> None:
    (whole.state / "control.sock").write_text("precious", "utf-8")


def _put_file_in_place_of_storage(whole: Whole) -> None:
    whole.change_site(f'directory = "{whole.state}"', f'directory = "{whole.site}"')


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_expose_key, "others may read this private key (mode 0644): chmod 600"),
        (_take_key_away, "the signing key cannot be read (No such file or directory): make one, or correct the path"),
        (_install_another_key, "holds the key 'gw-other-2026', the site file names 'gw-bench-2026': correct"),
        (_spoil_key, "no unencrypted PEM private key in it: make a new one and enrol it"),
        (_take_centre_keys_away, "centre.toml"),
        (_spoil_centre_keys, "centre.toml"),
        (_put_file_in_place_of_socket, "is there and is no socket: move it, or name another [control] socket"),
        (_put_file_in_place_of_storage, "make it, writable by the agent's user, or name another [storage] directory"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
async def test_what_is_to_be_mended_first_is_told_in_one_line(
    tmp_path: Path, spoil: Callable[[Whole], None], said: str
) -> None:
    """The agent exits 5 with the file and what to do, and no traceback."""
    async with Whole(tmp_path) as whole:
        spoil(whole)
        code, _, told = await gateway("run", "--config", whole.site)
        assert code == CHECK_FAILED
        last = told.strip().splitlines()[-1]
        assert said in last
        assert "Traceback" not in told


async def test_a_second_agent_is_turned_away_and_the_first_goes_on(tmp_path: Path) -> None:
    """The same site twice, or the same socket: the second exits 5, and the first still answers and loses nothing."""
    async with Whole(tmp_path) as whole:
        since_ms = await whole.begin()
        code, _, told = await gateway("run", "--config", whole.site)
        assert code == CHECK_FAILED
        assert "Traceback" not in told
        other = tmp_path / "other.toml"
        text = whole.site.read_text("utf-8")
        other.write_text(text.replace(f'directory = "{whole.state}"', f'directory = "{tmp_path / "other"}"'), "utf-8")
        code, _, told = await gateway("run", "--config", other)
        assert code == CHECK_FAILED
        assert "another agent serves there" in told
        await nothing_lost(whole, since_ms)


async def test_a_port_that_is_missing_at_the_start_is_read_when_it_appears(tmp_path: Path) -> None:
    """Linky, gas counter and BMS appear one by one; each is said to be missing, and nothing else waits for it."""
    async with Whole(tmp_path) as whole:
        await whole.bench.ask("linky", plugged=False)
        gas = whole.wiring.gas_socket
        away = gas.with_name("gas-away.sock")
        gas.rename(away)
        whole.change_site(f"port = {whole.wiring.modbus_port}\n", "port = 9\n")
        await whole.agent.start()
        await whole.agent.serving()
        failed = await whole.until(
            lambda s: (
                {m["name"]: m["state"] for m in s["meters"] if m["failed"]}
                if sum(m["failed"] for m in s["meters"]) == 5
                else None
            ),
            "five meters that fail",
        )
        assert set(failed) == {"linky", "gas", "bms", "electricity", "heat"}
        assert str(whole.wiring.linky_port) in failed["linky"]
        assert str(gas) in failed["gas"]
        assert "127.0.0.1:9" in failed["bms"]
        assert meter(await whole.until(lambda s: s if meter(s, "water")["last_read_ms"] else None, "water"), "water")
        await whole.bench.ask("linky", plugged=True)
        away.rename(gas)
        await whole.until(
            lambda s: (
                not any(meter(s, name)["failed"] or meter(s, name)["last_read_ms"] is None for name in ("linky", "gas"))
            ),
            "the Linky and the gas counter",
        )
        await whole.agent.stop()
        whole.change_site("port = 9\n", f"port = {whole.wiring.modbus_port}\n")
        await nothing_lost(whole, await whole.begin())


async def test_told_to_stop_it_commits_what_it_has_read(tmp_path: Path) -> None:
    """SIGTERM gives exit status 0, the socket goes, and what was read since the last commit is on the disk."""
    async with Whole(tmp_path, tempo=replace(QUICK, journal_s=60, seal_up_s=60, seal_down_s=60)) as whole:
        since_ms = await whole.begin()
        await asyncio.sleep(3)
        status = await whole.status()
        assert status["outbox"]["readings_stored"] < status["readings_taken"]
        told_ms = status["boot_ms"]
        assert await whole.agent.stop() == 0
        assert "told to stop: everything read is on the disk" in tail(whole.agent.log)
        assert not (whole.state / "control.sock").exists()
        for quick in ("journal_s = 0.3", "seal_up_s = 0.5", "seal_down_s = 1"):
            whole.change_site(f"{quick.split()[0]} = 60", quick)
        again_ms = await whole.begin()
        await nothing_lost(whole, since_ms, Span(told_ms - POLL_MS, again_ms))
