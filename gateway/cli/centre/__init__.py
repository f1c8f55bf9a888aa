"""`gateway centre`: the other end, for the platform's people; the authority (`gateway centre ca`) is in `enrolment`."""
