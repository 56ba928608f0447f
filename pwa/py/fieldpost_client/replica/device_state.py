"""What the device knows of itself: who works on it, its counters, and where its replica stands."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fieldpost.pages import Page
from fieldpost.users import User
from fieldpost_client.outbox.chain import Counters
from fieldpost_client.outbox.held_back import HeldBack
from fieldpost_client.platform.base import Operation
from fieldpost_client.replica.server_keys import ServerKeys

KeyMap = dict[tuple[str, int], int]
"""(model, temporary key) to real key."""

LostByHistory = dict[str, dict[tuple[str, int], int]]
"""History to (model, lost real key) to temporary key."""


@dataclass
class DeviceState:
    """The store's `session` and `replica`, in memory.

    Attributes:
        device: its id; empty before it was registered.
        user: who works on it; None before.
        settings: what the server says: names of its ``offline`` pages and of all ``pages``.
        counters: of its envelopes.
        is_new: its id is not known to the server yet.
        sent_to: number of the newest envelope that may have been sent; durable before it is.
        keys: real keys, from receipts.
        lost_keys: real keys that the server has given out and forgotten, by the history in which
            they counted, with the temporary ones that they came from.
        server_keys: those of the server that its receipts are verified with.
        cursor: of the replica; empty where there is none.
        pieces: hashes of the replica's pieces.
        proven: digests by table that the last pull has proven for these very pieces.
        held: tables that these pieces lack, and what is replayed for them.
        last_sync: ISO 8601 moment of the last sync that went through.
        report: what that sync did, as plain data.
    """

    device: str = ""
    user: User | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    is_new: bool = False
    sent_to: int = 0
    keys: KeyMap = field(default_factory=dict)
    lost_keys: LostByHistory = field(default_factory=dict)
    server_keys: ServerKeys = field(default_factory=ServerKeys)
    cursor: str = ""
    pieces: list[str] = field(default_factory=list)
    proven: Mapping[str, Any] = field(default_factory=dict)
    held: HeldBack = field(default_factory=HeldBack)
    last_sync: str | None = None
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_replica(self) -> bool:
        """Say whether the first download is done."""
        return self.user is not None and bool(self.pieces)

    def is_offline(self, page: Page) -> bool:
        """Say whether the server has marked a page offline."""
        marked = self.settings.get("offline")
        return page.offline if marked is None else page.name in marked

    def adopt_about(self, about: Mapping[str, Any]) -> None:
        """Take over what the server says of user and settings."""
        self.user = user_from_json(about["user"])
        self.settings = dict(about["settings"])


def user_from_json(data: Mapping[str, Any]) -> User:
    """Read a user as the server describes her; raises KeyError or TypeError."""
    return User(data["name"], data.get("display_name") or "", frozenset(data.get("roles") or ()))


def about_operations(about: Mapping[str, Any]) -> list[Operation]:
    """Return the operations that store what the server says of user and settings."""
    return [("put", "session", name, about[name]) for name in ("user", "settings")]


def keys_operation(keys: KeyMap) -> Operation:
    """Return the operation that stores all real keys."""
    entries = [[model, temporary, real] for (model, temporary), real in keys.items()]
    return ("put", "session", "keys", entries)


def lost_keys_operation(lost: LostByHistory) -> Operation:
    """Return the operation that stores all lost keys."""
    entries = [
        [history, model, real, temporary]
        for history, keys in lost.items()
        for (model, real), temporary in keys.items()
    ]
    return ("put", "session", "lost", entries)


def seal_of(pieces: list[str]) -> str:
    """Return one digest of a list of pieces, so that a proof belongs to these and no others."""
    return hashlib.sha256(" ".join(pieces).encode()).hexdigest()
