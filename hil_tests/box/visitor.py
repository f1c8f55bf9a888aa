"""Somebody with a browser and no scripts: follows links, keeps cookies, fills in the forms that a page shows."""

import hashlib
import html
import re
import ssl
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from urllib.error import HTTPError

PATIENCE_S = 30.0


class Visitor:
    """Looks at the page at `address` ("https://127.0.0.1"), whose certificate is known by its fingerprint alone."""

    def __init__(self, address: str) -> None:
        self._address = address
        # As people do: the box has made its certificate itself, and its fingerprint is compared.
        unknown = ssl._create_unverified_context()  # noqa: S323 - see above
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=unknown), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def fingerprint(self) -> str:
        """Give the SHA-256 of the certificate that is served, as a browser shows it."""
        host = urllib.parse.urlsplit(self._address)
        pem = ssl.get_server_certificate((str(host.hostname), host.port or 443), timeout=PATIENCE_S)
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest().hex(":").upper()

    def look(self, path: str) -> tuple[int, str]:
        """Give status and text of a page."""
        return self._asked(urllib.request.Request(f"{self._address}{path}"))  # noqa: S310 - https

    def fill_in(self, page: str, action: str, **fields: str) -> tuple[int, str]:
        """Fill in the form of a page that leads to `action`, and give status and text of what comes then."""
        _, text = self.look(page)
        form = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', text, re.DOTALL)
        assert form is not None, f"{page} has no form for {action}"
        token = re.search(r'name="token" value="([^"]+)"', form[0])
        assert token is not None
        sent = urllib.parse.urlencode({"token": html.unescape(token[1]), **fields}).encode()
        request = urllib.request.Request(f"{self._address}{action}", sent, {"Origin": self._address})  # noqa: S310 - https
        return self._asked(request)

    def _asked(self, request: urllib.request.Request) -> tuple[int, str]:
        request.add_header("Accept", "text/html")
        request.add_header("Accept-Language", "en")
        try:
            with self._opener.open(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode("utf-8")
        except HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode("utf-8")
