"""Joins the two rooms that do not know each other: the outbox, which keeps bytes, and the wire, which makes them.

    store      the outbox on its one thread
    signer     what this gateway says in its chained streams, signed
    unsaved    rows in memory, for as long as the disk refuses them
    trouble    who is told that it does
    records    what is no reading: schemas, the clock, what was dropped
    receipts   what the other end has, on its way to the disk
    sealing    the work: rows committed and segments sealed, on time

What is signed is what is stored is what is sent.
"""

from gateway.sealing.receipts import Receipts
from gateway.sealing.sealing import Sealing
from gateway.sealing.signer import ANSWERS, Signer
from gateway.sealing.store import Store

__all__ = ["ANSWERS", "Receipts", "Sealing", "Signer", "Store"]
