"""From the package to verified readings by the guide alone; then what may happen to a box in service."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hil_tests.bench.site import LINKY
from hil_tests.bench.whole import Whole
from hil_tests.books import POLL_MS
from hil_tests.box.guide import commands
from hil_tests.box.installed import GATEWAY, Installed, installed
from hil_tests.box.packages import NEXT, VERSION, Packages
from hil_tests.demo.verdict import Span

pytestmark = pytest.mark.asyncio(loop_scope="module")

OURS = ("gateway", "gateway-web")
"""Users, and groups of the same name, that the package makes and that own something."""

WATCHDOG_DROP_IN = """
mkdir -p /run/systemd/system/gateway.service.d
printf '[Service]\\nWatchdogSec=3\\nTimeoutAbortSec=1\\n' >/run/systemd/system/gateway.service.d/hurry.conf
systemctl daemon-reload && systemctl restart gateway
"""
"""Two minutes and a half are long for a test; what feeds the watchdog is the same."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="here")
async def here_fixture(
    base: Path, packages: Packages, network: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installed]:
    """Give a box that was set up by the guide."""
    assert network is None
    async with installed(base, tmp_path_factory.mktemp("installed") / "building", packages.ours) as box:
        await box.set_up()
        yield box


async def committed_ms(whole: Whole) -> int:
    """Give until when readings are on the disk."""
    return int(await whole.until(lambda s: s["outbox"]["last_commit_ms"], "a commit"))


async def test_fewer_than_ten_commands_from_the_package_to_verified_readings(here: Installed) -> None:
    """The guide's commands and no others: every meter is read, and the centre verifies what was on the wires."""
    assert list(here.typed) == list(commands())
    assert len(commands()) < 10
    await here.nothing_lost(await here.in_service())


async def test_the_box_says_by_itself_how_it_is(here: Installed) -> None:
    """Once all is read, the status tells who it is and that it is connected, and the doctor finds nothing."""
    said = await here.type("sudo gateway status")
    assert GATEWAY in said
    assert VERSION in said
    assert "connected" in said
    # It ends with another status where anything that it looks at has failed: keys, folders, meters, link.
    assert "failed" not in await here.type("sudo gateway doctor")


async def test_the_agent_works_confined(here: Installed) -> None:
    """The agent has no capability, no way to more rights, a filter of system calls, and writes only its folders."""
    pid = here.whole.agent.pid
    status = here.box.run(f"cat /proc/{pid}/status")
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
    assert set(re.findall(r"^Cap(?:Eff|Prm|Bnd|Amb):\t0*([0-9a-f]+)$", status, re.MULTILINE)) == {"0"}
    gateway = here.box.run("id -u gateway").strip()
    assert re.search(rf"^Uid:\t{gateway}\t{gateway}\t{gateway}\t{gateway}$", status, re.MULTILINE)
    for folder in ("/usr", "/etc/gateway", "/srv", "/var/lib"):
        said = here.box.run(f"nsenter --target {pid} --mount touch {folder}/planted", status=1)
        assert "Read-only file system" in said
    here.box.run(f"nsenter --target {pid} --mount touch /etc/gateway/keys/renewed && rm /etc/gateway/keys/renewed")
    assert here.box.unit("gateway")["MemoryDenyWriteExecute"] == "yes"


async def test_an_adapter_may_be_plugged_in_later(here: Installed) -> None:
    """The unit lets USB serial adapters in by number: a driver that the kernel loads later is no stranger to it."""
    box = here.box
    said = box.run("systemctl show --property=DeviceAllow gateway").split("DeviceAllow=")[1:]
    allowed = "".join(f' --property="DeviceAllow={each.strip()}"' for each in said)
    box.run("mknod /dev/ttyUSB0 c 188 0 && mknod /dev/ttyACM0 c 166 0 && mknod /dev/core c 1 1")
    for device, refusal in (
        ("ttyUSB0", "No such device"),  # nothing is plugged in behind these: the kernel was asked
        ("ttyACM0", "No such device"),
        ("core", "Operation not permitted"),  # the memory of the machine: the kernel was not asked
    ):
        tried = f"systemd-run --quiet --pipe --wait --property=DevicePolicy=closed {allowed} head -c1 /dev/{device}"
        assert refusal in box.run(tried, status=1)


