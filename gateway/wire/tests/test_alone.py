"""The package can be lifted out: copied alone, beside cbor2 and cryptography, it verifies and reads."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from gateway.wire import cose, packing
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.messages import ClockRecord
from gateway.wire.record import Recorder
from gateway.wire.schema import Schema
from gateway.wire.tests.building import CHANNELS, HEADER, KEY, KEY_ID, header, ticks

WIRE = Path(__file__).parents[1]
LIBRARIES = ("cbor2", "cryptography", "cffi", "pycparser", "typing_extensions")
"""And what those two need themselves."""

BOOT = bytes(range(16))

PROGRAM = """
import json, pathlib, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from gateway.wire import contents, record, trust
from gateway.wire.placing import Timeline
folder = pathlib.Path(sys.argv[3])
keys = trust.Trust(folder / "gateways.toml").current()
said = [keys.verify((folder / name).read_bytes(), "gateway") for name in ("schema", "segment", "clock")]
schema = contents.read(said[0], {}.get)
segment = contents.read(said[1], {schema.id: schema}.get)
line = Timeline([contents.read(said[2], {}.get)])
print(json.dumps([(n, line.at(at).utc_ms, value, quality) for n, at, value, quality in segment.readings()]))
"""


def _libraries(folder: Path) -> Path:
    """Make a folder in which cbor2, cryptography and what they need are all that can be imported."""
    folder.mkdir()
    installed = Path(sysconfig.get_path("platlib"))
    for path in installed.iterdir():
        if path.name.startswith(("_cbor2", "_cffi_backend")) or path.name in LIBRARIES:
            (folder / path.name).symlink_to(path)
    return folder


def test_the_package_copied_alone_verifies_and_reads(tmp_path: Path) -> None:
    """A platform's team takes gateway/wire as it is: neither drivers nor storage nor broker come along."""
    alone = tmp_path / "alone"
    shutil.copytree(WIRE, alone / "gateway" / "wire", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    schema = Schema.of(CHANNELS)
    recorder = Recorder(schema, BOOT)
    wanted: list[list[object]] = []
    for readings in ticks(30):
        recorder.add(readings)
        wanted += [[each.channel.name, 500_000 + each.boot_ms, each.value, int(each.quality)] for each in readings]
    record = recorder.take()
    assert record is not None
    messages = {
        "segment": cose.sign(header(schema=schema.id), packing.pack([record.payload]), KEY),
        "schema": cose.sign(header(content=Schema.CONTENT, stream="schema", schema=schema.id), schema.encode(), KEY),
        "clock": cose.sign(
            header(content=ClockRecord.CONTENT, stream="clock", schema=None),
            ClockRecord(BOOT, 0, 500_000, 5, "kernel").encode(),
            KEY,
        ),
    }
    for name, message in messages.items():
        (tmp_path / name).write_bytes(message)
    trusted = TrustedKey(KEY_ID, HEADER.gateway, bytes(8), frozenset({"gateway"}), KEY.public_key())
    (tmp_path / "gateways.toml").write_text(KeySet.of([trusted]).to_toml())
    folders = [str(each) for each in (alone, _libraries(tmp_path / "libraries"), tmp_path)]
    # -S: no site-packages; -I: neither the folder it starts in nor the environment.
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout), key=repr) == sorted(wanted, key=repr)
