"""Whether the subscribed power is exceeded now: told at once, and over as soon as the meter says so.

Standard: STGE bit 7. Historique: ADPS (or ADIRx on three-phase) is present only while it lasts, so its absence is the
news. A three-phase meter, a Linky or a CBETM, sends a long frame, which never has ADIRx, after every 20 short ones:
one long frame alone ends nothing.
"""

from linky_tic.decoder import Frame
from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.status import parse_status

_PRESENT = frozenset({"ADPS", "ADIR1", "ADIR2", "ADIR3"})
_SHORT = frozenset({"ADCO", "IINST1", "IINST2", "IINST3"})
"""What a three-phase short frame has besides ADIRx; a long one has more, PAPP not on every meter."""
_DAMAGED_FRAMES = 3
"""So many frames without the label end an overrun where each is damaged and might have lost it."""


class OverrunWatch:
    """Follows one meter: give it each Group as it comes, then the Frame."""

    def __init__(self) -> None:
        self.overrun = False
        self._quiet = 0

    def group(self, group: Group) -> None:
        """Take one group; `overrun` is right from here on."""
        if not group.valid or group.value is None:
            return
        if group.label in _PRESENT:
            self.overrun, self._quiet = True, 0
        elif group.label == "STGE":
            self.overrun = parse_status(group.value).overrun

    def frame(self, frame: Frame) -> None:
        """Take the frame that ended: a historique one without the label ends an overrun, once it can be trusted.

        So does a whole frame of an older meter, which has no such label.
        """
        if not self.overrun or frame.mode in (Mode.STANDARD, None):
            return
        if frame.mode is not Mode.HISTORIQUE:
            # Another meter is on the line now: what the former one said no frame of this one takes back.
            self.overrun = not frame.complete
            return
        labels = {group.label for group in frame.groups if group.valid}
        if labels & _PRESENT:
            return
        self._quiet += 1
        if self._quiet >= _needed(frame, labels):
            self.overrun, self._quiet = False, 0


def _needed(frame: Frame, labels: set[str]) -> int:
    if not frame.complete or not all(group.valid for group in frame.groups):
        return _DAMAGED_FRAMES
    return 2 if "IINST1" in labels and labels - _SHORT else 1
