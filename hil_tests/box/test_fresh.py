"""A box on its first day, with nothing but the package: it says what it waits for, or what is wrong, and is quiet."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.box.container import HOME, Box
from hil_tests.box.packages import Packages
from hil_tests.box.rootfs import INSTALLER
from hil_tests.box.visitor import Visitor

SITE = "/etc/gateway/site.toml"


@pytest.fixture(scope="module", name="box")
def box_fixture(
    base: Path, packages: Packages, network: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Box]:
    """Give a clean box on which the package was installed, and nothing else done."""
    assert network is None
    with Box(base, tmp_path_factory.mktemp("fresh") / "box", {HOME: packages.ours.parent}) as box:
        box.run(f"sudo apt-get install --quiet ./{packages.ours.name}", user=INSTALLER)
        yield box


def test_a_fresh_installation_waits_and_says_for_what(box: Box) -> None:
    """With the example as its site file the agent is up, was started once, and names each key that is missing."""
    up = box.until_active("gateway")
    assert up["SubState"] == "running"
    assert up["StatusText"].startswith("waits: ")
    said = box.run("sudo gateway status", user=INSTALLER, status=None)
    for name in ("signing.key", "centre.toml", "ca.pem", "gateway.pem", "gateway.key"):
        assert f"/etc/gateway/keys/{name}: " in said
    assert box.run("gateway config check /etc/gateway/site.toml")
    assert box.unit("gateway")["NRestarts"] == "0"


def test_it_waits_on(box: Box) -> None:
    """Waiting is no failure: the process that waits now is the one that was started, however often it looked."""
    first = box.unit("gateway")
    box.until(lambda: "looks" if box.run("journalctl --unit gateway --grep 'waiting for keys'") else None, "its word")
    assert box.unit("gateway")["MainPID"] == first["MainPID"]


@pytest.mark.parametrize(
    ("unit", "limit"), [("gateway.service", 1.5), ("gateway-web.service", 0.5), ("gateway-door.service", 1.2)]
)
def test_what_is_exposed_of_it_is_below_the_limit(box: Box, unit: str, limit: float) -> None:
    """S21: `systemd-analyze security` of a unit as it is installed is at its limit at most."""
    # The option is ten times the limit; above it, the command fails.
    said = box.run(f"systemd-analyze security --offline=yes --threshold={limit * 10:.0f} /lib/systemd/system/{unit}")
    assert f"Overall exposure level for {unit}" in said


@pytest.mark.parametrize("unit", ["gateway.service", "gateway-web.service", "gateway-web.socket"])
def test_the_units_are_understood_whole(box: Box, unit: str) -> None:
    """`systemd-analyze verify` has nothing to say of our units: no key that this systemd does not know."""
    assert box.run(f"systemd-analyze verify --man=no {unit}").strip() == ""


def test_only_the_listed_port_is_open(box: Box) -> None:
    """S12: nothing of the box can be reached from its network but what the guide lists, 443."""
    said = box.run("ss --no-header --listening --tcp --udp --numeric").splitlines()
    assert [(line.split()[0], line.split()[4].rpartition(":")[2]) for line in said] == [("tcp", "443")]


def test_the_page_knows_no_password_yet(box: Box) -> None:
    """S1: whoever looks at a new box is asked for its one-time code; there is none until it is made."""
    visitor = Visitor("https://127.0.0.1")
    status, seen = visitor.look("/")
    assert (status, 'name="code"' in seen) == (200, True)
    chosen = "a password of my own"
    for code in ("", "AAAAA-AAAAA", "00000-00000"):
        status, _ = visitor.fill_in("/first-use", "/first-use", code=code, new=chosen, again=chosen)
        assert status == 403
    assert box.unit("gateway-web")["NRestarts"] == "0"


def test_folders_and_keys_are_closed_to_others(box: Box) -> None:
    """The site is root's and readable by the agent, keys and state are the agent's own, and nobody else looks in."""
    for path, owner, mode in (
        ("/etc/gateway", "root:gateway", "750"),
        ("/etc/gateway/keys", "gateway:gateway", "750"),
        (SITE, "root:gateway", "640"),
        ("/var/lib/gateway", "gateway:gateway", "750"),
        ("/var/lib/gateway-web", "gateway-web:gateway-web", "700"),
        ("/var/lib/gateway-web/page.pem", "gateway-web:gateway-web", "600"),
        ("/run/gateway", "gateway:gateway", "750"),
        ("/run/gateway/control.sock", "gateway:gateway", "660"),
    ):
        assert box.run(f"stat --format='%U:%G %a' {path}").split() == [owner, mode], path


def test_a_mistake_in_the_site_file_is_told_and_nothing_is_tried_again(box: Box) -> None:
    """The agent ends with 5, systemd leaves it, and `systemctl status` shows each mistake with its line."""
    box.run(f"cp -p {SITE} /root/site.toml")
    box.run(f"sed -i -e 's/^weight = 10$/weight = 0/' -e 's/^unit = 3$/unit = 300/' {SITE}")
    box.run("systemctl restart gateway", status=None)
    box.until(lambda: box.unit("gateway")["ActiveState"] == "failed", "the end of the agent")
    ended = box.unit("gateway")
    assert (ended["ExecMainStatus"], ended["NRestarts"], ended["Result"]) == ("5", "0", "exit-code")
    said = box.run("systemctl status --no-pager --full gateway", status=3)
    assert re.search(rf"{SITE}:\d+: pulse\[1\]\.weight: .*; ", said)
    assert re.search(rf"{SITE}:\d+: modbus\[2\]\.unit: .*; ", said)
    assert "Traceback" not in said
    box.run(f"cp -p /root/site.toml {SITE} && systemctl restart gateway")
    box.until_active("gateway")
