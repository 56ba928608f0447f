"""Holds what travels in tests against the description of the calls: nothing else may travel."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from fieldpost_server.sync.openapi import LINES, description
from fieldpost_server.sync.schemas import whole

DESCRIPTION = description()
_MOST_CHARACTERS = 1 << 20


@cache
def validator(name: str) -> Any:
    """Return the validator of a schema by its name."""
    return jsonschema_rs.Draft202012Validator(whole(name))


@cache
def _validator_of(schema: str) -> Any:
    components = {"schemas": DESCRIPTION["components"]["schemas"]}
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": components})


def fits(name: str, data: Any) -> bool:
    """Say whether data fits a schema; half characters, which no schema knows, are left out."""
    return bool(validator(name).is_valid(mended(data)))


def mended(data: Any) -> Any:
    """Return data without half characters."""
    if isinstance(data, str):
        return data.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(data, list):
        return [mended(each) for each in data]
    if isinstance(data, dict):
        return {mended(name): mended(value) for name, value in data.items()}
    return data


def check_answer(answer: httpx.Response) -> None:
    """Assert that an answer is what the description says of its call; others are let be."""
    call = _call(answer.request.method, answer.request.url.path)
    if call is None:
        return
    for schema, data in _told(call, answer):
        _check(schema, data)
    if answer.request.url.path == "/sync/push" and answer.status_code == 200:
        _check_push(answer)


def _call(method: str, path: str) -> Any:
    for template, methods in DESCRIPTION["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return methods.get(method.lower())
    return None


def _told(call: Any, answer: httpx.Response) -> Iterator[tuple[Any, Any]]:
    """Yield schemas with what must fit them."""
    if answer.status_code >= 400:
        if answer.request.method != "HEAD":
            yield {"$ref": "#/components/schemas/ErrorBody"}, answer.json()
        return
    told = call["responses"].get(str(answer.status_code))
    assert told is not None, f"{call['operationId']} does not answer {answer.status_code}"
    for name, header in told.get("headers", {}).items():
        assert name in answer.headers, f"{call['operationId']}: the header {name} is missing"
        yield header["schema"], answer.headers[name]
    kind = answer.headers.get("content-type", "").partition(";")[0]
    content = told.get("content", {})
    if not content:
        assert answer.content == b"", f"{call['operationId']} has an answer that is not described"
    elif "*/*" not in content:
        assert kind in content, f"{call['operationId']} answers {kind}"
        if kind == LINES:
            yield content[kind]["schema"], [json.loads(x) for x in answer.content.splitlines()]
        elif kind == "application/json":
            yield content[kind]["schema"], answer.json()


def _check(schema: Any, data: Any) -> None:
    try:
        _validator_of(json.dumps(schema)).validate(data)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(str(part) for part in error.instance_path)
        raise AssertionError(f"{schema} at {place}: {error.message[:500]}") from None


def _check_push(answer: httpx.Response) -> None:
    """Assert that what was taken for an envelope is one by the schemas."""
    receipts = [json.loads(line) for line in answer.content.splitlines()]
    for line, receipt in zip(_lines(answer.request), receipts, strict=False):
        if receipt["envelope"] is not None and len(line) < _MOST_CHARACTERS:
            assert fits("PushLine", json.loads(line)), line[:1000]


def _lines(request: httpx.Request) -> list[bytes]:
    body = request.content
    if request.headers.get("content-encoding") == "gzip":
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            return []
    return [line for line in body.split(b"\n") if line.strip()]
