"""A gateway's way out in a process of its own, to be killed in the midst of a backlog that another has sealed.

    python -m hil_tests.bench.drain FOLDER PORT     until all has its receipt; exit status 0

FOLDER holds `line.pickle`, the keys and the place of the outbox.
"""

import asyncio
import pickle
import sys
from pathlib import Path

from hil_tests.bench.line import sender_of
from hil_tests.bench.pki import SiteKeys


def leave(keys: SiteKeys, folder: Path) -> None:
    """Leave for the process what it needs."""
    (folder / "line.pickle").write_bytes(pickle.dumps(keys))


async def _drain(folder: Path, port: int) -> None:
    keys: SiteKeys = pickle.loads((folder / "line.pickle").read_bytes())  # noqa: S301 - the test's own
    async with sender_of(keys, port, folder, resend_after_s=2.0) as sender:
        print("drains", flush=True)
        await sender.done(600)


if __name__ == "__main__":
    asyncio.run(_drain(Path(sys.argv[1]), int(sys.argv[2])))
