"""A start asks for all scripts of its page at once (R9)."""

import re
from pathlib import Path

from fieldpost_server.delivery.preloads import preloads

PWA = Path(__file__).parents[3] / "pwa"
IMPORT = re.compile(r'(?:from|import) "(\.[^"]+)"')


def scripts() -> dict[str, bytes]:
    """Return all scripts of the shell; those of others are empty here."""
    found = {path.relative_to(PWA).as_posix(): path.read_bytes() for path in PWA.rglob("*.js")}
    vendor = {f"vendor/{name}.js": b"" for name in ("idiomorph", "signature_pad", "argon2")}
    return found | vendor


def test_whatever_the_pages_script_imports_is_named_in_its_head() -> None:
    """Near and far, each once; what is loaded later, for a PIN or by a worker, is not."""
    every = scripts()
    named = re.findall(r'<link rel="modulepreload" href="\./([^"]+)">\n', preloads(every))
    imported = set[str]()
    for name in ["shell/shell.js", *named]:
        place = PWA / name
        for path in IMPORT.findall(every[name].decode()):
            imported.add((place.parent / path).resolve().relative_to(PWA.resolve()).as_posix())

    assert sorted(imported) == named
    assert {"shell/page/navigation.js", "store.js", "vendor/idiomorph.js"} <= set(named)
    assert not {"vendor/argon2.js", "worker/worker.js", "sw.js"} & set(named)
