"""The centre's own file: one broker, its keys, the gateways' keys, the store. As strict as a building's site file.

docs/platform.md shows one. Several centres that share the ingest have the same store, and each its own name,
certificate and signing key.
"""

from pathlib import Path

from pydantic import Field

from config.load import load_as
from config.parts import File, Host, Part, TcpPort
from gateway.centre.settings import CentreSettings

_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class CentreBroker(Part):
    """The MQTT broker: TLS 1.3, both sides show a certificate."""

    host: Host = Field(description="a host name or address, as it stands in the broker's certificate")
    port: TcpPort = 8883
    ca_file: File
    certificate_file: File
    key_file: File
    reconnect_max_s: int = Field(default=30, ge=1, le=3600, description="seconds between two tries at most")
    keepalive_s: int = Field(default=60, ge=5, le=3600, description="MQTT keep-alive in seconds")
    session_expiry_s: int = Field(
        default=7 * 86_400,
        ge=0,
        le=31 * 86_400,
        description="seconds for which the broker keeps what comes while this centre is away; 60 where several share",
    )


class CentreItself(Part):
    """Who it is, what it signs with, whom it believes, and where it keeps what it has committed."""

    name: str = Field(default="centre", pattern=_ID, description="the common name of its certificate")
    epoch: str = Field(pattern=r"^[0-9a-f]{16}$", description="16 hex digits, as the gateways' key files have them")
    signing_key: File
    gateway_keys: File
    database: File
    authority: File | None = Field(default=None, description="the folder of an authority that renews certificates")
    passphrase_file: File | None = Field(default=None, description="a file whose first line opens that authority")
    certificate_days: float = Field(default=398, gt=0, le=3650, description="how long a renewed certificate lasts")
    heartbeat_s: float = Field(default=30, ge=1, le=60, description="seconds between two heartbeats")
    receipt_late_s: float = Field(
        default=35, ge=0.25, le=45, description="seconds for which receipts of segments that come singly are gathered"
    )
    gap_after_s: float = Field(default=5, ge=0.1, le=600, description="seconds after which a gap is asked for")


class CentreSite(Part):
    """The whole file."""

    centre: CentreItself
    broker: CentreBroker

    def settings(self) -> CentreSettings:
        """Give what a `Centre` takes."""
        return CentreSettings(
            host=self.broker.host,
            port=self.broker.port,
            ca_file=self.broker.ca_file,
            cert_file=self.broker.certificate_file,
            key_file=self.broker.key_file,
            signing_key=self.centre.signing_key,
            gateway_keys=self.centre.gateway_keys,
            database=self.centre.database,
            epoch=bytes.fromhex(self.centre.epoch),
            name=self.centre.name,
            heartbeat_s=self.centre.heartbeat_s,
            receipt_late_s=self.centre.receipt_late_s,
            gap_after_s=self.centre.gap_after_s,
            reconnect_max_s=self.broker.reconnect_max_s,
            keepalive_s=self.broker.keepalive_s,
            session_expiry_s=self.broker.session_expiry_s,
        )


def load_centre(path: Path) -> CentreSite:
    """Read the file; relative paths count from its folder. Raises ConfigError with every mistake at once."""
    return load_as(path, CentreSite)
