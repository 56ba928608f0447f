"""Choices that the rows of a form share, in a real browser: filled in by the shell (R11, R12)."""

from pathlib import Path

import pytest
from playwright.sync_api import Playwright, Route, expect

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent.parent
ORIGIN = "http://fieldpost.test"
ROWS = 24
SELECT = """<p><label for="s{n}">Row {n}</label><select id="s{n}" name="s{n}" data-options="all">
<option value=""></option><option value="gone">Gone</option>
<option value="2" selected>Two</option></select></p>"""
CHOICES = "".join(f'<option value="{n}">Thing {n}</option>' for n in range(90))
PAGE = f"""<!doctype html><html><body data-home="server"><main id="main"><form>
{"".join(SELECT.format(n=n) for n in range(ROWS))}
<template id="all">{CHOICES}</template>
</form></main><script type="module">
import {{ startChoices }} from "/shell/form/choices.js";
import {{ enhance }} from "/shell/page/document.js";
startChoices();
enhance({{ fresh: true }});
</script></body></html>"""


def serve(route: Route) -> None:
    """Answer from the sources: no server takes part."""
    path = route.request.url.removeprefix(ORIGIN)
    if path == "/":
        route.fulfill(body=PAGE, content_type="text/html")
    elif path == "/vendor/idiomorph.js":
        module = ROOT / "node_modules/idiomorph/dist/idiomorph.esm.js"
        route.fulfill(body=module.read_text(), content_type="text/javascript")
    else:
        body = (ROOT / "pwa" / path[1:]).read_text() if path.endswith(".js") else ""
        route.fulfill(body=body, content_type="text/javascript")


def test_each_select_gets_all_choices_and_keeps_its_own(
    playwright: Playwright, chromium_path: Path
) -> None:
    """What is chosen stays, also where it is no choice any more; the rest comes from the list."""
    browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
    try:
        page = browser.new_page()
        page.route("**/*", serve)
        page.goto(f"{ORIGIN}/")
        first, last = page.get_by_label("Row 0"), page.get_by_label(f"Row {ROWS - 1}")
        expect(first.locator("option")).to_have_count(92)
        expect(first).to_have_value("2")
        first.select_option(label="Thing 71")
        # those far below get theirs when somebody goes there
        expect(last.locator("option")).to_have_count(3)
        last.focus()
        expect(last.locator("option")).to_have_count(92)
        last.select_option("gone")
        first.focus()
        last.focus()

        assert ("71", "gone") == (first.input_value(), last.input_value())
    finally:
        browser.close()
