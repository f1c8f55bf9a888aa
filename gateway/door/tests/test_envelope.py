"""A file as it leaves: `openssl cms`, which knows nothing of ours, opens it; nothing else does."""

import datetime as dt
import random
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from gateway.door.envelope import Sealer
from gateway.door.errors import DoorError
from gateway.door.tests.files import NOW, made, recipient, sealer

OPENSSL = shutil.which("openssl") or "openssl"


def opened(folder: Path, file: Path, signer: Path) -> subprocess.CompletedProcess[bytes]:
    """Decrypt and verify with openssl, as the guide tells the recipient."""
    decrypted = folder / "decrypted.p7m"
    first = subprocess.run(  # noqa: S603 - fixed arguments
        [
            *(OPENSSL, "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(file)),
            *("-inkey", str(folder / "recipient.key"), "-recip", str(folder / "recipient.pem"), "-out", str(decrypted)),
        ],
        capture_output=True,
        check=False,
    )
    if first.returncode:
        return first
    return subprocess.run(  # noqa: S603 - fixed arguments
        [OPENSSL, "cms", "-verify", "-binary", "-inform", "DER", "-in", str(decrypted), "-CAfile", str(signer)],
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    "content", [b"time;channel\r\n1;\xc3\xa9t\xc3\xa9\n", b"", random.Random(1).randbytes(200_000)]
)
def test_openssl_opens_it(tmp_path: Path, content: bytes) -> None:
    """Every byte comes back, line ends included, and the signer is the one whose certificate was handed over."""
    file = tmp_path / "day.csv.p7m"
    file.write_bytes(sealer(tmp_path).seal(content))
    result = opened(tmp_path, file, tmp_path / "door_sign.pem")
    assert (result.returncode, result.stdout) == (0, content), result.stderr
    if content:
        assert content not in file.read_bytes()


def test_another_signer_is_told(tmp_path: Path) -> None:
    """A file that somebody else signed for the same recipient does not pass for ours."""
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    other.mkdir()
    sealer(ours)
    made(other)
    shutil.copy(ours / "recipient.pem", other / "recipient.pem")
    file = tmp_path / "day.csv.p7m"
    file.write_bytes(sealer(other).seal(b"forged"))
    result = opened(ours, file, ours / "door_sign.pem")
    assert result.returncode != 0
    assert opened(ours, file, other / "door_sign.pem").returncode == 0


def test_an_altered_file_is_told(tmp_path: Path) -> None:
    """A changed byte is found, wherever it stands in the content."""
    sealed = bytearray(sealer(tmp_path).seal(b"x" * 10_000))
    sealed[len(sealed) // 2] ^= 1
    file = tmp_path / "day.csv.p7m"
    file.write_bytes(sealed)
    assert opened(tmp_path, file, tmp_path / "door_sign.pem").returncode != 0


def test_keys_are_made_once_and_closed(tmp_path: Path) -> None:
    """Private halves are their owner's alone; asked again, nothing is made anew and the same is told."""
    first = made(tmp_path)
    assert [path.name for path in first.made] == ["door_ssh.key", "door_sign.key", "door_sign.pem"]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in first.made}
    assert modes == {"door_ssh.key": 0o600, "door_sign.key": 0o600, "door_sign.pem": 0o644}
    again = made(tmp_path)
    assert (again.ssh_public, again.certificate, again.made) == (first.ssh_public, first.certificate, ())
    assert first.ssh_public.startswith("ssh-ed25519 ")
    assert "PRIVATE" not in first.ssh_public + first.certificate


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """A missing key and a certificate that has ended are two lines of one message, each with what to do."""
    recipient(tmp_path, ends=NOW - dt.timedelta(days=1))
    with pytest.raises(DoorError) as caught:
        Sealer.load(
            key_file=tmp_path / "door_sign.key",
            certificate_file=tmp_path / "door_sign.pem",
            recipient_file=tmp_path / "recipient.pem",
            now=NOW,
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "gateway door keys" in lines[0]
    assert "it ended on 2026-11-25" in lines[2]


@pytest.mark.parametrize(("bits", "text"), [(1024, "1024 bits")])
def test_a_weak_recipient_is_refused(tmp_path: Path, bits: int, text: str) -> None:
    """A key that can be broken protects nobody's consumption."""
    made(tmp_path)
    recipient(tmp_path, bits=bits)
    with pytest.raises(DoorError, match=text):
        sealer(tmp_path)


def test_a_recipient_that_is_none(tmp_path: Path) -> None:
    """A file that is no certificate is told, not trusted."""
    made(tmp_path)
    (tmp_path / "recipient.pem").write_text("hello")
    with pytest.raises(DoorError, match="no PEM certificate"):
        sealer(tmp_path)
    (tmp_path / "recipient.pem").write_bytes((tmp_path / "door_sign.pem").read_bytes())
    with pytest.raises(DoorError, match="not RSA"):
        sealer(tmp_path)


@pytest.mark.parametrize("name", ["door_ssh.key", "door_sign.pem"])
def test_a_key_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """Of three files that are there the one that is wrong is told."""
    made(tmp_path)
    (tmp_path / name).write_bytes("nö key".encode())
    with pytest.raises(DoorError, match=rf"{name}: what is there cannot be read"):
        made(tmp_path)
