"""Look for bytes that break a parser, guided by coverage (atheris): `make fuzz`.

    python tests/fuzz/run.py NAME SECONDS

What reaches code that no example reached is kept in `corpus`, the shortest first; what breaks the
parser is written beside it, so that the tests fail until it is mended.
"""

import hashlib
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]
CORPUS = Path(__file__).parent / "corpus"
MOST_KEPT = 40
"""Examples of one parser that are kept."""


def search(name: str, seconds: int) -> int:
    """Search in a process of its own, since a search ends its process; return its status."""
    corpus = CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        where = [folder, str(corpus)]
        status = _run(name, f"-max_total_time={seconds}", f"-artifact_prefix={corpus}/", *where)
        found = sorted((path.read_bytes() for path in Path(folder).iterdir()), key=len)
        for data in found[: max(0, MOST_KEPT - len(list(corpus.iterdir())))]:
            (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return status


def _run(name: str, *options: str) -> int:
    fixed = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=1024", "-verbosity=0"]
    command = [sys.executable, __file__, "--one", name, *fixed, *options]
    return subprocess.run(command, check=False).returncode


def one(name: str, options: list[str]) -> None:
    """Be the process that searches."""
    atheris: Any = importlib.import_module("atheris")

    with atheris.instrument_imports(include=["fieldpost", "fieldpost_server", "python_multipart"]):
        from fuzz.targets import try_one

    def work(data: bytes) -> None:
        try_one(name, data)

    atheris.Setup([sys.argv[0], *options], work)
    atheris.Fuzz()


def main(words: list[str]) -> int:
    """Search for one parser, or for all of them."""
    if words[:1] == ["--one"]:
        one(words[1], words[2:])
        return 0
    from fuzz.targets import TARGETS

    names = [words[0]] if words and words[0] != "all" else list(TARGETS)
    seconds = int(words[1]) if len(words) > 1 else 60
    return max(search(name, seconds) for name in names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
