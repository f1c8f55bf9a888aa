"""What a connection costs, from the kernel's own books."""

import socket

from gateway.uplink.traffic import Traffic, traffic


def test_kernel_counts_both_ways_with_headers() -> None:
    """Ten thousand bytes there and a hundred back cost a little more than that, and never nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        with near, far:
            near.sendall(bytes(10_000))
            received = 0
            while received < 10_000:
                received += len(far.recv(65_536))
            far.sendall(bytes(100))
            near.recv(100)
            cost = traffic(near)
            assert 10_000 + 3 * 40 <= cost.sent < 11_000
            assert 100 + 2 * 40 <= cost.received < 1_500
    assert traffic(near) == Traffic()
