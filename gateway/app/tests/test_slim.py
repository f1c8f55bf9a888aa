"""What the agent does not need is not in its memory; and what stands in for some of it gives way when it is needed."""

import subprocess
import sys
from importlib.metadata import version

from gateway.app.status import program

UNNEEDED = {"csv", "difflib", "http.client", "importlib.metadata", "lzma", "tempfile", "urllib.error", "zipfile"}


def said(statements: str) -> list[str]:
    """Give the words that a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", statements], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - this very interpreter
    return done.stdout.split()


def test_all_of_the_agent_is_imported_without_what_it_does_not_need() -> None:
    """Loaded as `gateway.app.run` loads it, the agent has no HTTP client and reads no package's metadata."""
    loaded = said(
        "import sys\n"
        "from gateway.app import slim\n"
        "slim.begin()\n"
        "import config.load\n"
        "slim.loaded()\n"
        "import gateway.app.serving\n"
        "print(gateway.app.serving.Agent.__module__, *sys.modules)"
    )
    assert loaded[0] == "gateway.app.agent"
    assert {"paho.mqtt.client", "pydantic.main"} <= set(loaded)
    assert not UNNEEDED & set(loaded)


def test_what_stands_in_for_a_module_becomes_it_when_it_is_used() -> None:
    """Whoever uses urllib.request after all has it, by the name that it was imported under before and by a new one."""
    words = said(
        "import sys\n"
        "from gateway.app import slim\n"
        "slim.begin()\n"
        "import urllib.request as before\n"
        "print('http.client' in sys.modules, hasattr(before, 'getproxies'), hasattr(before, 'nothing'))\n"
        "import urllib.request\n"
        "print(before.Request is urllib.request.Request, sys.modules['urllib.request'] is urllib.request is not before)"
    )
    assert words == ["False", "True", "False", "True", "True"]


def test_the_version_is_that_of_the_installed_package() -> None:
    """The name of the package's files says what importlib.metadata says."""
    assert program() == version("building-gateway")
