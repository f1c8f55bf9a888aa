"""The easy door's table of a site file: where the daily file goes, and with which keys."""

from typing import Literal

from pydantic import Field

from config.parts import VISIBLE, File, Host, Part, TcpPort


class Door(Part):
    """A signed and encrypted file a day over SFTP, for a system that cannot speak the contract; off unless told."""

    host: Host = Field(description="a host name or address, as it stands in known_hosts_file")
    port: TcpPort = 22
    user: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$", description="the name to log in with: letters, digits, ._@-"
    )
    directory: str = Field(
        default=".",
        min_length=1,
        max_length=255,
        pattern=VISIBLE,
        description="the folder on the other side; relative means in the home of that user",
    )
    known_hosts_file: File = Field(description="the other side's host key, as a line of `known_hosts`")
    ssh_key_file: File = Field(description="the key to log in with; `gateway door keys` makes it")
    signing_key_file: File = Field(description="the key that signs the files; `gateway door keys` makes it")
    certificate_file: File = Field(description="its certificate, which the recipient is given")
    recipient_file: File = Field(description="the certificate for which the files are encrypted (RSA, PEM)")
    tier: Literal["minute", "index"] = Field(
        default="minute", description='"minute" for one-minute means, "index" for the counters each quarter-hour'
    )
    purpose: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9-]{0,10}$",
        description="dwellings that consented to this purpose are in the file as well; none without it",
    )
    hold_days: int = Field(default=31, ge=1, le=366, description="days for which files wait for the other side")
