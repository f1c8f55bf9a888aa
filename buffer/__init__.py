"""What must not be lost, kept on the card until the other end has it: opaque bytes, in one SQLite file.

The outbox knows neither what a row means nor who signs: whoever seals gives it a function.
"""
