"""What a command of the command line is, and how what is typed behind it is read."""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

Answer = Callable[[argparse.Namespace], int]
Option = Callable[[argparse.ArgumentParser], object]


class Command(NamedTuple):  # a dataclass would cost every start 6 ms
    """One command: `words` as they are typed ("config check"), one sentence, the answer, an example, what it takes."""

    words: str
    text: str
    answer: Answer
    example: str
    options: tuple[Option, ...] = ()


def option(*names: str, **how: Any) -> Option:  # noqa: ANN401 - the keywords of add_argument
    """Give an option or an argument, told as `add_argument` takes it."""
    return lambda parser: parser.add_argument(*names, **how)


def positive(text: str) -> float:
    """Read a number of seconds above zero, a day at most."""
    value = float(text)
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} s: more than 0 and at most 86400 seconds are wanted")
    return value


def counted(text: str) -> int:
    """Read a number from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: a number from 1 on is wanted")
    return value


def lasting(text: str) -> int:
    """Read a time as people say it, "90min" or "4h" or "2d", in seconds; up to 31 days."""
    number, unit = text.rstrip("abcdefghijklmnopqrstuvwxyz"), text.lstrip("0123456789")
    lengths = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
    seconds = int(number) * lengths[unit] if number.isdecimal() and unit in lengths else 0
    if not 0 < seconds <= 31 * 86_400:
        raise argparse.ArgumentTypeError(f"{text}: a time is wanted as 90min, 4h or 2d, 31d at most")
    return seconds


def port(text: str) -> int:
    """Read a TCP port, 0 for any."""
    value = int(text)
    if not 0 <= value <= 65_535:
        raise argparse.ArgumentTypeError(f"{text}: a port from 0 to 65535 is wanted")
    return value
