"""Settings of one server: from the environment, or from keywords in tests and programs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldpost.errors import Code, DefinitionError, problem

KIB = 1024
MIB = 1024 * KIB
HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an administrator can set; each field is the variable ``FIELDPOST_<NAME>``.

    Attributes:
        app: where the author's `App` is: ``package.module:attribute``.
        data: folder for the SQLite database, attachments and demo data.
        database: SQLAlchemy URL; empty means a SQLite file in `data`.
        host: address to listen on.
        port: TCP port to listen on; the variable is ``PORT``.
        origin: public address such as ``https://field.example.com``: requests for another host are
            refused, and with https the cookies and the browser insist on it; empty means that any
            Host header is right.
        proxies: addresses of the proxies in front, separated by commas: what these say of a
            request's address and scheme is believed; empty means that nobody is.
        seats: how many users may have the role ``Offline``.
        session_idle_hours: a session unused for so long ends.
        session_hours: a session ends after so long in any case.
        invitation_hours: a link by which somebody sets a password of her own works for so long.
        second_factor_roles: roles, separated by commas, whose people need a second factor to sign
            in; who has none yet sets one up when she signs in next.
        confirm_minutes: whoever has not signed in or shown her password or passkey for so long is
            asked for it before passwords, second factors or roles are changed.
        oidc_issuer: address of a provider of identities (OpenID Connect); empty means that there is
            none.
        oidc_client: what this server is called there.
        oidc_secret: what it shows there that it is this server; better in a file.
        oidc_secret_file: file with that.
        oidc_name_claim: claim that new users get their name from.
        oidc_groups_claim: claim that names somebody's groups.
        oidc_roles: roles that groups stand for: ``group=Role``, separated by commas; those roles
            are given and taken at each sign-in.
        oidc_adds_users: make a user of whoever the provider lets in and is not linked to one.
        keep_events_days: security events older than this are forgotten.
        demo: show the demo accounts on the sign-in page.
        insecure: serve also what is not safe: a demo's database, files that everybody on this
            machine may use, or without https an address that others reach.
        max_body_bytes: largest body of a form; see `fieldpost_server.http.bodies` for calls.
        max_push_bytes: largest body of a push, after unpacking.
        max_attachment_bytes: largest attachment.
        max_pull_keys: with more changed keys of one table than this, a pull sends it whole.
        keep_changes_days: changes older than this may be forgotten; a device that was away
            longer gets a full download.
        keep_unused_days: attachments that nothing refers to for so long, and uploads that nobody
            has gone on with, are deleted; 0 keeps them for good.
        keep_refused, keep_refused_bytes: how much is kept of one user's envelopes that could not be
            applied: of discarded ones the contents go, the oldest first, and nothing more is taken
            that cannot be applied; 0 means no bound.
        quota_file_bytes: bytes of pictures and files that are taken from one user in a day (of
            UTC); with this and the others that begin so, 0 means as many as she likes.
        quota_entry_bytes: bytes of entries that are taken from one user in a day.
        quota_uploads: pictures and files that one user may begin to upload in a day.
        quota_devices: new devices that one user may register in a day.
        quota_images: downloads of everything that are made for one user in a day.
        quota_sessions: sessions that one user may begin in a day by signing in.
        signing_secret_file: file with a secret that the key of receipts is encrypted with in the
            database; empty means that the key lies there as it is.
        backup: folder that ``fieldpost backup`` puts backups into when it is given none; health
            and ``fieldpost doctor --deploy`` then say when the last one is too old.
        backup_hours: it is too old after so long.
        postgres_bin: folder of PostgreSQL's own programs; empty looks where they usually are.
        node: the program of Node, which makes the memory image from which devices start quickly;
            ``no`` makes none.
        images: folder in which those are kept, of any number of servers; empty means one in
            `data`.
        stalled_after_s: health and log warn when the transaction that holds back the change feed
            is older, in seconds.
        timezone: the zone in which everybody who works online sees and fills in moments, such as
            ``Europe/Berlin``; empty means that of the server.
        decimal_mark: ``.`` or ``,``: how numbers are shown to everybody who works online.
    """

    app: str = ""
    data: Path = field(default_factory=lambda: Path("fieldpost-data"))
    database: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    origin: str = ""
    proxies: str = ""
    seats: int = 100
    session_idle_hours: int = 14 * 24
    session_hours: int = 90 * 24
    invitation_hours: int = 7 * 24
    second_factor_roles: str = ""
    confirm_minutes: int = 15
    oidc_issuer: str = ""
    oidc_client: str = ""
    oidc_secret: str = field(default="", repr=False)
    oidc_secret_file: str = ""
    oidc_name_claim: str = "preferred_username"
    oidc_groups_claim: str = "groups"
    oidc_roles: str = ""
    oidc_adds_users: bool = False
    keep_events_days: int = 365
    demo: bool = False
    insecure: bool = False
    max_body_bytes: int = 16 * MIB
    max_push_bytes: int = 64 * MIB
    max_attachment_bytes: int = 100 * MIB
    max_pull_keys: int = 5_000
    keep_changes_days: int = 90
    keep_unused_days: int = 90
    keep_refused: int = 10_000
    keep_refused_bytes: int = 256 * MIB
    quota_file_bytes: int = 5 * 1024 * MIB
    quota_entry_bytes: int = 1024 * MIB
    quota_uploads: int = 5_000
    quota_devices: int = 50
    quota_images: int = 200
    quota_sessions: int = 200
    signing_secret_file: str = ""
    backup: str = ""
    backup_hours: int = 26
    postgres_bin: str = ""
    node: str = "node"
    images: str = ""
    stalled_after_s: int = 300
    timezone: str = ""
    decimal_mark: str = "."

    @property
    def database_url(self) -> str:
        """Return the database's URL with its driver."""
        if not self.database:
            return f"sqlite:///{(self.data / 'fieldpost.sqlite3').absolute()}"
        for prefix in ("postgres://", "postgresql://"):
            if self.database.startswith(prefix):
                return "postgresql+psycopg://" + self.database.removeprefix(prefix)
        return self.database

    def is_secure(self, scheme: str) -> bool:
        """Say whether browsers reach this server by https; `scheme` is a request's own.

        A proxy may take the encryption off: then the public address says it.
        """
        return scheme == "https" or self.origin.startswith("https:")

    @property
    def attachments(self) -> Path:
        """Return the folder of the attachments."""
        return self.data / "attachments"

    @property
    def image_folder(self) -> Path:
        """Return the folder of the memory images."""
        return Path(self.images) if self.images else self.data / "images"

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **overrides: Any
    ) -> "Settings":
        """Read the variables; an override that is not None wins.

        Raises:
            DefinitionError: a variable cannot be read as what it should be.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for name, kind in _KINDS.items():
            variable = "PORT" if name == "port" else f"FIELDPOST_{name.upper()}"
            if environment.get(variable):
                values[name] = _read(variable, environment[variable], kind)
        values.update({k: v for k, v in overrides.items() if v is not None})
        return cls(**values)


_KINDS: Mapping[str, type] = {
    name: kind if isinstance(kind, type) else str for name, kind in Settings.__annotations__.items()
}
_YES_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _read(variable: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in _YES_NO:
            return _YES_NO[text.lower()]
        raise _unreadable(variable, text, "yes or no")
    if kind is int:
        if text.isascii() and text.isdigit():
            return int(text)
        raise _unreadable(variable, text, "a whole number")
    return kind(text)


def _unreadable(variable: str, text: str, wanted: str) -> DefinitionError:
    words = f"The variable {variable} is {text!r}; it must be {wanted}. Correct it and start again."
    return DefinitionError([problem(Code.DEFINITION, variable, text=words)])
