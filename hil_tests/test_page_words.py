"""Whatever the agent can name, the page can say."""

import re
from pathlib import Path

from config.channel import Quantity
from gateway.app.status import CONTROL
from gateway.commands.lifecycle import TERMINAL, State
from gateway.web import alerts, counters, pages, values
from gateway.web.words import WORDS


def made() -> set[str]:
    """Each key that is put together from what the agent says."""
    alarming = re.findall(r'Alert\("([a-z]+)"', Path(alerts.__file__).read_text("utf-8"))
    return {
        *(f"quantity.{each.value}" for each in Quantity),
        *(f"outcome.{each.value}" for each in TERMINAL),
        *(f"event.{each.value}" for each in set(State) - TERMINAL),
        *(f"link.{each}" for each in CONTROL),
        *(f"kind.{each}" for each in counters.KINDS),
        *(f"state.{each}" for each in (values.OK, values.ESTIMATED, values.SUSPECT, values.STALE)),
        *(f"alert.{each}" for each in alarming),
        *(f"done.{each}" for each in ("opt_out", "opt_in")),
        *(f"lasting.{each}" for each in pages.LASTING_S if each in {3600, 86_400}),
        *(f"source.{each}" for each in ("kernel", "centre")),
    }


def test_every_word_for_what_the_agent_can_say_is_known() -> None:
    """Whatever state, outcome, quantity or alarm the agent names, the page has a word for it."""
    assert made() <= WORDS.keys()
    assert len(re.findall("alert", " ".join(made()))) >= 10
