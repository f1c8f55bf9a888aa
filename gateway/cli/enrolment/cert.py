"""`gateway cert`: the box's keys and its certificate, in files; works as well while the agent is dead."""

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

from config.errors import ConfigError
from config.load import load
from gateway.cli.asking import Door
from gateway.cli.exits import CHECK_FAILED, COULD_NOT_CHECK, OK, REFUSED, Ended
from gateway.cli.owner import as_owner
from gateway.enrolment import box, request
from gateway.enrolment.box import InstallError
from gateway.enrolment.certificates import CertificateError, Facts, fingerprint, read_chain
from gateway.enrolment.places import PlaceError, Places, load_signing, look
from gateway.enrolment.request import RequestError
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet

_MOST = 1 << 20
_MARK = "\N{BYTE ORDER MARK}"
"""What some editors and mail programs put in front of a text."""


def csr(site_file: Path, *, new_key: bool, new_signing: bool, as_json: bool) -> int:
    """Make the keys that are not there, and print the request of those that are; raise Ended."""
    places = _places(site_file)
    folder = places.key.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        as_owner(folder)
        asked = box.ask(places, new_key=new_key, new_signing=new_signing)
    except OSError as error:
        raise Ended(CHECK_FAILED, f"{folder}: {error.strerror}") from error
    except (PlaceError, RequestError) as error:
        raise Ended(CHECK_FAILED, str(error)) from error
    shown = request.fingerprint(asked.message)
    text = request.armour(asked.message)
    if as_json:
        found = {"gateway": places.gateway, "key_id": asked.key_id, "made": list(asked.made), "fingerprint": shown}
        print(json.dumps({"schema": "gateway/cert-csr/1", **found, "request": text}))
        return OK
    print(text, end="")
    told = [f"made {path}" for path in asked.made]
    told += [f"request of {places.gateway}, signing key {asked.key_id}; fingerprint", *_lines(shown)]
    print("\n".join(told), file=sys.stderr)
    return OK


def install(site_file: Path, file: Path, *, as_json: bool) -> int:
    """Install the bundle of a file ("-": standard input) if nothing is wrong with it; raise Ended."""
    text = _read(file)
    places = _places(site_file)
    as_owner(places.key.parent)
    try:
        done = box.install(places, text, dt.datetime.now(dt.UTC))
        keys = KeySet.load(places.trusted)
        authorities = [fingerprint(each) for each in read_chain(places.authority.read_bytes())]
    except InstallError as error:
        lines = str(error).splitlines()
        raise Ended(CHECK_FAILED, "\n".join([*lines, f"{file}: nothing was installed"])) from error
    except (PlaceError, KeyFileError, CertificateError, OSError) as error:
        raise Ended(CHECK_FAILED, str(error)) from error
    trusted = {key_id.decode(): sorted(key.roles) for key_id, key in sorted(keys.keys.items()) if not key.is_revoked}
    if as_json:
        found = {**_facts(done.facts), "follows": done.follows, "warning": done.warning}
        print(json.dumps({"schema": "gateway/cert-install/1", **found, "authorities": authorities, "centre": trusted}))
        return OK
    print(f"certificate  {done.facts.name}, until {done.facts.ends:%Y-%m-%d}, by {done.facts.issuer}")
    print(*(f"authority    {each}" for each in authorities), sep="\n")
    print(*(f"centre       {key_id}: {', '.join(roles)}" for key_id, roles in trusted.items()), sep="\n")
    if done.warning:
        print(f"warning      {done.warning}")
    if done.follows:
        print("the one in use stays until the broker has taken this one; `gateway cert show` tells")
    return OK


