"""What people see and type, in a real browser: zones, and what a control cannot send (R16, R18)."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.device import Device
from browser.office import Office

pytestmark = pytest.mark.browser

TESTS = Path(__file__).parent.parent
MOMENT = "2026-07-01T09:55"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Serve the app of odd values to two workers; the office is in Berlin."""
    settings = {
        "FIELDPOST_APP": "apps.samples:app",
        "FIELDPOST_TIMEZONE": "Europe/Berlin",
        "PYTHONPATH": str(TESTS),
    }
    environment = {**os.environ, **settings, "FIELDPOST_DATA": str(tmp_path / "data")}
    for command in (
        ["db", "install"],
        ["user", "add", "berlin", "--password", "demo demo", "--role", "Offline"],
        ["user", "add", "auckland", "--password", "demo demo", "--role", "Offline"],
        ["user", "add", "desk", "--password", "demo demo"],
    ):
        program = [sys.executable, "-m", "fieldpost_server.cli", *command]
        subprocess.run(program, env=environment, check=True, capture_output=True)
    made = Office(tmp_path / "data", settings, ("serve",))
    made.start()
    yield made
    made.stop()


def set_up(device: Device, name: str) -> Page:
    device.sign_in(name, "demo demo")
    device.wait_ready()
    return device.page


def test_a_moment_is_told_to_everybody_on_her_own_clock(
    new_device: Callable[..., Device],
) -> None:
    """Typed as 09:55 in Berlin, also after a start from the memory image; 19:55 in Auckland."""
    worker = new_device(timezone="Europe/Berlin")
    page = set_up(worker, "berlin")
    worker.go("/pages/sample/new")
    page.locator("#f-name").fill("From Berlin")
    page.get_by_label("Moment").fill(MOMENT)
    worker.save()
    expect(page.locator("main")).to_contain_text("1 Jul 2026, 09:55")
    worker.restart("/pages/sample")
    expect(page.locator("main")).to_contain_text("1 Jul 2026, 09:55")
    worker.sync()
    page.get_by_role("link", name="From Berlin").click()
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Moment")).to_have_value(MOMENT)

    other = new_device(timezone="Pacific/Auckland")
    there = set_up(other, "auckland")
    other.go("/pages/sample")
    expect(there.locator("main")).to_contain_text("1 Jul 2026, 19:55")
    other.go("/pages/sample/new")
    today = there.evaluate("new Intl.DateTimeFormat('sv', {dateStyle: 'short'}).format()")
    expect(there.get_by_label("Ended on")).to_have_value(today)

    desk = new_device(timezone="America/St_Johns", width=1280, height=800)
    desk.sign_in("desk", "demo demo")
    desk.page.get_by_role("navigation", name="Pages").wait_for()
    desk.go("/pages/sample")
    expect(desk.page.locator("main")).to_contain_text("1 Jul 2026, 09:55")


def half_of_a_date(page: Page) -> None:
    """Take the year out of a date, as one key does."""
    field = page.get_by_label("Ended on")
    field.focus()
    for key in ("ArrowRight", "ArrowRight", "Backspace"):
        field.press(key)
    assert field.evaluate("input => input.validity.badInput"), "the browser has no half dates"


def test_what_a_control_shows_and_cannot_send_is_a_problem_at_its_field(
    new_device: Callable[..., Device],
) -> None:
    """Half of a date is never an empty value: not on a device, not after a draft, not online."""
    worker = new_device(timezone="Europe/Berlin")
    page = set_up(worker, "berlin")
    worker.go("/pages/sample/new")
    page.locator("#f-name").fill("Half a date")
    half_of_a_date(page)
    page.get_by_role("button", name="Save").last.click()
    expect(page.locator("#f-ended_on-problem")).to_contain_text("must be a date")
    assert page.get_by_label("Ended on").evaluate("input => input.validity.badInput")

    page.get_by_label("Plain").fill("and a draft")
    page.wait_for_timeout(800)
    worker.restart("/pages/sample/new")
    expect(page.get_by_label("Plain")).to_have_value("and a draft")
    expect(page.locator("#f-ended_on-problem")).to_contain_text("must be a date")
    page.get_by_role("button", name="Save").last.click()
    expect(page.locator("#f-ended_on-problem")).to_contain_text("must be a date")
    page.get_by_label("Ended on").fill("2026-02-28")
    worker.save()
    expect(page.locator("main")).to_contain_text("28 Feb 2026")

    desk = new_device(width=1280, height=800)
    desk.sign_in("desk", "demo demo")
    desk.page.get_by_role("navigation", name="Pages").wait_for()
    desk.go("/pages/sample/new")
    desk.page.locator("#f-name").fill("Online")
    half_of_a_date(desk.page)
    desk.page.get_by_role("button", name="Save").last.click()
    expect(desk.page.locator("#f-ended_on-problem")).to_contain_text("must be a date")
    desk.page.get_by_role("button", name=re.compile("^Add part")).click()
    row = desk.page.locator(".child-row").first
    row.get_by_label("Due on").press("1")
    desk.page.get_by_role("button", name="Save").last.click()
    expect(row.locator(".problem").filter(has_text="must be a date")).to_have_count(1)


def test_half_of_a_character_is_not_replaced_without_a_word(
    new_device: Callable[..., Device],
) -> None:
    """What no text can hold is named with its place, and nothing is stored."""
    desk = new_device(width=1280, height=800)
    desk.sign_in("desk", "demo demo")
    desk.page.get_by_role("navigation", name="Pages").wait_for()
    desk.go("/pages/sample/new")
    name = desk.page.locator("#f-name")
    name.evaluate("input => { input.value = 'half \\ud83d of it'; }")
    desk.page.get_by_role("button", name="Save").last.click()
    expect(desk.page.locator("#f-name-problem")).to_contain_text("a part of a character")
    expect(desk.page.locator("#f-name-problem")).to_contain_text("half ")
