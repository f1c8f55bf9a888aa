"""`gateway cert` on the box and `gateway centre ca` at the centre: by them a box gets its certificate."""
