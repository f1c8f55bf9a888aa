"""The shape of an answer as a JSON schema, from few pieces: each name that is told is always there, and no other is."""

from typing import Any

Shape = dict[str, Any]

TEXT: Shape = {"type": "string"}
WHOLE: Shape = {"type": "integer"}
COUNT: Shape = {"type": "integer", "minimum": 0}
RATE: Shape = {"type": "number", "minimum": 0}
FLAG: Shape = {"type": "boolean"}
VALUE: Shape = {"type": ["integer", "string"]}
"""What a channel gives: a number before its exponent, or a text."""


def one_of(*texts: str) -> Shape:
    """Give the shape of one of some texts."""
    return {"type": "string", "enum": list(texts)}


def maybe(shape: Shape) -> Shape:
    """Give the shape of what may be null."""
    return {"anyOf": [shape, {"type": "null"}]}


def many(shape: Shape) -> Shape:
    """Give the shape of a list."""
    return {"type": "array", "items": shape}


def by_name(shape: Shape) -> Shape:
    """Give the shape of an object whose names are not known beforehand."""
    return {"type": "object", "additionalProperties": shape}


def table(**shapes: Shape) -> Shape:
    """Give the shape of an object with these names."""
    return {"type": "object", "properties": shapes, "required": list(shapes), "additionalProperties": False}


def either(*shapes: Shape) -> Shape:
    """Give the shape of what has one of some shapes."""
    return {"anyOf": list(shapes)}
