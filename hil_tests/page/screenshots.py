"""`make screenshots`: the pictures of the guides, in docs/screenshots, taken of the bench's building by the tests."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hil_tests.page.palette import smaller

DOCS = Path(__file__).parents[2] / "docs" / "screenshots"
TAKEN_BY = {
    "overview-fr-1280": ("test_page_looks.py::test_the_overview_fits_and_is_accessible", 1_500),
    "overview-shedding-en-360": ("test_page_sheds.py::test_a_manager_sees_a_shed_counts_down_and_opts_out", 1_000),
    "channels-en-768": ("test_page_looks.py::test_every_other_page_fits_and_is_accessible", 1_000),
    "first-use-fr-360": ("test_page_comes_in.py::test_the_first_visit_leads_from_the_code_to_the_overview", 1_000),
}
"""Picture -> the test that takes it on its way, the rows that are shown."""


def main() -> int:
    """Take them and give pytest's exit status."""
    # Where the bench's ends lie is on a picture.
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tests = dict.fromkeys(f"{Path(__file__).parent}/{test}" for test, _ in TAKEN_BY.values())
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--basetemp={folder}/run", *tests],
            env={**os.environ, "PAGE_SCREENSHOTS": f"{folder}/taken"},
            check=False,
        )
        if ran.returncode:
            return ran.returncode
        DOCS.mkdir(exist_ok=True)
        for name, (_, rows) in TAKEN_BY.items():
            png = smaller(Path(folder, "taken", f"{name}.png").read_bytes(), rows)
            (DOCS / f"{name}.png").write_bytes(png)
            print(f"docs/screenshots/{name}.png: {len(png) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
