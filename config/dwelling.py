"""A dwelling's table of a site file: which devices are about one household, and what a consent of it would let out."""

from typing import Literal

from pydantic import Field

from config.parts import Name, Part

_PART = r"^[a-z0-9]([a-z0-9-]{0,%d}[a-z0-9])?$"

Tier = Literal["fine", "minute", "index"]


class Purpose(Part):
    """What a dwelling may consent to: whatever leaves for this purpose leaves in streams of its own."""

    name: str = Field(
        pattern=_PART % 9,
        description="what for, as the centre knows it: up to 11 of a-z, 0-9 and -, neither first nor last a -",
    )
    tiers: tuple[Tier, ...] = Field(
        min_length=1,
        max_length=3,
        strict=False,
        description='what a consent lets out: some of "fine" (everything), "minute" (means), "index" (quarter-hours)',
    )


class Dwelling(Part):
    """A household: nothing of its devices leaves the building, not even their names, without its consent."""

    name: str = Field(
        pattern=_PART % 10, description="its name: up to 12 of a-z, 0-9 and -, neither first nor last a -"
    )
    devices: tuple[Name, ...] = Field(
        min_length=1,
        max_length=32,
        strict=False,
        description="the names of its meters: [[linky]], [[modbus]], ...",
    )
    purpose: tuple[Purpose, ...] = Field(
        default=(), max_length=16, strict=False, description="one [[dwelling.purpose]] for each that it may consent to"
    )
