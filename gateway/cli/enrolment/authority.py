"""`gateway centre ca`: a small certificate authority in a folder, for pilots and tests."""

import contextlib
import datetime as dt
import getpass
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.centre.ca import founding
from gateway.centre.ca.authority import Authority, AuthorityError, write
from gateway.centre.ca.issue import Kind
from gateway.centre.ca.records import Record
from gateway.cli.exits import CHECK_FAILED, OK, REFUSED, USAGE, Ended
from gateway.enrolment import request as requests
from gateway.enrolment.certificates import Facts
from gateway.enrolment.request import Request, RequestError

_MOST = 1 << 20
_FINGERPRINT_DIGITS = 16
"""64 bits: with fewer somebody could make keys whose request begins alike."""


class Safe:
    """Where an authority is, and the file with its passphrase, if it has one."""

    def __init__(self, folder: Path, passphrase: Path | None) -> None:
        self.folder = folder
        self._file = passphrase

    def passphrase(self) -> bytes | None:
        """Read it; raise Ended."""
        if self._file is None:
            return None
        try:
            found = self._file.read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise Ended(CHECK_FAILED, f"{self._file}: {error.strerror}") from error
        if not found:
            raise Ended(CHECK_FAILED, f"{self._file}: holds no passphrase")
        return found

    @contextlib.contextmanager
    def opened(self) -> Iterator[Authority]:
        """Open the authority for the length of a block, asking for the passphrase at a terminal; raise Ended."""
        try:
            secret = self.passphrase()
            if secret is None and founding.is_encrypted(self.folder) and sys.stdin.isatty():
                secret = getpass.getpass(f"Passphrase of {self.folder}: ").encode()
            authority = Authority.open(self.folder, passphrase=secret)
        except AuthorityError as error:
            raise Ended(CHECK_FAILED, str(error)) from error
        with contextlib.closing(authority), _told():
            yield authority


def init(safe: Safe, name: str, *, as_json: bool) -> int:
    """Make an authority, and of the centre's own keys those that are not there; raise Ended."""
    with _told():
        made = founding.found(safe.folder, name, _now(), passphrase=safe.passphrase())
    if as_json:
        print(json.dumps({"schema": "gateway/ca-init/1", "folder": str(safe.folder), "made": list(made)}))
    else:
        print(f"{safe.folder}: made {', '.join(made)}")
        print("it is as safe as this folder is: keep a copy of it where nobody else comes")
    return OK


def sign(  # noqa: PLR0913 - the options of the command
    safe: Safe, file: Path, *, days: float, fingerprint: str, sure: bool, as_json: bool
) -> int:
    """Grant an enrolment request, and print the bundle that goes back to the box; raise Ended.

    Without `sure`, or the beginning of the request's `fingerprint`, only what it asks for is told (exit 7).
    """
    try:
        asked = requests.read(requests.unarmour(_read(file)))
    except RequestError as error:
        raise Ended(CHECK_FAILED, f"{file}: {error}") from error
    with safe.opened() as authority:
        if not _agreed(asked, fingerprint, sure=sure):
            return REFUSED
        granted = authority.grant(asked, _now(), cause="operator", days=days)
        bundle = authority.bundle(asked, granted.chain)
    if as_json:
        told = {"gateway": asked.gateway, "key_id": asked.key_id.decode(), "again": granted.again}
        told |= {"also_believed": list(granted.known), "ends": f"{granted.facts.ends:%Y-%m-%dT%H:%M:%SZ}"}
        print(json.dumps({"schema": "gateway/ca-sign/1", **told, "bundle": bundle}))
        return OK
    print(bundle, end="")
    again = "; it had one for this key already, and here it is again" if granted.again else ""
    print(f"certificate for {asked.gateway} until {granted.facts.ends:%Y-%m-%d}{again}", file=sys.stderr)
    print(f"what the signing key {asked.key_id.decode()} has signed is believed from now on", file=sys.stderr)
    if granted.known:
        print(f"as well as what {', '.join(granted.known)} has signed, its older keys", file=sys.stderr)
    return OK


