"""A meter's customer output (télé-information client): bytes to meaning, with no I/O and no clock.

`decoder.Decoder` is the way in; `labels` has the norm's tables, of a Linky and of the meters before it; `status`,
`horodate`, `fields` and `tariff` read what some values hold; `plausibility`, `stuck` and `overrun` follow one meter
from frame to frame.
"""
