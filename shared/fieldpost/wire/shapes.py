"""The shape of an envelope: what is wrong with plain data that should be one."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from fieldpost.errors import Code, Problem, problem
from fieldpost.wire.protocol import (
    FORMAT,
    MAX_AFTER,
    MAX_ATTACHMENTS,
    MAX_OPERATIONS,
    MAX_SUPERSEDED,
)

DOINGS = ("insert", "update", "delete", "look")
TEXTS = ("id", "device", "previous", "app", "app_version", "page", "user", "saved_at", "base")
"""Parts that are short texts."""

_SHORT_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,100}")
"""What a database takes as a name: no control characters."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_KEY_LIMIT = 1 << 63
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_UNKNOWN = 20
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RELATIONS = ("after", "supersedes", "voids")
_OPERATION_PARTS = frozenset({"do", "model", "key", "set", "was", "at", "rows"})
_PARTS = frozenset({*TEXTS, *_RELATIONS, "format", "number", "operations", "attachments", "digest"})


def malformed(reason: str, path: str = "") -> Problem:
    """Return the problem that an envelope cannot be read."""
    return problem(Code.MALFORMED, path, reason=reason)


def shape_faults(data: Mapping[str, Any]) -> list[Problem]:
    """Return all that is wrong with the shape of an envelope of the present format."""
    # not all of a million: an answer is not to be many times as large as what it answers
    unknown = sorted(data.keys() - _PARTS)[:_MOST_UNKNOWN]
    faults = [malformed(f"'{name[:100]}' is unknown", name[:100]) for name in unknown]
    faults += [malformed(f"'{name}' is missing", name) for name in sorted(_PARTS - data.keys())]
    if type(data.get("format", FORMAT)) is not int:
        faults.append(malformed("'format' must be a whole number", "format"))
    for name in (*TEXTS, "digest"):
        value = data.get(name, "")
        if not isinstance(value, str) or not _SHORT_TEXT.fullmatch(value):
            faults.append(malformed(f"'{name}' must be short text", name))
    number = data.get("number", 1)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 1 << 53:
        faults.append(malformed("'number' must count from 1", "number"))
    if not data.get("id") or not data.get("device"):
        faults.append(malformed("'id' and 'device' must not be empty", "id"))
    if isinstance(saved_at := data.get("saved_at"), str) and not _is_moment(saved_at):
        faults.append(malformed("'saved_at' must be a moment with its offset", "saved_at"))
    faults += _attachment_faults(data.get("attachments", []))
    faults += _relation_faults(data)
    faults += _operations_faults(data)
    return faults


def is_device_id(device: object) -> bool:
    """Say whether something is the id of a device: `d-` and a UUID in its canonical spelling."""
    return isinstance(device, str) and device[:2] == "d-" and is_uuid(device[2:])


