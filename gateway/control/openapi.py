"""The OpenAPI document of the control socket, made from the table of routes, so that the two cannot disagree."""

from collections.abc import Sequence
from typing import Any

from gateway.control.requests import LONGEST_SEGMENT
from gateway.control.routes import Choice, Field, Right, Route, Text, Whole

Json = dict[str, Any]

_VISIBLE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_REFUSED = {
    "400": "The request cannot be read.",
    "403": "Only the agent's own user, root and the group named in [control] act_group may do this.",
    "404": "There is no such thing.",
    "409": "The agent refuses this now; the text says why.",
    "413": "The body is too large.",
    "422": "A value is missing, unknown or out of bounds.",
    "503": "Not now: too many clients, the clock is not known, or the disk cannot be read.",
}


def document(routes: Sequence[Route], version: str) -> Json:
    """Give the document (OpenAPI 3.1)."""
    paths: Json = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Building gateway, control socket",
            "version": version,
            "description": "HTTP over the agent's Unix socket. Times: boot time in ms, or UTC in s or ms, as named.",
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Refusal": {
                    "type": "object",
                    "properties": {"error": {"type": "string", "description": "what is wrong and what to do"}},
                    "required": ["error"],
                }
            }
        },
    }


def _operation(route: Route) -> Json:
    names = [segment[1:-1] for segment in route.segments if segment.startswith("{")]
    segment = _schema_of(Text(1, LONGEST_SEGMENT))
    path = [{"name": name, "in": "path", "required": True, "schema": segment} for name in names]
    operation: Json = {
        "summary": route.about,
        "x-right": route.right.value,
        "parameters": path + [_parameter(field) for field in route.query],
        "responses": {"200": _success(route), **{status: _refused(status) for status in _statuses(route)}},
    }
    if route.body:
        body: Json = {
            "type": "object",
            "additionalProperties": False,
            "properties": {field.name: _schema(field) for field in route.body},
            "required": [field.name for field in route.body if field.is_needed],
        }
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _statuses(route: Route) -> list[str]:
    acts = route.right is Right.ACT
    return [status for status in _REFUSED if acts or status not in {"403", "409"}]


def _refused(status: str) -> Json:
    schema = {"$ref": "#/components/schemas/Refusal"}
    return {"description": _REFUSED[status], "content": {"application/json": {"schema": schema}}}


def _success(route: Route) -> Json:
    schema = {"schema": route.gives or {}}
    if route.stream is not None:
        return {"description": "One JSON object a line, as it comes.", "content": {"application/x-ndjson": schema}}
    return {"description": "As asked.", "content": {"application/json": schema}}


def _parameter(field: Field) -> Json:
    return {"name": field.name, "in": "query", "required": field.is_needed, "schema": _schema(field)}


def _schema(field: Field) -> Json:
    schema = {**_schema_of(field.kind), "description": field.about}
    return schema if field.default is None else {**schema, "default": field.default}


def _schema_of(kind: Whole | Text | Choice) -> Json:
    match kind:
        case Whole(least, most):
            return {"type": "integer", "minimum": least, "maximum": most}
        case Text(least, most):
            return {"type": "string", "minLength": least, "maxLength": most, "pattern": _VISIBLE}
        case Choice(of):
            return {"type": "string", "enum": list(of)}
