"""How renewing the certificate is joined to the rest of the agent: what it says, hears and answers here."""

from collections.abc import Callable

from config.site import Site
from gateway.app import gives
from gateway.app.inbound import Mailbox
from gateway.app.renewing import Renewing, Ways
from gateway.app.voice import Voice
from gateway.clock import Clock
from gateway.control.routes import Call, Choice, Field, Refusal, Right, Route
from gateway.enrolment.places import Places
from gateway.sealing import Signer
from gateway.uplink.worker import Uplink
from gateway.wire.enrolling import Issued
from gateway.wire.errors import RevokedKey
from gateway.wire.keys import SigningKey
from gateway.wire.trust import Keyring

_EXPIRY_S = 600
"""Of a request that waits for a centre; it is asked again anyhow."""


def renewing(  # noqa: PLR0913 - the composition root names each
    site: Site,
    clock: Clock,
    key: SigningKey,
    *,
    voice: Voice,
    signer: Signer,
    uplink: Callable[[], Uplink],
    alarm: Callable[[str, str], None],
) -> Renewing:
    """Give what renews the certificate of a site."""

    def ask(request: bytes) -> None:
        uplink().publish("evt/renewal", voice.renewal(request), expiry_s=_EXPIRY_S)

    def sign_with(new: SigningKey) -> None:
        signer.sign_with(new)
        voice.sign_with(new)

    return Renewing(
        Places.of(site),
        clock,
        key,
        Ways(
            ask=ask,
            reconnect=lambda why: uplink().reconnect(why),
            alarm=alarm,
            sign_with=sign_with,
            connected=lambda: uplink().connected,
        ),
    )


class Configured(Mailbox):
    """Verifies what comes on the topic `cfg`: certificates, signed by a key of role `config`.

    A certificate is the answer to a question of ours, bound to a key that was made here: unlike other configuration it
    needs no heartbeat and no command before it.
    """

    def __init__(
        self, gateway: str, keyring: Keyring, to: Renewing, revoked: Callable[[RevokedKey], None] = lambda _: None
    ) -> None:
        readers = {Issued.CONTENT: lambda said, _: to.heard(Issued.decode(said.payload))}
        super().__init__(gateway, keyring, readers, stream="cfg", role="config", revoked=revoked)


def route(of: Renewing, site: Site) -> Route:
    """Give what `gateway cert renew` asks."""

    async def renew(call: Call) -> object:
        signing = call.body["what"] == "signing"
        if signing and site.signing.key_id:
            raise Refusal(409, "the site file names the signing key: take [signing] key_id out, start the agent again")
        of.want(signing=signing)
        return {"asked": True, "text": "it is asked for; `gateway cert show` tells what comes of it"}

    return Route(
        "POST",
        "/v1/certificate/renew",
        Right.ACT,
        "Ask the centre for a new certificate now, whatever the old one's age.",
        renew,
        body=(Field("what", Choice(("tls", "signing")), "signing: with a new signing key too", default="tls"),),
        gives=gives.RENEWED,
    )
