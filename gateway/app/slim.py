"""Memory that a start takes and a run of years does not need, given back or never taken: a twentieth of the agent.

With glibc free pages go back to the kernel; elsewhere they do not, and nothing is wrong.
"""

import ctypes
import gc
import sys
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

_M_ARENA_MAX = -8  # malloc.h


class _Later(ModuleType):
    """Stands for a module that is imported by somebody who may never use it; the first use imports it after all."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # the import system asks for such, and uses nothing
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def begin() -> None:
    """Call before the first thread, and before config or paho is imported.

    All threads share one heap, where each would keep some of its own. And of what others import unasked, two parts stay
    away: urllib.request, with an HTTP client, by which paho would find a proxy had it PySocks (1.1 MB), and the search
    for plugins of pydantic, through the metadata of every installed package, of which we want none (0.7 MB).
    """
    _libc("mallopt", _M_ARENA_MAX, 1)
    if "urllib.request" not in sys.modules:
        later = _Later("urllib.request")
        sys.modules[later.__name__] = later
        vars(import_module("urllib"))["request"] = later
    plugins = ModuleType("pydantic.plugin._loader")
    vars(plugins)["get_plugins"] = _no_plugins
    sys.modules.setdefault(plugins.__name__, plugins)


def loaded() -> None:
    """Call once the site is loaded, and nobody else's: the site file's validators are let go of."""
    from config.parts import forget  # noqa: PLC0415 - it brings pydantic, and `begin` comes before that

    forget()
    gc.collect()


def started() -> None:
    """Call once everything is there: what building it has left goes to the kernel."""
    gc.collect()
    _libc("malloc_trim", 0)


def _no_plugins() -> Iterable[object]:
    return ()


def _libc(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
