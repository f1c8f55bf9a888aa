"""The table of checks, and how their findings are told: a line each, what to do below it, one line that sums up."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from config.site import Site
from gateway.cli.asking import Door
from gateway.cli.doctor import agent, door, files
from gateway.cli.doctor.finding import Case, Finding, State, unchecked
from gateway.cli.exits import CHECK_FAILED, COULD_NOT_CHECK, OK, WARNINGS

Check = Callable[[Case], Finding]


def _with_site(examine: Callable[[Case, Site], Finding]) -> Check:
    def check(case: Case) -> Finding:
        if case.closed:
            return unchecked("this user may not read the site file", "join the agent's group, or run this with sudo")
        if case.site is None:
            return unchecked("the site file has mistakes", "correct them first")
        return examine(case, case.site)

    return check


def _with_agent(examine: Callable[[dict[str, Any]], Finding]) -> Check:
    def check(case: Case) -> Finding:
        if case.answer is None or "missing" in case.answer:
            return unchecked("only an agent at work can tell", "see to the agent first")
        return examine(case.answer)

    return check


def _with_both(examine: Callable[[dict[str, Any], Site], Finding]) -> Check:
    return _with_site(lambda case, site: _with_agent(lambda answer: examine(answer, site))(case))


CHECKS: Mapping[str, Check] = {
    "site file": files.site_file,
    "signing key": _with_site(files.signing_key),
    "trusted keys": _with_site(files.key_set),
    "broker's authority": _with_site(files.authority),
    "certificate": _with_site(files.certificate),
    "certificate's key": _with_site(files.tls_key),
    "disk": _with_site(files.disk),
    "replaced outbox": _with_site(files.outbox_aside),
    "command database": _with_site(files.commands_database),
    "agent": agent.running,
    "control socket": _with_site(files.control_socket),
    "version": _with_agent(agent.version),
    "link": _with_agent(agent.link),
    "receipts": _with_agent(agent.receipts),
    "metered link": _with_agent(agent.budget),
    "renewal": _with_agent(agent.renewal),
    "clock": _with_agent(agent.clock),
    "key set in use": _with_agent(agent.trust),
    "meters": _with_agent(agent.meters),
    "silent meters": _with_agent(agent.freshness),
    "noisy lines": _with_agent(agent.noise),
    "doubtful values": _with_agent(agent.values),
    "storing": _with_agent(agent.storing),
    "lost readings": _with_agent(agent.losses),
    "room": _with_agent(agent.room),
    "loads": _with_both(agent.loads),
    "easy door": _with_site(door.door),
}
"""Each check by the name under which it is told, in the order in which one thing rests on another."""

_COLOURS = {State.OK: "32", State.WARNING: "33", State.FAILED: "31", State.UNCHECKED: "36"}


def examine(case: Case) -> dict[str, Finding]:
    """Make every check; give each finding under the check's name."""
    return {name: check(case) for name, check in CHECKS.items()}


def doctor(door: Door, *, as_json: bool, strict: bool) -> int:
    """Print every finding; give the exit code: 5 something failed, 6 something could not be checked, 0 all the rest.

    With `strict` a warning is 1.
    """
    found = examine(Case.of(door))
    print(json.dumps(as_object(found)) if as_json else _for_people(found))
    states = {finding.state for finding in found.values()}
    codes = {State.FAILED: CHECK_FAILED, State.UNCHECKED: COULD_NOT_CHECK, State.WARNING: WARNINGS if strict else OK}
    return next((code for state, code in codes.items() if state in states), OK)


def as_object(found: Mapping[str, Finding]) -> dict[str, Any]:
    """Give the findings for programs."""
    return {
        "schema": "gateway/doctor/1",
        "summary": _summary(found),
        "checks": [
            {"check": name, "state": finding.state.value, "text": finding.text, "todo": finding.todo}
            for name, finding in found.items()
        ],
    }


def _for_people(found: Mapping[str, Finding]) -> str:
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    wide = max(len(state) for state in State)
    lines = []
    for name, finding in found.items():
        state = f"{finding.state.value:<{wide}}"
        shown = f"\x1b[{_COLOURS[finding.state]}m{state}\x1b[0m" if coloured else state
        first, *more = finding.text.splitlines()
        lines.append(f"{shown}  {name}: {first}")
        lines += [f"{'':{wide}}  {line}" for line in more]
        if finding.todo:
            lines.append(f"{'':{wide}}  -> {finding.todo}")
    return "\n".join([*lines, _summary(found)])


def _summary(found: Mapping[str, Finding]) -> str:
    count = Counter(finding.state for finding in found.values())
    told = [f"{count[state]} {state.value}" for state in State if count[state]]
    return f"{len(found)} checks: {', '.join(told)}"
