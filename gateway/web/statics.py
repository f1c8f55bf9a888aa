"""The page's own script, style and pictures, and uPlot: read once, compressed once, named after their content.

Only what was in the folder at the start is served, so that no path from outside ever reaches the disk.
"""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"

_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Static:
    content: bytes
    squeezed: bytes
    media_type: str


def _read() -> dict[str, tuple[str, _Static]]:
    """Give each file by its plain name, with the name that its content gives it."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            mark = hashlib.sha256(content).hexdigest()[:12]
            kept = _Static(content, gzip.compress(content, 9, mtime=0), _TYPES[path.suffix])
            found[path.name] = (f"{path.stem}.{mark}{path.suffix}", kept)
    return found


_FILES = _read()
_SERVED = dict(_FILES.values())


def address(name: str) -> str:
    """Give the path at which a file of the folder is served; raise KeyError."""
    return f"/static/{_FILES[name][0]}"


async def _serve(request: Request) -> Response:
    kept = _SERVED.get(request.path_params["name"])
    if kept is None:
        raise HTTPException(404)
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(kept.squeezed, headers={**headers, "Content-Encoding": "gzip"}, media_type=kept.media_type)
    return Response(kept.content, headers=headers, media_type=kept.media_type)


ROUTE = Route("/static/{name}", _serve)
