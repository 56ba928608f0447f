"""The Smart Envelope: a form with its records as one JSON document."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fieldpost import jsontext
from fieldpost.canonical import canonical, digest
from fieldpost.errors import Code, InputError, Problem, problem
from fieldpost.protocol import (
    FORMAT,
    MAX_ATTACHMENTS,
    MAX_ENVELOPE_BYTES,
    MAX_OPERATIONS,
)

DOINGS = ("insert", "update", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One insert, update or delete.

    Attributes:
        do: 'insert', 'update' or 'delete'.
        model: table name.
        key: the row's key as JSON data; negative integers are temporary.
        set: attribute to new value, as JSON data.
        was: attribute to the value that the worker saw, for updates and deletes: every field that
            the form showed, so that a merge knows what somebody else changed meanwhile.
        at: the row's place in the form, such as ``findings[1]``; empty for the top.
    """

    do: str
    model: str
    key: tuple[Any, ...]
    set: Mapping[str, Any] = field(default_factory=dict)
    was: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the operation as plain data; empty parts are left out."""
        data: dict[str, Any] = {"do": self.do, "model": self.model, "key": list(self.key)}
        if self.do != "delete":
            data["set"] = dict(self.set)
        if self.was:
            data["was"] = dict(self.was)
        if self.at:
            data["at"] = self.at
        return data


@dataclass(frozen=True, slots=True)
class Envelope:
    """One saved form. See `docs/protocol.md` for each part."""

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
    format: int = FORMAT
    digest: str = ""

    def content(self) -> dict[str, Any]:
        """Return everything but the digest, as plain data."""
        data = {name: getattr(self, name) for name in _TEXTS}
        data |= {"format": self.format, "number": self.number}
        data["operations"] = [operation.to_json() for operation in self.operations]
        data["attachments"] = list(self.attachments)
        return data

    def sealed(self) -> "Envelope":
        """Return the envelope with its digest."""
        parts = {name: getattr(self, name) for name in self.__slots__}
        return Envelope(**{**parts, "digest": digest(self.content())})

    def to_text(self) -> str:
        """Return the canonical text, digest included."""
        return canonical({**self.content(), "digest": self.digest})


_TEXTS = ("id", "device", "previous", "app", "app_version", "page", "user", "saved_at", "base")
_SHORT_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,100}")
"""What a database takes as a name: no control characters."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_UNKNOWN = 20
_PARTS = frozenset({*_TEXTS, "format", "number", "operations", "attachments", "digest"})


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
        raise InputError([_malformed(f"it is not JSON ({error})")]) from None
    return envelope_from_data(data)


def envelope_from_data(data: Any) -> Envelope:
    """Read an envelope from plain data; raises `InputError` as `read_envelope` does."""
    if not isinstance(data, dict):
        raise InputError([_malformed("it is not a JSON object")])
    if type(data.get("format")) is int and data["format"] != FORMAT:
        raise InputError([problem(Code.UNKNOWN_FORMAT, format=data["format"], known=FORMAT)])
    faults = list(_shape_faults(data))
    if faults:
        raise InputError(faults)
    try:
        expected = digest({k: v for k, v in data.items() if k != "digest"})
    except (ValueError, UnicodeEncodeError) as error:
        raise InputError([_malformed(str(error))]) from None
    if expected != data["digest"]:
        raise InputError([problem(Code.WRONG_DIGEST)])
    operations = tuple(_operation(entry) for entry in data["operations"])
    plain = {name: data[name] for name in (*_TEXTS, "format", "number", "digest")}
    return Envelope(**plain, operations=operations, attachments=tuple(data["attachments"]))


def _malformed(reason: str, path: str = "") -> Problem:
    return problem(Code.MALFORMED, path, reason=reason)


