"""Damaged characters are told, and only they are."""

import pytest

from drivers.parity import MarkedParity, SoftwareParity

TEXT = b"\x02\nEAST\t000000000\tO\r\nSINSTS\t01407\tR\r\x03"
CARRIED = bytes(byte | (byte.bit_count() % 2) << 7 for byte in TEXT)


def test_marks_of_the_kernel_become_one_nul_each() -> None:
    """A marked character becomes NUL and is counted, wherever the mark is cut in two."""
    marked = TEXT[:9] + b"\xff\x00\x35" + TEXT[10:20] + b"\xff\xff" + TEXT[21:]
    expected = TEXT[:9] + b"\x00" + TEXT[10:20] + b"\x00" + TEXT[21:]
    for at in range(len(marked) + 1):
        parity = MarkedParity()
        assert parity.clean(marked[:at]) + parity.clean(marked[at:]) == expected
        assert parity.damaged == 2


def test_a_clean_line_passes_untouched() -> None:
    """Without a mark, what was read is what is given."""
    assert MarkedParity().clean(TEXT) == TEXT


def test_software_strips_the_parity_bit() -> None:
    """Characters with even parity in bit 7 come out as 7 bits, none damaged."""
    parity = SoftwareParity()
    assert (parity.clean(CARRIED), parity.damaged) == (TEXT, 0)


@pytest.mark.parametrize("bit", range(8))
def test_software_finds_every_flipped_bit(bit: int) -> None:
    """Any one flipped bit of a character makes it NUL, and leaves its neighbours."""
    for at in range(len(CARRIED)):
        parity = SoftwareParity()
        spoilt = CARRIED[:at] + bytes([CARRIED[at] ^ 1 << bit]) + CARRIED[at + 1 :]
        assert parity.clean(spoilt) == TEXT[:at] + b"\x00" + TEXT[at + 1 :]
        assert parity.damaged == 1


def test_plain_characters_are_left_alone() -> None:
    """A writer that sends 7 bits without parity is understood from its first piece on."""
    parity = SoftwareParity()
    assert parity.clean(TEXT[:12]) + parity.clean(TEXT[12:]) == TEXT
    assert parity.damaged == 0
