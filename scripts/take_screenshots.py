"""Take the screenshots of the README from the running demo: docs/screenshots/*.png."""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from browser.office import Office  # noqa: E402 - after the path is set

TARGET = ROOT / "docs" / "screenshots"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}
SETUP_MS = 120_000


def main() -> None:
    """Start the demo, look at it, and keep what is seen."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        office = Office(Path(folder) / "data")
        port = office.start()
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
        try:
            take(browser, f"http://127.0.0.1:{port}")
        finally:
            browser.close()
            office.stop()


def take(browser: Browser, origin: str) -> None:
    """Take all pictures."""
    page = signed_in(browser, origin, "worker1", "light", PHONE)
    page.locator("body[data-home=device] .menu").wait_for(timeout=SETUP_MS)
    page.goto(f"{origin}/pages/inspection")
    page.locator("body[data-home=device] table.list").wait_for(timeout=SETUP_MS)
    page.screenshot(path=TARGET / "phone-list-light.png")
    page = signed_in(browser, origin, "worker2", "dark", PHONE)
    page.locator("body[data-home=device] .menu").wait_for(timeout=SETUP_MS)
    page.goto(f"{origin}/pages/inspection/new")
    page.locator("body[data-home=device] form.record").wait_for(timeout=SETUP_MS)
    page.get_by_role("button", name="Add finding").click()
    page.get_by_label("Note").fill("Loose rail at the upper landing")
    page.locator(".child-row").scroll_into_view_if_needed()
    page.screenshot(path=TARGET / "phone-form-dark.png")
    page = signed_in(browser, origin, "admin", "light", DESKTOP)
    page.goto(f"{origin}/designer")
    page.screenshot(path=TARGET / "desktop-designer-light.png")
    page = signed_in(browser, origin, "office", "dark", DESKTOP)
    page.goto(f"{origin}/pages/inspection")
    page.screenshot(path=TARGET / "desktop-list-dark.png")


def signed_in(browser: Browser, origin: str, name: str, scheme: str, size: dict[str, int]) -> Page:
    """Return a page of a fresh browser profile with this person signed in."""
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": size["width"], "height": size["height"]},
        device_scale_factor=1,
    )
    page = context.new_page()
    page.goto(origin)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{origin}/")
    page.locator(".menu").wait_for(timeout=SETUP_MS)
    return page


if __name__ == "__main__":
    main()
