"""What the gateway says that is no reading: its birth, answers, the question what time it is.

Each goes to whoever listens on the control socket, and to the centre.
"""

from collections.abc import Callable

from gateway.app.answering import Answering
from gateway.app.booking import ANSWERS
from gateway.app.local import COMMANDS
from gateway.app.timing import ANSWER_S
from gateway.app.voice import Voice
from gateway.control.events import Events
from gateway.sealing import Signer
from gateway.uplink.worker import Uplink
from gateway.wire import cose
from gateway.wire.messages import Answer, TimeRequest


class Speaking:
    """Tells people here and at the centre; `answering` gives who sees to the answers, once there is one."""

    def __init__(
        self,
        *,
        voice: Voice,
        signer: Signer,
        events: Events,
        uplink: Uplink,
        answering: Callable[[], Answering],
    ) -> None:
        self._voice = voice
        self._signer = signer
        self._events = events
        self._uplink = uplink
        self._answering = answering

    def answered(self, sequence: int, message: bytes) -> None:
        """Send an answer to a command that was just stored, here and to the centre."""
        self._answering().stored(sequence, message)
        if self._events.heard(COMMANDS):
            answer = self._answer(message)
            told = {"id": answer.command_id, "state": answer.state, "reason": answer.reason}
            self._events.tell(COMMANDS, {**told, "utc_ms": answer.utc_ms})

    def publish(self, kind: str, message: bytes) -> None:
        """Send a message that is signed already; an answer bears the id of its command, as the command itself does."""
        correlation = self._answer(message).command_id.encode() if kind == ANSWERS else None
        self._uplink.publish(kind, message, correlation=correlation)

    def ask_time(self, request: TimeRequest) -> None:
        """Ask the centre what time it is."""
        self._uplink.publish("evt/time", self._voice.time_request(request), expiry_s=int(ANSWER_S))

    def _answer(self, message: bytes) -> Answer:
        return Answer.decode(cose.verify(message, self._signer.public).payload)
