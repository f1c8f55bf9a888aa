"""libFuzzer's loop; runs in the environment that has atheris, with libFuzzer's own arguments."""

import sys

import atheris

with atheris.instrument_imports(include=["linky_tic"]):
    from hil_tests.fuzz.properties import check


def one_input(data: bytes) -> None:
    """Try one input."""
    check(atheris.FuzzedDataProvider(data))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
