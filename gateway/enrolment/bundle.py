"""What the centre gives back for an installer to carry: certificate, authority and the centre's keys, in one file.

A TOML file, and nothing in it is secret:

    version = 1
    gateway = "gw-lyon-017"
    signing = "gw-lyon-017-2026"     # the signing key that the centre takes from this gateway
    certificate = "<PEM: the gateway's certificate, then any intermediate authority>"
    authority = "<PEM: who signs brokers and gateways>"
    centre = "<the key set by which the gateway knows the centre, as it is to be installed>"

Its own signature is the installer's errand: it is brought to the box by whoever may change the box.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from gateway.enrolment.certificates import CertificateError, read_chain, write_chain
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet

LIMIT = 1 << 20
_FIELDS = ("gateway", "signing", "certificate", "authority", "centre")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class BundleError(Exception):
    """A text is no bundle; a line for each thing that is wrong."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that is well formed; whether it is for this box is asked by who installs it."""

    gateway: str
    signing: str
    chain: tuple[x509.Certificate, ...]
    authorities: tuple[x509.Certificate, ...]
    centre: str


def write(
    *,
    gateway: str,
    signing: str,
    chain: Sequence[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    centre: str,
) -> str:
    """Give the text of a bundle; raise BundleError for parts that `read` would not take."""
    parts = {
        "certificate": write_chain(chain).decode("ascii"),
        "authority": write_chain(authorities).decode("ascii"),
        "centre": centre,
    }
    lines = ["version = 1", f'gateway = "{gateway}"', f'signing = "{signing}"']
    lines += [f"{name} = {_multiline(text)}" for name, text in parts.items()]
    text = "\n".join(lines) + "\n"
    read(text)
    return text


def read(text: str) -> Bundle:
    """Read a bundle; raise BundleError with every mistake."""
    if len(text) > LIMIT:
        raise BundleError(f"larger than {LIMIT} characters; that is no bundle")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError and no more
        raise BundleError(f"no bundle of `gateway centre ca sign`: not TOML: {error}") from error
    wrong = [f"unknown key `{name}`" for name in sorted(document.keys() - {"version", *_FIELDS})]
    if document.get("version") != 1:
        wrong.append(f"version = {document.get('version')!r}: `version = 1` is wanted")
    values = {name: document.get(name) for name in _FIELDS}
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    wrong += [f"{name}: a text is wanted" for name in _FIELDS if name not in texts]
    wrong += [
        f"{name} = {texts[name]!r:.80}: 1 to 64 letters, digits, '.', '_' or '-' are wanted"
        for name in ("gateway", "signing")
        if name in texts and _ID.fullmatch(texts[name]) is None
    ]
    chain = _certificates(texts, "certificate", wrong)
    authorities = _certificates(texts, "authority", wrong)
    if "centre" in texts:
        try:
            KeySet.parse(texts["centre"].encode(), "centre")
        except KeyFileError as error:
            wrong += str(error).splitlines()
    if wrong:
        raise BundleError("\n".join(wrong))
    return Bundle(texts["gateway"], texts["signing"], chain, authorities, texts["centre"])


def _certificates(texts: dict[str, str], name: str, wrong: list[str]) -> tuple[x509.Certificate, ...]:
    if name not in texts:
        return ()
    try:
        return read_chain(texts[name].encode())
    except CertificateError as error:
        wrong.append(f"{name}: {error}")
        return ()


def _multiline(text: str) -> str:
    if "'''" in text:
        raise BundleError("three apostrophes in a row stand in it, which a bundle cannot hold")
    return f"'''\n{text}'''"
