"""The exceptions that a Modbus unit answers with, and what each leaves open."""

from drivers.errors import DeviceRefused

BEHIND_GATEWAY = frozenset({10, 11})
"""A gateway answers for a unit that does not."""

MAY_HAVE_ACTED = frozenset({4, 5, 11})
"""After these a write may have been carried out, or may still be."""

_MEANINGS = {
    1: "does not know that function",
    2: "has no such address",
    3: "refuses that length or value",
    4: "failed while carrying it out",
    5: "has begun, and will take long",
    6: "is busy",
    8: "reports a memory error",
    10: "is behind a gateway that has no path to it",
    11: "is behind a gateway and does not answer it",
}
"""Modbus Application Protocol V1.1b3, 7."""


class ExceptionReply(DeviceRefused):
    """The unit, asked for `where`, answered with the Modbus exception `code`."""

    def __init__(self, where: str, code: int) -> None:
        super().__init__(f"{where}: the device {_MEANINGS.get(code, 'refuses')} (Modbus exception {code})")
        self.code = code
