"""Who asks: the address, the language, the token of the forms, and the session if there is one.

The guard makes one for each request and leaves it in `request.state.visitor`.
"""

import ipaddress
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from gateway.web.store import Session
from gateway.web.words import LANGUAGES, Language

LANGUAGE_COOKIE = "lang"
FORM_COOKIE = "__Host-form"
SESSION_COOKIE = "__Host-session"

MANAGER = "manager"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_WANTED = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?")


@dataclass(frozen=True, slots=True)
class Visitor:
    """One who asks; `token` goes into each form, `session` is None for a stranger."""

    language: Language
    token: str
    address: str
    session: Session | None = None

    @property
    def role(self) -> str | None:
        """Give the role under which the agent is asked; there is one account, the building manager's."""
        return None if self.session is None else MANAGER


def language(asked: str | None, cookies: Mapping[str, str], accepted: str) -> Language:
    """Choose: what the address asks for (?lang=), what was chosen before, what the browser prefers, French."""
    for choice in (asked, cookies.get(LANGUAGE_COOKIE)):
        if choice in LANGUAGES:
            return choice
    best, weight = LANGUAGES[0], 0.0
    for each in accepted[:200].split(","):
        wanted = _WANTED.fullmatch(each)
        if wanted is None or wanted[1].lower() not in LANGUAGES:
            continue
        its = 1.0 if wanted[2] is None else float(wanted[2])
        if its > weight:
            best, weight = cast("Language", wanted[1].lower()), its
    return best


def token(cookies: Mapping[str, str]) -> tuple[str, bool]:
    """Give the token of the forms, and whether it is new: the browser does not have it yet."""
    known = cookies.get(FORM_COOKIE, "")
    return (known, False) if _TOKEN.fullmatch(known) else (secrets.token_urlsafe(32), True)


def address(client: str) -> str:
    """Give an address as failures are counted by it: IPv4 as it is, also inside IPv6; of IPv6 the network (/64)."""
    try:
        parsed = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.ip_network((parsed, 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)
