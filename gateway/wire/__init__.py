"""What crosses the wire: readings packed to bytes, messages, schemas, and the signature around all of them.

Whoever reads what a gateway sent needs this package, cbor2 and cryptography, and nothing else: it can be lifted out
as it is, and imports nothing else of ours.
"""
