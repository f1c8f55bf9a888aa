"""What is in the package: everything that it needs, nothing secret, and the same bytes each time."""

import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.box.packages import ARCHITECTURES, Packages

SECRETS = re.compile(
    rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}"
    rb"|\$argon2[a-z]+\$v=\d+\$m=\d+[^\s\"'$]*\$(?!A{16})[A-Za-z0-9+/]{20}"  # of a password; zeros: a decoy
    rb"|\$(?:1|5|6|y|2[aby])\$[./A-Za-z0-9]{8,}\$[./A-Za-z0-9]{20}"  # one of /etc/shadow
    rb"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bglpat-[A-Za-z0-9_-]{20}|\bxox[bap]-[0-9]{8}"
    rb"|\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"  # a JSON web token
    # A password in an address, but for "pass", as documentation has it.
    rb"|[a-z]+://[^\s/@:\"'<>{}\[\]]+:(?!pass(?:word)?@)[^\s/@:\"'<>{}\[\]]{3,}@[a-z0-9]"
)
SECRET_NAMES = re.compile(
    r"\.(?:key|p12|pfx|jks|kdbx|netrc|htpasswd)$|(?:^|/)(?:page|outbox|journal)\.db|(?:^|/)id_[a-z0-9]+$"
)


def contents(package: Path) -> Iterator[tuple[str, bytes]]:
    """Give name and bytes of each file that a package installs or runs."""
    for part in ("--fsys-tarfile", "--ctrl-tarfile"):
        read = subprocess.run(["dpkg-deb", part, str(package)], capture_output=True, check=True).stdout
        yield from _files(read)


def _files(raw: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file.read()


@pytest.fixture(scope="module", name="files")
def files_fixture(packages: Packages) -> dict[str, dict[str, bytes]]:
    """Give the files of the package of each architecture."""
    return {
        architecture: dict(contents(package))
        for architecture, package in zip(ARCHITECTURES, packages.once, strict=True)
    }


def test_two_builds_of_one_tree_are_the_same_to_the_bit(packages: Packages) -> None:
    """Who builds a package again from its commit gets the very file that was released, for either architecture."""
    for one, other in zip(packages.once, packages.twice, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_no_password_key_or_token_is_in_it(files: dict[str, dict[str, bytes]]) -> None:
    """S1: nothing that opens anything is delivered: no private key, no hash of a password, no token, no database."""
    for architecture, packed in files.items():
        assert len(packed) > 500
        for name, content in packed.items():
            if name.endswith(".dist-info/METADATA"):  # a library's public description, with its examples
                continue
            assert SECRET_NAMES.search(name) is None, f"{architecture}: {name}"
            found = SECRETS.search(content)
            assert found is None, f"{architecture}: {name}: {found}"


@pytest.mark.parametrize(
    "planted",
    [
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBxnvJ3F2b1Zr0uVd3g9p1qk0d7fZ6tq3yA0pXjv4s9E\n",
        b'hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$Jm9yIHlvdXIgZXllcyBvbmx5IDEyMzQ1Njc4OTA"',
        b"root:$6$saltsalt$9aV1Jd0c2Zq7Wm3Xe5Tb8Yn4Rk6Uf1Gh:19000:0:99999:7:::",
        b"mqtts://gateway:s3cret@broker.example.org",
    ],
)
def test_the_search_for_secrets_finds_one(planted: bytes) -> None:
    """What would be a secret is seen as one."""
    assert SECRETS.search(b"some = 1\n" + planted) is not None


def test_everything_of_ours_is_in_it_and_no_test(files: dict[str, dict[str, bytes]]) -> None:
    """Templates, styles and scripts of the page are packed beside the code; tests and compiled files are not."""
    root = Path(__file__).parents[2]
    wanted = {
        str(path.relative_to(root))
        for path in (root / "gateway" / "web").rglob("*")
        if path.is_file() and not {"tests", "__pycache__"} & set(path.parts)
    }
    assert any(name.endswith(".html") for name in wanted)
    for packed in files.values():
        ours = {name.removeprefix("./usr/lib/building-gateway/") for name in packed}
        assert wanted <= ours
        assert not [
            name for name in ours if re.match(r"(?:gateway|drivers|buffer|config|modbus|linky_tic)/.*tests/", name)
        ]
        assert not [name for name in ours if name.endswith(".pyc")]


def test_it_says_who_made_it_and_what_it_needs(packages: Packages) -> None:
    """The package has a maintainer who can be told from a placeholder, and needs nothing but Debian 12 itself."""
    fields = dict(
        line.split(": ", 1)
        for line in subprocess.run(
            ["dpkg-deb", "--field", str(packages.ours)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        if ": " in line and not line.startswith(" ")
    )
    assert fields["Maintainer"] == "Building gateway developers <maintainers@building-gateway.invalid>"
    assert "python3 (<< 3.12)" in fields["Depends"]
