"""The time floor of a program is when it was made, and never a time that would refuse honest orders."""

from pathlib import Path

import pytest

from gateway.built import EARLIEST_S, built_utc_ms


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, EARLIEST_S),
        ("1795716000\n", 1_795_716_000),
        ("", EARLIEST_S),
        ("soon", EARLIEST_S),
        ("é", EARLIEST_S),
        ("12", EARLIEST_S),
        ("99999999999999", EARLIEST_S),
    ],
)
def test_it_is_what_the_package_says_or_early(tmp_path: Path, text: str | None, seconds: int) -> None:
    """A file of the package counts; none, a damaged or an absurd one makes no order too old."""
    file = tmp_path / "built"
    if text is not None:
        file.write_text(text, "utf-8")
    assert built_utc_ms(file) == seconds * 1000