def _shape_faults(data: dict[str, Any]) -> Sequence[Problem]:
    # not all of a million: an answer is not to be many times as large as what it answers
    unknown = sorted(data.keys() - _PARTS)[:_MOST_UNKNOWN]
    faults = [_malformed(f"'{name[:100]}' is unknown", name[:100]) for name in unknown]
    faults += [_malformed(f"'{name}' is missing", name) for name in sorted(_PARTS - data.keys())]
    if type(data.get("format", FORMAT)) is not int:
        faults.append(_malformed("'format' must be a whole number", "format"))
    for name in (*_TEXTS, "digest"):
        value = data.get(name, "")
        if not isinstance(value, str) or not _SHORT_TEXT.fullmatch(value):
            faults.append(_malformed(f"'{name}' must be short text", name))
    number = data.get("number", 1)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 1 << 53:
        faults.append(_malformed("'number' must count from 1", "number"))
    if not data.get("id") or not data.get("device"):
        faults.append(_malformed("'id' and 'device' must not be empty", "id"))
    if isinstance(saved_at := data.get("saved_at"), str) and not _is_moment(saved_at):
        faults.append(_malformed("'saved_at' must be a moment with its offset", "saved_at"))
    faults += _attachment_faults(data.get("attachments", []))
    faults += _operations_faults(data.get("operations", []))
    return faults


def _is_moment(text: str) -> bool:
    try:
        return bool(_MOMENT.fullmatch(text)) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _attachment_faults(entries: Any) -> list[Problem]:
    if not isinstance(entries, list) or len(entries) > MAX_ATTACHMENTS:
        return [_malformed(f"'attachments' must be a list of at most {MAX_ATTACHMENTS}")]
    if all(isinstance(e, str) and _SHA256.fullmatch(e) for e in entries):
        return []
    return [_malformed("'attachments' must hold SHA-256 digests", "attachments")]


def _operations_faults(entries: Any) -> list[Problem]:
    if not isinstance(entries, list) or len(entries) > MAX_OPERATIONS:
        return [_malformed(f"'operations' must be a list of at most {MAX_OPERATIONS}")]
    if not entries:
        return [_malformed("it holds no operation", "operations")]
    faults = []
    for index, entry in enumerate(entries):
        if fault := _operation_fault(entry):
            faults.append(_malformed(fault, f"operations[{index}]"))
    return faults


def _operation_fault(entry: Any) -> str:
    if not isinstance(entry, dict) or entry.get("do") not in DOINGS:
        return "an operation must insert, update or delete"
    if unknown := entry.keys() - {"do", "model", "key", "set", "was", "at"}:
        return f"'{min(unknown)}' is unknown"
    if not isinstance(entry.get("model"), str):
        return "'model' is missing"
    key = entry.get("key")
    if not isinstance(key, list) or not key or not all(_is_key_part(part) for part in key):
        return "'key' must be a list of numbers and texts"
    if not isinstance(entry.get("at", ""), str) or len(entry.get("at", "")) > 500:
        return "'at' must be short text"
    return _values_fault(entry)


def _values_fault(entry: dict[str, Any]) -> str:
    new, was = entry.get("set"), entry.get("was", {})
    if not isinstance(new, dict) if entry["do"] != "delete" else "set" in entry:
        return "'set' belongs to inserts and updates"
    if not isinstance(was, dict):
        return "'was' must be an object"
    if entry["do"] == "update" and not set(new or ()) <= set(was):
        return "'was' must name every field of 'set'"
    # one content has one text: otherwise what is kept would not fit the digest
    if entry.get("was") == {} or entry.get("at") == "":
        return "'was' and 'at' are left out where they are empty"
    return ""


def _is_key_part(part: Any) -> bool:
    if isinstance(part, str):
        return len(part) <= 1_000
    return isinstance(part, int) and not isinstance(part, bool) and abs(part) < 1 << 63


def _operation(entry: dict[str, Any]) -> Operation:
    return Operation(
        entry["do"],
        entry["model"],
        tuple(entry["key"]),
        entry.get("set", {}),
        entry.get("was", {}),
        entry.get("at", ""),
    )
