"""What pydantic refuses, said to an installer: what is wrong, and what would be right according to the model itself.

The texts of the right answer are the fields' own descriptions, so that model, schema and messages cannot drift apart.
"""

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from config.locate import Path
from config.site import Site

_WRONG: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "is no text",
    "int_type": "is no whole number",
    "int_parsing_size": "is far too large",
    "float_type": "is no number",
    "finite_number": "is no finite number",
    "bool_type": "is neither true nor false",
    "path": "is no path",
    "tuple_type": "is no list of tables",
    "model_type": "is no table",
    "model_attributes_type": "is no table",
    "literal_error": "is not known",
    "string_pattern_mismatch": "has not the right form",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "too_long": "has too many entries",
    "too_short": "has too few entries",
    "greater_than": "is too low",
    "greater_than_equal": "is too low",
    "less_than": "is too high",
    "less_than_equal": "is too high",
}
_NUMBERS: Mapping[object, str] = {int: "a whole number", float: "a number"}
_BOUNDS = (("ge", "from {}"), ("gt", "above {}"), ("le", "to {}"))
_TAGGED = ("modbus_bus", "load")
_LONGEST_SHOWN = 40
_MOST_LISTED = 20
_MOST_SEARCHED = 256  # as many as a site has entries of a kind; a hostile file has more, and the search is slow


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake before it has a line: the path in the file, what is wrong, what would be right."""

    path: Path
    message: str
    right: str


def shown(value: object) -> str:
    """Show a value as TOML would write it, cut to what fits in a line."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, dict):
        text = "a table"
    elif isinstance(value, list):
        text = "a list"
    elif isinstance(value, int) and abs(value) >= 10**_LONGEST_SHOWN:
        text = f"a number of more than {_LONGEST_SHOWN} digits"
    else:
        text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def nearest(word: str, known: Iterable[str], kind: str) -> str:
    """Propose the known word that `word` may have been meant for; else name all of them as `kind`."""
    from difflib import get_close_matches  # noqa: PLC0415 - a site without a mistake is spared it, for years

    names = sorted(known)[:_MOST_SEARCHED]
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return (
        f"{kind}: {', '.join(names[:_MOST_LISTED])}{'...' * (len(names) > _MOST_LISTED)}"
        if names
        else f"there is no {kind}"
    )


def problems(error: ValidationError, root: type[BaseModel] = Site) -> Iterator[Problem]:
    """Give each thing that pydantic found, in the words of the file that `root` describes."""
    for detail in error.errors(include_url=False):
        yield from _problem(detail, root)


def _problem(detail: ErrorDetails, root: type[BaseModel]) -> Iterator[Problem]:
    kind, value, tagged = detail["type"], detail["input"], detail["loc"]
    # pydantic puts the variant it chose (("load", 0, "onoff", "rated_w")) into the path; no key of the file.
    path = tuple(step for at, step in enumerate(tagged) if not (at == 2 and tagged[0] in _TAGGED))
    if kind == "extra_forbidden":
        model = _model(tagged[:-1], root)
        if isinstance(path[-1], str):
            yield Problem(path, "is no known key", nearest(path[-1], tuple(model.model_fields), "known keys"))
        return
    if kind.startswith("union_tag"):
        yield from _untagged(path, value)
        return
    if kind == "tuple_type" and isinstance(value, dict):
        yield Problem(path, "is a single table", f"write [[{path[-1]}]], once for each")
        return
    wrong = _WRONG.get(kind, detail["msg"])
    yield Problem(path, wrong if kind == "missing" else f"{shown(value)} {wrong}", _right(tagged, root))


def _untagged(path: Path, entry: Any) -> Iterator[Problem]:  # noqa: ANN401 - whatever the file says
    """Tell that an entry's `kind` is none, and what would be wrong with it whichever kind were meant."""
    variants = _models(Site.model_fields[str(path[0])])
    kinds = [get_args(model.model_fields["kind"].annotation)[0] for model in variants]
    wrong = f"{shown(entry['kind'])} is not known" if "kind" in entry else "is missing"
    yield Problem((*path, "kind"), wrong, " or ".join(f'"{kind}"' for kind in kinds))
    found = []
    for model, kind in zip(variants, kinds, strict=True):
        try:
            model.model_validate({**entry, "kind": kind}, context={"folder": ""})
        except ValidationError as error:
            details = ({**detail, "loc": (*path, kind, *detail["loc"])} for detail in error.errors(include_url=False))
            found.append({problem.path: problem for detail in details for problem in _problem(detail, Site)})  # type: ignore[arg-type]
        else:
            return
    for place, problem in found[0].items():
        if all(place in other for other in found):
            yield problem


def _right(tagged: Path, root: type[BaseModel]) -> str:
    """Say what the field at this path takes; an entry of a list of texts what the list does."""
    if len(tagged) > 1 and isinstance(tagged[-1], int):
        listed = _model(tagged[:-2], root).model_fields.get(str(tagged[-2]))
        tagged = tagged if listed is None or _models(listed) else tagged[:-1]
    field = _model(tagged[:-1], root).model_fields.get(str(tagged[-1])) if isinstance(tagged[-1], str) else None
    if field is None:
        return f"a table with {', '.join(_model(tagged, root).model_fields)}"
    annotation = next((part for part in get_args(field.annotation) if part is not type(None)), field.annotation)
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    models = _models(field)
    if choices:
        form = " or ".join(shown(choice) for choice in choices)
    elif field.annotation is bool:
        form = "true or false"
    elif models and not field.description:
        form = f"a table [{tagged[-1]}] with {', '.join(models[0].model_fields)}"
    else:
        form = " ".join([_NUMBERS.get(annotation, ""), *_bounds(field)]).strip()
    return ": ".join(part for part in (field.description, form) if part)


def _bounds(field: FieldInfo) -> Iterator[str]:
    for name, form in _BOUNDS:
        for constraint in field.metadata:
            if field.annotation in _NUMBERS and getattr(constraint, name, None) is not None:
                yield form.format(getattr(constraint, name))


def _model(tagged: Path, root: type[BaseModel]) -> type[BaseModel]:
    """Find the model whose table stands at this path."""
    model = root
    for step in tagged:
        if isinstance(step, int):
            continue
        if step in model.model_fields:
            models = _models(model.model_fields[step])
            model = models[0] if models else model
        else:
            model = next(m for m in _models(Site.model_fields[str(tagged[0])]) if _kind(m) == step)
    return model


def _kind(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields["kind"].annotation)[0])


def _models(part: Any) -> tuple[type[BaseModel], ...]:  # noqa: ANN401 - a field or any annotation inside one
    """Give every model that an annotation mentions: one, or the variants of a tagged union."""
    annotation = part.annotation if isinstance(part, FieldInfo) else part
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return (annotation,) if issubclass(annotation, BaseModel) else ()
    inner = get_args(annotation) if get_origin(annotation) is not Literal else ()
    return tuple(model for argument in inner for model in _models(argument))
