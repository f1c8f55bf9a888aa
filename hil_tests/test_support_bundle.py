"""`gateway support-bundle`: it helps, and no key, password or person's number is inside, wherever it was planted."""

import base64
import json
import stat
import tarfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from gateway.cli.bundle import LOG_BYTES
from gateway.cli.mask import masked
from gateway.cli.tests.agents import channel, code_of, serving
from gateway.wire.keys import load_signing_key
from hil_tests.bench.pki import make_site_keys
from hil_tests.bench.site import Wiring, site_text
from hil_tests.bench.whole import QUICK

GATEWAY = "gw-0001"
PRM, ADSC = "19876543210987", "041876543210"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The site file of a gateway with all its keys."""
    keys = make_site_keys(tmp_path / "keys", (GATEWAY,))
    (tmp_path / "state").mkdir()
    wiring = Wiring(tmp_path / "tic", 502, tmp_path / "gas.sock", tmp_path / "water.sock")
    file = tmp_path / "site.toml"
    text = site_text(keys, keys.gateways[GATEWAY], wiring, tempo=QUICK, broker_port=8883, state=tmp_path / "state")
    file.write_text(text.replace("Bench building", f"Bench building, PRM {PRM}"), "utf-8")
    return file


def unpacked(bundle: Path) -> dict[str, str]:
    """Give each member of a bundle as text."""
    with tarfile.open(bundle) as archive:
        found = {}
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            found[member.name.removeprefix("gateway-support/")] = content.read().decode("utf-8")
        return found


def secrets(site: Path) -> set[str]:
    """Give every form in which a key of this site could be written."""
    signing = load_signing_key(site.parent / "keys" / GATEWAY / "signing.key").private
    raw = signing.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    found = {base64.b64encode(raw).decode(), raw.hex()}
    for path in (site.parent / "keys").rglob("*"):
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes():
            lines = path.read_text("ascii").splitlines()
            found |= {line for line in lines if "-----" not in line and ":" not in line}
            key = load_pem_private_key(path.read_bytes(), None)
            found.add(base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode())
    return found


def test_no_key_is_inside_wherever_it_stood(site: Path, tmp_path: Path) -> None:
    """Every private key of the site, printed into the log and into what the agent says, is in no member."""
    pems = [
        path.read_text("ascii")
        for path in (site.parent / "keys").rglob("*")
        if path.is_file() and b"PRIVATE" in path.read_bytes()
    ]
    raw = sorted(secrets(site))
    log = tmp_path / "log.txt"
    log.write_text("\n".join(["INFO begun", *pems, *(f"key {each} end" for each in raw), f"ADSC {ADSC}", "INFO ended"]))
    status = {
        "version": "1",
        "up_ms": 1,
        "missing": [f"meter {ADSC}: {pems[0]}"],
        "channels": [channel("main.texte", f"PRM {PRM}")],
    }
    out = tmp_path / "out.tar.gz"
    with serving(tmp_path / "state" / "control.sock", {"/v1/status": status}):
        assert code_of("support-bundle", out, "--config", site, "--log", log) == 0
    found = unpacked(out)
    assert set(found) == {"README.txt", "status.json", "config.json", "doctor.json", "version.json", "log.txt"}
    for name, text in found.items():
        assert not [secret for secret in (*raw, PRM, ADSC, "PRIVATE KEY") if secret in text], name
    assert "INFO begun" in found["log.txt"]
    assert "INFO ended" in found["log.txt"]
    assert json.loads(found["config.json"])["site"]["broker"]["key_file"].endswith(".key")


def test_a_dead_agent_still_has_a_bundle(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the agent: its silence in the place of its status, the findings, and a file for its owner alone."""
    out = tmp_path / "out.tar.gz"
    assert code_of("support-bundle", out, "--config", site, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["bytes"]) == ("gateway/support-bundle/1", out.stat().st_size)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    found = unpacked(out)
    assert "no agent at" in json.loads(found["status.json"])["error"]
    assert json.loads(found["doctor.json"])["schema"] == "gateway/doctor/1"


def test_a_wrong_site_file_is_told_in_the_bundle(site: Path, tmp_path: Path) -> None:
    """The mistakes are what the reader needs, and the bundle is made all the same."""
    site.write_text(site.read_text("utf-8").replace("[linky", "[lnky"), "utf-8")
    out = tmp_path / "out.tar.gz"
    assert code_of("support-bundle", out, "--config", site, "--socket", tmp_path / "none.sock") == 0
    assert "lnky" in json.loads(unpacked(out)["config.json"])["site"]["error"]


def test_a_log_that_provokes_the_search_is_masked_at_once() -> None:
    """The longest log of lines that each might begin a key costs no more than another: the pattern is bounded."""
    log = "A1b\n" * (LOG_BYTES // 4)
    assert masked(log) == log


def test_nothing_is_overwritten(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there stays as it is, and the exit code says refused."""
    out = tmp_path / "out.tar.gz"
    out.write_text("mine")
    assert code_of("support-bundle", out, "--config", site) == 7
    assert out.read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_of_a_long_log_the_end_is_taken(site: Path, tmp_path: Path) -> None:
    """A log of megabytes gives its last whole lines."""
    log = tmp_path / "log.txt"
    log.write_text("".join(f"line {number}\n" for number in range(200_000)))
    out = tmp_path / "out.tar.gz"
    assert code_of("support-bundle", out, "--config", site, "--log", log) == 0
    lines = unpacked(out)["log.txt"].splitlines()
    assert lines[-1] == "line 199999"
    assert 10_000 < len(lines) < 100_000
    assert lines[0].startswith("line ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password = hunter2 end", "password = <masked> end"),
        ("mqtts://user:hunter2@broker", "mqtts://user:<masked>@broker"),
        (f"meter {ADSC}.", "meter <masked: number>."),
        ("utc 1700000000000 ms, boot 1234567", "utc 1700000000000 ms, boot 1234567"),
        (
            "cut off\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\nnext",
            "cut off\n<masked: PEM>\nnext",
        ),
        ("/etc/gateway/lyon7/keys/broker/certificate/authority1", None),
        ("/dev/serial/by-id/usb-GCE_Electronics_TIC_to_USB-if00-port0", None),
    ],
)
def test_what_is_masked_and_what_is_not(text: str, shown: str | None) -> None:
    """Secrets and personal numbers are masked; times, counters and paths are left as they are."""
    assert masked(text) == (text if shown is None else shown)
