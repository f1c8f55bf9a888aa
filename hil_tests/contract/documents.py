"""The documents of the contract as their own tools read them: CDDL by cddl-verifier, AsyncAPI by AsyncAPI's parser."""

import json
import logging
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
from cddl_verifier import Validator

HERE = Path(__file__).parent
CONTRACT = HERE.parents[1] / "docs" / "contract"

Json = dict[str, Any]

logging.getLogger("cddl_verifier").setLevel(logging.CRITICAL)
"""It logs whatever it finds, which is asked for here a thousand times; `faults` has it all."""


@cache
def validator() -> Validator:
    """Give the CDDL."""
    return Validator(CONTRACT / "contract.cddl")


def faults(data: bytes, rule: str) -> list[str]:
    """Tell in what bytes are not what a rule of the CDDL says."""
    return [str(each.message) for each in validator().validate(data, root_type=rule).diagnostics]


@cache
def parsed() -> Json:
    """Give {diagnostics, document} of the AsyncAPI document, its references resolved."""
    if not (HERE / "node_modules").is_dir():
        raise RuntimeError("AsyncAPI's parser is not installed: .ci/setup test does it")
    command = ["node", str(HERE / "parse.mjs"), str(CONTRACT / "asyncapi.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"AsyncAPI's parser ended with {done.returncode}: {done.stderr[-1000:]}")
    found: Json = json.loads(done.stdout)
    return found


def document() -> Json:
    """Give the AsyncAPI document."""
    found: Json = parsed()["document"]
    return found


@dataclass(frozen=True, slots=True)
class Sending:
    """One message as the AsyncAPI document has it: on which topic, and how it travels."""

    operation: str
    name: str
    address: re.Pattern[str]
    qos: int
    is_retained: bool
    expiry_s: int | None
    content: str | None
    rule: str | None
    payload: Json


@cache
def sendings() -> tuple[Sending, ...]:
    """Give every message of every operation."""
    return tuple(_sendings())


def _sendings() -> Iterator[Sending]:
    for operation, told in document()["operations"].items():
        channel, mqtt = told["channel"], told["bindings"]["mqtt"]
        messages = told.get("messages") or list(channel["messages"].values())
        for message in messages:
            name = next(name for name, each in document()["components"]["messages"].items() if each == message)
            yield Sending(
                operation=operation,
                name=name,
                address=re.compile(re.sub(r"\\{[a-z]+\\}", "[^/]+", re.escape(channel["address"]))),
                qos=mqtt["qos"],
                is_retained=mqtt["retain"],
                expiry_s=mqtt.get("messageExpiryInterval"),
                content=message.get("bindings", {}).get("mqtt", {}).get("contentType"),
                rule=message.get("x-cddl"),
                payload=message["payload"],
            )


def meant(schema: Mapping[str, Any], meaning: Json) -> list[str]:
    """Tell in what a message's meaning is not what its JSON schema says."""
    return [f"{each.instance_path}: {each.message}" for each in jsonschema_rs.iter_errors(dict(schema), meaning)]
