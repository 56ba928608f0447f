"""The Smart Envelope: a form with its records as one JSON document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fieldpost.errors import Code, InputError, problem
from fieldpost.text import jsontext
from fieldpost.text.canonical import canonical, digest, digest_of
from fieldpost.wire.protocol import FORMAT, MAX_ENVELOPE_BYTES
from fieldpost.wire.shapes import TEXTS, malformed, shape_faults
from fieldpost.wire.upcasting import upcast


@dataclass(frozen=True, slots=True)
class Operation:
    """One insert, update or delete; or a look at a row that was only shown.

    Attributes:
        do: 'insert', 'update', 'delete', or 'look' where a page is strict: it changes nothing, and
            says what the worker saw, so that any change by others shows.
        model: table name.
        key: the row's key as JSON data; negative integers are temporary.
        set: attribute to new value, as JSON data.
        was: attribute to the value that the worker saw, for updates and deletes: every field that
            the form showed, so that a merge knows what somebody else changed meanwhile.
        at: the row's place in the form, such as ``findings[1]``; empty for the top.
        rows: for looks: child list to the keys of the rows that it had.
    """

    do: str
    model: str
    key: tuple[Any, ...]
    set: Mapping[str, Any] = field(default_factory=dict)
    was: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""
    rows: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the operation as plain data; empty parts are left out."""
        data: dict[str, Any] = {"do": self.do, "model": self.model, "key": list(self.key)}
        if self.do in ("insert", "update"):
            data["set"] = dict(self.set)
        if self.was:
            data["was"] = dict(self.was)
        if self.at:
            data["at"] = self.at
        if self.rows:
            data["rows"] = {name: list(keys) for name, keys in self.rows.items()}
        return data


@dataclass(frozen=True, slots=True)
class Void:
    """What a void discards: the envelope with the void's number, by id and digest."""

    id: str
    digest: str

    def to_json(self) -> dict[str, str]:
        """Return it as plain data."""
        return {"id": self.id, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class Envelope:
    """One saved form. See `docs/protocol.md` for each part.

    Attributes:
        after: numbers of earlier envelopes of the device that it builds on, not confirmed when it
            was saved: where one of them cannot be applied, this one waits.
        supersedes: ids of envelopes that it repairs and takes the place of.
        voids: the envelope that it discards; a void holds no operations.
        source: the text as it came, where that is of an older format.
    """

    id: str
    device: str
    number: int
    previous: str
    app: str
    app_version: str
    page: str
    user: str
    saved_at: str
    base: str
    operations: tuple[Operation, ...]
    attachments: tuple[str, ...] = ()
    after: tuple[int, ...] = ()
    supersedes: tuple[str, ...] = ()
    voids: Void | None = None
    format: int = FORMAT
    digest: str = ""
    source: str = ""
    # no part of it: `replace` leaves it out, and another content makes its own
    _text: str = field(default="", init=False, repr=False, compare=False)

    def content(self) -> dict[str, Any]:
        """Return everything but the digest, as plain data."""
        data = {name: getattr(self, name) for name in TEXTS}
        data |= {"format": self.format, "number": self.number}
        data["operations"] = [operation.to_json() for operation in self.operations]
        for name in ("attachments", "after", "supersedes"):
            data[name] = list(getattr(self, name))
        data["voids"] = self.voids and self.voids.to_json()
        return data

    def sealed(self) -> "Envelope":
        """Return the envelope with its digest."""
        return replace(self, digest=digest(self.content()))

    def to_text(self) -> str:
        """Return the canonical text, digest included; of an older format the one that came."""
        return self.source or self._text or canonical({**self.content(), "digest": self.digest})


def read_envelope(text: str | bytes) -> Envelope:
    """Read an envelope from outside: bounded, checked in shape, its digest verified.

    Raises:
        InputError: it is none; all that is wrong with its shape, or the one thing that is wrong
            with the whole.
    """
    if len(text) > MAX_ENVELOPE_BYTES:
        limit = f"{MAX_ENVELOPE_BYTES >> 20} MB"
        raise InputError([problem(Code.TOO_BIG, what="The envelope", limit=limit)])
    try:
        data = jsontext.parse(text)
    except jsontext.TooDeepError:
        raise InputError([problem(Code.TOO_DEEP)]) from None
    except ValueError as error:
        raise InputError([malformed(f"it is not JSON ({error})")]) from None
    return envelope_from_data(data)


def envelope_from_data(data: Any) -> Envelope:
    """Read an envelope from plain data; raises `InputError` as `read_envelope` does."""
    if not isinstance(data, dict):
        raise InputError([malformed("it is not a JSON object")])
    current = upcast(data)
    if faults := shape_faults(current):
        raise InputError(faults)
    try:
        text = canonical(data)
        expected = digest_of(_without_digest(text, data))
    except (ValueError, UnicodeEncodeError) as error:
        raise InputError([malformed(str(error))]) from None
    if expected != data["digest"]:
        raise InputError([problem(Code.WRONG_DIGEST)])
    envelope = _envelope(current, "" if current is data else text)
    object.__setattr__(envelope, "_text", text)
    return envelope


def _without_digest(text: str, data: Mapping[str, Any]) -> str:
    """Return the text that was sealed: writing all of it once more takes as long as all the rest.

    The first member of this name is the envelope's own: what stands before it holds no objects, and
    within a text its quotes would be escaped.
    """
    return text.replace(f'"digest":{canonical(data["digest"])},', "", 1)


def _envelope(data: Mapping[str, Any], source: str) -> Envelope:
    parts: dict[str, Any] = {name: data[name] for name in (*TEXTS, "format", "number", "digest")}
    for name in ("attachments", "after", "supersedes"):
        parts[name] = tuple(data[name])
    parts["operations"] = tuple(_operation(entry) for entry in data["operations"])
    parts["voids"] = data["voids"] and Void(data["voids"]["id"], data["voids"]["digest"])
    return Envelope(**parts, source=source)


def _operation(entry: Mapping[str, Any]) -> Operation:
    return Operation(
        entry["do"],
        entry["model"],
        tuple(entry["key"]),
        entry.get("set", {}),
        entry.get("was", {}),
        entry.get("at", ""),
        entry.get("rows", {}),
    )
