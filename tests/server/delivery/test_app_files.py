"""Devices get what the author lists, and nothing that may be a secret (R65, R67)."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.orm import DeclarativeBase

from fieldpost.app import FILES, App
from fieldpost.errors import DefinitionError
from fieldpost_server.delivery.app_files import app_files, app_version, left_at_home

Lay = Callable[..., Path]


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """A function that lays files, by name and content, into the package `shop`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def make(**files: str | bytes) -> Path:
        for name, content in {"__init__.py": "", **files}.items():
            path = tmp_path / "shop" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "shop"

    return make


def shipped(*files: str) -> set[str]:
    return {name.removeprefix("shop/") for name in app_files("shop", files or FILES)} - {
        "__init__.py"
    }


def refused(*files: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        app_files("shop", files or FILES)
    return "\n".join(each.message for each in caught.value.problems)


def test_data_beside_the_modules_stays(lay: Lay) -> None:
    """Settings and databases in a package go nowhere unless they are listed."""
    names = ("app.py", "trees/rules.py", "templates/list.html", "trees/templates/a/b.html")
    others = ("settings.toml", "data.sqlite3", "notes.txt", ".env", "site.html", "README.md")
    lay(**dict.fromkeys((*names, *others), ""))

    assert set(names) == shipped()
    left = {"shop/settings.toml", "shop/data.sqlite3", "shop/notes.txt", "shop/site.html"}
    assert left == set(left_at_home("shop"))


def test_what_is_for_the_server_or_for_tests_stays(lay: Lay) -> None:
    """Neither is it a fault that they are there, nor can a list take them along (R67)."""
    stays = (
        *("server.py", "server/prices.py", "trees/server/secrets.py", "server/key.pem"),
        *("tests/test_app.py", "test_app.py", "trees/app_test.py", "conftest.py", "fast.so"),
        *(".git/config", ".env", "trees/.hidden/a.py", "__pycache__/app.cpython-311.pyc"),
    )
    lay(**dict.fromkeys(("app.py", *stays), ""))

    assert {"app.py"} == shipped()
    assert {"app.py"} == shipped("**/*.py", "**/*")
    assert "'server/prices.py'" in refused("**/*.py", "server/prices.py")
    assert [] == left_at_home("shop")


def test_only_what_is_listed_ships(lay: Lay) -> None:
    """A list takes the place of what is usual, module by module if need be."""
    lay(**dict.fromkeys(("app.py", "prices.py", "words/de.json", "words/x/fr.json"), ""))

    assert {"app.py", "words/de.json"} == shipped("__init__.py", "app.py", "words/*.json")
    assert {"words/de.json", "words/x/fr.json"} == shipped("**/*.json")
    assert {"app.py", "prices.py", "words/x/fr.json"} == shipped(*FILES, "**/x/*.json")


KEY = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
DANGEROUS = {
    **dict.fromkeys(("tls.pem", "a/CA.KEY", "id_ed25519", "my.p12", "store.jks"), b""),
    **dict.fromkeys(("data.sqlite3", "shop.DB", "data.sqlite3-wal", "prod.env", "x.bak"), b""),
    **dict.fromkeys((".env", "a/.netrc", ".hidden/words.json"), b""),
    "words.json": KEY.encode(),
    "app.py": f'KEY = """{KEY}"""'.encode(),
    "trees/rules.py": b"K = '-----BEGIN OPENSSH PRIVATE KEY-----'",
    "seeds.bin": b"SQLite format 3\0 and so on",
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_may_be_a_secret_stops_the_server(lay: Lay, name: str) -> None:
    """Packing fails with the file's name, however it came to be listed (R65)."""
    lay(**{name: DANGEROUS[name]})
    is_hidden = any(part.startswith(".") for part in name.split("/"))

    # no wildcard means a hidden file
    for listed in (name, "**/*")[: 1 if is_hidden else 2]:
        assert f"'shop/{name}'" in refused(*FILES, listed)


@pytest.mark.parametrize(
    "name", ["server_rules.py", "my_secrets.py", "a/credentials.py", "private/a.py", "passwords.py"]
)
def test_what_is_called_a_secret_is_asked_about(lay: Lay, name: str) -> None:
    """A name that says that it is not for devices stops the server, unless the author insists."""
    lay(**{name: "", "observers.py": "", "privately.py": ""})

    assert f"add '{name}' to App(files=…)" in refused()
    assert {name, "observers.py", "privately.py"} == shipped(*FILES, name)


def test_a_link_out_of_the_package_is_not_followed(lay: Lay, tmp_path: Path) -> None:
    """A file that lies elsewhere is not the author's to give away by chance."""
    package = lay(**{"app.py": ""})
    (tmp_path / "elsewhere.py").write_text("TOKEN = 1")
    (package / "link.py").symlink_to(tmp_path / "elsewhere.py")
    os.link(package / "app.py", package / "same.py")
    (package / "inside.py").symlink_to(package / "app.py")

    assert "'shop/link.py'" in refused()
    (package / "link.py").unlink()
    assert {"app.py", "same.py", "inside.py"} == shipped()


def test_all_faults_are_told_at_once(lay: Lay) -> None:
    """Whoever puts one right is not told of the next only then."""
    lay(**{"tls.pem": "", "server_rules.py": ""})

    told = refused("**/*.py", "*.pem", "words/*.json")
    assert 3 == len(told.splitlines())
    for name in ("shop/tls.pem", "shop/server_rules.py", "words/*.json"):
        assert f"'{name}'" in told


def test_an_app_of_one_module_is_that_module(tmp_path: Path, lay: Lay) -> None:
    """What lies beside it is another's."""
    lay(**{"app.py": ""})
    (tmp_path / "orchards.py").write_text("app = 1")
    (tmp_path / "other.py").write_text("app = 1")

    assert {"orchards.py": b"app = 1"} == app_files("orchards")
    assert [] == left_at_home("orchards")


def test_the_version_follows_what_is_listed(lay: Lay) -> None:
    """A file that is listed counts, one that stays does not."""
    package = lay(**{"app.py": "", "words.json": "{}"})
    plain, worded = app_version("shop"), app_version("shop", [*FILES, "words.json"])
    (package / "words.json").write_text("[]")

    assert plain == app_version("shop")
    assert worded != app_version("shop", [*FILES, "words.json"])


@pytest.mark.parametrize(
    "pattern", ["", "/etc/passwd", "../other/*.py", "a//b", "a\\b", "C:/x", "./a.py", "**", "a**/b"]
)
def test_a_pattern_stays_inside_of_the_package(pattern: str) -> None:
    """Whatever leads elsewhere, or means other things elsewhere, is no pattern."""

    class Base(DeclarativeBase):
        """No models."""

    assert (*FILES, "words/*.json") == App("X", Base, [], files=[*FILES, "words/*.json"]).files
    with pytest.raises(DefinitionError, match=r"no pattern of files"):
        App("X", Base, [], files=[*FILES, pattern])
