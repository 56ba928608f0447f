"""Scripts that a page loads at once: a browser learns of one else from that which imports it."""

import posixpath
import re
from collections.abc import Mapping

ENTRANCE = "shell/shell.js"
_IMPORT = re.compile(r'^(?:import|export)\b[^;"]*"(\.[^"]+)";', re.MULTILINE)


def preloads(scripts: Mapping[str, bytes]) -> str:
    """Return the lines of a page's head that name all that its script imports, near and far.

    Args:
        scripts: their contents by their names.
    """
    found, left = set[str](), [ENTRANCE]
    while left:
        name = left.pop()
        folder = posixpath.dirname(name)
        for path in _IMPORT.findall(scripts[name].decode()):
            other = posixpath.normpath(posixpath.join(folder, path))
            if other not in found:
                found.add(other)
                left.append(other)
    return "".join(f'    <link rel="modulepreload" href="./{name}">\n' for name in sorted(found))
