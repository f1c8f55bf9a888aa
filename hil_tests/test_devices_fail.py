"""A device that fails is said with what to do; the others go on, it resumes, and no wrong value is ever verified."""

import asyncio
from pathlib import Path

from hil_tests.bench.site import BMS, ELECTRICITY, GAS, HEAT, LINKY, WATER
from hil_tests.bench.whole import Whole, boot_ms, meter
from hil_tests.books import nothing_lost
from hil_tests.demo.outcome import verified

OTHERS = (BMS, ELECTRICITY, HEAT, GAS, WATER)


def read_since(status: dict[str, object], names: tuple[str, ...], since_ms: int) -> bool:
    """Say whether each of these meters was read after a moment."""
    return all((meter(status, name)["last_read_ms"] or 0) > since_ms for name in names)


async def test_an_adapter_that_leaves_and_comes_back(tmp_path: Path) -> None:
    """Unplugged, the Linky's state says so and everything else is read on; plugged again, it resumes by itself."""
    async with Whole(tmp_path) as whole:
        since_ms = await whole.begin()
        await whole.bench.ask("linky", plugged=False)
        unplugged_ms = boot_ms()
        said = await whole.until(
            lambda s: meter(s, LINKY)["state"] if meter(s, LINKY)["failed"] else None, "the Linky's failure"
        )
        assert str(whole.wiring.linky_port) in said
        await whole.until(lambda s: read_since(s, OTHERS, unplugged_ms + 1_000), "the other meters")
        await whole.bench.ask("linky", plugged=True)
        plugged_ms = boot_ms()
        await whole.until(
            lambda s: read_since(s, (LINKY,), plugged_ms) and not meter(s, LINKY)["failed"], "the Linky again"
        )
        await nothing_lost(whole, since_ms)


async def test_a_line_that_falls_silent_is_said(tmp_path: Path) -> None:
    """A cut wire is told with where to look, without opening and closing anything; the line resumes."""
    async with Whole(tmp_path) as whole:
        since_ms = await whole.begin()
        await whole.bench.ask("linky", silent=True)
        said = await whole.until(
            lambda s: meter(s, LINKY)["state"] if "silent" in meter(s, LINKY)["state"] else None, "silence"
        )
        assert "check the wires at the meter's I1 and I2" in said
        await whole.bench.ask("linky", silent=False)
        resumed_ms = boot_ms()
        await whole.until(lambda s: read_since(s, (LINKY,), resumed_ms), "the Linky again")
        await nothing_lost(whole, since_ms)


async def test_noise_costs_groups_and_never_gives_a_wrong_value(tmp_path: Path) -> None:
    """Of a noisy line only what was really sent is verified; good groups of bad frames are kept, the rest counted."""
    async with Whole(tmp_path) as whole:
        since_ms = await whole.begin()
        await whole.bench.ask("linky", noise=0.004)
        noisy_ms = boot_ms()
        await asyncio.sleep(8)
        counters = meter(await whole.status(), LINKY)["counters"]
        await whole.bench.ask("linky", noise=0.0)
        quiet_ms = boot_ms()
        assert counters["groups_checksum"] + counters["groups_control_character"] > 0
        assert counters["characters_damaged"] > 0
        assert counters["groups_valid"] > 0
        await nothing_lost(whole, since_ms)
        # Every frame of that time is damaged somewhere: what arrived of them are the good groups of bad frames.
        arrived = verified(whole.centre, whole.gateway)
        kept = [ms for ms, _ in arrived[f"{LINKY}.sinsts"] if noisy_ms + 1_500 < ms < quiet_ms]
        assert len(kept) >= 2


async def test_a_dead_unit_leaves_the_others_their_pace(tmp_path: Path) -> None:
    """A silent unit is said with its address; on the same bus the others miss no period, and it resumes."""
    async with Whole(tmp_path) as whole:
        # A dead unit costs its bus one time-out each time that it is asked.
        whole.change_site('kind = "tcp"\n', 'kind = "tcp"\ntimeout_s = 0.2\n')
        since_ms = await whole.begin()
        await whole.bench.ask("unit", unit=2, silent=True)
        silent_ms = boot_ms()
        said = await whole.until(
            lambda s: meter(s, ELECTRICITY)["state"] if meter(s, ELECTRICITY)["failed"] else None, "the unit's failure"
        )
        assert "unit 2" in said
        await asyncio.sleep(4)
        until_ms = boot_ms()
        await whole.bench.ask("unit", unit=2, silent=False)
        spoke_ms = boot_ms()
        await whole.until(
            lambda s: read_since(s, (ELECTRICITY,), spoke_ms) and not meter(s, ELECTRICITY)["failed"], "the unit again"
        )
        await nothing_lost(whole, since_ms)
        arrived = verified(whole.centre, whole.gateway)
        for channel in (f"{BMS}.heat_pump_1_power", f"{HEAT}.power"):
            ticks = sorted(ms for ms, _ in arrived[channel] if silent_ms < ms < until_ms)
            periods = {ms // 500 for ms in ticks}
            assert len(ticks) == len(periods)
            assert len(periods) >= (until_ms - silent_ms) // 500 - 2
