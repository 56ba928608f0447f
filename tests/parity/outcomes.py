"""What a case comes to: run by CPython and by Pyodide, whose answers must be the same.

A case is plain data with a ``kind``; see `parity.cases` for how they are made.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from apps import fakes
from apps.clinic import app
from fieldpost.errors import FieldpostError, Problem
from fieldpost.odp.form.processor import process
from fieldpost.odp.form.rows import opened_from, opened_from_text, row_from_post
from fieldpost.replication.checksum import table_digest
from fieldpost.schema.fields import Field
from fieldpost.schema.validation import read_json, read_text, value_problems
from fieldpost.text import jsontext
from fieldpost.text.canonical import canonical, digest
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, Operation, envelope_from_data, read_envelope
from parity.bench import Bench

Case = Mapping[str, Any]
Outcome = dict[str, Any]

USERS = {user.name: user for user in (fakes.ANNA, fakes.BERT, fakes.DOCTOR)}


def judge(cases: Path, outcomes: Path) -> None:
    """Write the outcome of each line of a file of cases on a line of another."""
    with cases.open(encoding="ascii") as lines, outcomes.open("w", encoding="ascii") as out:
        for line in lines:
            out.write(json.dumps(outcome_of(json.loads(line)), sort_keys=True) + "\n")


def outcome_of(case: Case) -> Outcome:
    """Return what a case comes to, as plain data; an exception is an outcome as well."""
    try:
        return _KINDS[case["kind"]](case)
    except FieldpostError as error:
        return {"refused": _plain(error.problems)}
    except Exception as error:  # noqa: BLE001 - the same on both sides, or it shows
        return {"raised": type(error).__name__}


@cache
def _bench() -> Bench:
    return Bench()


# forms


def _form(case: Case) -> Outcome:
    """Save a filled-in form: problems, envelope, receipt, and the rows afterwards."""
    bench, page, user = _bench(), app.pages[case["page"]], USERS[case["user"]]
    with bench.case():
        opened = None
        if case["opened"] is not None:
            opened = _opened(bench, case)
        bench.change(case["meanwhile"], (case["opened"] or [0])[0])
        row = row_from_post(page.layout, case["posted"].items())
        done = process(bench, user, page, row, opened)
        return {
            "problems": _plain(done.problems),
            "key": done.key,
            "receipt": done.receipt and done.receipt.to_json(),
            **_written(bench, bench.envelopes),
        }


def _opened(bench: Bench, case: Case) -> Any:
    page = app.pages[case["page"]]
    with bench.session() as session:
        record = session.get(page.model, page.spec.key_from_json(case["opened"]))
        opened = opened_from(page.layout, record, "f1.base")
    return opened_from_text(page.layout, json.dumps(opened))


def _written(bench: Bench, envelopes: list[Envelope]) -> Outcome:
    touched = {operation.model for each in envelopes for operation in each.operations}
    return {"envelopes": [e.to_text() for e in envelopes], "rows": bench.rows(touched)}


# envelopes


def _envelope(case: Case) -> Outcome:
    """Read an envelope whose parts may be anything, and replay it where it is one."""
    bench = _bench()
    data = {**_standard(), **case["parts"]}
    for name in case["without"]:
        data.pop(name, None)
    try:
        data["digest"] = digest({k: v for k, v in data.items() if k != "digest"})
    except (ValueError, UnicodeEncodeError) as error:
        # NaN and half characters have no digest
        data["digest"] = type(error).__name__
    read = read_envelope(json.dumps(data))
    with bench.case():
        bench.change(case["meanwhile"], 1)
        result = bench.replay(read, USERS.get(read.user, User(read.user)))
        return {
            "text": read.to_text(),
            "outcome": result.outcome,
            "problems": _plain(result.problems),
            "keys": [key.to_json() for key in result.keys],
            "record": list(result.record),
            "rows": bench.rows({operation.model for operation in read.operations}),
        }


@cache
def _standard() -> dict[str, Any]:
    sealed = fakes.envelope(
        Operation("delete", "order", (99,)), id="01938f2a-0000-7000-8000-000000000001"
    )
    return sealed.content()


# single values


def field_of(name: str) -> Field:
    """Return a field of the clinic by ``model.field``."""
    model, _, field = name.partition(".")
    return app.models[model].fields[field]


def _json(case: Case) -> Outcome:
    field = field_of(case["field"])
    value, fault = read_json(field, case["data"], "orders[1].x")
    return _value(field, value, fault)


def _text(case: Case) -> Outcome:
    field = field_of(case["field"])
    value, fault = read_text(field, case["text"], "orders[1].x")
    return _value(field, value, fault)


def _value(field: Field, value: Any, fault: Problem | None) -> Outcome:
    if fault is not None:
        return {"fault": fault.to_json()}
    return {
        "problems": _plain(tuple(value_problems(field, value, "x"))),
        "absent": _plain(tuple(value_problems(field, value, "x", absent=True))),
        "data": field.codec.encode(value),
        "text": None if value is None else field.codec.to_text(value),
    }


# documents


def _canonical(case: Case) -> Outcome:
    data = case["data"]
    text = canonical(data)
    return {
        "text": text,
        "digest": digest(data),
        "again": canonical(jsontext.parse(text)),
        "proof": table_digest([{"a": data}, {"b": data}]),
    }


def _parse(case: Case) -> Outcome:
    # the words of a JSON parser are those of its edition: only its verdict counts
    try:
        data = jsontext.parse(case["text"])
    except ValueError as error:
        return {"refused": isinstance(error, jsontext.TooDeepError)}
    found: Outcome = {"data": data}
    try:
        envelope_from_data(data)
    except FieldpostError as error:
        found["faults"] = _plain(error.problems)
    return found


def _plain(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    return [each.to_json() for each in problems]


_KINDS: Mapping[str, Callable[[Case], Outcome]] = {
    "form": _form,
    "envelope": _envelope,
    "json": _json,
    "text": _text,
    "canonical": _canonical,
    "parse": _parse,
}
