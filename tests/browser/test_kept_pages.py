"""What was seen last is shown before Python is there, and nothing done there is lost (R9)."""

import re

import pytest
from playwright.sync_api import Page, expect

from browser import stored
from browser.device import Device
from browser.kept import (
    expect_waiting,
    kept_page,
    let_python_come,
    rows,
    until_kept,
    until_new,
    without_python,
)
from browser.test_lost import left_on

pytestmark = pytest.mark.browser

LIST = "/pages/inspection"
NEW = f"{LIST}/new"
WATCH = """() => {
  window.jumps = [];
  window.scrollTo({ top: 200, behavior: "instant" });
  window.row = document.querySelectorAll("table.list tbody tr")[7];
  const note = (list) => window.jumps.push(...list.getEntries().map((each) => each.value));
  new PerformanceObserver(note).observe({ type: "layout-shift", buffered: false });
}"""


DAY = """(html) => new DOMParser().parseFromString(html, "text/html")
  .querySelector("input[type=date]").value"""


def fill_in(page: Page, remarks: str) -> None:
    """Fill in what an inspection needs."""
    page.get_by_label("Site").select_option(index=1)
    page.get_by_label("Status").select_option(label="Open")
    page.get_by_label("Assignee").fill("worker1")
    page.get_by_label("Remarks").fill(remarks)


def look_around(worker: Device) -> str:
    """See the menu, a list, its first record and a new form; returns the record's address."""
    page = worker.page
    worker.go(NEW)
    expect(page.get_by_role("heading", name="New inspection")).to_be_visible()
    worker.go(LIST)
    link = rows(page).first.locator("a")
    record = link.get_attribute("href") or ""
    link.click()
    expect(page.locator(".record-view").first).to_be_visible()
    until_kept(page, "/", LIST, NEW, record)
    return record


def test_lists_and_records_are_there_before_python(worker: Device) -> None:
    """They scroll and open at once; a tap that needs Python waits and is carried out; no jump."""
    record = look_around(worker)
    page = without_python(worker, LIST)
    expect(rows(page).nth(7)).to_be_visible()
    assert page.locator("html[data-starting]").count() == 1
    assert "clean" == worker.sync_state()
    expect(page.get_by_role("status")).to_be_empty()
    page.locator(f'a[href="{record}"]').click()
    expect(page.locator(".record-view").first).to_be_visible()
    page.go_back()
    expect(rows(page).nth(7)).to_be_visible()
    page.locator("#account summary").click()
    page.evaluate(WATCH)
    page.wait_for_function("() => window.scrollY === 200")
    let_python_come(page)
    assert [True, 200, []] == page.evaluate(
        "[window.row.isConnected, window.scrollY, window.jumps.filter((each) => each > 0.001)]"
    )
    expect(page.locator("#account")).to_have_attribute("open", "")

    page = without_python(worker, "/")
    page.get_by_role("link", name=re.compile("^Inspections")).click()
    expect(rows(page).nth(7)).to_be_visible()
    other = rows(page).nth(3).locator("a")
    title = other.inner_text()
    other.click()
    expect(other).to_have_attribute("aria-busy", "true")
    expect_waiting(page)
    let_python_come(page)
    expect(page.locator("main h1")).to_contain_text(title)


def test_a_new_form_is_filled_in_before_python(worker: Device) -> None:
    """What is typed stays, with the cursor; two starts are two records, each saved once (R17)."""
    look_around(worker)
    # what was kept on another day
    name, kept = kept_page(worker.page, NEW)
    today = worker.page.evaluate(DAY, kept["html"])
    assert today
    kept["html"] = kept["html"].replace(f'value="{today}"', 'value="2020-02-02"')
    stored.put(worker.page, "replica", name, kept)

    page = without_python(worker, NEW)
    expect(page.get_by_label("Inspected on")).to_have_value("2020-02-02")
    fill_in(page, "Typed too soon")
    field = page.get_by_label("Remarks")
    field.evaluate("(field) => (field.focus(), field.setSelectionRange(5, 5))")
    let_python_come(page)
    assert [True, 5] == field.evaluate("(f) => [f === document.activeElement, f.selectionStart]")
    field.press_sequentially(",")
    expect(field).to_have_value("Typed, too soon")
    expect(page.get_by_label("Site")).not_to_have_value("")
    # nobody has typed it
    expect(page.get_by_label("Inspected on")).to_have_value(today)
    page.get_by_role("button", name="Add finding").click()
    expect(page.locator(".child-row")).to_have_count(1)
    page.locator(".child-row").get_by_label("Note").fill("Loose")
    page.locator(".child-row").get_by_label("Severity").fill("2")
    worker.save()

    page = without_python(worker, NEW)
    fill_in(page, "Saved too soon")
    save = page.get_by_role("button", name="Save").last
    save.click()
    save.click()
    expect(save).to_have_attribute("aria-busy", "true")
    expect_waiting(page)
    let_python_come(page)
    expect(page.get_by_role("status")).to_contain_text("Saved")
    expect(page.locator("main")).to_contain_text("Saved too soon")
    assert [2, 0] == [worker.count("outbox"), worker.count("drafts")]
    entries = [stored.read(page, "outbox", number)["envelope"] for number in (1, 2)]
    assert "Typed, too soon" in entries[0]
    assert "Saved too soon" in entries[1]


