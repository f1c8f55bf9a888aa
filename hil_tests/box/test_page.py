"""The page of an installed box: reached at 443 alone, by who has the code; shut off from everything but the agent."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hil_tests.box.container import Box
from hil_tests.box.guide import GUIDE
from hil_tests.box.installed import GATEWAY, Installed, installed
from hil_tests.box.packages import Packages
from hil_tests.box.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "192.168.7.7"
ADDRESS = f"https://{HOST}"
ON_A_LAN = f"ip address add {HOST}/32 dev lo && ip route add default dev lo src {HOST}"
"""The box gets an address of its own, as in a building; its route leads nowhere but here."""

PASSWORD = "trois vaches rousses"  # noqa: S105 - of a box that ends with the test


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="here")
async def here_fixture(
    base: Path, packages: Packages, network: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installed]:
    """Give a box that was set up by the guide, its one-time code not yet used."""
    assert network is None
    async with installed(base, tmp_path_factory.mktemp("paged") / "building", packages.ours) as box:
        box.box.run(ON_A_LAN)
        await box.set_up()
        await box.in_service()
        yield box


@pytest.fixture(scope="module", name="manager")
def manager_fixture() -> Visitor:
    """Give the building's manager; the first test lets them in."""
    return Visitor(ADDRESS)


def inside(box: Box, command: str) -> str:
    """Run a command where the page's process is: its user, groups, mounts and network; give what it says."""
    pid = box.unit("gateway-web")["MainPID"]
    user, groups = "$(id -u gateway-web)", "$(getent group gateway gateway-act | cut -d: -f3 | paste -sd,)"
    confined = f"setpriv --reuid={user} --regid=$(id -g gateway-web) --groups={groups} --bounding-set=-all"
    return box.run(f"nsenter --target {pid} --mount --net {confined} {command}", status=None)


async def test_nobody_is_served_by_a_page_that_nobody_looks_at(here: Installed) -> None:
    """The port is held by systemd; the page's process is started by the first who looks."""
    assert here.box.unit("gateway-web.socket")["ActiveState"] == "active"
    assert here.box.unit("gateway-web")["ActiveState"] == "inactive"


async def test_the_code_of_the_box_lets_its_manager_in(here: Installed, manager: Visitor) -> None:
    """The guide's last command shows code and fingerprint; with them a password is chosen, and the building is seen."""
    said = here.typed["sudo gateway passwd"]
    code = re.search(r"\b[A-Z0-9]{5}-[A-Z0-9]{5}\b", said)
    assert code is not None
    assert f"{ADDRESS}/first-use" in said
    _, before = await asyncio.to_thread(manager.look, "/")
    assert GATEWAY not in before
    shown = ":".join(re.findall(r"[0-9A-F]{2}(?::[0-9A-F]{2}){15}", said))
    assert await asyncio.to_thread(manager.fingerprint) == shown
    status, seen = await asyncio.to_thread(
        lambda: manager.fill_in("/first-use", "/first-use", code=code[0], new=PASSWORD, again=PASSWORD)
    )
    assert status == 200
    assert GATEWAY in seen
    assert here.box.unit("gateway-web")["NRestarts"] == "0"


async def test_who_has_only_the_password_logs_in(here: Installed) -> None:
    """A second visitor comes in by the password, and by nothing else."""
    assert here.typed
    other = Visitor(ADDRESS)
    status, _ = await asyncio.to_thread(lambda: other.fill_in("/login", "/login", password=PASSWORD[:-1]))
    assert status == 403
    status, seen = await asyncio.to_thread(lambda: other.fill_in("/login", "/login", password=PASSWORD))
    assert (status, GATEWAY in seen) == (200, True)


async def test_an_opt_out_on_the_page_reaches_the_agent(here: Installed, manager: Visitor) -> None:
    """The page may act, as the site file says of its group: the centre's order is refused from then on."""
    whole = here.whole
    await whole.until(lambda s: s["clock"]["trusted"] and s["shedding"]["admits"], "a heartbeat and the time")
    status, seen = await asyncio.to_thread(
        lambda: manager.fill_in("/", "/opt-out", target="building", reason="fete", duration_s="3600")
    )
    assert (status, "fete" in seen) == (200, True)
    command = await whole.centre.shed(GATEWAY, 40, 60)
    answered = (await whole.centre.answered(command, "rejected", 20)).answer
    assert answered.reason == "local_override"
    assert here.box.run("runuser -u gateway-web -- id -nG").split() == ["gateway-web"]


