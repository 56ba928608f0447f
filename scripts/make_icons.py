"""Draw the PNG icons from icon.svg with Chromium: ``python scripts/make_icons.py``."""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

ICONS = Path(__file__).parent.parent / "pwa" / "icons"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")

# file name → (edge in pixels, share of the edge that the drawing takes, background)
KINDS = {
    "icon-192.png": (192, 1.0, "transparent"),
    "icon-512.png": (512, 1.0, "transparent"),
    # launchers cut maskable icons to their own shape: the mark stays in the inner 80 %
    "maskable-512.png": (512, 0.86, "#0b6b5c"),
    "apple-touch-icon.png": (180, 1.0, "#0b6b5c"),
}


def main() -> None:
    """Write all PNG icons."""
    drawing = (ICONS / "icon.svg").read_text("utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (edge, share, background) in KINDS.items():
            page = browser.new_page(viewport={"width": edge, "height": edge})
            page.set_content(
                f"<style>html{{background:{background}}}body{{margin:0;display:grid;"
                f"place-items:center;height:100vh}}svg{{width:{share:.0%}}}</style>{drawing}"
            )
            (ICONS / name).write_bytes(smaller(page.screenshot(omit_background=True)))
            page.close()
        browser.close()


def smaller(png: bytes) -> bytes:
    """Return the same picture in fewer bytes: browsers write theirs in a hurry.

    Lines of a drawing pack best as they are, without any filter of PNG's.
    """
    chunks = list(_chunks(png))
    head = next(content for kind, content in chunks if kind == b"IHDR")
    width, _, depth, colours, *rest = struct.unpack(">IIBBBBB", head)
    assert (depth, rest) == (8, [0, 0, 0]), "another kind of PNG"
    packed = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    lines = _unfiltered(packed, width, {2: 3, 6: 4}[colours])
    content = zlib.compress(b"".join(b"\0" + line for line in lines), 9)
    parts = [(b"IHDR", head), (b"IDAT", content), (b"IEND", b"")]
    return png[:8] + b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))
        for kind, part in parts
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(png):
        size, kind = struct.unpack(">I4s", png[place : place + 8])
        yield kind, png[place + 8 : place + 8 + size]
        place += 12 + size


def _unfiltered(packed: bytes, width: int, size: int) -> Iterator[bytes]:
    """Yield the lines of a picture; `size` is that of a point in bytes."""
    above = bytearray(width * size)
    for place in range(0, len(packed), width * size + 1):
        kind, line = packed[place], bytearray(packed[place + 1 : place + 1 + width * size])
        for i in range(len(line)):
            left, corner = (line[i - size], above[i - size]) if i >= size else (0, 0)
            line[i] = (line[i] + _guess(kind, left, above[i], corner)) & 255
        yield bytes(line)
        above = line


def _guess(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:
        return min((left, above, corner), key=lambda each: abs(left + above - corner - each))
    return (0, left, above, (left + above) // 2)[kind]


if __name__ == "__main__":
    main()
