"""Numbers, durations and moments as each language writes them; exact integers in, text out, no float on the way."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal

from gateway.web.words import Language, said

_THIN, _WIDE = "\u202f", "\u00a0"
_MARKS = {"fr": (_THIN, ","), "en": (",", ".")}
"""Between thousands, before decimals."""

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000))


def exact(value: int, exponent: int) -> Decimal:
    """Give `value x 10**exponent`."""
    return Decimal(value).scaleb(exponent)


@dataclass(frozen=True, slots=True)
class Writing:
    """Writes for readers of `language`."""

    language: Language

    def number(self, value: Decimal | int, decimals: int | None = None) -> str:
        """Write a number with its own decimals, or with so many."""
        number = Decimal(value)
        if decimals is not None:
            number = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
        between, before = _MARKS[self.language]
        whole, _, rest = f"{abs(number):f}".partition(".")
        groups = [whole[max(0, end - 3) : end] for end in range(len(whole), 0, -3)][::-1]
        sign = "\u2212" if number < 0 else ""
        return sign + between.join(groups) + (before + rest if rest else "")

    def unit(self, value: Decimal | int, unit: str, decimals: int | None = None) -> str:
        """Write a number with its unit, never broken between the two."""
        return (
            f"{self.number(value, decimals)}{_WIDE}{_SHOWN.get(unit, unit)}" if unit else self.number(value, decimals)
        )

    def thousands(self, value: Decimal, unit: str) -> str:
        """Write a large number in thousands of its unit: 36 kVA."""
        return self.unit(value.scaleb(-3).normalize(), f"k{unit}")

    def euros(self, value: Decimal) -> str:
        """Write an amount in euros, to the cent."""
        amount = self.number(value, 2)
        return f"{amount}{_WIDE}€" if self.language == "fr" else f"€{amount}"

    def duration(self, ms: int) -> str:
        """Write a duration as people say it: 8 s, 3 min, 5 h, 2 d."""
        for name, length in _UNITS:
            if ms >= 2 * length:
                return f"{ms // length}{_WIDE}{said(self.language)(f'unit.{name}')}"
        return f"{max(0, ms) // 1000}{_WIDE}s"

    def ago(self, ms: int) -> str:
        """Write how long ago something was."""
        return said(self.language)("ago", time=self.duration(ms))

    def countdown(self, ms: int) -> str:
        """Write what is left, to the second: 1 h 02 min 03 s."""
        seconds = max(0, -(-ms // 1000))
        hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
        parts = [f"{hours}{_WIDE}h"] if hours else []
        if hours or minutes:
            parts.append(f"{minutes:02d}{_WIDE}min" if hours else f"{minutes}{_WIDE}min")
        parts.append(f"{rest:02d}{_WIDE}s" if parts else f"{rest}{_WIDE}s")
        return " ".join(parts)

    def clock(self, utc_ms: int, zone: tzinfo) -> str:
        """Write the time of day of a moment: 14:05."""
        return f"{datetime.fromtimestamp(utc_ms // 1000, UTC).astimezone(zone):%H:%M}"

    def moment(self, utc_ms: int, zone: tzinfo) -> str:
        """Write a day and a time of day: 26/11/2026 14:05, 26 Nov 2026 14:05.

        Of the hour that comes twice in autumn the offset tells which it is.
        """
        local = datetime.fromtimestamp(utc_ms // 1000, UTC).astimezone(zone)
        twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        which = f" {local.isoformat()[-6:]}" if twice else ""
        if self.language == "fr":
            return f"{local:%d/%m/%Y %H:%M}{which}"
        return f"{local.day} {_MONTHS[local.month - 1]} {local:%Y %H:%M}{which}"

    def day(self, utc_ms: int, zone: tzinfo) -> str:
        """Write a day: 26/11/2026, 26 Nov 2026."""
        local = datetime.fromtimestamp(utc_ms // 1000, UTC).astimezone(zone)
        return f"{local:%d/%m/%Y}" if self.language == "fr" else f"{local.day} {_MONTHS[local.month - 1]} {local:%Y}"

    def month(self, utc_ms: int, zone: tzinfo) -> str:
        """Write a month: 11/2026, Nov 2026."""
        local = datetime.fromtimestamp(utc_ms // 1000, UTC).astimezone(zone)
        return f"{local:%m/%Y}" if self.language == "fr" else f"{_MONTHS[local.month - 1]} {local:%Y}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SHOWN = {"m3": "m³", "m3/h": "m³/h", "degC": "°C"}
"""Units as people write them."""
