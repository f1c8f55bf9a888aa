"""What the centre is told: one broker, its own keys, the gateways' keys, and where it keeps what it has committed."""

from dataclasses import dataclass
from pathlib import Path

RECEIPT_LATE_S = 35.0


@dataclass(frozen=True, slots=True)
class CentreSettings:
    """One centre.

    `name`: certificate name and MQTT client id. `signing_key`: PEM of its Ed25519 key. `epoch`: 8 bytes, as the
    gateways' key sets name it for this issuer. `gateway_keys`: key set with role `gateway`, the issuer being the
    gateway's id. `receipt_after_s`: receipts are gathered that long, `receipt_late_s` for segments that come one at a
    time. `gap_after_s`: so long a hole may stay before it is asked for.
    """

    host: str
    port: int
    ca_file: Path
    cert_file: Path
    key_file: Path
    signing_key: Path
    gateway_keys: Path
    database: Path
    epoch: bytes
    name: str = "centre"
    heartbeat_s: float = 30.0
    receipt_after_s: float = 0.2
    receipt_late_s: float = RECEIPT_LATE_S
    gap_after_s: float = 5.0
    reconnect_min_s: int = 1
    reconnect_max_s: int = 30
    keepalive_s: int = 60
    session_expiry_s: int = 7 * 86_400

    def __post_init__(self) -> None:
        """Refuse figures that break the contract; raise ValueError."""
        if not 0 < self.heartbeat_s <= 60:
            raise ValueError(f"heartbeat_s is {self.heartbeat_s}: a gateway wants one each 60 s at least")
        if not 0 <= self.receipt_after_s <= 0.25:
            raise ValueError(f"receipt_after_s is {self.receipt_after_s}: give 0 to 0.25")
        if not self.receipt_after_s <= self.receipt_late_s <= 45:
            raise ValueError(
                f"receipt_late_s is {self.receipt_late_s}: give receipt_after_s to 45, for a gateway sends again what "
                "has no receipt after 60 s"
            )
        if len(self.epoch) != 8:
            raise ValueError(f"epoch has {len(self.epoch)} bytes: give the 8 of the gateways' key sets")
