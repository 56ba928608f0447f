"""An address without https, as in an office's own network: what works there, works (R22, R65)."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import FilePayload, Page, expect

from browser.device import Device
from browser.filling import add_finding, draw_signature
from browser.office import Office
from browser.pictures import png
from browser.proxy import FaultProxy

pytestmark = pytest.mark.browser

NewDevice = Callable[..., Device]

NAME = "field.test"
_ARRIVED = """
    select photos, signature from inspection join finding on inspection_id = inspection.id
    where remarks = ?
"""
DIGESTS = """async () => {
  const { urls } = await (await fetch("/assets/manifest.json")).json();
  const { digestOf } = await import(urls["sha256.js"]);
  const bytes = (size) => Uint8Array.from({ length: size }, (_, i) => (i * 31) % 251);
  const made = [];
  for (let size = 0; size < 200; size++) made.push(await digestOf(bytes(size)));
  const part = bytes(200).subarray(3, 103);
  return [made, await digestOf(part)];
}"""


@pytest.fixture
def plain(new_device: NewDevice, proxy: FaultProxy) -> Device:
    """Start a phone that knows the server by a name, without https: no browser trusts that."""
    mapped = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
    origin = f"http://{NAME}:{proxy.port}"
    return new_device(width=360, height=740, origin=origin, arguments=(mapped,))


def _fill_in(page: Page, remarks: str) -> None:
    add_finding(page, 0, remarks)
    picture = FilePayload(name="rail.png", mimeType="image/png", buffer=png())
    row = page.locator(".child-row").first
    row.locator("input[type=file]").set_input_files([picture])
    expect(row.locator(".thumbs img")).to_have_count(1)
    draw_signature(page)


def _sign_out(page: Page) -> None:
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("main")).to_contain_text("Nothing is left on this device")


def test_a_worker_is_told_what_is_missing_and_works_online(
    plain: Device, office: Office, proxy: FaultProxy
) -> None:
    """Words and a way on; photo and signature arrive; no page promises more than is true."""
    page = plain.page
    plain.sign_in("worker1")
    expect(page.get_by_role("heading", name="Only with a connection")).to_be_focused()
    assert not page.evaluate("isSecureContext")
    expect(page.locator("main")).to_contain_text("cannot be installed")
    expect(page.locator("main")).to_contain_text("begins with https://")
    page.get_by_role("button", name="Go on with a connection").click()
    menu = page.get_by_role("navigation", name="Pages")
    expect(menu).to_contain_text("Needs a connection at this address")
    expect(menu).not_to_contain_text("Works without a connection")

    plain.new_inspection("On plain paper")
    _fill_in(page, "On plain paper")
    plain.save()
    with closing(sqlite3.connect(office.data / "fieldpost.sqlite3")) as opened:
        ((photos, signature),) = opened.execute(_ARRIVED, ["On plain paper"]).fetchall()
    assert ["rail.jpg"] == [each["name"] for each in json.loads(photos)]
    assert "signature.png" == json.loads(signature)["name"]

    page.reload()  # she was told once
    page.locator("body:not([data-home=shell]) main h1").wait_for()
    proxy.target, target = None, proxy.target
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_role("status")).to_contain_text("cannot be reached")
    proxy.target = target
    _sign_out(page)


def test_the_office_works_and_signs_out(plain: Device) -> None:
    """Whoever works online anyway is held up by nothing."""
    page = plain.page
    plain.sign_in("office")
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    plain.new_inspection("From the desk")
    _fill_in(page, "From the desk")
    plain.save()
    _sign_out(page)


def test_our_own_digest_is_the_browsers(plain: Device, new_device: NewDevice) -> None:
    """What is made without the browser's help is the same, whatever the length (R64)."""
    made = []
    for window in (plain, new_device()):
        window.page.goto(f"{window.origin}/sign-in")
        made.append(window.page.evaluate(DIGESTS))

    assert made[0] == made[1]
