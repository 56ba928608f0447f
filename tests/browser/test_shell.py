"""The shell in a real browser: starting, drafts, pictures, tabs, sessions, updates, leaving.

R1, R7, R9, R17, R22, R42, R49, R50, R56, R64, R65.
"""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, expect

from browser.device import Device
from browser.office import Office
from browser.pictures import png
from browser.proxy import FaultProxy
from browser.window import SETUP_MS, Window

pytestmark = pytest.mark.browser

NewDevice = Callable[..., Device]
NewDesk = Callable[[str], Window]


def test_a_second_start_uses_the_snapshot_and_needs_no_server(
    worker: Device, office: Office, proxy: FaultProxy
) -> None:
    """After the first start a snapshot is kept; a cold browser starts from it, alone (R9)."""
    said: list[str] = []
    started: list[str] = []
    worker.close()
    office.stop()
    proxy.target = None

    worker.open()
    worker.context.on("console", lambda message: said.append(message.text))
    worker.page.on("worker", lambda started_now: started.append(started_now.url))
    worker.go("/pages/inspection")

    expect(worker.page.locator("table.list tbody tr").first).to_be_visible()
    assert not [text for text in said if "snapshot" in text]
    # an ordinary start has a second worker make a snapshot for the next one
    assert 1 == len(started)
    # what is first imported after the restore is found as well
    worker.page.get_by_role("link", name="New inspection").click()
    expect(worker.page.get_by_role("heading", name="New inspection")).to_be_focused()


def test_a_first_download_goes_on_after_a_lost_connection_and_a_reload(
    new_device: NewDevice, office: Office, proxy: FaultProxy
) -> None:
    """The progress screen says what is missing, stays after a reload, and finishes (R7)."""
    worker = new_device()
    target = proxy.target
    worker.sign_in("worker1")
    expect(worker.page.get_by_role("heading", name="Preparing")).to_be_visible()
    # some of it is here: from then on a reload finds the page without the network
    some = re.compile(r"([2-9]|\d\d)\.\d of")
    expect(worker.page.locator("#progress li").first).to_contain_text(some, timeout=SETUP_MS)
    proxy.target = None
    expect(worker.page.get_by_text("There is no connection")).to_be_visible(timeout=SETUP_MS)

    worker.page.reload()
    expect(worker.page.get_by_role("heading", name="Preparing")).to_be_visible()

    proxy.target = target
    worker.wait_ready()
    assert office.process is not None


def test_a_draft_comes_back_after_the_browser_was_killed_with_its_photo(worker: Device) -> None:
    """What was typed, child rows and photos are back, and Discard forgets them (R17)."""
    worker.until_count("snapshots", 1)
    worker.new_inspection("Half a sentence")
    worker.page.get_by_role("button", name="Add finding").click()
    row = worker.page.locator(".child-row").first
    row.get_by_label("Note").fill("Unfinished")
    picture = FilePayload(name="a.png", mimeType="image/png", buffer=png())
    row.locator("input[type=file]").set_input_files([picture])
    expect(row.locator(".thumbs img")).to_have_count(1)
    worker.until_count("staged", 1)
    time.sleep(1)  # the draft is kept a moment after the last change

    worker.kill()
    worker.open()
    worker.go("/pages/inspection/new")

    expect(worker.page.locator("#draft-note")).to_contain_text("Your unsaved entries are back")
    expect(worker.page.get_by_label("Remarks")).to_have_value("Half a sentence")
    row = worker.page.locator(".child-row").first
    expect(row.get_by_label("Note")).to_have_value("Unfinished")
    expect(row.locator(".thumbs img")).not_to_have_js_property("naturalWidth", 0)

    worker.page.get_by_role("button", name="Start afresh").click()
    expect(worker.page.get_by_label("Remarks")).to_have_value("")
    worker.page.get_by_role("button", name="Bring back").click()
    expect(worker.page.get_by_label("Remarks")).to_have_value("Half a sentence")
    expect(worker.page.locator(".child-row .thumbs img")).not_to_have_js_property("naturalWidth", 0)


