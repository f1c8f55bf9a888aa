"""How a command reaches the agent: which socket, how long it waits, and what each failure means for the exit code."""

import http
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli.exits import AGENT_NOT_RUNNING, CHECK_FAILED, COULD_NOT_CHECK, REFUSED, TIMEOUT, UNKNOWN, Ended
from gateway.control.client import AgentRefused, AgentSlow, AgentUnreachable, get

_REFUSALS: Mapping[int, int] = {
    http.HTTPStatus.FORBIDDEN: REFUSED,
    http.HTTPStatus.CONFLICT: REFUSED,
    http.HTTPStatus.NOT_FOUND: UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Door:
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
        try:
            return get(self.path, resource, timeout_s=self.timeout_s)
        except AgentRefused as error:
            raise Ended(_REFUSALS.get(error.status, COULD_NOT_CHECK), str(error)) from error
        except AgentSlow as error:
            raise Ended(TIMEOUT, str(error)) from error
        except AgentUnreachable as error:
            code = REFUSED if isinstance(error.__cause__, PermissionError) else AGENT_NOT_RUNNING
            raise Ended(code, str(error)) from error

    def status(self) -> dict[str, Any]:
        """Give the status of an agent at work; raise Ended, also while it waits for its keys."""
        answer: dict[str, Any] = self.get("/v1/status")
        if "missing" in answer:
            raise Ended(COULD_NOT_CHECK, "\n".join(["nothing is metered yet: the agent waits for", *answer["missing"]]))
        return answer


def socket_of(site: Path) -> Path:
    """Give the control socket that a site file names, without the cost of checking the whole file; raise Ended."""
    try:
        named = tomllib.loads(site.read_text("utf-8"))["control"]["socket"]
        return site.parent / str(named)
    except OSError as error:
        raise Ended(CHECK_FAILED, f"{site}: {error.strerror}: name the site file with --config, or --socket") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Ended(
            CHECK_FAILED, f"{site}: no [control] socket can be read there: see `gateway config check {site}`"
        ) from error
