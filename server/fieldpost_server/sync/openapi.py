"""The calls of a device as an OpenAPI 3.1 document, made from the schemas."""

from collections.abc import Mapping
from typing import Any

from fieldpost.wire.protocol import (
    DEVICE_HEADER,
    HANDING_OVER_HEADER,
    MAX_PUSH_LINES,
    OLDEST_PROTOCOL,
    PROTOCOL,
    PROTOCOL_HEADER,
)
from fieldpost_server.accounts.sessions import COOKIE
from fieldpost_server.sync.schemas import SCHEMAS, ref

Part = dict[str, Any]

LINES = "application/x-ndjson"
"""Each line is a JSON text; described as a list of what one line holds."""
_JSON = "application/json"
_FLAG = {"const": "1"}
_BYTES = "application/octet-stream"
_ERROR = {"description": "refused", "content": {_JSON: {"schema": ref("ErrorBody")}}}

_PROTOCOLS = [str(each) for each in range(OLDEST_PROTOCOL, PROTOCOL + 1)]


def description() -> Part:
    """Return the document: plain data, the same for every app and user."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fieldpost: the calls of a device",
            "version": str(PROTOCOL),
            "description": "What the calls mean, and in which order, is said in docs/protocol.md.",
        },
        "security": [{"session": []}],
        "paths": {
            "/sync/device": {"post": _register()},
            "/sync/keys": {"get": _keys()},
            "/sync/standing": {"post": _standing()},
            "/sync/handed-over": {"post": _handed_over()},
            "/sync/push": {"post": _push()},
            "/sync/hand-in": {"post": _hand_in()},
            "/sync/receipts": {"post": _receipts()},
            "/sync/image": {"get": _image()},
            "/sync/pull": {"get": _pull()},
            "/sync/openapi.json": {"get": _description()},
            "/sync/attachments/{sha256}": _upload(),
            "/attachments/{sha256}": {"get": _download("showAttachment"), "put": _stage()},
        },
        "components": {
            "schemas": SCHEMAS,
            "parameters": _parameters(),
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": COOKIE}},
        },
    }


def _parameters() -> Part:
    return {
        "device": _header(DEVICE_HEADER, ref("DeviceId"), required=True),
        "protocol": _header(PROTOCOL_HEADER, {"enum": _PROTOCOLS}),
        "sha256": {"name": "sha256", "in": "path", "required": True, "schema": ref("Sha256")},
    }


def _header(name: str, schema: Any, *, required: bool = False) -> Part:
    return {"name": name, "in": "header", "required": required, "schema": schema}


def _given(*names: str) -> list[Part]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _call(name: str, summary: str, parameters: list[Part], answers: Part, **more: Any) -> Part:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {**answers, "4XX": _ERROR},
        **more,
    }


def _answer(words: str, schema: Any = None, kind: str = _JSON, **headers: Any) -> Part:
    found: Part = {"description": words}
    if schema is not None:
        found["content"] = {kind: {"schema": schema}}
    if headers:
        named = {name.replace("_", "-"): {"schema": s} for name, s in headers.items()}
        found["headers"] = named
    return found


def _body(schema: Any, kind: str = _JSON) -> Part:
    return {"required": True, "content": {kind: {"schema": schema}}}


def _register() -> Part:
    answers = {"200": _answer("it is known now", ref("DeviceAnswer"))}
    body = _body(ref("DeviceCall"))
    return _call("register", "Make a device known.", _given("protocol"), answers, requestBody=body)


def _keys() -> Part:
    answers = {"200": _answer("the oldest first; the last one signs", ref("KeysAnswer"))}
    return _call("keys", "Get the keys of receipts.", _given("device", "protocol"), answers)


def _standing() -> Part:
    answers = {"204": _answer("it is kept in the place of what was told before")}
    body, given = _body(ref("StandingCall")), _given("device", "protocol")
    return _call("standing", "Tell how the device stands.", given, answers, requestBody=body)


def _handed_over() -> Part:
    words = "Tell that a revoked device has handed over what it could."
    answers, body = {"204": _answer("it is kept")}, _body(ref("HandedOverCall"))
    given = [*_given("device", "protocol"), _header(HANDING_OVER_HEADER, _FLAG, required=True)]
    return _call("handedOver", words, given, answers, requestBody=body)


def _push() -> Part:
    lines = {"type": "array", "items": ref("PushLine"), "maxItems": MAX_PUSH_LINES}
    receipts = {"type": "array", "items": ref("Receipt")}
    words = "one for each line in order, then those of waiting ones that could be decided"
    encoding = _header("content-encoding", {"enum": ["gzip", "identity"]})
    return _call(
        "push",
        "Send envelopes, one on each line.",
        [*_given("device", "protocol"), encoding, _header(HANDING_OVER_HEADER, _FLAG)],
        {"200": _answer(words, receipts, LINES)},
        requestBody=_body(lines, LINES),
    )


def _hand_in() -> Part:
    lines = {"type": "array", "items": ref("PushLine"), "maxItems": MAX_PUSH_LINES}
    answers = {"type": "array", "items": ref("HandedIn")}
    return _call(
        "handIn",
        "Hand in envelopes from a file: one's own, or a supervisor those of others.",
        [],
        {"200": _answer("one for each line, in order", answers, LINES)},
        requestBody=_body(lines, LINES),
    )


def _receipts() -> Part:
    receipts = {"type": "array", "items": ref("ReceiptOfEnvelope")}
    return _call(
        "receipts",
        "Ask how envelopes stand.",
        _given("device", "protocol"),
        {"200": _answer("in the order of the ids that are known", receipts, LINES)},
        requestBody=_body(ref("ReceiptsCall")),
    )


def _image() -> Part:
    told: Part = {
        "ETag": {"type": "string", "pattern": '^"[0-9a-f]{64}"$'},
        "Fieldpost_Cursor": ref("Cursor"),
        "Fieldpost_Size": ref("UploadNumber"),
        "Fieldpost_Rows": {"type": "string", "contentMediaType": _JSON},
    }
    database = {"type": "string", "contentMediaType": "application/vnd.sqlite3"}
    kind = "application/gzip"
    whole = _answer("a SQLite database, compressed by gzip", database, kind, **told)
    span = {"Content_Range": {"type": "string", "pattern": "^bytes [0-9]+-[0-9]+/[0-9]+$"}}
    part = _answer("a part of it", {}, kind, **told, **span)
    asked = [
        _header("range", {"type": "string", "pattern": "^bytes=[0-9]+-[0-9]*$"}),
        _header("if-match", told["ETag"]),
    ]
    answers = {"200": whole, "206": part}
    return _call("image", "Get all rows.", [*_given("device", "protocol"), *asked], answers)


def _pull() -> Part:
    tables = {"type": "array", "items": {"type": "string"}, "maxItems": 200}
    queries = [
        {"name": "cursor", "in": "query", "required": True, "schema": ref("Cursor")},
        {"name": "replace", "in": "query", "schema": tables, "style": "form", "explode": True},
    ]
    answers = {"200": _answer("all of one snapshot", ref("PullAnswer"))}
    parameters = [*_given("device", "protocol"), *queries]
    return _call("pull", "Get what changed since a cursor.", parameters, answers)


def _description() -> Part:
    answers = {"200": _answer("this document", {"type": "object"})}
    return _call("description", "Get this document.", [], answers)


def _upload() -> Mapping[str, Part]:
    given = _given("sha256", "protocol")
    there: Part = {"Upload_Offset": ref("UploadNumber")}
    piece = [
        _header("upload-offset", ref("UploadNumber"), required=True),
        _header("upload-length", ref("UploadNumber"), required=True),
        _header("upload-type", {"type": "string", "maxLength": 200}),
    ]
    return {
        "get": _download("attachment"),
        "head": _call(
            "uploadOffset", "Ask how much has arrived.", given, {"200": _answer("so much", **there)}
        ),
        "patch": _call(
            "upload",
            "Send the next piece.",
            [*given, *piece],
            {"204": _answer("so much has arrived", **there)},
            requestBody=_body({}, _BYTES),
        ),
    }


def _download(name: str) -> Part:
    content = {"description": "the content, with its own type", "content": {"*/*": {}}}
    answers = {"200": content, "206": content}
    return _call(name, "Get an attachment.", _given("sha256", "protocol"), answers)


def _stage() -> Part:
    name = {"name": "name", "in": "query", "schema": {"type": "string", "maxLength": 255}}
    return _call(
        "stage",
        "Keep a whole file while a form is filled in online.",
        [*_given("sha256"), name],
        {"201": _answer("it is kept", ref("AttachmentReference"))},
        requestBody=_body({}, _BYTES),
    )
