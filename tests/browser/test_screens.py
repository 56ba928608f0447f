"""What screens do under fingers and keys: signing, problems, words, the account menu (R22, R23)."""

import re
import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.device import Device
from browser.filling import draw_signature
from browser.proxy import FaultProxy
from browser.window import Window

pytestmark = pytest.mark.browser

NewDesk = Callable[[str], Window]


def _new_form(desk: Window) -> Page:
    desk.go("/pages/inspection/new")
    return desk.page


def _signature(page: Page) -> Locator:
    return page.locator("[data-attachment=signature]")


def _stroke(page: Page, canvas: Locator, *, length: int) -> None:
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    if length:
        page.mouse.move(box["x"] + 20 + length, box["y"] + 40, steps=5)
    page.mouse.up()


def test_nothing_signs_by_accident(new_desk: NewDesk) -> None:
    """A swipe that begins on the field and a tap leave it empty; a drawn name is kept (R42)."""
    page = _new_form(new_desk("office"))
    widget = _signature(page)
    hidden = page.locator('input[type=hidden][name="signature"]')
    widget.scroll_into_view_if_needed()
    _stroke(page, widget, length=120)
    expect(widget.locator("canvas")).to_have_count(0)
    expect(hidden).to_have_value("")

    widget.get_by_role("button", name="Sign here").click()
    sheet = page.get_by_role("dialog", name="Signature")
    _stroke(page, sheet.locator("canvas"), length=0)
    sheet.get_by_role("button", name="Done").click()
    expect(sheet.get_by_role("alert")).to_contain_text("Sign with the finger")
    sheet.get_by_role("button", name="Clear").click()
    for strokes in ([0, 0], [120]):
        for length in strokes:
            _stroke(page, sheet.locator("canvas"), length=length)
        sheet.get_by_role("button", name="Done").click()
        expect(sheet.get_by_role("alert")).to_contain_text("too little for a signature")
        sheet.get_by_role("button", name="Clear").click()
    _stroke(page, sheet.locator("canvas"), length=120)
    sheet.get_by_role("button", name="Not now").click()
    expect(sheet).to_have_count(0)
    expect(hidden).to_have_value("")

    draw_signature(page)
    expect(hidden).to_have_value(re.compile("signature.png"))
    expect(widget.get_by_role("button", name="Sign here")).to_have_count(0)
    widget.get_by_role("button", name=re.compile("^Remove")).click()
    expect(hidden).to_have_value("")
    expect(widget.get_by_role("button", name="Sign here")).to_be_visible()


