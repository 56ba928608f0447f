"""People and devices, in the browsers of those whom it is about (R46, R52, R57, R62)."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browser.window import Window

pytestmark = pytest.mark.browser

NewDesk = Callable[[str], Window]


def test_somebody_new_is_signed_in_by_her_link(new_desk: NewDesk) -> None:
    """From the administrator's page to her own account, with a password that only she knows."""
    desk = new_desk("admin").page
    desk.goto(desk.url.partition("/pages")[0])
    desk.locator("#account summary").click()
    desk.get_by_role("link", name="People").click()
    desk.get_by_label("User name").fill("zoe")
    desk.get_by_role("button", name="Add and invite").click()
    expect(desk.get_by_role("img", name="QR code of the link")).to_be_visible()
    link = desk.locator(".link a").inner_text()

    hers = new_desk("office").page
    hers.goto(link)
    expect(hers.get_by_role("heading")).to_have_text("Welcome, zoe")
    hers.get_by_label("Choose a password").fill("four words of hers")
    hers.get_by_role("button", name="Save and sign in").click()
    expect(hers.get_by_role("navigation", name="Pages")).to_be_visible()
    hers.locator("#account summary").click()
    hers.get_by_role("link", name="Your account").click()
    expect(hers.locator("main")).to_contain_text("You are signed in as zoe")