NO_SHELF = """() => {
  const get = IDBObjectStore.prototype.get;
  IDBObjectStore.prototype.get = function (name) {
    if (name === "pages") throw new DOMException("thrown", "UnknownError");
    return get.call(this, name);
  };
}"""


NO_SPACE = """() => {
  const { put, delete: remove } = IDBObjectStore.prototype;
  window.refused = 0;
  IDBObjectStore.prototype.put = function (...how) {
    if (window.hasSpace) return put.apply(this, how);
    window.refused += 1;
    throw new DOMException("thrown", "QuotaExceededError");
  };
  IDBObjectStore.prototype.delete = function (name) {
    window.hasSpace ||= name === "page-39";
    return remove.call(this, name);
  };
}"""
"""There is space once the kept pages are gone."""


def test_a_save_is_carried_out_before_one_goes_on(worker: Device) -> None:
    """Save, then a tap on a kept link: both are done, and what nobody typed is today's (R17)."""
    look_around(worker)
    name, kept = kept_page(worker.page, NEW)
    today = worker.page.evaluate(DAY, kept["html"])
    kept["html"] = kept["html"].replace(f'value="{today}"', 'value="2020-02-02"')
    stored.put(worker.page, "replica", name, kept)
    page = without_python(worker, NEW)
    fill_in(page, "Saved and gone on")
    page.get_by_role("button", name="Save").last.click()
    page.locator(".toolbar .brand").click()
    expect_waiting(page)
    expect(page.get_by_role("heading", name="New inspection")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Waiting for the app to start")
    let_python_come(page)
    expect(page.get_by_role("navigation", name="Your work")).to_contain_text("1 waiting")
    expect(page.get_by_role("status")).not_to_have_text("Waiting for the app to start")
    assert [1, 0] == [worker.count("outbox"), worker.count("drafts")]
    entry = stored.read(page, "outbox", 1)["envelope"]
    assert "Saved and gone on" in entry
    assert "2020-02-02" not in entry

    # what is wrong in a form is seen, wherever one wanted to go; nothing of it is lost
    page = without_python(worker, NEW)
    page.get_by_label("Remarks").fill("Not whole")
    page.get_by_role("button", name="Save").last.click()
    page.locator(".toolbar .brand").click()
    let_python_come(page)
    expect(page.locator("main [aria-invalid=true]").first).to_be_visible()
    expect(page.get_by_label("Remarks")).to_have_value("Not whole")
    page.get_by_role("button", name="Cancel").click()
    expect(rows(page).first).to_be_visible()

    # a store that cannot say what is kept holds nobody up
    page = without_python(worker, "/")
    expect(page.locator(".menu.more")).to_be_visible()
    page.evaluate(NO_SHELF)
    page.get_by_role("link", name=re.compile("^Inspections")).click()
    let_python_come(page)
    expect(rows(page).first).to_be_visible()


def test_kept_pages_give_way_where_space_is_short(worker: Device) -> None:
    """What is kept to be quick makes room for what is typed (R21)."""
    look_around(worker)
    page = worker.page
    worker.go(NEW)
    drafts = worker.count("drafts")
    page.evaluate(NO_SPACE)
    page.get_by_label("Remarks").fill("Where space is short")
    worker.until_count("drafts", drafts + 1)
    assert page.evaluate("window.refused") >= 1


def test_a_button_that_needs_python_waits_for_it(worker: Device) -> None:
    """Add finding and Sync are carried out once, on what was typed; a killed app has the draft."""
    look_around(worker)
    page = without_python(worker, NEW)
    page.get_by_label("Remarks").fill("Before the finding")
    add = page.get_by_role("button", name="Add finding")
    add.click()
    add.click()
    page.get_by_label("Assignee").fill("worker1")
    let_python_come(page)
    expect(page.locator(".child-row")).to_have_count(1)
    expect(page.get_by_label("Remarks")).to_have_value("Before the finding")
    expect(page.get_by_label("Assignee")).to_have_value("worker1")
    page.get_by_role("button", name="Cancel").click()
    expect(rows(page).first).to_be_visible()

    page = without_python(worker, NEW)
    page.get_by_label("Remarks").fill("Killed too soon")
    worker.until_count("drafts", 2)  # and the one that was put aside
    page = without_python(worker, NEW)
    # what Python is to bring back is not covered by an empty form
    expect(page.get_by_role("heading", name="Preparing")).to_be_visible()
    let_python_come(page)
    expect(page.get_by_label("Remarks")).to_have_value("Killed too soon")
    page.get_by_role("button", name="Cancel").click()

    page = without_python(worker, LIST)
    sync = page.get_by_role("button", name=re.compile("^Sync"))
    sync.click()
    expect(sync).to_have_attribute("data-state", "working")
    let_python_come(page)
    expect(sync).to_have_attribute("data-state", "clean")


def test_a_page_says_when_it_was_where_more_is_here_by_now(worker: Device) -> None:
    """Saved since: the list says as of when, Sync counts nothing false; afterwards all is kept."""
    look_around(worker)
    before = [kept_page(worker.page, path) for path in (LIST, "/")]
    shelf = stored.read(worker.page, "replica", "pages")
    worker.new_inspection("Not on the kept list")
    worker.save()
    # the app was closed before the pages were made again
    stored.put(worker.page, "replica", "pages", shelf)
    for name, kept in before:
        stored.put(worker.page, "replica", name, kept)
    page = without_python(worker, LIST)
    expect(rows(page).first).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("As of")
    assert "starting" == worker.sync_state()
    expect(page.locator("#sync")).to_have_text("")
    page.get_by_role("link", name="Site inspections").click()
    expect(page.locator(".menu.more .card-note")).to_have_text("\u00a0")
    page.go_back()
    let_python_come(page)
    expect(page.get_by_role("status")).to_be_empty()
    expect(page.locator("tr.waiting")).to_have_count(1)
    assert "waiting" == worker.sync_state()
    # nobody does anything: the others are made again
    until_new(page)
    page = without_python(worker, "/")
    expect(page.get_by_role("navigation", name="Your work")).to_contain_text("1 waiting")
    expect(page.get_by_role("status")).to_be_empty()
    assert "waiting" == worker.sync_state()
    let_python_come(page)

    # rows came, and an entry has found its end: nothing of before is shown, all is made again
    marks = [stored.read(page, "session", name) for name in ("shown_from", "shown_after")]
    page.locator("#sync").click()
    expect(page.locator("#sync")).to_have_attribute("data-state", "clean")
    until_new(page)
    now = [stored.read(page, "session", name) for name in ("shown_from", "shown_after")]
    assert all(former != mark for former, mark in zip(marks, now, strict=True))
    page = without_python(worker, LIST)
    expect(rows(page).first).to_be_visible()
    expect(page.locator("tr.waiting")).to_have_count(0)
    expect(page.get_by_role("status")).to_be_empty()
    assert "clean" == worker.sync_state()


def test_of_when_it_is_stays_as_long_as_it_is_so(worker: Device) -> None:
    """What became of an entry is a change, too; the words stay with a list and with a form."""
    record = look_around(worker)
    page = worker.page
    worker.new_inspection("Waits behind a slow start")
    worker.save()
    until_new(page)
    stored.put(page, "session", "shown_after", "another")
    page = without_python(worker, LIST)
    expect(page.get_by_role("status")).to_contain_text("As of")
    # a start that takes so long may never end: the way out stays, whatever is looked at
    expect(page.locator("#slow-start")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("As of")
    page.locator(".toolbar .brand").click()
    expect(page.locator(".menu.more")).to_be_visible()
    expect(page.get_by_role("button", name="Save my work as a file")).to_be_visible()
    let_python_come(page)
    expect(page.locator("#slow-start")).to_have_count(0)
    expect(page.get_by_role("status")).to_be_empty()

    # a form that holds values of then says so as long as somebody fills it in
    worker.go(edit := f"{record}/edit")
    expect(page.get_by_label("Remarks")).to_be_visible()
    until_kept(page, edit)
    name, kept = kept_page(page, edit)
    opened = 'name="_opened" value="'
    assert opened in kept["html"]
    kept["html"] = kept["html"].replace(opened, f"{opened} ")
    stored.put(page, "replica", name, kept)
    stored.put(page, "session", "shown_after", "one more")
    page = without_python(worker, edit)
    page.get_by_label("Remarks").fill("On top of then")
    let_python_come(page)
    expect(page.get_by_label("Remarks")).to_have_value("On top of then")
    expect(page.get_by_role("status")).to_contain_text("As of")


def test_what_is_not_to_be_seen_is_not_shown(worker: Device) -> None:
    """Damaged, of other rows, another version or user: a start as before; leaving removes it."""
    look_around(worker)
    page = worker.page
    name, kept = kept_page(page, LIST)
    shelf = stored.read(page, "replica", "pages")
    preparing = page.get_by_role("heading", name="Preparing")
    for value in ({**kept, "html": 7}, {**kept, "version": "0"}, {**kept, "user": "x"}, "garbage"):
        stored.put(page, "replica", name, value)
        page = without_python(worker, LIST)
        preparing = page.get_by_role("heading", name="Preparing")
        expect(preparing).to_be_visible()
        let_python_come(page)
        until_kept(page, LIST)
        name, _ = kept_page(page, LIST)
    for value in ("garbage", {**shelf, "version": "0"}, {**shelf, "pages": [7]}):
        stored.put(page, "replica", "pages", value)
        page = without_python(worker, LIST)
        expect(page.get_by_role("heading", name="Preparing")).to_be_visible()
        let_python_come(page)
        until_kept(page, LIST)
    stored.put(page, "session", "shown_from", "other rows")
    page = without_python(worker, LIST)
    expect(page.get_by_role("heading", name="Preparing")).to_be_visible()
    let_python_come(page)
    until_kept(page, LIST)

    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("main")).to_contain_text("Nothing is left")
    assert [0, 0, 0, 0, 0] == left_on(page)
