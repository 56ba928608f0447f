"""What a person does with the PIN of a device."""

from playwright.sync_api import Page, expect

from browser.window import SETUP_MS

PIN = "274951"


def asking_for_pin(app: str, rule: str) -> str:
    """Return the source of the demo's app, asking for a PIN."""
    named = 'name="inspections",'
    assert named in app
    found = app.replace(named, f"{named} pin={rule},")
    return "from datetime import timedelta\n\nfrom fieldpost.pins import Pin\n" + found


def choose(page: Page, pin: str = PIN) -> None:
    """Choose a PIN."""
    page.get_by_label("New PIN").fill(pin)
    page.get_by_label("The same PIN again").fill(pin)
    page.get_by_role("button", name="Go on").click()


def type_pin(page: Page, pin: str) -> None:
    """Type a PIN where the device asks for one, as soon as it takes one."""
    field = page.get_by_label("PIN", exact=True)
    field.wait_for(timeout=SETUP_MS)
    button = page.locator("main form button.primary")
    expect(button).to_have_text("Open")
    field.fill(pin)
    button.click()
