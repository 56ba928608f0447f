"""Second factors in real browsers: an app, a passkey, and the dialog of a device (R65)."""

import re
import time
from collections.abc import Callable

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from browser.device import Device
from browser.office import Office
from browser.window import Window

pytestmark = pytest.mark.browser

VIRTUAL = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
STEP_S = 30


@pytest.fixture
def settings() -> dict[str, str]:
    """Nobody is asked to confirm what she does within the test, where it does not say so."""
    return {"FIELDPOST_CONFIRM_MINUTES": "60"}


@pytest.fixture
def local(office: Office) -> str:
    """The address at which browsers take passkeys without https."""
    return f"http://localhost:{office.port}"


def sign_in(page: Page, origin: str, name: str) -> None:
    page.goto(f"{origin}/sign-in")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Sign in").click()


def add_app(page: Page) -> str:
    """Set up an authenticator app on the account page, and return its secret."""
    page.get_by_role("button", name="Add an authenticator app").click()
    page.get_by_text("The app cannot scan it").click()
    secret = page.locator(".code-text code").inner_text().replace(" ", "")
    page.get_by_label("Code that the app shows now").fill(pyotp.TOTP(secret).now())
    page.get_by_label("Name").fill("Pocket")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("main")).to_contain_text("Pocket")
    return secret


def next_code(secret: str) -> str:
    """Return a code that was not used: of the step after this one, which is taken as well."""
    return pyotp.TOTP(secret).at(int(time.time()) + STEP_S)


def test_an_app_is_set_up_and_asked_for_without_scripts(
    new_device: Callable[..., Device], shared_browser: Browser, local: str
) -> None:
    """With the shell on the account page; at the door a browser that runs no scripts does."""
    page = new_device(origin=local).page
    sign_in(page, local, "office")
    page.locator("#account summary").click()
    page.get_by_role("link", name="Your account").click()
    secret = add_app(page)

    plain = shared_browser.new_context(java_script_enabled=False)
    other = plain.new_page()
    sign_in(other, local, "office")
    expect(other.get_by_role("heading")).to_have_text("Show that it is you")
    other.get_by_label("Code of your authenticator app").fill("000000")
    other.get_by_role("button", name="Go on").click()
    expect(other.get_by_role("alert").first).to_contain_text("The code is wrong")
    other.get_by_label("Code of your authenticator app").fill(next_code(secret))
    other.get_by_role("button", name="Go on").click()
    expect(other.get_by_role("navigation", name="Pages")).to_be_visible()
    plain.close()


def test_a_passkey_is_made_asked_for_and_confirms(
    new_device: Callable[..., Device], local: str
) -> None:
    """The browser's own authenticator makes it, signs in with it, and it is removed again."""
    window = new_device(origin=local, width=1280)
    page = window.page
    virtual = window.context.new_cdp_session(page)
    virtual.send("WebAuthn.enable")
    made = virtual.send("WebAuthn.addVirtualAuthenticator", {"options": VIRTUAL})
    sign_in(page, local, "lead")
    page.locator("#account summary").click()
    page.get_by_role("link", name="Your account").click()
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("Name").fill("This browser")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.locator(".codes li")).to_have_count(10)
    kept = virtual.send("WebAuthn.getCredentials", {"authenticatorId": made["authenticatorId"]})
    assert ["localhost"] == [each["rpId"] for each in kept["credentials"]]

    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("main")).to_contain_text("Passkey for localhost")
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
    sign_in(page, local, "lead")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()


def test_a_device_is_asked_for_the_code_in_its_dialog(
    worker: Device, new_desk: Callable[[str], Window]
) -> None:
    """The session has ended; after the password the same dialog asks for the code, and syncs."""
    page = worker.page
    page.locator("#account summary").click()
    page.get_by_role("link", name="Your account").click()
    secret = add_app(page)
    desk = new_desk("admin").page
    desk.goto(f"{worker.origin}/people?user=worker1")
    desk.get_by_role("button", name="End all sessions").click()

    page.locator("#sync").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password").fill("demo")
    dialog.get_by_role("button", name="Sign in").click()
    code = dialog.get_by_label("Code of your authenticator app")
    code.fill("000000")
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The code is wrong")
    code.fill(next_code(secret))
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog).to_have_count(0)
    expect(page.locator("#sync")).to_have_attribute("data-state", re.compile("clean"))
