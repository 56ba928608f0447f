"""What a person does in the form of an inspection."""

from playwright.sync_api import Page


def draw_signature(page: Page) -> None:
    """Draw two strokes on the canvas."""
    canvas = page.locator("[data-attachment=signature] canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for offset in (0.3, 0.6):
        page.mouse.move(box["x"] + 20, box["y"] + box["height"] * offset)
        page.mouse.down()
        page.mouse.move(box["x"] + 120, box["y"] + box["height"] * 0.5, steps=8)
        page.mouse.up()


def add_finding(page: Page, index: int, note: str) -> None:
    """Add a row to the child list and fill it in."""
    page.get_by_role("button", name="Add finding").click()
    row = page.locator(".child-row").nth(index)
    row.get_by_label("Note").fill(note)
    row.get_by_label("Severity").fill("4" if index == 0 else "2")
