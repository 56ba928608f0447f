"""What is unsafe about how a server is run, each with its number in OWASP ASVS 5.0."""

import ipaddress
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.accounts.passwords import verify_password
from fieldpost_server.accounts.users import password_of
from fieldpost_server.backup.age import backup_age
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables

DEFAULT_ACCOUNTS = "6.3.2"
"""Of accounts whose passwords everybody knows."""

OPEN_FILES = "13.3.2"
"""Of data and secrets that others on the same machine may use."""

_MARK = "demo"
_DEMO_ACCOUNT = "admin", "demo"
_EVERYBODY = stat.S_IRWXO
_OTHERS = stat.S_IRWXG | _EVERYBODY
_ENCRYPTED = ("verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is unsafe.

    Attributes:
        asvs: number of the requirement in OWASP ASVS 5.0; empty where that says nothing of it.
        words: what, and what to do.
        stops: whether nothing is served like that, unless somebody insists on it.
    """

    asvs: str
    words: str
    stops: bool = False


def mark_demo(session: Session) -> None:
    """Note that everybody may know the passwords of this database."""
    where = tables.meta.c.name == _MARK
    # fault point: demo-unmarked — the demo's first start is done again, and marks it then; without
    # the mark its accounts tell.
    if session.scalar(sa.select(tables.meta.c.value).where(where)) is None:
        session.execute(sa.insert(tables.meta).values(name=_MARK, value="1"))


def is_demo(session: Session) -> bool:
    """Say whether a database is a demo's: marked so, or with an account that everybody knows."""
    mark = sa.select(tables.meta.c.value).where(tables.meta.c.name == _MARK)
    if session.scalar(mark) is not None:
        return True
    name, password = _DEMO_ACCOUNT
    _, stored = password_of(session, name)
    return stored is not None and verify_password(stored, password)


def unsafe(settings: Settings, session: Session) -> list[Finding]:
    """Return all that is unsafe, what stops a server first."""
    found = [
        *_accounts(settings, session),
        *_transport(settings),
        *_proxies(settings),
        *_secrets(settings),
        *_process(),
        *_backups(settings, session),
    ]
    return sorted(found, key=lambda finding: not finding.stops)


def is_loopback(host: str) -> bool:
    """Say whether nobody but this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _accounts(settings: Settings, session: Session) -> Iterator[Finding]:
    if is_demo(session):
        words = (
            "This database was made by 'fieldpost demo': everybody knows its accounts and their "
            "passwords. Serve another one: set FIELDPOST_DATA or FIELDPOST_DATABASE."
        )
        yield Finding(DEFAULT_ACCOUNTS, words, stops=True)
    if settings.demo:
        yield Finding(
            DEFAULT_ACCOUNTS, "FIELDPOST_DEMO shows the demo's accounts to everybody. Unset it."
        )


def _transport(settings: Settings) -> Iterator[Finding]:
    is_https = settings.origin.startswith("https://")
    if not is_https:
        is_public = not is_loopback(settings.host)
        where = f"It listens on {settings.host}, which others reach, and" if is_public else "It"
        words = (
            f"{where} has no public address with https: passwords and data travel readable, and "
            "cookies may be set by neighbours. Put a proxy with a certificate in front and set "
            "FIELDPOST_ORIGIN to its address, such as https://field.example.com."
        )
        yield Finding("12.2.1", words, stops=is_public)
    url = sa.make_url(settings.database_url)
    mode = url.query.get("sslmode", "")
    if url.host and not is_loopback(url.host) and mode not in _ENCRYPTED:
        words = (
            f"The connection to the database on {url.host} is not verified. Add "
            "'?sslmode=verify-full' to FIELDPOST_DATABASE."
        )
        yield Finding("12.3.1", words)


def _proxies(settings: Settings) -> Iterator[Finding]:
    named = [each.strip() for each in settings.proxies.split(",") if each.strip()]
    if "*" in named:
        words = (
            "FIELDPOST_PROXIES is '*': anybody may claim any address, so guessing passwords is not "
            "slowed and the log names nobody. Name the addresses of your proxies."
        )
        yield Finding("4.1.3", words)
    elif settings.origin and not named and is_loopback(settings.host):
        words = (
            "A proxy seems to be in front, and FIELDPOST_PROXIES names none: all people have its "
            "address in the log, and slow each other when they mistype passwords. Name it, such as "
            "127.0.0.1."
        )
        yield Finding("16.2.1", words)


def _secrets(settings: Settings) -> Iterator[Finding]:
    if not settings.signing_secret_file:
        words = (
            "The key that signs receipts lies in the database as it is, and so in every backup. "
            "Make a secret with 'openssl rand -base64 32', name its file in "
            "FIELDPOST_SIGNING_SECRET_FILE, and run 'fieldpost keys rotate'."
        )
        yield Finding("13.3.1", words)
    # elsewhere modes say nothing of who may
    for path in _private(settings) if os.name == "posix" else ():
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            who = "Everybody" if mode & _EVERYBODY else "The group of it"
            words = f"{who} on this machine may use '{path}' (mode {mode:04o})."
            words += f" Run 'chmod go= {path}'."
            # a group may be meant to, such as that of who makes backups
            yield Finding(OPEN_FILES, words, stops=bool(mode & _EVERYBODY))


def _private(settings: Settings) -> Iterator[Path]:
    """Yield what only the server's own user needs; what lies in a private folder is private."""
    named = [settings.data]
    url = sa.make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        file = Path(url.database)
        if settings.data.resolve() not in file.resolve().parents:
            named.append(file)
    if settings.signing_secret_file:
        named.append(Path(settings.signing_secret_file))
    if settings.oidc_secret_file:
        named.append(Path(settings.oidc_secret_file))
    if settings.backup:
        named.append(Path(settings.backup))
    yield from (path for path in named if path.exists())


def _process() -> Iterator[Finding]:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words = (
            "It runs as root: a fault in it would be one of the whole machine. Run it as a user of "
            "its own."
        )
        yield Finding("13.2.2", words)


def _backups(settings: Settings, session: Session) -> Iterator[Finding]:
    _, words = backup_age(settings, session)
    if words:
        yield Finding("", words)
    place = Path(settings.backup)
    if settings.backup and place.exists() and place.stat().st_dev == settings.data.stat().st_dev:
        words = (
            f"The backups in '{settings.backup}' lie on the same disk as the data: whatever breaks "
            "it takes both. Name a folder on another one with FIELDPOST_BACKUP."
        )
        yield Finding("", words)