def test_saving_and_cancelling_remove_the_draft(worker: Device) -> None:
    """Nothing comes back by itself that was saved or given up; what was given up can (R17)."""
    worker.until_count("snapshots", 1)
    worker.new_inspection("Saved")
    worker.until_count("drafts", 1)
    worker.save()
    worker.until_count("drafts", 0)
    expect(worker.page).to_have_url(re.compile(r"/records/[^?]+$"))

    worker.new_inspection("Given up")
    worker.until_count("drafts", 1)
    worker.page.get_by_role("button", name="Cancel").click()
    expect(worker.page.locator("table.list")).to_be_visible()
    expect(worker.page.locator("#draft-undo")).to_be_visible()
    worker.go("/pages/inspection/new")
    expect(worker.page.get_by_label("Remarks")).to_have_value("")
    worker.page.get_by_role("button", name="Cancel").click()
    expect(worker.page.locator("#draft-undo")).to_have_count(0)

    worker.new_inspection("Given up too soon")
    worker.page.get_by_role("button", name="Cancel").click()
    worker.page.get_by_role("button", name="Bring back").click()
    expect(worker.page.get_by_label("Remarks")).to_have_value("Given up too soon")


def test_a_link_that_is_tapped_after_the_last_key_is_not_too_quick(worker: Device) -> None:
    """The last key is in the draft before the page goes, and the sync page tells of it (R17)."""
    worker.new_inspection("Almost")
    worker.page.get_by_label("Remarks").press_sequentially(" done")
    worker.page.get_by_role("link", name="Site inspections").click()
    worker.page.get_by_role("navigation", name="Pages").wait_for()
    worker.go("/sync")
    worker.page.get_by_role("link", name="Go on with New inspection").click()

    expect(worker.page.get_by_label("Remarks")).to_have_value("Almost done")


def test_two_tabs_have_two_drafts(new_device: NewDevice) -> None:
    """Whoever works online may have the same form open twice: each tab keeps its own (R17)."""
    desk = new_device(width=1280, height=800)
    desk.sign_in("office")
    desk.page.get_by_role("navigation", name="Pages").wait_for()
    desk.new_inspection("First tab")
    desk.until_count("drafts", 1)
    other = desk.context.new_page()
    other.goto(f"{desk.origin}/pages/inspection/new")
    expect(other.get_by_label("Remarks")).to_have_value("")
    other.get_by_label("Remarks").fill("Second tab")
    desk.until_count("drafts", 2)
    other.get_by_role("button", name="Cancel").click()
    expect(other.locator("#draft-undo")).to_be_visible()
    desk.save()

    expect(desk.page.locator("main")).to_contain_text("First tab")
    other.get_by_role("button", name="Bring back").click()
    expect(other.get_by_label("Remarks")).to_have_value("Second tab")


def test_pictures_are_made_smaller_and_bad_ones_are_refused_in_words(worker: Device) -> None:
    """A large photo is scaled and loses its data; what is no picture is said at the field (R42)."""
    worker.new_inspection("With pictures")
    worker.page.get_by_role("button", name="Add finding").click()
    widget = worker.page.locator("[data-attachment=photos]").first
    large = FilePayload(name="large.png", mimeType="image/png", buffer=png(3200, 1200))
    widget.locator("input[type=file]").set_input_files([large])
    image = widget.locator(".thumbs img")
    expect(image).to_have_js_property("naturalWidth", 1600)
    expect(image).to_have_js_property("naturalHeight", 600)
    assert '"type":"image/jpeg"' in widget.locator("input[type=hidden]").input_value()

    bad = FilePayload(name="bad.png", mimeType="image/png", buffer=b"no picture")
    widget.locator("input[type=file]").set_input_files([bad])
    expect(widget.get_by_role("alert")).to_contain_text("cannot be read")

    widget.get_by_role("button", name=re.compile("^Remove")).click()
    expect(image).to_have_count(0)
    assert widget.locator("input[type=hidden]").input_value() == ""


def test_one_tab_works_and_a_second_takes_over_with_consent(worker: Device) -> None:
    """The second tab says so; after "Use it here" the first has let go (R56)."""
    worker.until_count("snapshots", 1)
    second = worker.context.new_page()
    second.goto(worker.origin + "/pages/inspection")
    expect(second.get_by_role("heading", name="Open in another tab")).to_be_visible()

    second.get_by_role("button", name="Use it here").click()

    expect(second.locator("table.list")).to_be_visible(timeout=SETUP_MS)
    expect(worker.page.get_by_role("heading", name="Open in another tab")).to_be_visible()


