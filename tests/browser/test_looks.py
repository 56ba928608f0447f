"""The main screens: no fault that axe finds, large text, zoom, forced colours (R23)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from browser.window import Window

pytestmark = pytest.mark.browser

NewDesk = Callable[[str], Window]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """async () => {
  const { violations } = await axe.run(document, { runOnly: { type: "tag", values:
    ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"] } });
  return violations.map((each) =>
    `${each.id}: ${each.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}"""
OVERFLOWS = """() => {
  const width = document.documentElement.clientWidth;
  const inside = (each) => each.closest(".visually-hidden, thead tr, .entry-receipt, .skip");
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > width + 1 && !inside(each))
    .map((each) => `${each.tagName}.${each.className} ${each.textContent.slice(0, 40)}`);
}"""
VISIBLE_HEIGHT = """() => {
  const bars = [".toolbar", "form.record > .form-actions"]
    .map((each) => document.querySelector(each))
    .filter((each) => each && getComputedStyle(each).position === "sticky");
  return innerHeight - bars.reduce((sum, each) => sum + each.offsetHeight, 0);
}"""


def _screens(page: Page) -> list[str]:
    """Return the addresses of the main screens; the record is the first of the list."""
    page.evaluate("document.documentElement.dataset.test = ''")
    record = page.locator("table.list tbody a").first.get_attribute("href") or ""
    menu, inspections = "/", "/pages/inspection"
    return [menu, inspections, record, f"{record}/edit", f"{record}/delete", "/pages/site"]


def _faults(page: Page) -> list[str]:
    page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = page.evaluate(RUN_AXE)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_fault(new_desk: NewDesk, scheme: Any, width: int) -> None:
    """On the main screens and those of the office, narrow and wide, light and dark (R23)."""
    faults = {}
    for name, more in (("admin", ["/designer", "/envelopes?show=all"]), ("office", [])):
        desk = new_desk(name)
        desk.page.set_viewport_size({"width": width, "height": 780})
        desk.page.emulate_media(color_scheme=scheme)
        desk.go("/pages/inspection")
        for path in [*_screens(desk.page), *more] if more else ["/", "/pages/inspection/new"]:
            desk.restart(path)
            if found := _faults(desk.page):
                faults[path] = found
        desk.page.locator("#account > summary").click()
        if found := _faults(desk.page):
            faults["menu"] = found

    assert {} == faults


@pytest.mark.parametrize(("width", "height", "percent"), [(360, 640, 200), (320, 256, 100)])
def test_large_text_and_zoom_fit(new_desk: NewDesk, width: int, height: int, percent: int) -> None:
    """Text at 200 % and a zoom of 400 % need no scrolling sideways, and bars leave room (R23)."""
    desk = new_desk("admin")
    page = desk.page
    desk.go("/pages/inspection")
    page.set_viewport_size({"width": width, "height": height})
    for path in [*_screens(page), "/designer", "/envelopes?show=all", "/sign-in"]:
        desk.restart(path)
        page.evaluate(f"document.documentElement.style.fontSize = '{percent}%'")
        assert (path, []) == (path, page.evaluate(OVERFLOWS))
        assert page.evaluate(VISIBLE_HEIGHT) >= 0.55 * height, path


def test_forced_colours_keep_arrows_and_borders(new_desk: NewDesk) -> None:
    """What is drawn by its background alone has a border where the system paints (R23)."""
    desk = new_desk("office")
    desk.page.emulate_media(forced_colors="active")
    desk.go("/pages/inspection/new")
    edges = "each => (each = getComputedStyle(each), [each.borderTopStyle, each.appearance])"

    assert "solid" == desk.page.locator(".form-actions .button").first.evaluate(edges)[0]
    assert "auto" == desk.page.locator("select").first.evaluate(edges)[1]
