"""A serial line in memory: two ptys joined, so that a program at either end sees an ordinary port."""

import asyncio
import os
import tty


class PtyLink:
    """The ports `near` and `far`, joined by the running event loop: what is written to one is read at the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._near, near = os.openpty()
        self._far, far = os.openpty()
        self.near, self.far = os.ttyname(near), os.ttyname(far)
        # Held open: a pty whose last user leaves hangs up for good, and the gateway may come and go.
        self._held = [near, far]
        for port in self._held:
            tty.setraw(port)
        for fd in (self._near, self._far):
            os.set_blocking(fd, False)
        self._loop.add_reader(self._near, self._pass, self._near, self._far)
        self._loop.add_reader(self._far, self._pass, self._far, self._near)

    def unplug(self) -> None:
        """Hang up the far end, as an adapter that is pulled out: its reader gets an error, its path disappears."""
        if self._far >= 0:
            self._loop.remove_reader(self._near)
            self._loop.remove_reader(self._far)
            os.close(self._far)
            self._far = -1

    def close(self) -> None:
        """Take the line down."""
        self.unplug()
        if self._near >= 0:
            os.close(self._near)
            self._near = -1
        for port in self._held:
            os.close(port)
        self._held.clear()

    @staticmethod
    def _pass(source: int, target: int) -> None:
        try:
            os.write(target, os.read(source, 4096))
        except OSError:
            return  # nobody listens there, or nothing was there to read: a wire loses it as well
