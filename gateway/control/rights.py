"""Who is at the other end of the control socket, by the kernel's word, and what they may do.

Whoever can open the socket (its owner, its group, root) may read. The agent's own user and root may act, and so may
the members of one group, if the site names it.
"""

import grp
import os
import socket
import struct
from dataclasses import dataclass

from gateway.control.routes import Right

_SO_PEERGROUPS = 59  # asm-generic/socket.h; Python does not name it
_UCRED = struct.Struct("3i")
_GROUPS_BYTES = 1024
"""Room for 256 groups; Python takes no more, and refuses to ask at all for a larger answer."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as it was when it connected."""

    pid: int
    uid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Rights:
    """Who may act: user `owner`, root, and the members of group `act_gid`."""

    owner: int
    act_gid: int | None = None

    def allow(self, peer: Peer, right: Right) -> bool:
        """Tell whether that peer has that right."""
        return right is Right.READ or peer.uid in {0, self.owner} or self.act_gid in peer.groups


def rights(act_group: str | None) -> Rights:
    """Give the rights on a socket of this process; raise KeyError for a group that this machine does not have."""
    return Rights(os.geteuid(), None if act_group is None else grp.getgrnam(act_group).gr_gid)


def peer_of(connection: socket.socket) -> Peer:
    """Ask the kernel who is there; raise OSError."""
    pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:  # a kernel before 4.13, or very many groups: only the first one counts
        raw = b""
    return Peer(pid, uid, frozenset({gid, *(gid for (gid,) in struct.iter_unpack("I", raw))}))
