"""The first download in parts: it goes on where it stopped, for its own device only."""

import gzip
import os
import time
from pathlib import Path
from typing import Any

import pytest

from fieldpost_server.sync import prepared_images
from fieldpost_server.sync.prepared_images import Prepared, PreparedImages

PART = 700


def asked(device: Any, start: int, tag: str = "", size: int = PART) -> Any:
    headers = {**device.headers, "Range": f"bytes={start}-{start + size - 1}"}
    if tag:
        headers["If-Match"] = tag
    return device.client.get("/sync/image", headers=headers)


def images(office: Any) -> list[Path]:
    return sorted((office.settings.data / "images").iterdir())


@pytest.mark.passes("image-unkept", "image-unplaced")
def test_parts_make_the_whole(office: Any) -> None:
    """All parts have one tag and one cursor, and are one database together (R13)."""
    device = office.device("anna", download=False)
    device.register()
    first = asked(device, 0)
    assert 206 == first.status_code
    tag, cursor = first.headers["ETag"], first.headers["Fieldpost-Cursor"]
    size = int(first.headers["Content-Range"].rpartition("/")[2])
    content = first.content
    while len(content) < size:
        answer = asked(device, len(content), tag)
        assert (206, tag, cursor) == (
            answer.status_code,
            answer.headers["ETag"],
            answer.headers["Fieldpost-Cursor"],
        )
        content += answer.content
    assert gzip.decompress(content).startswith(b"SQLite format 3\0")
    assert 1 == len(images(office))


def test_an_image_is_its_devices_only(office: Any) -> None:
    """Whoever names another device's image gets none of it."""
    anna, bert = office.device("anna", download=False), office.device("bert", download=False)
    anna.register()
    bert.register()
    tag = asked(anna, 0).headers["ETag"]
    answer = asked(bert, PART, tag)
    assert (412, "image_gone") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize("tag", ['"00"', "*", 'W/"x"', f'"{"0" * 64}"'])
def test_an_unknown_tag_begins_again(office: Any, tag: str) -> None:
    """A tag that means nothing is answered so, and never with another image's bytes."""
    device = office.device("anna", download=False)
    device.register()
    asked(device, 0)
    assert 412 == asked(device, PART, tag).status_code


def test_an_old_or_damaged_image_is_none(office: Any) -> None:
    """What is older than two hours, or was changed on the disk, is not sent."""
    device = office.device("anna", download=False)
    device.register()
    tag = asked(device, 0).headers["ETag"]
    (path,) = images(office)
    before = path.read_bytes()
    path.write_bytes(before[:-1])
    assert 412 == asked(device, PART, tag).status_code
    path.write_bytes(before)
    assert 206 == asked(device, PART, tag).status_code
    long_ago = time.time() - prepared_images.KEPT_S - 1
    os.utime(path, (long_ago, long_ago))
    assert 412 == asked(device, PART, tag).status_code


def test_without_a_range_nothing_is_kept(office: Any) -> None:
    """A device of a former edition gets the whole at once, as before."""
    device = office.device("anna", download=False)
    device.register()
    answer = device.client.get("/sync/image", headers=device.headers)
    assert 200 == answer.status_code
    assert not (office.settings.data / "images").exists()


@pytest.mark.parametrize("span", ["bytes=5-4", "bytes=99999999-", "lines=1-2", "bytes=-5", "x"])
def test_an_odd_range_gets_the_whole(office: Any, span: str) -> None:
    """What is no part of it is not heeded."""
    device = office.device("anna", download=False)
    device.register()
    answer = device.client.get("/sync/image", headers={**device.headers, "Range": span})
    assert 200 == answer.status_code
    assert gzip.decompress(answer.content)


@pytest.mark.passes("old-image-undeleted")
def test_only_so_much_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images are bounded in number and size; the newest stays, one of each device."""
    monkeypatch.setattr(prepared_images, "MOST_IMAGES", 3)
    kept = PreparedImages(tmp_path / "images")
    tags = []
    for number in range(6):
        made = Prepared(b"%d" % number * 100, {"Fieldpost-Cursor": "c"})
        kept.keep(f"d-{number}", made)
        tags.append(made.tag)
        for path in kept.folder.iterdir():
            os.utime(path, (path.stat().st_mtime - 10, path.stat().st_mtime - 10))
    assert 3 == len(list(kept.folder.iterdir()))
    assert kept.find("d-5", tags[5]) is not None
    assert kept.find("d-0", tags[0]) is None
    monkeypatch.setattr(prepared_images, "MOST_BYTES", 250)
    again = Prepared(b"again" * 100, {"Fieldpost-Cursor": "c"})
    kept.keep("d-5", again)
    assert [again.tag] == [path.name.partition("-")[2] for path in kept.folder.iterdir()]
