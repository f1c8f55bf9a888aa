"""What load control asks of the rest of the agent."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.commands.confirm import Power


@dataclass(frozen=True, slots=True)
class Outside:
    """What the executor asks of the rest of the agent; each returns at once.

    `power`: what the meter says now; `published`: takes an answer (sequence, signed message) that was stored;
    `alarm`: kind and text for people; `admits`: whether the link lets a shed of the centre in; `link_up`: whether
    the centre is heard.
    """

    power: Callable[[], Power | None]
    published: Callable[[int, bytes], None]
    alarm: Callable[[str, str], None]
    admits: Callable[[], bool] = lambda: True
    link_up: Callable[[], bool] = lambda: True
