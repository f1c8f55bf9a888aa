"""`gateway passwd`: a one-time code for the page, where the page is, and by what its certificate is known."""

import json
import socket
import time
from pathlib import Path

from gateway.cli.exits import CHECK_FAILED, OK, Ended
from gateway.cli.owner import as_owner
from gateway.web import certificate
from gateway.web.certificate import CertificateError
from gateway.web.schema import StoreError
from gateway.web.settings import Settings
from gateway.web.store import CODE_LENGTH, CODE_VALID_S, Store

_HALF = CODE_LENGTH // 2


def passwd(folder: Path, *, as_json: bool) -> int:
    """Make a one-time code, and print it with what is needed to use it; raise Ended."""
    as_owner(folder)
    now_s = time.time()
    try:
        store = Store(folder)
        try:
            code = store.make_code()
            addresses = _reached(store.addresses())
        finally:
            store.close()
        file = folder / certificate.FILE
        known = file if file.exists() else certificate.kept(Settings(state=folder), now_s).file
        fingerprint = certificate.fingerprint(known)
    except (StoreError, CertificateError) as error:
        raise Ended(CHECK_FAILED, str(error)) from error
    shown = f"{code[:_HALF]}-{code[_HALF:]}"
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s + CODE_VALID_S))
    if as_json:
        found = {"code": shown, "until": until, "addresses": addresses, "fingerprint": fingerprint}
        print(json.dumps({"schema": "gateway/passwd/1", **found}))
    else:
        print(_TEXT.format(code=shown, until=until, places=_places(addresses), fingerprint=_lines(fingerprint)))
    return OK


_TEXT = """\
One-time code:  {code}
It can be used once, until {until}, and replaces any code made before.

1. Open  {places}
2. The browser warns, as the gateway made its certificate itself. Compare the SHA-256 fingerprint, then go on:
   {fingerprint}
3. Type the code and choose the password. A password that is set stays in force until then."""


def _reached(served: list[str]) -> list[str]:
    """Put the machine's addresses first where only its name is known: a page that systemd shut off knows no other."""
    by_name = f"https://{socket.gethostname()}.local"
    known = served or [f"{by_name}/"]
    if not all(each.startswith(by_name) for each in known):
        return known
    rest = known[0].removeprefix(by_name)
    hosts = (f"[{each}]" if ":" in each else each for each in certificate.own_addresses())
    return [*(f"https://{host}{rest}" for host in hosts), *known]


def _places(addresses: list[str]) -> str:
    return "\n   or    ".join(f"{each}first-use" for each in addresses)


def _lines(fingerprint: str) -> str:
    return f"{fingerprint[:47]}\n   {fingerprint[48:]}"
