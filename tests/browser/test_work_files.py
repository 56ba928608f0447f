"""Work leaves as an encrypted file, and arrives from it at the office (R50)."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Download, Page, expect

from browser import stored
from browser.device import Device
from browser.proxy import FaultProxy
from browser.test_lost import MARK, files_with, left_on
from browser.window import Window

pytestmark = pytest.mark.browser

NewDesk = Callable[[str], Window]
PASSPHRASE = "vier Wörter ohne Sinn"


def sign_out_with_a_file(page: Page, folder: Path) -> Path:
    """Sign out, have the work saved as an encrypted file, and return that."""
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Save as an encrypted file").click()
    page.get_by_label("Passphrase").fill("too short")
    page.get_by_label("The same again").fill("too short")
    page.get_by_role("button", name="Make the file").click()
    expect(page.get_by_role("dialog")).to_contain_text("at least 12 characters")
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.get_by_label("The same again").fill(PASSPHRASE)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Make the file").click()
    file = kept(saving.value, folder)
    expect(page.get_by_role("dialog")).to_contain_text("Is the file there?")
    page.get_by_role("button", name="It is there: sign out").click()
    return file


def kept(download: Download, folder: Path) -> Path:
    path = folder / download.suggested_filename
    download.save_as(path)
    return path


def hand_in(page: Page, origin: str, file: Path, passphrase: str = PASSPHRASE) -> None:
    page.goto(f"{origin}/hand-in")
    expect(page.get_by_role("heading", name="Hand in a file")).to_be_visible()
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("Its passphrase").fill(passphrase)
    expect(page.get_by_role("button", name="Hand it in")).to_be_enabled()
    page.get_by_role("button", name="Hand it in").click()


def test_work_leaves_as_a_file_and_arrives_from_it(
    worker: Device, new_desk: NewDesk, proxy: FaultProxy, tmp_path: Path
) -> None:
    """Without a connection: nothing is left, the file shows nothing, the desk opens it twice."""
    page = worker.page
    worker.new_inspection(f"Saved {MARK}")
    worker.save()
    worker.new_inspection(f"Typed {MARK}")
    worker.until_count("drafts", 1)
    device = stored.read(page, "session", "device")
    office, proxy.target = proxy.target, None
    file = sign_out_with_a_file(page, tmp_path)
    expect(page.locator("main")).to_contain_text("Nothing is left on this device")
    assert [0, 0, 0, 0, 0] == left_on(page)
    content = file.read_bytes()
    assert [] == [w for w in (MARK, "worker1", str(device)) if w.encode() in content]
    assert not zipfile.is_zipfile(file)
    # a server that is told later ends the session
    proxy.target = office
    page.goto(f"{worker.origin}/")
    expect(page.get_by_label("User name")).to_be_visible()
    desk = new_desk("admin").page
    desk.goto(f"{worker.origin}/people?user=worker1")
    expect(desk.locator("main")).to_contain_text("Nobody is signed in")
    worker.close()
    assert [] == files_with(worker.profile, MARK)

    hand_in(desk, worker.origin, file, "a wrong passphrase")
    expect(desk.get_by_role("alert")).to_contain_text("not its passphrase")
    hand_in(desk, worker.origin, file)
    desk.get_by_role("button", name="Do not").click()
    expect(desk.locator("#handed-in")).to_contain_text("Nothing was handed in")
    hand_in(desk, worker.origin, file)
    expect(desk.get_by_role("dialog")).to_contain_text("1 entry of worker1")
    desk.get_by_role("button", name="Hand it in for her").click()
    expect(desk.locator("#handed-in")).to_contain_text("1 applied at the office now")
    expect(desk.locator("#handed-in")).to_contain_text("1 filled in and not saved")
    hand_in(desk, worker.origin, file)
    desk.get_by_role("button", name="Hand it in for her").click()
    expect(desk.locator("#handed-in")).to_contain_text("1 there before, and done")


def test_a_file_opens_on_another_device_of_its_user(
    worker: Device, new_device: Callable[..., Device], tmp_path: Path
) -> None:
    """Entries go to the office, what was typed is gone on with there; twice without effect."""
    worker.new_inspection(f"Saved {MARK}")
    worker.save()
    worker.new_inspection(f"Typed {MARK}")
    worker.until_count("drafts", 1)
    file = sign_out_with_a_file(worker.page, tmp_path)
    expect(worker.page.locator("main")).to_contain_text("Nothing is left")
    other = new_device()
    other.set_up("worker1")
    for words in ("1 applied at the office now", "1 there before, and done"):
        hand_in(other.page, other.origin, file)
        expect(other.page.locator("#handed-in")).to_contain_text(words)
        assert 1 == other.count("drafts")
    other.restart("/sync")
    other.page.get_by_role("link", name=re.compile("Go on with")).click()
    expect(other.page.get_by_label("Remarks")).to_have_value(f"Typed {MARK}")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda b: b[:-1],
    "one bit": lambda b: b[:-5] + bytes([b[-5] ^ 1]) + b[-4:],
    "head": lambda b: b.replace(b"1000000", b"1000001", 1),
    "few rounds": lambda b: b.replace(b"1000000", b"1", 1),
    "many rounds": lambda b: b.replace(b"1000000", b"9" * 12, 1),
    "another kind": lambda b: b"PK" + b,
    "empty": lambda _: b"",
}


def test_a_file_that_is_not_what_was_made_is_not_used(
    worker: Device, new_desk: NewDesk, tmp_path: Path
) -> None:
    """Whatever is changed of it: it says so, and sends nothing (R15, R66)."""
    worker.new_inspection("Whole")
    worker.save()
    file = sign_out_with_a_file(worker.page, tmp_path)
    desk = new_desk("admin").page
    for name, change in DAMAGE.items():
        broken = tmp_path / "broken.fieldpost"
        broken.write_bytes(change(file.read_bytes()))
        hand_in(desk, worker.origin, broken)
        expect(desk.get_by_role("alert")).not_to_be_empty()
        assert desk.locator("#handed-in").inner_text() == "", name
    desk.goto(f"{worker.origin}/envelopes?show=all")
    expect(desk.locator(".entry")).to_have_count(0)


def test_going_back_from_the_file_removes_nothing(worker: Device) -> None:
    """Whoever has not found the file stays signed in, with all of it (R17, R50)."""
    page = worker.page
    worker.new_inspection("Stays")
    worker.save()
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Save as an encrypted file").click()
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_role("dialog")).to_contain_text("Not everything is at the office")
    page.get_by_role("button", name="Save as an encrypted file").click()
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.get_by_label("The same again").fill(PASSPHRASE)
    with page.expect_download():
        page.get_by_role("button", name="Make the file").click()
    page.get_by_role("button", name="Stay signed in").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert 1 == worker.count("outbox")
