"""The command line (R61)."""

from pathlib import Path

import pytest

from fieldpost_server.cli.main import main

APP = ["--app", "apps.clinic:app"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options of an installed server."""
    monkeypatch.delenv("FIELDPOST_DATABASE", raising=False)
    options = [*APP, "--data", str(tmp_path)]
    assert 0 == main([*options, "db", "install"])
    return options


@pytest.mark.passes("open-envelopes-unnoted")
def test_installing_twice_changes_nothing(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """An administrator may run it after every update."""
    capsys.readouterr()
    assert 0 == main([*data, "db", "install"])
    assert "none; all were there" in capsys.readouterr().out


def test_users_are_added_listed_and_given_roles(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """People are made and shown."""
    add = [*data, "user", "add", "anna", "--password", "correct horse", "--display-name", "Anna A"]
    assert 0 == main([*add, "--role", "Offline"])
    assert 0 == main([*data, "user", "role", "anna", "Doctor"])
    capsys.readouterr()
    assert 0 == main([*data, "user", "list"])

    assert "anna\tAnna A\tDoctor, Offline\n" == capsys.readouterr().out
    assert 0 == main([*data, "user", "password", "anna", "--password", "better horse"])
    assert 0 == main([*data, "user", "role", "anna", "Doctor", "--take"])
    assert 0 == main([*data, "user", "role", "anna", "Admin"])
    assert 1 == main([*data, "user", "role", "anna", "Admin", "--take"])
    assert "anna is the only administrator" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["user", "add", "x", "--password", "short"], "The password needs at least"),
        (["user", "add", "", "--password", "correct horse"], "User name"),
        (["user", "role", "nobody", "Doctor"], "There is no user 'nobody'"),
        (["user", "password", "nobody", "--password", "correct horse"], "There is no user"),
        (
            ["user", "add", "x", "--password", "correct horse", "--role", "Boss"],
            "There is no role 'Boss'. Choose one of: Admin, Doctor, Offline, Supervisor.",
        ),
    ],
)
def test_mistakes_are_said_in_words(
    data: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """No stack trace: words on the error output, and a status for scripts."""
    assert 1 == main([*data, *arguments])

    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err


@pytest.mark.passes("turn-taken")
def test_seats_count_on_the_command_line_too(
    data: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no way around the seats (R5)."""
    monkeypatch.setenv("FIELDPOST_SEATS", "1")
    add = ["--password", "correct horse", "--role", "Offline"]
    assert 0 == main([*data, "user", "add", "anna", *add])
    assert 1 == main([*data, "user", "add", "bert", *add])
    assert "All 1 field-worker seats are taken." in capsys.readouterr().err
    assert 0 == main([*data, "user", "list"])
    assert "bert" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nonsense", "apps.clinic:nothing", "apps.clinic:ADMIN", ""])
def test_an_app_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """An author reads how to name her app."""
    assert 1 == main(["--app", name, "--data", str(tmp_path), "db", "install"])
    assert capsys.readouterr().err.strip()


def test_a_setting_that_cannot_be_read_is_named(
    data: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing mistake in the environment is said with its variable."""
    monkeypatch.setenv("FIELDPOST_SEATS", "many")

    assert 1 == main([*data, "user", "list"])
    assert "FIELDPOST_SEATS is 'many'" in capsys.readouterr().err


@pytest.mark.passes(
    "command-unwritten",
    "install-locked",
    "installed-without-key",
    "password-set-sessions-open",
    "tables-without-triggers",
    "user-off-sessions-open",
)
def test_people_are_managed_without_a_browser(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the page of people does, the command line does as well (R61)."""

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main([*data, *words])
        said = capsys.readouterr()
        return status, said.out + said.err

    assert 0 == run("user", "add", "boss", "--role", "Admin", "--password", "correct horse")[0]
    status, words = run("user", "add", "zoe", "--invite")
    assert (0, True) == (status, "/invitation?code=" in words)
    assert "/invitation?code=" in run("user", "invite", "zoe")[1]
    assert (0, "zoe has the role Doctor.\n") == run("user", "role", "give", "zoe", "Doctor")
    assert (0, "zoe does not have the role Doctor.\n") == run(
        "user", "role", "take", "zoe", "Doctor"
    )
    assert 1 == run("user", "role", "zoe")[0]
    assert 0 == run("user", "off", "zoe")[0]
    assert "zoe" not in run("user", "list")[1]
    assert "zoe\t\t\toff\n" in run("user", "list", "--all")[1]
    assert 0 == run("user", "on", "zoe")[0]
    assert "zoe" in run("user", "list")[1]
    status, words = run("user", "off", "boss")
    assert (1, True) == (status, "only administrator" in words)
    assert (0, "") == run("user", "sessions", "zoe")
    assert (0, "Ended 0 of the sessions of zoe.\n") == run("user", "end-sessions", "zoe")
    assert 0 == run("user", "password", "zoe", "--once", "--password", "words of the office")[0]
    assert (0, "") == run("device", "list")
    status, words = run("device", "revoke", "d-1")
    assert (1, True) == (status, "no such device" in words)