def show(site_file: Path, *, as_json: bool) -> int:
    """Print what the certificate says and what follows it; raise Ended. Exit code 5 where it cannot be used."""
    places = _places(site_file)
    now = dt.datetime.now(dt.UTC)
    identity = look(places)
    facts, wrong = None, identity.wrong
    try:
        facts = Facts.of(read_chain(places.certificate.read_bytes())[0])
    except PermissionError as error:
        raise Ended(REFUSED, f"{places.certificate}: {error.strerror}: use sudo") from error
    except OSError as error:
        wrong = f"{places.certificate}: {error.strerror}: enrol with `gateway cert csr` and `gateway cert install`"
    except CertificateError as error:
        wrong = f"{places.certificate}: {error}"
    if wrong is None and facts is not None and facts.ends <= now:
        wrong = (
            f"{places.certificate} ended on {facts.ends:%Y-%m-%d}: ask for another with `gateway cert csr --new-key`"
        )
    found: dict[str, Any] = {
        "gateway": places.gateway,
        "certificate": None if facts is None else {**_facts(facts), "life_gone": round(facts.life_gone(now), 4)},
        "next": None if identity.next is None else _facts(identity.next.facts),
        "asked": places.next_key.exists() and identity.next is None,
        "signing": _signing(places.signing),
        "next_signing": _signing(places.next_signing),
        "wrong": wrong,
    }
    print(json.dumps({"schema": "gateway/cert/1", **found}) if as_json else _for_people(found))
    return OK if wrong is None else CHECK_FAILED


def renew(door: Door, *, signing: bool, as_json: bool) -> int:
    """Have the agent ask the centre for a new certificate now; raise Ended."""
    answer = door.post("/v1/certificate/renew", {"what": "signing" if signing else "tls"})
    print(json.dumps({"schema": "gateway/cert-renew/1", **answer}) if as_json else answer["text"])
    return OK


def _for_people(found: dict[str, Any]) -> str:
    lines = [found["gateway"]]
    certificate, following = found["certificate"], found["next"]
    if certificate is not None:
        lines += [
            f"subject      CN={certificate['name']}",
            f"issuer       {certificate['issuer']}",
            f"serial       {certificate['serial']}",
            f"valid        {certificate['begins']} to {certificate['ends']}, {certificate['life_gone']:.0%} gone",
            f"renewed from {certificate['due']} on",
            f"fingerprint  {certificate['fingerprint']}",
        ]
    lines.append(f"signing key  {found['signing'] or 'none that can be read'}")
    if found["next_signing"]:
        lines.append(f"next key     {found['next_signing']}, when the centre has said that it takes it")
    if following is not None:
        lines.append(f"next         until {following['ends']}, when the broker has taken it")
    elif found["asked"]:
        lines.append("next         asked for")
    if found["wrong"]:
        lines.append(f"wrong        {found['wrong']}")
    return "\n".join(lines)


def _facts(facts: Facts) -> dict[str, str]:
    return {
        "name": facts.name,
        "issuer": facts.issuer,
        "serial": facts.serial,
        "begins": f"{facts.begins:%Y-%m-%dT%H:%M:%SZ}",
        "ends": f"{facts.ends:%Y-%m-%dT%H:%M:%SZ}",
        "due": f"{facts.due:%Y-%m-%dT%H:%M:%SZ}",
        "fingerprint": facts.fingerprint,
    }


def _signing(path: Path) -> str | None:
    try:
        return load_signing(path).key_id.decode()
    except PlaceError:
        return None


def _places(site_file: Path) -> Places:
    try:
        return Places.of(load(site_file))
    except ConfigError as error:
        raise Ended(COULD_NOT_CHECK, f"{error}\ncorrect the site file first: it names the files") from error


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.read(_MOST + 1).removeprefix(_MARK)
        with file.open(encoding="utf-8") as opened:
            return opened.read(_MOST + 1).removeprefix(_MARK)
    except OSError as error:
        raise Ended(CHECK_FAILED, f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Ended(CHECK_FAILED, f"{file}: no text, and so no bundle") from error


def _lines(shown: str) -> list[str]:
    half = len(shown) // 2
    return [f"  {shown[:half]}", f"  {shown[half + 1 :]}"]
