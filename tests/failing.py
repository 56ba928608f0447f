"""Tests of which one fails on purpose; `test_evidence.py` runs them to see what is left."""


def test_a_story() -> None:
    print("said on the way")
    error = AssertionError("it went wrong")
    error.add_note("first this\nthen that")
    raise error


def test_that_is_well() -> None:
    print("nobody asks")
