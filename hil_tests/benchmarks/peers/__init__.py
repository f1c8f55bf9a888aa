"""Other readers of the TIC, each behind an adapter that feeds it as its own interface wants, and ours beside them.

`python -m hil_tests.benchmarks.peers NAME MODE STREAM ANSWER` runs in the environment of the reader of that name, which
has nothing of ours installed: what is imported here is the standard library, and the reader.
"""
