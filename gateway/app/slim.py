"""Memory that a start takes and a run of years does not need, given back: a fortieth of the agent.

Works with glibc; elsewhere nothing is given back, and nothing is wrong.
"""

import ctypes
import gc

from config.parts import forget

_M_ARENA_MAX = -8  # malloc.h


def begin() -> None:
    """Call before the first thread: all of them share one heap, where each would keep some of its own."""
    _libc("mallopt", _M_ARENA_MAX, 1)


def started() -> None:
    """Call once everything is loaded: the site file's validators are let go of, and free pages go to the kernel."""
    forget()
    gc.collect()
    _libc("malloc_trim", 0)


def _libc(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