async def test_a_signed_shed_is_carried_out(here: Installed) -> None:
    """Under its unit the agent obeys the centre: loads go down, the meter shows it, and they come back."""
    whole = here.whole
    await whole.until(lambda s: s["clock"]["trusted"] and s["shedding"]["admits"], "a heartbeat and the time")
    await whole.until(lambda s: any(c["name"] == f"{LINKY}.sinsts" for c in s["channels"]), "the power")
    before = await whole.loads()
    command = await whole.centre.shed(GATEWAY, 40, 6)
    await whole.centre.answered(command, "started", 20)
    assert await whole.loads() != before
    await whole.centre.answered(command, "completed", 30)
    told = [received.answer.state for received in whole.centre.answers(command)]
    assert told == ["received", "accepted", "started", "effective", "releasing", "completed"]
    assert await whole.loads() == before


async def test_killed_it_is_started_again_and_what_was_committed_arrives(here: Installed) -> None:
    """SIGKILL costs what was not on the disk yet, and nothing else: systemd starts the agent again within seconds."""
    whole = here.whole
    since_ms = await here.in_service()
    committed = await committed_ms(whole)
    first = whole.agent.pid
    here.box.run(f"kill -KILL {first}")
    await asyncio.to_thread(here.box.until_active, "gateway", 1)
    assert whole.agent.pid != first
    again_ms = await here.in_service()
    await here.nothing_lost(since_ms, Span(committed - POLL_MS, again_ms))


async def test_an_agent_that_hangs_is_killed_and_started_again(here: Installed) -> None:
    """One that is stopped feeds no watchdog: systemd ends it, the next one reads, and what was committed arrives."""
    whole = here.whole
    here.box.run(WATCHDOG_DROP_IN)
    since_ms = await here.in_service()
    committed = await committed_ms(whole)
    here.box.run(f"kill -STOP {whole.agent.pid}")
    await asyncio.to_thread(here.box.until_active, "gateway", 1)
    again_ms = await here.in_service()
    assert "Watchdog timeout" in here.box.run("journalctl --unit gateway")
    await here.nothing_lost(since_ms, Span(committed - POLL_MS, again_ms))
    here.box.run("rm -r /run/systemd/system/gateway.service.d && systemctl daemon-reload && systemctl restart gateway")


async def test_an_upgrade_keeps_site_keys_and_readings(here: Installed, packages: Packages) -> None:
    """The later package starts the agent again, with the same site and keys; what was kept before still arrives."""
    whole = here.whole
    since_ms = await here.in_service()
    committed = await committed_ms(whole)
    first, kept = whole.agent.pid, here.box.run(FINGERPRINTS)
    (whole.folder / "handed" / packages.later.name).write_bytes(packages.later.read_bytes())
    await here.type(f"sudo apt-get install --quiet ./{packages.later.name}")
    again_ms = await here.in_service()
    status = await whole.status()
    assert here.box.run("dpkg-query --show --showformat='${Version}' building-gateway") == NEXT
    assert whole.agent.pid != first
    assert here.box.run(FINGERPRINTS) == kept
    assert status["outbox"]["readings_stored"] > 0
    await here.nothing_lost(since_ms, Span(committed - POLL_MS, again_ms))


async def test_removed_it_keeps_everything_and_purged_nothing(here: Installed) -> None:
    """Without the package its site, keys and readings are there; purged, no file, unit or process of it is left."""
    box = here.box
    kept = box.run(FINGERPRINTS)
    await here.type("sudo apt-get remove --yes --quiet building-gateway")
    assert box.run(FINGERPRINTS) == kept
    assert "outbox.db" in box.run("ls /var/lib/gateway").split()
    await here.type("sudo apt-get purge --yes --quiet building-gateway")
    users = " -o ".join(f"-user {user} -o -group {user}" for user in OURS)
    assert box.run(f"find / /run /dev -xdev \\( -name '*building-gateway*' -o {users} \\) -print").split() == []
    assert box.run(f"find /proc -mindepth 1 -maxdepth 1 \\( {users} \\) -print").split() == []
    for listed in ("list-units", "list-unit-files"):
        assert box.run(f"systemctl {listed} --all --no-legend --plain 'gateway*'", status=None).split() == []
    gone = ("/etc/gateway", "/var/lib/gateway", "/var/lib/gateway-web", "/run/gateway", "/usr/bin/gateway")
    assert box.run(f"find {' '.join(gone)}", status=1).count("No such file") == len(gone)


FINGERPRINTS = """
find /etc/gateway /var/lib/gateway-web/page.pem -exec stat --format '%n %U:%G %a' {} + | sort
find /etc/gateway /var/lib/gateway-web/page.pem -type f -exec sha256sum {} + | sort
"""
"""Whose the site, the keys and the page's certificate are, and what is in them."""
