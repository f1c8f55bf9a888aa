"""The import names of the packages, some of them generic: ours are the ones that are imported."""

import importlib
from pathlib import Path

import pytest

import gateway

PROJECT = Path(gateway.__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["gateway", "drivers", "linky_tic", "modbus", "buffer", "config", "hil_tests"])
def test_ours_is_imported(name: str) -> None:
    """`config`, `buffer` and `modbus` exist on PyPI too: the package imported under each name is the project's."""
    found = importlib.import_module(name).__file__
    assert found is not None
    assert Path(found).resolve() == PROJECT / name / "__init__.py"
    assert (PROJECT / "pyproject.toml").is_file()