STROKES: dict[str, tuple[list[list[tuple[int, int]]], bool]] = {
    "nothing": ([], False),
    "a tap": ([[(20, 20)]], False),
    "many taps": ([[(x, 20)] for x in range(0, 400, 20)], False),
    "two quick points": ([[(0, 0), (300, 100)]], False),
    "two pairs of quick points": ([[(0, 0), (300, 0)], [(0, 40), (300, 40)]], False),
    "a short scrawl": ([[(0, 0), (8, 9), (3, 14), (12, 20)]], False),
    "a swipe": ([[(x, 40) for x in range(0, 200, 10)]], False),
    "a swipe down, as thumbs do it": ([[(x * x // 60, x * 9) for x in range(30)]], False),
    "a swipe and a tap": ([[(x, 40) for x in range(0, 200, 10)], [(9, 9)]], False),
    "a wave": ([[(x * 5, 40 + 20 * (x % 2)) for x in range(20)]], True),
    "a cross": ([[(x, x) for x in range(0, 60, 6)], [(60 - x, x) for x in range(0, 60, 6)]], True),
    "a quick name": ([[(0, 0), (20, 60), (45, 5), (70, 60), (95, 0)]], True),
}
IS_SIGNATURE = """async ([strokes]) => {
  const { urls } = await (await fetch("/assets/manifest.json")).json();
  const { isSignature } = await import(urls["shell/form/strokes.js"]);
  return isSignature(strokes.map((each) => ({ points: each.map(([x, y]) => ({ x, y })) })));
}"""


def test_a_signature_is_drawn(new_desk: NewDesk) -> None:
    """Taps, jumps and swipes are none, however many or long; what is drawn is one (R42)."""
    page = new_desk("office").page
    found = {
        name: page.evaluate(IS_SIGNATURE, [[[list(point) for point in each] for each in strokes]])
        for name, (strokes, _) in STROKES.items()
    }

    assert {name: expected for name, (_, expected) in STROKES.items()} == found


def test_a_problem_goes_when_it_is_put_right(new_desk: NewDesk) -> None:
    """It speaks of the value that was refused: it goes with it, and comes back with it (R23)."""
    page = _new_form(new_desk("office"))
    page.get_by_label("Score").fill("500")
    page.get_by_role("button", name="Save").last.click()
    summary = page.locator("main > .problem-summary")
    expect(summary.get_by_role("heading")).to_have_text("2 things are not right yet")
    score = page.get_by_label("Score")
    expect(score).to_have_attribute("aria-invalid", "true")

    score.fill("50")
    expect(score).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#f-score-problem")).to_be_hidden()
    expect(summary.get_by_role("heading")).to_have_text("One thing is not right yet")
    score.fill("500")
    expect(page.locator("#f-score-problem")).to_be_visible()
    expect(score).to_have_attribute("aria-invalid", "true")
    score.fill("50")
    page.get_by_label("Site").select_option(index=1)
    expect(summary).to_be_hidden()


def test_good_news_goes_and_covers_no_control(new_desk: NewDesk) -> None:
    """The word "Saved" stands in the place of the app's name, and goes after a while (R22)."""
    desk = new_desk("office")
    desk.page.clock.install()
    _new_form(desk)
    desk.page.get_by_label("Site").select_option(index=1)
    desk.page.get_by_role("button", name="Save").last.click()
    status = desk.page.get_by_role("status")
    expect(status).to_have_text("Saved")
    said = status.bounding_box()
    assert said is not None
    for control in desk.page.locator("main :is(a, button, input), #account").all():
        box = control.bounding_box()
        if box is None:
            continue
        apart = (
            said["y"] + said["height"] <= box["y"]
            or box["y"] + box["height"] <= said["y"]
            or said["x"] + said["width"] <= box["x"]
            or box["x"] + box["width"] <= said["x"]
        )
        assert apart, control
    desk.page.clock.run_for(9000)
    expect(status).to_have_text("")


def test_the_account_menu_closes(new_desk: NewDesk) -> None:
    """By Escape, by a tap beside it, and its name is what it shows (R23)."""
    page = new_desk("office").page
    menu, button = page.locator("#account"), page.locator("#account > summary")
    button.click()
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(button).to_be_focused()
    button.click()
    expect(menu).to_have_attribute("open", "")
    page.get_by_role("heading").first.click()
    expect(menu).not_to_have_attribute("open", "")
    expect(button).to_contain_text("Olga Office")
    assert button.get_attribute("aria-label") is None


def test_the_button_leads_to_what_needs_attention(worker: Device, new_desk: NewDesk) -> None:
    """One tap from anywhere, also after a start; there it syncs and asks for a password (R24)."""
    page = worker.page
    worker.go("/pages/inspection")
    address = page.locator("table.list tbody a").first.get_attribute("href") or ""
    for window, score in ((worker, "11"), (new_desk("office"), "44")):
        window.go(f"{address}/edit")
        window.page.get_by_label("Score").fill(score)
        window.save()
    worker.sync()
    button = page.get_by_role("button", name=re.compile("^Sync"))
    for _ in range(2):
        expect(button.locator(".sync-count")).to_have_text("1")
        worker.go("/pages/site")
        button.click()
        expect(page).to_have_url(re.compile("/sync$"))
        expect(page.get_by_role("link", name=re.compile("^Repair"))).to_be_focused()
        worker.restart("/")
    worker.go(address)
    expect(page.locator("main")).to_contain_text("Score was changed by Olga Office meanwhile")
    expect(page.get_by_role("link", name="Repair")).to_be_visible()

    worker.context.clear_cookies()
    worker.go("/sync")
    page.get_by_role("button", name="Start a sync").click()
    dialog = page.get_by_role("dialog", name="Sign in to continue")
    expect(dialog.get_by_label("Password")).to_be_focused()
    expect(dialog.locator(".problem")).to_be_hidden()
    dialog.get_by_label("Password").fill("demo")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_have_count(0)
    page.get_by_role("link", name=re.compile("^Repair")).click()
    page.get_by_role("button", name=re.compile("^Mine")).click()
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_role("status")).to_contain_text("Repaired")
    worker.sync()
    expect(button).to_have_attribute("data-state", "clean")


def test_news_never_take_the_place_of_a_page_that_is_on_its_way(
    worker: Device, proxy: FaultProxy
) -> None:
    """A sync that ends after a tap on a link shows the page anew which the link led to (R22)."""
    page = worker.page
    arrives = threading.Event()
    proxy.hold = ("/account", arrives)
    page.locator("#account summary").click()
    with page.expect_request(re.compile("/account$")):
        page.get_by_role("link", name="Your account").click()
    page.get_by_role("button", name=re.compile("^Sync")).click()
    expect(page.get_by_role("status")).to_contain_text("Everything synchronised")
    with page.expect_request(re.compile("/account$")):
        arrives.set()
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_news_leave_open_what_a_person_has_opened(worker: Device) -> None:
    """A page that is shown again, since a sync has ended, closes no menu under a finger."""
    page = worker.page
    page.locator("#account summary").click()
    again = """async () => {
      const { urls } = await (await fetch("/assets/manifest.json")).json();
      await (await import(urls["shell/page/navigation.js"])).refresh();
    }"""
    page.evaluate(again)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.locator("#account").get_by_role("link", name="What waits").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
