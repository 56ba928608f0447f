"""The main screens: no fault that axe finds, large text, zoom, forced colours (R23)."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from browser.device import Device
from browser.proxy import FaultProxy
from browser.test_repair import a_conflict, open_repair
from browser.window import Window

pytestmark = pytest.mark.browser

NewDesk = Callable[[str], Window]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """async (within) => {
  const { violations } = await axe.run(within || document, { runOnly: { type: "tag", values:
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
# an animation of an element that goes away meanwhile never finishes
SETTLED = """() => Promise.race([
  new Promise((resolve) => setTimeout(resolve, 1000)),
  Promise.all(document.getAnimations()
    .filter((each) => each.effect.getTiming().iterations !== Infinity)
    .map((each) => each.finished.catch(() => {}))),
])"""
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


def _faults(page: Page, within: str = "") -> list[str]:
    page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = page.evaluate(RUN_AXE, within)
    return found


OFFICE = [
    "/designer",
    "/envelopes?show=all",
    "/people",
    "/people?user=worker1",
    "/devices",
    "/security-events",
    "/account",
]
"""Pages that only the server has."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_fault(new_desk: NewDesk, scheme: Any, width: int) -> None:
    """On the main screens and those of the office, narrow and wide, light and dark (R23)."""
    faults = {}
    for name, more in (("admin", OFFICE), ("office", [])):
        desk = new_desk(name)
        desk.page.set_viewport_size({"width": width, "height": 780})
        desk.page.emulate_media(color_scheme=scheme)
        desk.go("/pages/inspection")
        for path in [*_screens(desk.page), *more] if more else ["/", "/pages/inspection/new"]:
            desk.restart(path)
            if found := _faults(desk.page):
                faults[path] = found
        desk.page.locator("#account > summary").click()
        # what an open menu lies over is half hidden, and no target until it is closed
        if found := _faults(desk.page, "#account"):
            faults["menu"] = found

    assert {} == faults


LOOKS: list[tuple[int, Literal["light", "dark"]]] = [
    (360, "light"),
    (360, "dark"),
    (1280, "light"),
    (1280, "dark"),
]


def _look_at(page: Page, name: str, found: dict[str, list[str]]) -> None:
    """Note what is wrong with a screen in every look."""
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 740})
        page.emulate_media(color_scheme=scheme)
        page.evaluate(SETTLED)
        if wrong := [*_faults(page), *page.evaluate(OVERFLOWS)]:
            found[f"{name}, {width} {scheme}"] = wrong


def test_axe_finds_no_fault_on_a_device(
    worker: Device, proxy: FaultProxy, new_desk: NewDesk
) -> None:
    """On the sync page in all its states, at a repair and in the dialogs, in every look (R23)."""
    page = worker.page
    found: dict[str, list[str]] = {}
    _, address = a_conflict(worker, new_desk)
    worker.go("/pages/inspection/new")
    page.get_by_label("Remarks").fill("Only typed")
    worker.until_count("drafts", 1)
    page.locator("[data-attachment=signature]").get_by_role("button", name="Sign here").click()
    _look_at(page, "signature", found)
    page.get_by_role("dialog").get_by_role("button", name="Not now").click()
    worker.go("/sync")
    _look_at(page, "sync", found)
    entry = page.locator(".entry[data-state=attention]").get_attribute("id") or ""
    envelope = entry.removeprefix("envelope-")
    for path in (f"/repair/{envelope}/discard", f"/entries/{envelope}", address):
        worker.go(path)
        _look_at(page, path.partition(envelope)[0], found)
    open_repair(worker)
    _look_at(page, "repair", found)

    worker.go("/sync")
    held = threading.Event()
    proxy.hold = ("/sync/", held)
    page.get_by_role("button", name="Start a sync").click()
    expect(page.get_by_role("button", name="Stop this sync")).to_be_visible()
    _look_at(page, "sync that runs", found)
    held.set()
    expect(page.get_by_role("region", name="This sync")).to_be_hidden()
    page.locator("#account > summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    _look_at(page, "signing out", found)
    page.get_by_role("dialog").get_by_role("button", name="Stay signed in").click()
    worker.context.clear_cookies()
    page.get_by_role("button", name="Start a sync").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    _look_at(page, "signing in again", found)

    assert {} == found


@pytest.mark.parametrize(("width", "height", "percent"), [(360, 640, 200), (320, 256, 100)])
def test_large_text_and_zoom_fit(new_desk: NewDesk, width: int, height: int, percent: int) -> None:
    """Text at 200 % and a zoom of 400 % need no scrolling sideways, and bars leave room (R23)."""
    desk = new_desk("admin")
    page = desk.page
    desk.go("/pages/inspection")
    page.set_viewport_size({"width": width, "height": height})
    for path in [*_screens(page), *OFFICE, "/sign-in"]:
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
