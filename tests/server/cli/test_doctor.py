"""What is unsafe about a server is named, and not served by chance (R61, R65)."""

import os
import stat
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from fieldpost.errors import DefinitionError
from fieldpost_server.accounts.users import add_user
from fieldpost_server.cli import serve
from fieldpost_server.cli.main import main
from fieldpost_server.operations import deployment
from fieldpost_server.operations.deployment import mark_demo, unsafe
from fieldpost_server.settings import Settings

SAFE = {"origin": "https://field.example.com", "proxies": "127.0.0.1"}


@pytest.fixture(autouse=True)
def nobody_special(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root; a server should not."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.fixture
def safe(office: Any, tmp_path: Path) -> Settings:
    """Settings of a server of which nothing is unsafe."""
    secret = tmp_path / "secret"
    secret.write_text("x" * 40)
    secret.chmod(0o600)
    office.settings.data.chmod(0o700)
    if (file := office.database.engine.url.database) and Path(file).is_file():
        Path(file).chmod(0o600)
    safe: Settings = replace(office.settings, **SAFE, signing_secret_file=str(secret))
    return safe


def numbers(office: Any, settings: Settings) -> list[str]:
    with office.database.read_session() as session:
        return [each.asvs for each in unsafe(settings, session)]


def test_a_safe_server_has_no_findings(office: Any, safe: Settings) -> None:
    """The doctor complains of nothing that is right."""
    assert [] == numbers(office, safe)


@pytest.mark.parametrize(
    ("changes", "asvs"),
    [
        ({"origin": "", "host": "0.0.0.0"}, "12.2.1"),
        ({"origin": "http://field.example.com", "host": "10.0.0.5"}, "12.2.1"),
        ({"origin": ""}, "12.2.1"),
        ({"proxies": "*"}, "4.1.3"),
        ({"proxies": ""}, "16.2.1"),
        ({"demo": True}, "6.3.2"),
        ({"signing_secret_file": ""}, "13.3.1"),
        ({"database": "postgresql://u:p@db.example.com/x"}, "12.3.1"),
        ({"database": "postgresql://u:p@db.example.com/x?sslmode=require"}, "12.3.1"),
        ({"database": "postgresql://u:p@db.example.com/x?sslmode=verify-full"}, None),
        ({"host": "::1"}, None),
    ],
)
def test_what_is_unsafe_is_named_with_its_number(
    office: Any, safe: Settings, changes: dict[str, Any], asvs: str | None
) -> None:
    """Each fault has the number of what ASVS 5.0 asks for, and no other comes with it."""
    assert ([asvs] if asvs else []) == numbers(office, replace(safe, **changes))


@pytest.mark.parametrize("what", ["data", "secret"])
def test_files_that_others_may_read_are_named(office: Any, safe: Settings, what: str) -> None:
    """Database, attachments and secrets are for the server's own user."""
    path = safe.data if what == "data" else Path(safe.signing_secret_file)
    path.chmod(0o755)

    assert ["13.3.2"] == numbers(office, safe)


@pytest.mark.parametrize(("mode", "status"), [(0o755, 1), (0o701, 1), (0o750, 0), (0o700, 0)])
def test_files_that_everybody_may_read_are_not_served_by_chance(
    office: Any, served: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int,
    status: int,
) -> None:  # fmt: skip
    """Data that the whole machine may read stops the server; who insists serves it (R65)."""
    data = tmp_path / "data"
    if (file := office.database.engine.url.database) and Path(file).is_file():
        Path(file).chmod(0o600)
    data.mkdir(exist_ok=True)
    data.chmod(mode)

    assert status == served()[0]
    assert (f"chmod go= {data}" in capsys.readouterr().err) == bool(status)
    assert 0 == served("--insecure")[0]


def test_files_that_devices_do_not_get_are_named(
    served: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever serves an app hears which data files of it no device will find."""
    names = [f"shop/{n}.json" for n in range(7)]
    monkeypatch.setattr(
        serve, "left_at_home", lambda package, _: names if package == "apps" else []
    )

    assert 0 == served()[0]
    said = capsys.readouterr().out
    assert f"devices do not get {', '.join(names[:5])} and 2 more" in said
    assert "App(files=…)" in said


def test_a_demo_is_for_trying(office: Any, tmp_path: Path) -> None:
    """Its data is everybody's: the modes of its files stop nothing."""
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    data.chmod(0o755)
    demo = replace(office.settings, data=data, demo=True)

    serve._need_safety(demo, office.database)
    with pytest.raises(DefinitionError, match="chmod go="):
        serve._need_safety(replace(demo, demo=False), office.database)


@pytest.mark.parametrize("named", ["", "127.0.0.1", "10.0.0.7,10.0.0.8"])
def test_only_a_proxy_that_is_named_is_believed(
    office: Any, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """Nobody says by a header where a request comes from, unless a setting names it (R65)."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(uvicorn, "run", lambda _, **how: given.append(how))
    monkeypatch.setattr(serve, "start_logging", lambda: None)
    monkeypatch.setattr(serve, "_settle_memory", lambda: None)
    monkeypatch.setattr(serve, "_offer_image", lambda *_: None)

    serve.serve(replace(office.settings, proxies=named), office.application)

    assert [(bool(named), named or None, False)] == [
        (how["proxy_headers"], how["forwarded_allow_ips"], how["server_header"]) for how in given
    ]


def test_running_as_root_is_named(
    office: Any, safe: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault in the server should not be one of the machine."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert ["13.2.2"] == numbers(office, safe)


@pytest.mark.parametrize("how", ["mark", "account"])
def test_a_demo_is_known_by_its_mark_or_its_accounts(
    office: Any, safe: Settings, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Also one that was made before there was a mark."""
    if how == "mark":
        office.write(mark_demo)
        office.write(mark_demo)
    else:
        monkeypatch.setattr(deployment, "_DEMO_ACCOUNT", ("demo", "demo"))
        office.write(lambda s: add_user(s, "demo", "demo", seats=9, password_at_least=1))

    assert ["6.3.2"] == numbers(office, safe)


@pytest.fixture
def served(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, list[Any]]]:
    """A function that serves the office's database, and returns status and what was served."""
    monkeypatch.setattr(serve, "loading_as_a_device", lambda *_: nullcontext(lambda: None))
    monkeypatch.setattr(serve, "make_application", lambda settings: settings)
    monkeypatch.setattr(serve, "start_logging", lambda: None)
    monkeypatch.setattr(serve, "_settle_memory", lambda: None)
    monkeypatch.setattr(serve, "_offer_image", lambda *_: None)

    def run(*words: str, **variables: str) -> tuple[int, list[Any]]:
        found: list[Any] = []
        monkeypatch.setattr(uvicorn, "run", lambda app, **_: found.append(app))
        for name, value in variables.items():
            monkeypatch.setenv(f"FIELDPOST_{name.upper()}", value)
        url = office.settings.database_url
        options = ["--app", "apps.clinic:app", "--data", str(tmp_path / "data"), "--database", url]
        return main([*options, "serve", *words]), found

    return run


@pytest.mark.passes("demo-unmarked")
def test_a_demo_is_not_served_by_chance(
    office: Any, served: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everybody knows its passwords: only who insists serves it (R65)."""
    office.write(mark_demo)

    assert (1, []) == served()
    assert "made by 'fieldpost demo'" in capsys.readouterr().err
    status, applications = served("--insecure")
    assert (0, 1) == (status, len(applications))


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"host": "0.0.0.0"}, 1),
        ({"host": "192.168.1.5", "origin": "http://192.168.1.5:8000"}, 1),
        ({"host": "0.0.0.0", "origin": "https://field.example.com"}, 0),
        ({"host": "0.0.0.0", "insecure": "yes"}, 0),
        ({"host": "127.0.0.1"}, 0),
    ],
)
def test_nobody_is_served_readable_passwords_by_chance(
    served: Any, capsys: pytest.CaptureFixture[str], variables: dict[str, str], status: int
) -> None:
    """An address that others reach needs a public one with https, or somebody who insists."""
    assert status == served(**variables)[0]
    assert ("FIELDPOST_ORIGIN" in capsys.readouterr().err) == bool(status)


def test_the_command_names_all_and_fails(office: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A script sees from the status, a person from the words, what is to be done (R61)."""
    options = ["--app", "apps.clinic:app", "--data", str(office.settings.data)]
    options += ["--database", office.settings.database_url]
    assert 1 == main([*options, "doctor", "--deploy"])
    said = capsys.readouterr().out
    assert 0 == main([*options, "doctor"])

    assert {"ASVS 12.2.1", "ASVS 13.3.1"} <= {line.partition(":")[0] for line in said.splitlines()}


def test_what_the_commands_make_is_nobody_elses(tmp_path: Path) -> None:
    """Database, key and attachments cannot be read by others of the same machine."""
    data = tmp_path / "new"
    options = ["--app", "apps.clinic:app", "--data", str(data)]
    url = f"sqlite:///{data / 'fieldpost.sqlite3'}"
    assert 0 == main([*options, "--database", url, "db", "install"])

    made = [data, *data.rglob("*")]
    assert (data / "fieldpost.sqlite3") in made
    assert [] == [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077]
