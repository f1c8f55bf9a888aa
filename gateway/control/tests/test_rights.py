"""Rights come from who is at the other end of the socket, as the kernel knows it."""

import os
import secrets
import socket
import subprocess
import sys

import pytest

from gateway.control.rights import Rights, peer_of
from gateway.control.routes import Right

CALLER = """
import os, socket, sys
name, user, group, *groups = sys.argv[1:]
os.setgroups([int(each) for each in groups]), os.setgid(int(group)), os.setuid(int(user))
caller = socket.socket(socket.AF_UNIX)
caller.connect("\\0" + name)
caller.recv(1)
"""
OWNER, NOBODY = 64_000, 65_534
ACT, FIRST, OTHER = 64_001, 64_002, 64_003
"""Groups that no machine has."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a process of another user")
@pytest.mark.parametrize("groups", [[OTHER, ACT], [ACT], [OTHER], []])
def test_any_of_a_caller_s_groups_counts(groups: list[int]) -> None:
    """Whoever has the site file's group among theirs may act, though another is their first; others only read."""
    name = secrets.token_hex(8)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")  # of no folder, so that nobody is kept out
        server.listen()
        command = [sys.executable, "-c", CALLER, name, *map(str, (NOBODY, FIRST, *groups))]
        with subprocess.Popen(command):  # noqa: S603 - our own caller
            server.settimeout(20)
            connection, _ = server.accept()
            with connection:
                peer = peer_of(connection)
    assert peer.uid == NOBODY
    assert peer.groups == {FIRST, *groups}
    rights = Rights(OWNER, ACT)
    assert rights.allow(peer, Right.READ)
    assert rights.allow(peer, Right.ACT) is (ACT in groups)
