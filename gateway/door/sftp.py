"""Pushes files over SFTP, and goes on where an earlier attempt was cut off.

A file goes up as `<name>.part` and gets its name once it is whole, so that whoever looks there never finds half of one.
The other side is known by its host key alone, we by our key alone: no password, no agent, nobody's `~/.ssh`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import asyncssh

from gateway.door.errors import AwayError, DoorError
from gateway.door.spool import Waiting

PART = ".part"

_BLOCK = 32_768
_AT_ONCE = 16
"""Blocks under way; the last so many may be missing in what a cut left, and are sent again."""

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where files go, and what proves both sides."""

    host: str
    port: int
    user: str
    directory: str
    known_hosts_file: Path
    ssh_key_file: Path


async def push(place: Place, files: Sequence[Waiting], arrived: Callable[[Waiting], None]) -> None:
    """Push files in order and call `arrived` for each that the other side has; raise AwayError or DoorError."""
    where = f"{place.user}@{place.host}:{place.port}"
    _check_files(place)
    dialling = asyncssh.connect(
        place.host,
        place.port,
        username=place.user,
        known_hosts=str(place.known_hosts_file),
        client_keys=[str(place.ssh_key_file)],
        preferred_auth="publickey",
        config=None,
        agent_path=None,
        connect_timeout=_PATIENCE_S,
        login_timeout=_PATIENCE_S,
        keepalive_interval=15,
        keepalive_count_max=3,
    )
    try:
        async with dialling as connection, connection.start_sftp_client() as client:
            for each in files:
                await _push(client, PurePosixPath(place.directory), each)
                arrived(each)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise DoorError(f"{place.known_hosts_file} or {place.ssh_key_file}: {error}: correct or replace it") from error
    except asyncssh.HostKeyNotVerifiable as error:
        what = f"shows another host key than {place.known_hosts_file} has ({error.reason}): ask the recipient"
        if not _knows(place):
            name = place.host if place.port == 22 else f"[{place.host}]:{place.port}"
            what = f"{place.known_hosts_file} has no line for {name}: the recipient tells its host key"
        raise DoorError(f"{where}: {what}; nothing was sent") from error
    except asyncssh.PermissionDenied as error:
        raise DoorError(
            f"{where}: refuses our key: give the recipient the line that `gateway door keys` shows"
        ) from error
    except asyncssh.SFTPError as error:
        raise _refused(where, place, error) from error
    except (asyncssh.Error, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise AwayError(f"{where}: cannot be reached, or was cut off ({reason}): what waits is held") from error


def _knows(place: Place) -> bool:
    """Tell whether the file of host keys has any for the other side: one for another name or port is none."""
    found = asyncssh.match_known_hosts(str(place.known_hosts_file), place.host, "", place.port)
    return any(found[:2])  # keys, and authorities of keys


def _check_files(place: Place) -> None:
    for path, what in ((place.known_hosts_file, "the host key of the other side"), (place.ssh_key_file, "our SSH key")):
        try:
            path.open("rb").close()
        except OSError as error:
            raise DoorError(
                f"{path}: {what} cannot be read ({error.strerror}): see 'The easy door' in the platform's guide"
            ) from error


async def _push(client: asyncssh.SFTPClient, folder: PurePosixPath, each: Waiting) -> None:
    content = await asyncio.to_thread(each.path.read_bytes)
    final = str(folder / each.path.name)
    part = final + PART
    if await _size(client, final) == len(content):
        return  # it had arrived, and the word of it was lost
    there = await _size(client, part)
    start = 0 if there is None or there > len(content) else max(0, there - _BLOCK * _AT_ONCE) // _BLOCK * _BLOCK
    if start and not await _begins_with(client, part, content[:_BLOCK]):
        start = 0  # of another file that bore this name: the state here was lost, and the day made anew
    async with client.open(part, "wb" if there is None or start == 0 else "r+b") as file:
        for at in range(start, len(content), _BLOCK * _AT_ONCE):
            upto = min(at + _BLOCK * _AT_ONCE, len(content))
            async with asyncio.timeout(_PATIENCE_S):
                await asyncio.gather(
                    *(
                        file.write(content[block : min(block + _BLOCK, upto)], block)
                        for block in range(at, upto, _BLOCK)
                    )
                )
    if await _size(client, part) != len(content):
        raise AwayError(f"{part}: arrived with another size: it is sent again")
    await _rename(client, part, final)


async def _begins_with(client: asyncssh.SFTPClient, path: str, content: bytes) -> bool:
    """Tell whether what lies there begins like this; no where it may not be read."""
    try:
        async with asyncio.timeout(_PATIENCE_S), client.open(path, "rb") as file:
            found: object = await file.read(len(content))
            return found == content
    except asyncssh.SFTPPermissionDenied:
        return False


async def _rename(client: asyncssh.SFTPClient, part: str, final: str) -> None:
    try:
        await client.posix_rename(part, final)
    except asyncssh.SFTPOpUnsupported:
        if await _size(client, final) is not None:
            await client.remove(final)
        await client.rename(part, final)


async def _size(client: asyncssh.SFTPClient, path: str) -> int | None:
    try:
        return (await client.stat(path)).size
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return None


def _refused(where: str, place: Place, error: asyncssh.SFTPError) -> Exception:
    """Tell what people must mend from what passes."""
    if isinstance(error, (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)):
        return AwayError(f"{where}: was cut off ({error.reason}): what waits is held")
    if isinstance(error, (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)):
        return DoorError(
            f"{where}: there is no folder {place.directory!r}: ask the recipient, correct [door] directory"
        )
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return DoorError(f"{where}: {place.user} may not write in {place.directory!r}: ask the recipient")
    return AwayError(f"{where}: refused the file ({error.reason}): what waits is held")
