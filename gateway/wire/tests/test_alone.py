"""The package can be lifted out: it needs cbor2 and cryptography, and nothing else of ours."""

import subprocess
import sys

PROGRAM = """
import sys
import gateway.wire.cose, gateway.wire.keys, gateway.wire.messages, gateway.wire.packing, gateway.wire.schema
import gateway.wire.record
ours = ("drivers", "linky_tic", "modbus", "buffer", "config", "hil_tests", "paho", "pydantic", "pymodbus", "sqlite3")
found = [name for name in sys.modules if name.split(".")[0] in ours]
found += [name for name in sys.modules if name.startswith("gateway.") and not name.startswith("gateway.wire")]
print(" ".join(found))
"""


def test_the_wire_imports_nothing_else_of_ours() -> None:
    """A platform's team takes gateway/wire as it is; neither drivers nor storage nor broker come along."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.split() == []
