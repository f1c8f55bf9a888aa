"""Keys in files: private ones stay private, and a file of trusted keys is right or refused with every mistake."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.wire import cose, keys
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import (
    KeySet,
    TrustedKey,
    load_signing_key,
    make_signing_key,
    parse_public,
    public_text,
)
from gateway.wire.tests.building import KEY, OTHER_KEY, header

GOOD = f"""
version = 1
[[key]]
id = "centre-2026"
issuer = "centre"
epoch = "0011223344556677"
roles = ["receipt", "dispatch"]
public = "{public_text(KEY)}"
[[key]]
id = "config-1"
issuer = "installer"
epoch = "0000000000000000"
roles = ["config"]
public = "{public_text(OTHER_KEY)}"
"""


def test_a_signing_key_comes_back_from_its_file_with_its_id(tmp_path: Path) -> None:
    """What was made signs as what is loaded."""
    made = make_signing_key(tmp_path / "key.pem", "gw-00001")
    loaded = load_signing_key(tmp_path / "key.pem")
    assert loaded.key_id == made.key_id == b"gw-00001"
    message = cose.sign(header(), b"payload", loaded.private)
    assert cose.verify(message, {made.key_id: made.private.public_key()}).payload == b"payload"


def test_a_new_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """The file is made with mode 0600, not changed to it afterwards."""
    make_signing_key(tmp_path / "key.pem", "gw-00001")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("where", "found", "is_taken"),
    [
        (".", (0o440, 0, 0), True),
        (".", (0o444, 0, 0), False),
        (".", (0o460, 0, 0), False),
        (".", (0o440, 1000, 0), False),
        (".", (0o440, 0, 1000), False),
        ("elsewhere", (0o440, 0, 0), False),
        ("", (0o440, 0, 0), False),
    ],
)
def test_a_credential_of_systemd_is_taken_as_systemd_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, found: tuple[int, int, int], *, is_taken: bool
) -> None:
    """Root's, 0440, in the folder of this service's credentials: anything else is a key that others may read."""
    path = tmp_path / "signing.key"
    mode, owner, group = found
    make_signing_key(path, "gw-00001")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / where) if where else "")
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, group, 1, 0, 0, 0)))
    monkeypatch.setattr(Path, "open", lambda path, _mode: os.fdopen(os.open(path, os.O_RDONLY), "rb", buffering=0))
    if is_taken:
        assert load_signing_key(path).key_id == b"gw-00001"
    else:
        with pytest.raises(KeyFileError, match="others may read"):
            load_signing_key(path)


def test_a_credential_is_known_from_outside_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks what is wrong has no variable that names the folder: it is known by where systemd puts them."""
    path = tmp_path / "gateway.service" / "signing.key"
    path.parent.mkdir()
    make_signing_key(path, "gw-00001")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((stat.S_IFREG | 0o440, 1, 1, 1, 0, 0, 1, 0, 0, 0)))
    monkeypatch.setattr(Path, "open", lambda path, _mode: os.fdopen(os.open(path, os.O_RDONLY), "rb", buffering=0))
    with pytest.raises(KeyFileError, match="others may read"):
        load_signing_key(path)
    monkeypatch.setattr(keys, "_CREDENTIALS", tmp_path)
    assert load_signing_key(path).key_id == b"gw-00001"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    """The message names the file and says what to do."""
    path = tmp_path / "key.pem"
    make_signing_key(path, "gw-00001")
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        load_signing_key(path)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """Making a key where one is raises and leaves the old one."""
    path = tmp_path / "key.pem"
    make_signing_key(path, "gw-00001")
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="cannot be written"):
        make_signing_key(path, "gw-00002")
    assert path.read_bytes() == before


def test_a_private_key_never_shows(tmp_path: Path) -> None:
    """Neither repr nor str of a signing key holds anything of the key."""
    made = make_signing_key(tmp_path / "key.pem", "gw-00001")
    raw = made.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    for text in (repr(made), str(made), f"{made}"):
        assert text == "SigningKey(b'gw-00001')"
        assert raw.hex() not in text


def _pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_pem(KEY), "key-id"),
        (b"key-id: a b\n" + _pem(KEY), "key-id"),
        (b"key-id: gw-1\n", "no unencrypted PEM"),
        (b"key-id: gw-1\n" + _pem(KEY)[:60], "no unencrypted PEM"),
        (b"key-id: gw-1\n" + _pem(X25519PrivateKey.generate()), "not Ed25519"),
    ],
)
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """A missing id, a damaged or another kind of key: each is told."""
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=message):
        load_signing_key(path)


def test_a_missing_key_is_told(tmp_path: Path) -> None:
    """The message names the path."""
    with pytest.raises(KeyFileError, match=r"missing\.pem"):
        load_signing_key(tmp_path / "missing.pem")
    with pytest.raises(KeyFileError, match=r"missing\.toml"):
        KeySet.load(tmp_path / "missing.toml")


@pytest.mark.parametrize("key_id", ["", "a b", "a/b", "é", "x" * 65, "-a"])
def test_an_odd_key_id_is_refused(tmp_path: Path, key_id: str) -> None:
    """A key id can stand in a file name, a topic and a log."""
    with pytest.raises(KeyFileError, match="key id"):
        make_signing_key(tmp_path / "key.pem", key_id)
    assert list(tmp_path.iterdir()) == []