def is_uuid(text: object) -> bool:
    """Say whether something is a UUID in its canonical spelling: one id is spelt in one way."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None


def id_faults(identity: str, device: str, named: Iterable[str]) -> list[Problem]:
    """Return what is wrong with the ids of an envelope that arrives.

    Args:
        identity, device: its own, and that of its device.
        named: ids of the envelopes that it repairs or discards.
    """
    faults = []
    if not is_uuid(identity):
        faults.append(malformed("'id' must be a UUID in its canonical spelling", "id"))
    if not is_device_id(device):
        faults.append(malformed("'device' must be 'd-' and a UUID", "device"))
    if not all(map(is_uuid, named)):
        faults.append(malformed("an envelope must be named by its UUID", "supersedes"))
    return faults


def _relation_faults(data: Mapping[str, Any]) -> list[Problem]:
    """Yield what is wrong with what an envelope says of others."""
    faults = []
    after, number = data.get("after", []), data.get("number")
    if not isinstance(after, list) or len(after) > MAX_AFTER or not _are_before(after, number):
        faults.append(malformed("'after' must hold smaller numbers, in order", "after"))
    ids = data.get("supersedes", [])
    if not isinstance(ids, list) or len(ids) > MAX_SUPERSEDED or not _are_ids(ids):
        faults.append(malformed("'supersedes' must hold ids of envelopes, each once", "supersedes"))
    voids = data.get("voids")
    is_void = isinstance(voids, dict) and voids.keys() == {"id", "digest"}
    if voids is not None and not (is_void and _are_ids(list(voids.values()))):
        faults.append(malformed("'voids' must name an envelope by id and digest", "voids"))
    if voids is not None and any(data.get(name) for name in ("attachments", "after", "supersedes")):
        faults.append(malformed("a void holds nothing else", "voids"))
    return faults


def _are_before(after: list[Any], number: Any) -> bool:
    known = number if isinstance(number, int) else 1 << 53
    if not all(type(each) is int and 0 < each < known for each in after):
        return False
    return after == sorted(set(after))


def _are_ids(entries: list[Any]) -> bool:
    if not all(isinstance(e, str) and e and _SHORT_TEXT.fullmatch(e) for e in entries):
        return False
    return len(entries) == len(set(entries))


def _is_moment(text: str) -> bool:
    try:
        return bool(_MOMENT.fullmatch(text)) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _attachment_faults(entries: Any) -> list[Problem]:
    if not isinstance(entries, list) or len(entries) > MAX_ATTACHMENTS:
        return [malformed(f"'attachments' must be a list of at most {MAX_ATTACHMENTS}")]
    if all(isinstance(e, str) and _SHA256.fullmatch(e) for e in entries):
        return []
    return [malformed("'attachments' must hold SHA-256 digests", "attachments")]


def _operations_faults(data: Mapping[str, Any]) -> list[Problem]:
    entries = data.get("operations", [])
    if not isinstance(entries, list) or len(entries) > MAX_OPERATIONS:
        return [malformed(f"'operations' must be a list of at most {MAX_OPERATIONS}")]
    if data.get("voids") is not None:
        return [malformed("a void holds no operations", "operations")] if entries else []
    if not any(isinstance(e, dict) and e.get("do") != "look" for e in entries):
        return [malformed("it holds no operation", "operations")]
    faults = []
    for index, entry in enumerate(entries):
        if fault := _operation_fault(entry):
            faults.append(malformed(fault, f"operations[{index}]"))
    return faults


def _operation_fault(entry: Any) -> str:
    if not isinstance(entry, dict) or entry.get("do") not in DOINGS:
        return "an operation must insert, update, delete or look"
    if not entry.keys() <= _OPERATION_PARTS:
        return f"'{min(entry.keys() - _OPERATION_PARTS)}' is unknown"
    if not isinstance(entry.get("model"), str):
        return "'model' is missing"
    if not _is_key(entry.get("key")):
        return "'key' must be a list of numbers and texts"
    at = entry.get("at", "")
    if not isinstance(at, str) or len(at) > 500:
        return "'at' must be short text"
    return _values_fault(entry)


def _values_fault(entry: dict[str, Any]) -> str:
    do, new, was = entry["do"], entry.get("set"), entry.get("was", {})
    writes = do in ("insert", "update")
    if not isinstance(new, dict) if writes else "set" in entry:
        return "'set' belongs to inserts and updates"
    if not isinstance(was, dict):
        return "'was' must be an object"
    if do == "update" and not new.keys() <= was.keys():  # type: ignore[union-attr]  # checked
        return "'was' must name every field of 'set'"
    # one content has one text: otherwise what is kept would not fit the digest
    if entry.get("was") == {} or entry.get("at") == "" or entry.get("rows") == {}:
        return "'was', 'at' and 'rows' are left out where they are empty"
    return _rows_fault(entry) if "rows" in entry else ""


def _rows_fault(entry: dict[str, Any]) -> str:
    if entry["do"] != "look" or not isinstance(entry["rows"], dict):
        return "'rows' belongs to looks"
    for keys in entry["rows"].values():
        if not isinstance(keys, list) or not all(_is_key(key) for key in keys):
            return "'rows' must hold lists of keys"
    return ""


def _is_key(key: Any) -> bool:
    return isinstance(key, list) and bool(key) and all(map(_is_key_part, key))


def _is_key_part(part: Any) -> bool:
    # by type and not isinstance: true is no number
    if type(part) is int:
        return -_KEY_LIMIT < part < _KEY_LIMIT
    return isinstance(part, str) and len(part) <= 1_000
