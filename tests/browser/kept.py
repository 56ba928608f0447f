"""Python that comes late, so that what is shown before it is there can be looked at."""

import time
from typing import Any

from playwright.sync_api import Locator, Page, expect

from browser import stored
from browser.device import Device
from browser.window import PATIENCE_MS, PYTHONS

HOLD = """(() => {
  if (window !== window.top) return;
  const post = Worker.prototype.postMessage;
  const held = [];
  Worker.prototype.postMessage = function (...said) {
    if (window.letPythonCome && said[0].do) held.push([this, said]);
    else post.apply(this, said);
  };
  window.letPythonCome = () => {
    window.letPythonCome = null;
    held.forEach(([worker, said]) => post.apply(worker, said));
  };
})()"""
"""Nothing that is asked of Python's worker arrives before `letPythonCome` is called."""


def kept_paths(page: Page) -> list[str]:
    """Return the addresses of the pages whose HTML is kept, the one seen last first."""
    shelf = stored.read(page, "replica", "pages")
    pages = shelf["pages"] if isinstance(shelf, dict) else []
    # a test may have damaged it a moment ago
    return [each["path"] for each in pages if isinstance(each, dict) and each["size"]]


def until_kept(page: Page, *paths: str) -> None:
    """Wait until pages are kept."""
    deadline = time.monotonic() + PATIENCE_MS / 1_000
    while missing := set(paths) - set(kept_paths(page)):
        assert time.monotonic() < deadline, f"not kept: {missing}"
        time.sleep(0.1)


def until_new(page: Page) -> None:
    """Wait until all kept pages show the newest entry."""
    deadline = time.monotonic() + PATIENCE_MS / 1_000
    while True:
        shelf = stored.read(page, "replica", "pages")
        number = stored.read(page, "session", "next_number")
        if all(each["after"].startswith(f"{number} ") for each in shelf["pages"]):
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def kept_page(page: Page, path: str) -> tuple[str, Any]:
    """Return under which name a page is kept, and how."""
    shelf = stored.read(page, "replica", "pages")
    place = next(each["place"] for each in shelf["pages"] if each["path"] == path)
    name = f"page-{place}"
    return name, stored.read(page, "replica", name)


def without_python(device: Device, path: str) -> Page:
    """Start the app at an address; Python comes when it is let."""
    device.page.close()
    device.page = page = device.context.new_page()
    page.add_init_script(HOLD)
    page.goto(device.origin + path)
    return page


def let_python_come(page: Page) -> None:
    """Let Python come and answer."""
    page.evaluate("window.letPythonCome()")
    page.locator(f"{PYTHONS} body[data-home=device]").wait_for()


def rows(page: Page) -> Locator:
    """Return the rows of the list that is shown."""
    return page.locator("table.list tbody tr")


def expect_waiting(page: Page) -> None:
    """Expect that somebody sees: the app is at it."""
    expect(page.locator("html")).to_have_attribute("data-loading", "")
