"""What the tables of a site file are made of: the kinds of values, each with what is right, and the strict table."""

import zoneinfo
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError


def _beside(value: object, info: ValidationInfo) -> object:
    """Resolve a relative path against the folder of the site file, which the validation context carries."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise PydanticCustomError("path", "is not a path")
    folder = info.context["folder"] if info.context else Path()
    return Path(folder, value)


def _profile(value: str, info: ValidationInfo) -> str:
    return str(_beside(value, info)) if value.endswith(".toml") else value


def _line(value: str, info: ValidationInfo) -> str:
    kind, colon, rest = value.partition(":")
    if not colon or kind != "unix":
        raise PydanticCustomError("line", "is no kind of pulse line that this version can read")
    return f"unix:{_beside(rest, info)}"


def _socket(value: Path) -> Path:
    if len(bytes(value)) > 107:  # Linux: sun_path has 108 with the closing zero
        raise PydanticCustomError("socket", "is too long a path for a socket")
    return value


def _price(value: float) -> float:
    if value != round(value, 6):
        raise PydanticCustomError("price", "has more than 6 decimals")
    return abs(value)  # -0.0 is 0, and is written so


def _timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError):  # ZoneInfoNotFoundError comes only from a search that found nothing, below
        raise PydanticCustomError("timezone", "is no time zone") from None
    except zoneinfo.ZoneInfoNotFoundError:
        # A machine without the time zone database cannot tell a wrong name from a right one.
        if any(Path(folder).is_dir() for folder in zoneinfo.TZPATH):
            raise PydanticCustomError("timezone", "is no time zone") from None
    return value


class Part(BaseModel):
    """A table of the site file: frozen, and nothing unknown is accepted in it."""

    # Strict: "9600" is no number and 1 is no truth value; a text in place of a number is a mistake worth telling.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


def forget(part: type[Part] = Part) -> None:
    """Let go of what validates the tables, a megabyte: whoever has loaded its site, and no other, needs it no more."""
    for each in part.__subclasses__():
        forget(each)
    for name in ("__pydantic_core_schema__", "__pydantic_validator__", "__pydantic_serializer__"):
        if name in vars(part):
            delattr(part, name)


VISIBLE: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"
Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_-]{0,31}$",
        description="a name of a-z, 0-9, - and _ that begins with a letter, 32 at most",
    ),
]
File = Annotated[
    Path,
    BeforeValidator(_beside, json_schema_input_type=str),
    Field(description="a path; relative means beside this file"),
]
Port = Annotated[str, BeforeValidator(lambda value, info: str(_beside(value, info)), json_schema_input_type=str)]
Host = Annotated[str, Field(pattern=r"^[^\s/:]{1,253}$|^[0-9a-fA-F:]{2,45}$")]
TcpPort = Annotated[int, Field(ge=1, le=65535, description="a TCP port")]
Seconds = Annotated[float, Field(gt=0, le=86400, description="seconds")]
Value = Annotated[int, Field(ge=-(2**31), le=2**32 - 1)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Socket = Annotated[File, AfterValidator(_socket)]
ProfileName = Annotated[str, AfterValidator(_profile)]
PulseLine = Annotated[str, AfterValidator(_line)]
Eur = Annotated[float, AfterValidator(_price)]
About = Annotated[
    str, Field(max_length=120, pattern=VISIBLE, description="what is connected, for people, 120 characters at most")
]
