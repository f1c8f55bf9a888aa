"""The Linky's customer output (télé-information client): bytes to meaning, with no I/O and no clock.

`decoder.Decoder` is the way in; `labels` is the norm's table; `status` and `horodate` read what some values hold.
"""
