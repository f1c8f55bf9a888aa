"""Which family of older meters a line with SPACEs comes from, where nobody told.

none known    the first valid group whose label one family alone has settles it; a label that several have is
              refused as unknown
one known     every group is judged by its table alone; so many valid groups of one other family in a row, with
              labels that it alone has, and it is believed instead: noise must not change it
"""

from linky_tic.group import ONLY_IN, Group, Reason, family_shown, judge
from linky_tic.label import Mode

_EVIDENCE = 3


class Family:
    """Follows one line; `known` is the family from the start where the line's mode was told."""

    def __init__(self, known: Mode | None = None) -> None:
        self.known = known
        self._other: Mode | None = None
        self._shown = 0

    def judge(self, content: bytes) -> Group:
        """Judge the bytes between a group's LF and its CR, of the standard mode or of any family."""
        group = judge(content, None, self.known)
        if group.valid:
            if group.mode is not Mode.STANDARD:
                self.known = group.mode
                if self._shown and group.label.encode() in ONLY_IN:
                    self._shown = 0
        elif group.reason == Reason.UNKNOWN_LABEL and self.known is not None:
            other = family_shown(content)
            if other is not None and self._is_shown(other):
                return self.judge(content)
        return group

    def _is_shown(self, other: Mode) -> bool:
        self._shown = self._shown + 1 if other is self._other else 1
        self._other = other
        if self._shown < _EVIDENCE:
            return False
        self.known, self._shown = other, 0
        return True