def test_a_session_that_ended_continues_in_a_dialog(worker: Device) -> None:
    """Sync asks for the password again, keeps the page, and goes on (R6)."""
    worker.context.clear_cookies()
    button = worker.page.get_by_role("button", name=re.compile("^Sync"))
    button.click()
    dialog = worker.page.get_by_role("dialog")
    expect(dialog.get_by_label("User name")).to_have_value("worker1")
    dialog.get_by_label("Password").fill("wrong")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_contain_text("wrong")
    dialog.get_by_label("Password").fill("demo")
    dialog.get_by_role("button", name="Sign in").click()

    expect(dialog).to_have_count(0)
    expect(button).to_have_attribute("data-state", "clean")


def test_signing_out_asks_before_it_throws_work_away(worker: Device, proxy: FaultProxy) -> None:
    """It says how much waits, wants a word typed, removes all, also without a connection (R50)."""
    worker.new_inspection("Never sent")
    worker.save()
    target, proxy.target = proxy.target, None
    worker.page.locator("#account summary").click()
    worker.page.get_by_role("button", name="Sign out").click()
    dialog = worker.page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 entry has not been sent")
    throw = dialog.get_by_role("button", name="Throw away and sign out")
    expect(throw).to_be_disabled()
    dialog.get_by_label(re.compile("type")).fill("delete")
    throw.click()

    expect(worker.page.locator("main")).to_contain_text("Nothing is left")
    left = worker.page.evaluate(
        """async () => [(await indexedDB.databases()).length, (await caches.keys()).length,
          (await navigator.serviceWorker.getRegistrations()).length]"""
    )
    assert left == [0, 0, 0]
    # whoever opens the app next is asked to sign in, although no server heard of the sign-out
    proxy.target = target
    worker.page.goto(worker.origin + "/")
    expect(worker.page.get_by_label("User name")).to_be_visible()


def test_a_form_that_cannot_be_sent_stays_as_it_is(new_desk: NewDesk, proxy: FaultProxy) -> None:
    """Online, without an answer: plain words, everything typed is there, and it goes on (R22)."""
    desk = new_desk("office")
    desk.new_inspection("Typed at the desk")
    target, proxy.target = proxy.target, None
    desk.page.get_by_role("button", name="Save").last.click()
    expect(desk.page.get_by_role("status")).to_contain_text("cannot be reached")
    expect(desk.page.get_by_label("Remarks")).to_have_value("Typed at the desk")

    proxy.target = target
    desk.save()
    expect(desk.page.locator("main")).to_contain_text("Typed at the desk")


def test_back_and_forward_lead_through_the_pages(worker: Device) -> None:
    """Links, back and forward change page, address and title as everywhere else (R1)."""
    worker.page.get_by_role("navigation", name="Pages").get_by_role("link").first.click()
    heading = worker.page.locator("main h1")
    expect(worker.page.locator("table.list")).to_be_visible()
    first, title = worker.page.url, heading.inner_text()
    worker.page.locator("table.list tbody a").first.click()
    expect(worker.page.locator(".record-view").first).to_be_visible()

    worker.page.go_back()
    expect(heading).to_have_text(title)
    assert first == worker.page.url
    worker.page.go_forward()
    expect(worker.page.locator(".record-view").first).to_be_visible()
    assert title not in worker.page.title() or worker.page.url != first


def test_a_new_version_waits_for_consent_and_never_interrupts_a_form(worker: Device) -> None:
    """It is offered after a sync, hides while a form is open, and starts when asked for (R56)."""
    page = worker.page
    served = page.evaluate("async () => (await fetch('/assets/manifest.json')).json()")
    served["version"] = "next"
    served["html"] = served["html"].replace("</title>", " two</title>")
    ours = {"Fieldpost-Server": "3"}
    worker.context.route(
        "**/assets/manifest.json", lambda route: route.fulfill(json=served, headers=ours)
    )
    before = page.evaluate("caches.keys()")
    worker.sync()
    offer = page.get_by_role("button", name="Update")
    expect(offer).to_be_visible()
    page.reload()
    worker.wait_ready()
    assert before[0] in page.evaluate("caches.keys()")

    worker.sync()
    expect(offer).to_be_visible()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Inspections").click()
    page.get_by_role("link", name="New inspection").click()
    expect(page.get_by_role("heading", name="New inspection")).to_be_visible()
    expect(offer).to_be_hidden()
    page.get_by_role("button", name="Cancel").click()
    offer.click()

    expect(page).to_have_title(re.compile(" two$"), timeout=SETUP_MS)
    page.locator("html:not([data-starting]) body[data-home=device]").wait_for(timeout=SETUP_MS)
    assert page.evaluate("caches.keys()") == ["fieldpost-next"]
