"""Takes out of a text what must not leave the building: keys, passwords, and the numbers that name a meter's owner."""

import re
from typing import Any

_PATTERNS = (
    (re.compile(r"-----BEGIN [^-]{1,64}-----.*?(?:-----END [^-]{1,64}-----|\Z)", re.DOTALL), "<masked: PEM>"),
    # The beginning may be cut off; 80 lines are a key of 4,096 bits, and a bound to the search.
    (re.compile(r"(?m)(?:^[A-Za-z0-9+/=]+\r?\n){0,80}[^\n]*-----END [^-]{1,64}-----"), "<masked: PEM>"),
    (re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{64,}(?![0-9A-Za-z])"), "<masked: key>"),
    (re.compile(r"(?i)\b(pass(?:word|wd|phrase)?|token|secret)(\s*[=:]\s*)\S+"), r"\1\2<masked>"),
    (re.compile(r"(?i)\b(\w+://[^\s:/@]+:)[^\s/@]+@"), r"\1<masked>@"),
    # ADCO and ADSC, a Linky's address, have 12 digits; a PRM, its delivery point, has 14.
    (re.compile(r"(?<!\d)(?:\d{14}|\d{12})(?!\d)"), "<masked: number>"),
)

_BASE64 = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
"""The 32 bytes of a key have 43 characters, a line of a PEM body has 64; the whole body may stand in one line."""


def masked(text: str) -> str:
    """Give the text with every secret and every personal number replaced by a word that says so."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return _BASE64.sub(_key, text)


def _key(found: re.Match[str]) -> str:
    """Mask what may be a key; a long path without dot or dash may be taken for one: better that than the reverse."""
    run = found[0]
    return "<masked: key>" if any(map(str.isupper, run)) and any(map(str.islower, run)) else run


def masked_in(found: Any) -> Any:  # noqa: ANN401 - JSON is what it is
    """Give a JSON-able object with every text in it masked, keys included; numbers of a type of their own stay."""
    if isinstance(found, str):
        return masked(found)
    if isinstance(found, dict):
        return {masked(str(key)): masked_in(value) for key, value in found.items()}
    if isinstance(found, list):
        return [masked_in(each) for each in found]
    return found