def test_a_public_key_comes_back_from_its_text() -> None:
    """Base64 of the raw bytes, both ways."""
    assert parse_public(public_text(KEY)) == KEY.public_key()
    assert public_text(KEY) == public_text(KEY.public_key())


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", public_text(KEY)[:-4], public_text(KEY) + "AAAA", "é"])
def test_a_text_that_is_no_public_key_is_refused(text: str) -> None:
    """Any other length or alphabet raises."""
    with pytest.raises(KeyFileError):
        parse_public(text)


def test_a_set_gives_the_keys_of_a_role(tmp_path: Path) -> None:
    """Roles choose keys, and the owner of each is known."""
    path = tmp_path / "trusted.toml"
    path.write_text(GOOD)
    keys = KeySet.load(path)
    assert keys.with_role("dispatch") == {b"centre-2026": KEY.public_key()}
    assert keys.with_role("config") == {b"config-1": OTHER_KEY.public_key()}
    assert keys.with_role("gateway") == {}
    assert keys.issuer_of(b"centre-2026") == "centre"
    assert keys.keys[b"centre-2026"].epoch == bytes.fromhex("0011223344556677")
    with pytest.raises(KeyError):
        keys.issuer_of(b"other")


def test_a_set_is_written_as_it_is_read(tmp_path: Path) -> None:
    """`to_toml` and `load` are inverse."""
    path = tmp_path / "trusted.toml"
    path.write_text(GOOD)
    keys = KeySet.load(path)
    path.write_text(keys.to_toml())
    assert KeySet.load(path) == keys
    assert keys.revision == 0


def test_revision_and_revocation_stand_in_the_file(tmp_path: Path) -> None:
    """Both are optional, and come back."""
    path = tmp_path / "trusted.toml"
    path.write_text(GOOD.replace("version = 1", "version = 1\nrevision = 7") + "revoked = true\n")
    keys = KeySet.load(path)
    assert keys.revision == 7
    assert [key.is_revoked for key in keys.keys.values()] == [False, True]
    path.write_text(keys.to_toml())
    assert KeySet.load(path) == keys


def test_two_keys_of_one_id_cannot_be_gathered() -> None:
    """An id names one key."""
    key = TrustedKey(b"a", "centre", bytes(8), frozenset({"receipt"}), KEY.public_key())
    with pytest.raises(KeyFileError, match="same id"):
        KeySet.of([key, key])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version = 1", "version = 2", "`version = 1` is wanted"),
        ("version = 1", "version = 1\nrevision = -1", "revision = -1"),
        ("version = 1", "version = 1\nrevision = true", "revision = True"),
        ("version = 1", 'version = 1\nrevision = "2"', "revision = '2'"),
        ('epoch = "0000000000000000"', 'epoch = "0000000000000000"\nrevoked = 1', "revoked = 1"),
        ("version = 1", 'version = 1\nname = "x"', "unknown key `name`"),
        ('id = "centre-2026"', 'id = "a b"', "id = 'a b'"),
        ('id = "centre-2026"\n', "", "id = None"),
        ('id = "config-1"', 'id = "centre-2026"', "stands there twice"),
        ('issuer = "centre"', "issuer = 3", "issuer = 3"),
        ('"0011223344556677"', '"0011"', "epoch = '0011'"),
        ('"dispatch"', '"king"', "roles = "),
        ('["config"]', "[]", "roles = "),
        ('["config"]', "[[]]", "roles = "),
        ('["config"]', '"config"', "roles = "),
        (public_text(KEY), "AAAA", "3 bytes"),
        ('public = "', 'extra = 1\npublic = "', "unknown key `extra`"),
        ("[[key]]", "[key]", "not TOML|tables"),
        ("version = 1", "version = ", "not TOML"),
        ("version = 1", f"version = {'9' * 5_000}", "not TOML"),
        ("version = 1", f"version = 1\nrevision = 0x{'f' * 5_000}", "revision = a number beyond all bounds"),
    ],
)
def test_every_kind_of_mistake_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each raises and says which key is wrong and what is wanted."""
    path = tmp_path / "trusted.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(KeyFileError, match=message):
        KeySet.load(path)


def test_a_mark_of_byte_order_is_no_mistake(tmp_path: Path) -> None:
    """Editors of some systems put one in front."""
    path = tmp_path / "trusted.toml"
    path.write_text("\N{BYTE ORDER MARK}" + GOOD, "utf-8")
    assert b"centre-2026" in KeySet.load(path).keys


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """One run is enough to mend a file."""
    path = tmp_path / "trusted.toml"
    path.write_text(GOOD.replace('"centre"', '"a b"').replace('["config"]', "[]").replace("= 1", "= 3"))
    with pytest.raises(KeyFileError) as raised:
        KeySet.load(path)
    assert len(str(raised.value).splitlines()) == 3


def test_bytes_that_are_no_file_of_keys_are_refused(tmp_path: Path) -> None:
    """Noise, or brackets without end, raise KeyFileError and nothing else."""
    path = tmp_path / "trusted.toml"
    for noise in (b"\xff\xfe", b"a = " + b"[" * 100_000, b"# \n" * 3_000_000):
        path.write_bytes(noise)
        with pytest.raises(KeyFileError):
            KeySet.load(path)
