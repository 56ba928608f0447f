"""What a failing test leaves has a folder of its own, and a story its script."""

from pathlib import Path

import pytest

from evidence import Evidence, folder_of, run_failing


@pytest.mark.parametrize(
    ("nodeid", "folder"),
    [
        ("tests/server/feed/test_changes.py::test_a", "server-feed-test_changes-test_a"),
        ("tests/shared/test_web.py::test_a[../x y]", "shared-test_web-test_a-..-x-y"),
        ("tests/test_docs.py::test_a[b/c]", "test_docs-test_a-b-c"),
    ],
)
def test_a_folder_is_named_after_its_test(nodeid: str, folder: str) -> None:
    """The folder is found by the test's id."""
    assert folder == folder_of(nodeid)


def test_no_two_tests_share_a_folder() -> None:
    """Long ids and those of foreign letters are cut, and still told apart."""
    texts = ("x" * 300 + "1", "x" * 300 + "2", "ä", "ö")
    folders = {folder_of(f"tests/test_x.py::test_a[{text}]") for text in texts}

    assert 4 == len(folders)
    assert all(name.isascii() and len(name) < 140 and ".." not in name for name in folders)


def test_what_cannot_be_kept_hides_nothing(tmp_path: Path) -> None:
    """Where one thing cannot be written, the others are, and a note says what is missing."""
    evidence = Evidence(tmp_path / "left")

    def broken(_: Path) -> None:
        raise OSError("it is gone")

    def sound(folder: Path) -> None:
        (folder / "log").write_text("here")

    evidence.add(broken)
    evidence.add(sound)
    evidence.write()
    evidence.add(lambda folder: (folder / "log").unlink())
    evidence.write()

    assert "here" == (tmp_path / "left" / "log").read_text()
    assert "it is gone" in (tmp_path / "left" / "missing.txt").read_text()


def test_a_failing_story_leaves_its_script(tmp_path: Path) -> None:
    """The report and the script are in the folder of the test that failed, and of no other."""
    run_failing("tests/failing.py", tmp_path)

    (folder,) = tmp_path.iterdir()
    assert "failing-test_a_story" == folder.name
    assert {"call.txt", "story.txt"} == {file.name for file in folder.iterdir()}
    assert "first this\nthen that\n" == (folder / "story.txt").read_text("utf-8")
    report = (folder / "call.txt").read_text("utf-8")
    for words in ("tests/failing.py::test_a_story", "it went wrong", "said on the way"):
        assert words in report
