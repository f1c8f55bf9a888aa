"""`make fuzz`: FUZZ_SECONDS (60) of inputs guided by coverage, or FUZZ_REPLAY, a file: that input once more.

atheris is installed in an environment of its own under build/fuzz; what was found worth keeping stays in
build/fuzz/corpus, and an input that broke something in build/fuzz/crashes.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from hil_tests.fuzz.seeds import seeds

_ROOT = Path(__file__).parents[2]
_PLACE = _ROOT / "build" / "fuzz"
_LOCK = _ROOT / "lock" / "fuzz.txt"
_LIMITS = ("-max_len=4096", "-timeout=20", "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=0")


def main(seconds: int, replay: str | None) -> int:
    """Fuzz or replay; give the exit status."""
    python = _environment()
    corpus, crashes, first = (_PLACE / name for name in ("corpus", "crashes", "seeds"))
    for folder in (corpus, crashes, first):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds()):
        (first / f"{number:03}").write_bytes(data)
    before = set(crashes.iterdir())
    what = [replay] if replay else [f"-max_total_time={seconds}", str(corpus), str(first)]
    command = [str(python), "-m", "hil_tests.fuzz.guided", *_LIMITS, f"-artifact_prefix={crashes}/", *what]
    code = subprocess.run(command, cwd=_ROOT, check=False).returncode
    for path in sorted(set(crashes.iterdir()) - before):
        _say(
            f"an input that breaks a property was kept; the line above says which. Again: make fuzz FUZZ_REPLAY={path}"
        )
    if code == 0:
        _say("nothing broke" if replay is None else "this input breaks nothing")
    return code


def _environment() -> Path:
    """Make the environment where it is not yet; give its Python."""
    home = _PLACE / "venv"
    stamp = home / "installed"
    wanted = hashlib.sha256(_LOCK.read_bytes() + sys.version.encode()).hexdigest()
    python = home / "bin" / "python"
    if not stamp.is_file() or stamp.read_text("ascii") != wanted:
        _say("installing atheris under build/fuzz")
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            subprocess.run([str(python), *pip, "--only-binary=:all:", "--require-hashes", "-r", str(_LOCK)], check=True)
        except subprocess.CalledProcessError:
            sys.exit("atheris could not be installed; see above. It has wheels for Linux on x86-64 alone")
        stamp.write_text(wanted, "ascii")
    return python


def _say(text: str) -> None:
    print(f"fuzz: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(int(os.environ.get("FUZZ_SECONDS") or 60), os.environ.get("FUZZ_REPLAY") or None))
