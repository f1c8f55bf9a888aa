"""With which code the command line ends; scripts rely on these numbers, so they never change their meaning."""

OK = 0
WARNINGS = 1
"""Only where `--strict` asks for it."""
USAGE = 2
AGENT_NOT_RUNNING = 3
UNKNOWN = 4
"""No such channel or command."""
CHECK_FAILED = 5
COULD_NOT_CHECK = 6
REFUSED = 7
"""Not permitted, or against an interlock."""
TIMEOUT = 27


class Ended(Exception):
    """A command cannot go on: `code` is its exit code, the text what is wrong and what to do."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
