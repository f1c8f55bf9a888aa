"""`gateway passwd`: a code that works, where to type it, and how to know the page; nothing of root's is left behind."""

import hashlib
import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.tests.agents import code_of
from gateway.web.store import Store

NOBODY = 65_534


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder that other users reach, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_code_is_shown_with_what_is_needed_to_use_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the page served last, and the fingerprint that a browser shows, made now if there was none."""
    store = Store(tmp_path)
    store.set_addresses(["https://192.0.2.7/", "https://box.local/"])
    assert code_of("passwd", "--state", tmp_path) == 0
    told = capsys.readouterr().out
    shown = re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", told)
    assert shown is not None
    assert store.fits(shown[0])
    assert "https://192.0.2.7/first-use" in told
    assert "https://box.local/first-use" in told
    store.close()
    pem = (tmp_path / "page.pem").read_text("ascii")
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE") :])
    assert code_of("passwd", "--state", tmp_path, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer.keys() == {"schema", "code", "until", "addresses", "fingerprint"}
    assert answer["schema"] == "gateway/passwd/1"
    assert answer["fingerprint"] == hashlib.sha256(der).digest().hex(":").upper()
    assert answer["fingerprint"][:47] in told


def test_a_page_that_never_ran_is_named_by_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is made, the code is kept, and works when the page starts."""
    assert code_of("passwd", "--state", tmp_path / "new") == 0
    assert ".local/first-use" in capsys.readouterr().out
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_page_that_knows_only_its_name_is_named_by_address_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under its unit the page sees no network; who asks on the machine is told what a phone without mDNS can open."""
    monkeypatch.setattr("gateway.web.certificate.own_addresses", lambda: ["192.0.2.7", "2001:db8::7"])
    by_name = f"https://{socket.gethostname()}.local:444/"
    store = Store(tmp_path)
    store.set_addresses([by_name])
    store.close()
    assert code_of("passwd", "--state", tmp_path, "--json") == 0
    told = json.loads(capsys.readouterr().out)["addresses"]
    assert told == ["https://192.0.2.7:444/", "https://[2001:db8::7]:444/", by_name]


def test_a_folder_that_cannot_be_is_exit_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do, and no code."""
    (tmp_path / "file").write_text("")
    assert code_of("passwd", "--state", tmp_path / "file") == 5
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--state" in captured.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_what_root_makes_is_the_pages_and_no_link_is_followed(everybodys: Path) -> None:
    """In a folder of the page's user everything is that user's; a link to what only root may write stays one."""
    folder, precious = everybodys / "state", everybodys / "precious"
    folder.mkdir()
    precious.write_text("root's")
    precious.chmod(0o600)
    (folder / "page.pem").write_text(f"-----BEGIN CERTIFICATE-----\nAAAA\n{ssl.PEM_FOOTER}\n")
    for each in (folder, folder / "page.pem"):
        os.chown(each, NOBODY, NOBODY)
    command = [sys.executable, "-m", "gateway", "passwd", "--state", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert {each.name: each.stat().st_uid for each in folder.iterdir()} == {"page.db": NOBODY, "page.pem": NOBODY}
    (folder / "page.db").unlink()
    (folder / "page.db").symlink_to(precious)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    assert done.returncode == 5
    assert (precious.read_text(), precious.stat().st_uid) == ("root's", 0)