def issue(  # noqa: PLR0913 - the options of the command
    safe: Safe, kind: str, name: str, hosts: Sequence[str], *, days: float, as_json: bool
) -> int:
    """Make key and certificate of a broker or another centre, NAME.key and NAME.pem; raise Ended."""
    if (kind == Kind.BROKER) != bool(hosts):
        raise Ended(USAGE, "a broker is named with --host, once for each name by which it is reached; a centre is not")
    paths = safe.folder / f"{name}.pem", safe.folder / f"{name}.key"
    for path in paths:
        if path.exists():
            raise Ended(REFUSED, f"{path} is there already: move it away first")
    with safe.opened() as authority:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = authority.issue(Kind(kind), name, key.public_key(), _now(), days=days, hosts=hosts)
        write(paths[1], key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        write(paths[0], certificate.public_bytes(Encoding.PEM), 0o644)
    facts = Facts.of(certificate)
    if as_json:
        told = {"name": name, "certificate": str(paths[0]), "key": str(paths[1])}
        print(json.dumps({"schema": "gateway/ca-issue/1", **told, "ends": f"{facts.ends:%Y-%m-%dT%H:%M:%SZ}"}))
    else:
        print(f"{paths[0]} and {paths[1]}, until {facts.ends:%Y-%m-%d}")
    return OK


def list_issued(safe: Safe, *, as_json: bool) -> int:
    """Print every certificate, oldest first; raise Ended."""
    with safe.opened() as authority:
        found = authority.issued()
    told = [_told_of(each) for each in found]
    if as_json:
        print(json.dumps({"schema": "gateway/ca-list/1", "issued": told}))
    else:
        for each in told:
            until = f"until {each['ends'][:10]}"
            print(f"{each['serial']:<40}  {each['kind']:<7}  {each['name']:<20}  {until}  {each['state']}")
    return OK


def revoke(safe: Safe, what: str, *, reason: str, sure: bool, as_json: bool) -> int:
    """Take back a certificate, or all that a name has; raise Ended. Without `sure` only what it would do is told."""
    with safe.opened() as authority:
        if not sure:
            there = [each for each in authority.issued() if what in {each.name, each.serial} and each.revoked is None]
            print(*(f"would take back {each.kind} {each.name}, {each.serial}" for each in there), sep="\n")
            raise Ended(REFUSED, "nothing was done: say it with --yes")
        taken = [_told_of(each) for each in authority.revoke(what, _now(), reason)]
    if as_json:
        print(json.dumps({"schema": "gateway/ca-revoke/1", "revoked": taken, "list": str(safe.folder / "crl.pem")}))
    else:
        print(*(f"taken back: {each['kind']} {each['name']}, {each['serial']}" for each in taken), sep="\n")
        print(f"the broker knows once it has {safe.folder / 'crl.pem'} and was told to read it (SIGHUP)")
    return OK


def crl(safe: Safe, *, days: float, as_json: bool) -> int:
    """Write the list of revocations anew, without which a broker that uses it lets nobody in one day; raise Ended."""
    with safe.opened() as authority:
        made = authority.list_revoked(_now(), days=days)
    until = made.next_update_utc
    path = safe.folder / "crl.pem"
    if as_json:
        told = {"list": str(path), "revoked": len(made), "until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
        print(json.dumps({"schema": "gateway/ca-crl/1", **told}))
    else:
        print(f"{path}: {len(made)} revoked; the broker refuses EVERYBODY after {until:%Y-%m-%d} unless it has another")
    return OK


def _agreed(asked: Request, fingerprint: str, *, sure: bool) -> bool:
    """Tell whether the request is the one that its installer speaks of; raise Ended where it is another."""
    digits = "".join(each for each in fingerprint.upper() if each not in " :")
    if digits and len(digits) < _FINGERPRINT_DIGITS:
        raise Ended(USAGE, f"at least {_FINGERPRINT_DIGITS} digits of the fingerprint are wanted")
    if digits and not asked.fingerprint.replace(" ", "").startswith(digits):
        raise Ended(REFUSED, f"this is another request: its fingerprint is {asked.fingerprint}")
    if digits or sure:
        return True
    print(f"{asked.gateway} asks, with the signing key {asked.key_id.decode()}; fingerprint\n  {asked.fingerprint}")
    print("gateway centre ca sign: nothing was signed: compare it with what the box shows,", file=sys.stderr)
    print(f'then say it with --fingerprint "{asked.fingerprint[:19]}", or --yes', file=sys.stderr)
    return False


def _told_of(record: Record) -> dict[str, Any]:
    over = record.ends <= _now().timestamp()
    state = f"revoked ({record.reason})" if record.revoked is not None else "ended" if over else "in force"
    return {
        "serial": record.serial,
        "kind": record.kind,
        "name": record.name,
        "begins": f"{dt.datetime.fromtimestamp(record.begins, dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
        "ends": f"{dt.datetime.fromtimestamp(record.ends, dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
        "cause": record.cause,
        "state": state,
    }


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except AuthorityError as error:
        raise Ended(CHECK_FAILED, str(error)) from error


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.read(_MOST)
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_MOST)
    except OSError as error:
        raise Ended(CHECK_FAILED, f"{file}: {error.strerror}") from error


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
