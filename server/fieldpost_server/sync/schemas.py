"""JSON Schemas (2020-12) of everything that travels between a device and the server.

They say what `docs/protocol.md` says in words, for the present protocol. Left to the words is what
one part says of another: that `after` is in order and below `number`, that `was` names what `set`
does, that a moment is one of the calendar, and the digest. Objects are closed, so that a part that
nobody has described shows in a test; a client ignores what it does not know.
"""

from collections.abc import Mapping
from typing import Any

from fieldpost.text.canonical import digest
from fieldpost.wire.protocol import (
    FORMAT,
    MAX_AFTER,
    MAX_ASKED,
    MAX_ATTACHMENTS,
    MAX_OPERATIONS,
    MAX_REPORTED,
    MAX_SUPERSEDED,
)
from fieldpost.wire.receipts import DISCARDED, SUPERSEDED, Outcome
from fieldpost.wire.signatures import ANSWER, KEPT, WIPE

Schema = Mapping[str, Any]

_LARGEST_NUMBER = (1 << 53) - 1
_LARGEST_KEY = (1 << 63) - 1
_PLAIN = r"[^\u0000-\u001f\u007f]"
_DATE_AND_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"


def ref(name: str) -> dict[str, str]:
    """Return a reference to one of the schemas, as it stands in an OpenAPI document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _list(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def _map(values: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values, **more}


def _object(parts: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**parts, **(optional or {})},
        "required": list(parts),
        "additionalProperties": False,
    }


def _integer(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _or_null(schema: Any) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_COUNT = _integer(0, _LARGEST_NUMBER)
_VALUES = {"type": "object"}
_WAS = {"type": "object", "minProperties": 1}
_AT = {"type": "string", "minLength": 1, "maxLength": 500}

_BASICS: dict[str, Schema] = {
    "ShortText": _text(f"{_PLAIN}{{0,100}}"),
    "Name": _text(f"{_PLAIN}{{1,100}}"),
    "Number": _integer(1, _LARGEST_NUMBER),
    "SavedAt": _text(rf"{_DATE_AND_TIME}(Z|[+\-][0-9]{{2}}:[0-9]{{2}})"),
    "Moment": _text(rf"{_DATE_AND_TIME}\+00:00"),
    "Sha256": _text("[0-9a-f]{64}"),
    "Base64": _text("[A-Za-z0-9+/]+={0,2}"),
    "KeyId": _text("[0-9a-f]{16}"),
    "DeviceId": _text("d-[ -~]{0,98}"),
    "Cursor": _text(r"f1\.[0-9a-f]{32}\.[0-9]{1,19}\.([0-9a-f]{16})?(\.[0-9a-f]{1,26})?"),
    "Key": _list(
        {
            "anyOf": [
                {"type": "string", "maxLength": 1_000},
                _integer(-_LARGEST_KEY, _LARGEST_KEY),
            ]
        },
        minItems=1,
    ),
}


def _operation(do: str, parts: Mapping[str, Any], optional: Mapping[str, Any]) -> dict[str, Any]:
    standard = {"do": {"const": do}, "model": {"type": "string"}, "key": ref("Key")}
    return _object({**standard, **parts}, {"at": _AT, "was": _WAS, **optional})


_OPERATIONS: dict[str, Schema] = {
    "Insert": _operation("insert", {"set": _VALUES}, {}),
    "Update": _operation("update", {"set": _VALUES}, {}),
    "Delete": _operation("delete", {}, {}),
    "Look": _operation("look", {}, {"rows": _map(_list(ref("Key")), minProperties=1)}),
    "Operation": {"oneOf": [ref(name) for name in ("Insert", "Update", "Delete", "Look")]},
}

_ENVELOPE_1 = {
    "format": {"const": 1},
    "id": ref("Name"),
    "device": ref("Name"),
    "number": ref("Number"),
    "previous": ref("ShortText"),
    "app": ref("ShortText"),
    "app_version": ref("ShortText"),
    "page": ref("ShortText"),
    "user": ref("ShortText"),
    "saved_at": ref("SavedAt"),
    "base": ref("ShortText"),
    "operations": _list(ref("Operation"), maxItems=MAX_OPERATIONS),
    "attachments": _list(ref("Sha256"), maxItems=MAX_ATTACHMENTS),
    "digest": ref("ShortText"),
}
_WRITES = {"type": "object", "required": ["do"], "properties": {"do": {"not": {"const": "look"}}}}
_NOTHING = {"type": "array", "maxItems": 0}
_FIRST_OPERATIONS = {"oneOf": [ref(name) for name in ("Insert", "Update", "Delete")]}

_ENVELOPES: dict[str, Schema] = {
    "Envelope": {
        **_object(
            {
                **_ENVELOPE_1,
                "format": {"const": FORMAT},
                "after": _list(ref("Number"), maxItems=MAX_AFTER, uniqueItems=True),
                "supersedes": _list(ref("Name"), maxItems=MAX_SUPERSEDED, uniqueItems=True),
                "voids": _or_null(_object({"id": ref("Name"), "digest": ref("Name")})),
            }
        ),
        "oneOf": [
            {"properties": {"voids": {"type": "null"}, "operations": {"contains": _WRITES}}},
            {
                "properties": {
                    "voids": {"type": "object"},
                    "operations": _NOTHING,
                    "attachments": _NOTHING,
                    "after": _NOTHING,
                    "supersedes": _NOTHING,
                }
            },
        ],
    },
    "EnvelopeOfFormat1": _object(
        {
            **_ENVELOPE_1,
            "operations": _list(_FIRST_OPERATIONS, minItems=1, maxItems=MAX_OPERATIONS),
        }
    ),
    "PushLine": {"oneOf": [ref("Envelope"), ref("EnvelopeOfFormat1")]},
}

_PROBLEM = {
    "code": _text("[a-z0-9_]{1,100}"),
    "path": {"type": "string"},
    "message": {"type": "string", "minLength": 1},
}
_DETAIL = {"detail": {"type": "object", "minProperties": 1}}
_RECEIPT = {
    "envelope": ref("Name"),
    "device": ref("ShortText"),
    "number": _COUNT,
    "digest": ref("ShortText"),
    "outcome": {"enum": [str(outcome) for outcome in Outcome]},
    "problems": _list(ref("Problem")),
    "keys": _list(ref("NewKey")),
    "received_at": ref("Moment"),
    "record": {"anyOf": [ref("Key"), _NOTHING]},
    "notes": _list(ref("Problem")),
    "settled": _or_null(ref("Settled")),
    "key": ref("KeyId"),
    "signature": ref("Base64"),
}

_RECEIPTS: dict[str, Schema] = {
    "Problem": _object(_PROBLEM, _DETAIL),
    "NewKey": _object(
        {
            "model": {"type": "string", "minLength": 1},
            "temporary": _integer(-_LARGEST_KEY, -1),
            "real": _integer(-_LARGEST_KEY, _LARGEST_KEY),
        }
    ),
    "Settled": _object(
        {
            "how": {"enum": [SUPERSEDED, DISCARDED]},
            "by": ref("Name"),
            "user": ref("Name"),
            "at": ref("Moment"),
        }
    ),
    # what was signed before there were kinds has none
    "ReceiptOfEnvelope": _object(_RECEIPT, {"kind": {"enum": [KEPT, ANSWER]}}),
    "ReceiptOfLine": _object(
        {
            **_RECEIPT,
            "envelope": {"type": "null"},
            "number": {"const": 0},
            "digest": {"const": ""},
            "outcome": {"const": str(Outcome.INVALID)},
            "problems": _list(ref("Problem"), minItems=1),
            "settled": {"type": "null"},
            "line": ref("Number"),
            "kind": {"const": ANSWER},
        }
    ),
    "Receipt": {"oneOf": [ref("ReceiptOfEnvelope"), ref("ReceiptOfLine")]},
    "ReceiptsCall": _object({"envelopes": _list(_text("[ -~]{1,100}"), maxItems=MAX_ASKED)}),
    "ErrorBody": _object(
        {"error": _object({**_PROBLEM, "problems": _list(ref("Problem"), minItems=1)}, _DETAIL)}
    ),
}

_ABOUT = {
    "user": _object(
        {
            "name": ref("Name"),
            "display_name": {"type": "string"},
            "roles": _list({"type": "string"}, uniqueItems=True),
        }
    ),
    "settings": _object(
        {
            "offline": _list({"type": "string"}),
            "pages": _list({"type": "string"}),
            "limits": _object(
                {
                    "attachment_bytes": {"type": "integer", "minimum": 0},
                    "pictures": _list({"type": "string"}),
                }
            ),
        },
        {"lock_after_s": ref("Number")},
    ),
    "app_version": {"type": "string"},
    "signing_keys": _list(ref("SigningKey"), minItems=1),
    "arrived": ref("Arrived"),
}
_WIRE_KEY = _list({"type": ["string", "number", "boolean"]}, minItems=1)

_DEVICES: dict[str, Schema] = {
    "DeviceCall": _object(
        {"device": ref("DeviceId")},
        {
            "user": ref("Name"),
            "forgotten": _list({"type": "string"}, maxItems=MAX_REPORTED),
            "base": {"type": "string", "maxLength": 100},
        },
    ),
    "SigningKey": _object(
        {
            "id": ref("KeyId"),
            "public": ref("Base64"),
            "created_at": ref("Moment"),
            "endorsed_by": _or_null(ref("KeyId")),
            "endorsement": _or_null(ref("Base64")),
        }
    ),
    # in the 'detail' of the problem `device_revoked`
    "Revoked": _object(
        {"order": ref("WipeOrder"), "signing_keys": _list(ref("SigningKey"), minItems=1)}
    ),
    "WipeOrder": _object(
        {
            "kind": {"const": WIPE},
            "device": ref("DeviceId"),
            "user": ref("Name"),
            "hand_over": {"type": "boolean"},
            "revoked_at": ref("Moment"),
            "key": ref("KeyId"),
            "signature": ref("Base64"),
        }
    ),
    "StandingCall": _object(
        {"waiting": _COUNT, "attention": _COUNT, "drafts": _COUNT},
        {
            "app_version": {"type": "string", "maxLength": 100},
            "persisted": {"type": ["boolean", "null"]},
            "used": _or_null(_COUNT),
            "quota": _or_null(_COUNT),
        },
    ),
    "HandedOverCall": _object({"left": _COUNT}),
    "HandedIn": _object(
        {
            "envelope": _or_null(ref("Name")),
            "user": ref("ShortText"),
            "number": _COUNT,
            "outcome": {"enum": [str(outcome) for outcome in Outcome]},
            "message": {"type": "string"},
        }
    ),
    "Arrived": _object(
        {
            "number": _COUNT,
            "missing": _list(_list(ref("Number"), minItems=2, maxItems=2), maxItems=100),
        }
    ),
    "DeviceAnswer": _object(
        {
            **_ABOUT,
            "device": ref("DeviceId"),
            "number": _COUNT,
            "last_digest": ref("ShortText"),
        }
    ),
    "KeysAnswer": _object({"signing_keys": _ABOUT["signing_keys"]}),
    "TableDigest": _object({"count": _COUNT, "sum": _text("[0-9a-f]{32}")}),
    "PullAnswer": _object(
        {
            **_ABOUT,
            "cursor": ref("Cursor"),
            "reset": {"type": "boolean"},
            "put": _map(_list({"type": "object"})),
            "remove": _map(_list(_WIRE_KEY)),
            "replace": _list({"type": "string"}, uniqueItems=True),
            "failed": _map(ref("Problem")),
            "digests": _map(ref("TableDigest")),
        }
    ),
    "RowCounts": _map(_or_null(_COUNT)),
    "UploadNumber": _text("[0-9]{1,15}"),
    "AttachmentReference": _object(
        {
            "sha256": ref("Sha256"),
            "size": _COUNT,
            "type": {"type": "string"},
            "name": {"type": "string", "maxLength": 255},
        }
    ),
}

SCHEMAS: Mapping[str, Schema] = {**_BASICS, **_OPERATIONS, **_ENVELOPES, **_RECEIPTS, **_DEVICES}
"""All of them by name; they refer to each other as parts of an OpenAPI document do."""


def whole(name: str) -> dict[str, Any]:
    """Return one of the schemas with all that it refers to, as a document of its own."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **ref(name), "components": {"schemas": SCHEMAS}}


def wire_digest() -> str:
    """Return the digest of all schemas, which `fieldpost.wire.protocol` holds for each protocol."""
    return digest(SCHEMAS)
