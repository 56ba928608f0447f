"""What a person does in the form of an inspection."""

from playwright.sync_api import Locator, Page, expect


def draw_on_pad(page: Page) -> None:
    """Draw two strokes on the pad that the former edition has in its form."""
    _draw(page, page.locator("[data-attachment=signature] canvas"))


def _draw(page: Page, canvas: Locator) -> None:
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for offset in (0.3, 0.6):
        page.mouse.move(box["x"] + 20, box["y"] + box["height"] * offset)
        page.mouse.down()
        page.mouse.move(box["x"] + 120, box["y"] + box["height"] * 0.5, steps=8)
        page.mouse.up()


def draw_signature(page: Page, *, is_kept: bool = True) -> None:
    """Draw two strokes on the sheet; `is_kept`: the device has space for them."""
    page.locator("[data-attachment=signature]").get_by_role("button", name="Sign here").click()
    sheet = page.get_by_role("dialog")
    _draw(page, sheet.locator("canvas"))
    sheet.get_by_role("button", name="Done").click()
    expect(page.locator("[data-attachment=signature] .thumbs img")).to_have_count(int(is_kept))


def add_finding(page: Page, index: int, note: str) -> None:
    """Add a row to the child list and fill it in."""
    page.get_by_role("button", name="Add finding").click()
    row = page.locator(".child-row").nth(index)
    row.get_by_label("Note").fill(note)
    row.get_by_label("Severity").fill("4" if index == 0 else "2")
