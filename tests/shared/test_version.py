"""The shared package is the same one on both sides."""

import re

import fieldpost


def test_the_package_says_its_version() -> None:
    """Both sides can say which version of Fieldpost they run."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", fieldpost.__version__)