async def test_the_page_is_nobody_with_nothing(here: Installed) -> None:
    """Its process has its own user, two groups, no capability, and a filter of system calls."""
    box = here.box
    status = box.run(f"cat /proc/{box.unit('gateway-web')['MainPID']}/status")
    user = box.run("id -u gateway-web").strip()
    groups = set(box.run("getent group gateway-web gateway gateway-act | cut -d: -f3").split())
    assert re.search(rf"^Uid:\t{user}\t{user}\t{user}\t{user}$", status, re.MULTILINE)
    assert set(re.findall(r"\d+", re.findall(r"^Groups:\t(.*)$", status, re.MULTILINE)[0])) <= groups
    assert set(re.findall(r"^Cap(?:Eff|Prm|Bnd|Amb):\t0*([0-9a-f]+)$", status, re.MULTILINE)) == {"0"}
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)


async def test_the_page_reads_no_site_no_key_and_no_reading(here: Installed) -> None:
    """Though it is in the agent's group, the agent's folders are shut before it; root's are as to anybody."""
    for path in (
        "/etc/gateway/site.toml",
        "/etc/gateway/keys/signing.key",
        "/var/lib/gateway/outbox.db",
        "/etc/shadow",
    ):
        assert "Permission denied" in inside(here.box, f"cat {path}"), path
    assert "Read-only file system" in inside(here.box, "touch /srv/planted")
    # That this way of looking sees what the page may see.
    assert "page.db" in inside(here.box, "ls /var/lib/gateway-web")


async def test_the_page_has_no_network(here: Installed) -> None:
    """Beside the socket that it was given it reaches nobody: not the broker, not the building's controllers."""
    tried = f"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {here.whole.broker.port}), 2)'"
    assert "Error" in inside(here.box, tried)
    assert here.box.run(tried) == ""
    links = inside(here.box, "ip -oneline link").splitlines()
    assert [line.split()[1] for line in links] == ["lo:"]


async def test_only_the_listed_port_is_open(here: Installed) -> None:
    """S12: of all that listens in this network, what is not the bench's is 443, and no port is open for datagrams."""
    bench = {here.whole.broker.port, here.whole.wiring.modbus_port}
    said = here.box.run("ss --no-header --listening --tcp --udp --numeric")
    ports = {int(line.split()[4].rpartition(":")[2]) for line in said.splitlines()}
    assert ports - bench == {443}
    assert not [line for line in said.splitlines() if line.startswith("udp")]


async def test_a_page_that_dies_is_started_again_and_knows_its_visitors(here: Installed, manager: Visitor) -> None:
    """SIGKILL ends no session: whoever was logged in still is."""
    pid = here.box.unit("gateway-web")["MainPID"]
    here.box.run(f"kill -KILL {pid}")
    await asyncio.to_thread(here.box.until_active, "gateway-web", 1)
    status, seen = await asyncio.to_thread(manager.look, "/")
    assert (status, GATEWAY in seen) == (200, True)


async def test_with_the_agent_dead_the_page_says_so(here: Installed, manager: Visitor) -> None:
    """The page serves on without an agent, also when it is started then, and is as before once there is one again."""
    box = here.box
    box.run("systemctl stop gateway gateway-web.service")
    status, seen = await asyncio.to_thread(manager.look, "/")
    assert status == 200
    assert "The gateway does not answer." in seen
    box.run("systemctl start gateway")
    await here.in_service()

    def speaks() -> bool:
        return "The gateway does not answer." not in manager.look("/")[1]

    await asyncio.to_thread(box.until, speaks, "a page that sees its agent again")


async def test_who_wants_no_page_closes_it(here: Installed) -> None:
    """The guide's command for that takes socket and process away, and the agent goes on."""
    (command,) = re.findall(r"`(sudo systemctl disable [^`]*)`", GUIDE.read_text("utf-8"))
    await here.type(command)
    said = here.box.run("ss --no-header --listening --tcp --numeric")
    assert ":443 " not in said
    assert here.box.unit("gateway-web")["ActiveState"] == "inactive"
    assert here.box.unit("gateway")["ActiveState"] == "active"
