"""Draw the PNG icons from icon.svg with Chromium: ``python scripts/make_icons.py``."""

import os
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
            page.screenshot(path=ICONS / name, omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
