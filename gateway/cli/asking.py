"""How a command reaches the agent: which socket, how long it waits, and what each failure means for the exit code."""

import contextlib
import http
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gateway.cli.exits import AGENT_NOT_RUNNING, CHECK_FAILED, COULD_NOT_CHECK, REFUSED, TIMEOUT, UNKNOWN, USAGE, Ended
from gateway.control.client import AgentRefused, AgentSlow, AgentUnreachable, get, post

_REFUSALS: Mapping[int, int] = {
    http.HTTPStatus.FORBIDDEN: REFUSED,
    http.HTTPStatus.CONFLICT: REFUSED,
    http.HTTPStatus.NOT_FOUND: UNKNOWN,
    http.HTTPStatus.UNPROCESSABLE_ENTITY: USAGE,
}


class Door(NamedTuple):  # a dataclass would cost every start 6 ms
    """The agent of a site file, at its control socket or at another one; no answer is waited for any longer."""

    site: Path
    socket: Path | None = None
    timeout_s: float = 5.0

    @property
    def path(self) -> Path:
        """Give the control socket; raise Ended where none is known."""
        return self.socket or socket_of(self.site)

    def get(self, resource: str) -> Any:  # noqa: ANN401 - JSON is what it is
        """Give what the agent answers at `resource` ("/v1/status"); raise Ended."""
        with _refusals():
            return get(self.path, resource, timeout_s=self.timeout_s)

    def post(self, resource: str, order: Mapping[str, str | int]) -> Any:  # noqa: ANN401 - JSON is what it is
        """Order something of the agent, and give its answer; raise Ended."""
        with _refusals():
            return post(self.path, resource, order, timeout_s=self.timeout_s)

    def status(self) -> dict[str, Any]:
        """Give the status of an agent at work; raise Ended, also while it waits for its keys."""
        answer: dict[str, Any] = self.get("/v1/status")
        if "missing" in answer:
            raise Ended(COULD_NOT_CHECK, "\n".join(["nothing is metered yet: the agent waits for", *answer["missing"]]))
        return answer


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Give every way in which the agent can fail us its exit code."""
    try:
        yield
    except AgentRefused as error:
        raise Ended(_REFUSALS.get(error.status, COULD_NOT_CHECK), str(error)) from error
    except AgentSlow as error:
        raise Ended(TIMEOUT, str(error)) from error
    except AgentUnreachable as error:
        code = REFUSED if isinstance(error.__cause__, PermissionError) else AGENT_NOT_RUNNING
        raise Ended(code, str(error)) from error


def socket_of(site: Path) -> Path:
    """Give the control socket that a site file names, without the cost of checking the whole file; raise Ended."""
    try:
        named = tomllib.loads(site.read_text("utf-8"))["control"]["socket"]
        return site.parent / str(named)
    except PermissionError as error:
        raise Ended(REFUSED, f"{site}: this user may not read it: join the agent's group, or use sudo") from error
    except OSError as error:
        raise Ended(CHECK_FAILED, f"{site}: {error.strerror}: name the site file with --config, or --socket") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Ended(
            CHECK_FAILED, f"{site}: no [control] socket can be read there: see `gateway config check {site}`"
        ) from error
