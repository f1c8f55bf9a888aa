"""What is on the disk: the site file, keys and certificates, room, databases. Needs no agent."""

import datetime as dt
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from config.site import Site
from gateway.cli.doctor.finding import Case, Finding, failed, ok, unchecked, warning
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet, load_signing_key

RENEW_WITHIN = dt.timedelta(days=21)
LEAST_FREE_MB = 64
_MB = 1 << 20


def site_file(case: Case) -> Finding:
    """Tell whether the site file can be used."""
    if case.site is None and case.closed:
        return unchecked(
            f"{case.site_file}: this user may not read it", "join the agent's group, or run this with sudo"
        )
    if case.site is None:
        return failed(case.mistakes, "correct what stands there; `gateway config check` tells the same")
    return ok(f"{case.site_file} has no mistake")


def signing_key(_: Case, site: Site) -> Finding:
    """Tell whether our signing key can be used, is closed to others, and is the one that the site file names."""
    path = site.signing.key_file
    try:
        key = load_signing_key(path)
    except KeyFileError as error:
        if isinstance(error.__cause__, PermissionError):
            return _closed(path)
        return failed(str(error), "the agent does not start with it")
    if site.signing.key_id and key.key_id != site.signing.key_id.encode():
        return failed(
            f"{path} holds the key {key.key_id.decode()!r}, the site file names {site.signing.key_id!r}",
            "correct [signing] key_id, or install the key that the centre knows",
        )
    return ok(f"{key.key_id.decode()}, readable by its owner alone")


def key_set(_: Case, site: Site) -> Finding:
    """Tell whether somebody's receipts and orders would be believed."""
    path = site.centre.keys_file
    try:
        keys = KeySet.load(path)
    except KeyFileError as error:
        if isinstance(error.__cause__, PermissionError):
            return _closed(path)
        return failed(str(error), "install the key set that the centre gives out")
    if not keys.with_role("receipt"):
        return failed(f"{path}: no key may sign receipts", "without one nothing counts as delivered: ask the centre")
    if site.shedding.enabled and not keys.with_role("dispatch"):
        return warning(f"{path}: no key may order shedding, and [shedding] is enabled", "ask the centre for its key")
    revoked = sum(key.is_revoked for key in keys.keys.values())
    return ok(f"{len(keys.keys) - revoked} trusted keys, {revoked} revoked, revision {keys.revision}")


def authority(case: Case, site: Site) -> Finding:
    """Tell whether the broker could be recognised."""
    path = site.broker.ca_file
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        return _unreadable(path, error, "install the certificate of the broker's authority")
    except ValueError:
        return failed(f"{path}: no PEM certificate in it", "install the certificate of the broker's authority")
    starts = min(each.not_valid_before_utc for each in found)
    ends = max(each.not_valid_after_utc for each in found)
    return _out_of_date(case, path, starts, ends) or ok(f"until {ends:%Y-%m-%d}")


def certificate(case: Case, site: Site) -> Finding:
    """Tell whether our certificate is in its dates and bears this gateway's name."""
    path = site.broker.certificate_file
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        return _unreadable(path, error, "enrol: gateway cert csr, then gateway cert install")
    except ValueError:
        return failed(f"{path}: no PEM certificate in it", "install this gateway's certificate")
    names = [str(each.value) for each in found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    if site.gateway.id not in names:
        return failed(
            f"{path} is for {', '.join(names) or 'nobody'}, this gateway is {site.gateway.id}",
            "install this gateway's own",
        )
    ends = found.not_valid_after_utc
    return _out_of_date(case, path, found.not_valid_before_utc, ends) or ok(f"{site.gateway.id}, until {ends:%Y-%m-%d}")


def tls_key(_: Case, site: Site) -> Finding:
    """Tell whether the key of our certificate is there, closed to others, and belongs to it."""
    path = site.broker.key_file
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_bytes()
    except OSError as error:
        return _unreadable(path, error, "install the key of this gateway's certificate")
    if mode & 0o077:
        return failed(f"{path}: others may read this private key (mode {mode:04o})", f"chmod 600 {path}")
    try:
        ours = load_pem_private_key(text, None).public_key()
    except (ValueError, TypeError):
        return failed(f"{path}: no unencrypted PEM private key in it", "install the key of this gateway's certificate")
    try:
        theirs = x509.load_pem_x509_certificate(site.broker.certificate_file.read_bytes()).public_key()
    except (OSError, ValueError):
        return unchecked("the certificate that it belongs to cannot be read", "see to the certificate first")
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if ours.public_bytes(*form) != theirs.public_bytes(*form):
        return failed(
            f"{path}: is not the key of {site.broker.certificate_file}", "install the two that belong together"
        )
    return ok("belongs to the certificate, readable by its owner alone")


def disk(_: Case, site: Site) -> Finding:
    """Tell whether the disk has room for the quota."""
    folder = site.storage.directory
    try:
        found = os.statvfs(folder)
        held = sum(each.stat().st_size for each in folder.glob("outbox.db*"))
    except OSError as error:
        return _unreadable(folder, error, "make it, writable by the agent's user")
    free = found.f_bavail * found.f_frsize // _MB
    wanted = max(0, site.storage.quota_mb - held // _MB)
    if free < LEAST_FREE_MB:
        return failed(f"{folder}: {free} MB free", "free some room: readings are lost once the disk is full")
    if free < wanted:
        return warning(
            f"{folder}: {free} MB free, the readings may still take {wanted} MB", "free some room, or lower quota_mb"
        )
    return ok(f"{free} MB free")


def control_socket(_: Case, site: Site) -> Finding:
    """Tell whether the control socket is closed to those who are not in its group."""
    path = site.control.socket
    try:
        found = path.lstat()
    except FileNotFoundError:
        return unchecked(f"{path} is not there", "start the agent, which makes it")
    except OSError as error:
        return _unreadable(path, error, "make its folder, for the agent's user and group")
    if not stat.S_ISSOCK(found.st_mode):
        return failed(f"{path} is no socket", "move it away and start the agent again")
    if found.st_mode & 0o007:
        return failed(
            f"{path}: everybody may use it (mode {stat.S_IMODE(found.st_mode):04o})",
            "start the agent again, and find out what changed the mode",
        )
    return ok(f"{path}, mode {stat.S_IMODE(found.st_mode):04o}")


def commands_database(_: Case, site: Site) -> Finding:
    """Tell whether the memory of what was shed is sound, where no agent holds it."""
    path = site.storage.directory / "commands.db"
    aside = _aside(path, "damaged-*")
    try:
        found = _soundness(path)
    except FileNotFoundError:
        return aside or ok("not made yet: the agent makes it when it first starts")
    except OSError as error:
        return _unreadable(path, error, "let the agent's user read and write it")
    except sqlite3.Error as error:
        if "locked" in str(error):
            return aside or ok("held by the agent, which checked it when it started")
        return failed(f"{path}: {error}", "the agent moves it aside when it starts, and releases every load")
    if found != "ok":
        return failed(f"{path}: {found}", "the agent moves it aside when it starts, and releases every load")
    return aside or ok(f"{path} is sound")


def outbox_aside(_: Case, site: Site) -> Finding:
    """Tell whether a database of readings was damaged and replaced."""
    folder = site.storage.directory
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return unchecked(f"{folder}: cannot be looked into", "run this as the agent's user, or with sudo")
    return _newer(folder / "outbox.db") or _aside(folder / "outbox.db", "unusable-*") or ok("none was ever moved aside")


def _newer(path: Path) -> Finding | None:
    found = _beside(path, "newer-*")
    if not found:
        return None
    return warning(
        f"{', '.join(map(str, found))}: of a newer release, with readings that may not have been sent",
        "with that release it can go on (technician's guide, The disk is full); else remove it",
    )


def _soundness(path: Path) -> str:
    """Give the verdict of SQLite's own check; raise OSError where there is nothing to check, sqlite3.Error."""
    path.open("rb").close()
    # Without a WAL nobody writes there, and "immutable" leaves no file of ours behind.
    wal = path.with_name(f"{path.name}-wal")
    how = "mode=ro" if wal.exists() and wal.stat().st_size else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=0.2)) as connection:
        return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])


def _aside(path: Path, pattern: str) -> Finding | None:
    found = _beside(path, pattern)
    if not found:
        return None
    return warning(
        f"{', '.join(map(str, found))}: damaged once, moved aside and replaced",
        "keep it for whoever looks into it, then remove it; a card that does this again is worn out",
    )


def _beside(path: Path, pattern: str) -> list[Path]:
    found = path.parent.glob(f"{path.name}.{pattern}")
    return sorted(each for each in found if not each.name.endswith(("wal", "shm")))


def _out_of_date(case: Case, path: Path, starts: dt.datetime, ends: dt.datetime) -> Finding | None:
    """Say what is wrong with a certificate's dates, None where nothing is."""
    if ends < case.now:
        return failed(f"{path}: expired on {ends:%Y-%m-%d}", "no connection comes about with it: have another issued")
    if starts > case.now:
        return failed(
            f"{path}: valid from {starts:%Y-%m-%d} on, this machine says {case.now:%Y-%m-%d}", "check the clock"
        )
    if ends < case.now + RENEW_WITHIN:
        return warning(f"{path}: ends on {ends:%Y-%m-%d}", "ours: gateway cert csr --new-key; else ask who issued it")
    return None


def _closed(path: Path) -> Finding:
    return unchecked(
        f"{path}: this user may not read it, as it should be", "run this as the agent's user, or with sudo"
    )


def _unreadable(path: Path, error: OSError, todo: str) -> Finding:
    if isinstance(error, PermissionError):
        return _closed(path)
    return failed(f"{path}: {error.strerror}", todo)
