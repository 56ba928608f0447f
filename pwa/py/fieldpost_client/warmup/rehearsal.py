"""A rehearsal before a memory snapshot: forms are filled in, saved and replayed, for nobody.

All that is compiled on the way is in the snapshot: a start with envelopes that wait finds it there.
Where an app accepts no values of here, its statements are compiled when they are first wanted.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from fieldpost.app import App
from fieldpost.odp.form.initial_values import initial_value
from fieldpost.odp.form.processor import delete_records, process
from fieldpost.odp.form.rows import (
    Opened,
    Row,
    new_row,
    opened_from,
    row_from_opened,
)
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Form, Page
from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.schema.models import Model
from fieldpost.schema.validation import read_text, value_problems
from fieldpost.users import User, acting_as
from fieldpost_client.device import DeviceHome
from fieldpost_client.replica.replica import Replica

_log = logging.getLogger("fieldpost")

_TEXTS = (
    "1",
    "100",
    "a",
    "aaaaaaaa",
    "a@example.org",
    "2026-01-01",
    "2026-01-01T12:00",
    "12:00",
    "00000000-0000-0000-0000-000000000001",
)
"""One of them is a value for nearly every field."""


def add_rows(app: App, replica: Replica, user: User) -> None:
    """Put one row into each table, so that lists, lookups and links find something."""
    for model in app.models.values():
        try:
            with acting_as(user), replica.connection.begin():
                _add_row(app, replica.connection, model)
        except Exception:  # noqa: BLE001 - as in `rehearse`
            _log.debug("the rehearsal has no row of %s", model.name, exc_info=True)


def _add_row(app: App, connection: sa.Connection, model: Model) -> None:
    found = {f.column: _value(app, f) for f in model.fields.values() if not f.association}
    values = {c.name: v for c, v in found.items() if v is not None and c.computed is None}
    connection.execute(sa.insert(model.table).values(values))


async def rehearse(home: DeviceHome, page: Page) -> None:
    """Add, change and delete a record, as far as the page accepts it; never waits for anything."""
    try:
        await _save_all(home, page)
    except Exception:  # noqa: BLE001 - see below
        # an app's code may fail on what nobody would fill in; only a little speed is lost
        _log.debug("the rehearsal of %s ended early", page.name, exc_info=True)


async def _save_all(home: DeviceHome, page: Page) -> None:
    user = home.user
    # several rows of a list are written by another statement than one is; they may also be refused
    done = await _added(home, page, rows=2) or await _added(home, page, rows=1)
    if done is None:
        return
    key = page.spec.key_from_json(list(done))
    opened = _opened(home, page, key)
    changed = row_from_opened(page.layout, opened)
    with acting_as(user):
        _change(home.app, page.layout, changed)
    await home.run(lambda: process(home, user, page, changed, opened))
    if page.delete:
        opened = _opened(home, page, key)
        await home.run(lambda: delete_records(home, user, page, [opened]))


async def _added(home: DeviceHome, page: Page, *, rows: int) -> tuple[Any, ...] | None:
    with acting_as(home.user):
        row = _filled(home.app, page.layout, rows=rows)
    done = await home.run(lambda: process(home, home.user, page, row, None))
    if not done.is_saved:
        _log.debug("the rehearsal of %s was refused: %s", page.name, done.problems)
    return done.key if done.is_saved else None


def replay_all(home: DeviceHome) -> None:
    """Replay what was saved as a start does: on a replica that is opened anew."""
    replica = Replica(home.app)
    add_rows(home.app, replica, home.user)
    home.prepared(replica, frozenset()).replica.close()


def _opened(home: DeviceHome, page: Page, key: tuple[Any, ...]) -> Opened:
    with home.session() as session:
        record = session.get_one(page.model, key)
        return opened_from(page.layout, record, "0", Links(session, home.app, home.user))


def _filled(app: App, form: Form, *, rows: int, at: str = "") -> Row:
    row = new_row(form, at)
    for name, each in form.fields.items():
        # what may be empty stays so: the fewer values, the fewer rules that they can break
        if not row.texts[name] and (each.required or each.target):
            row.texts[name] = _text(app, each)
    for name, child in form.lists.items():
        places = (f"{at}.{name}[{n}]".lstrip(".") for n in range(rows))
        row.lists[name] = [_filled(app, child.form, rows=rows, at=place) for place in places]
    return row


def _change(app: App, form: Form, row: Row) -> None:
    """Change one value, take the links away, and do the same and add a row in each list."""
    free = (f for f in form.fields.values() if f.target is None and not f.read_only)
    for each in free:
        if other := next((t for t in _fitting(each) if t != row.texts[each.name]), None):
            row.texts[each.name] = other
            break
    for name, each in form.fields.items():
        if each.kind is Kind.LINKS and not each.required:
            row.texts[name] = "[]"
    for name, child in form.lists.items():
        rows = row.lists[name]
        for each_row in rows[:1]:
            _change(app, child.form, each_row)
        at = f"{row.at}.{name}[{len(rows)}]".lstrip(".")
        rows.append(_filled(app, child.form, rows=1, at=at))


def _value(app: App, field: Field) -> Any:
    default = initial_value(field)
    return read_text(field, _text(app, field), "")[0] if default is None else default


def _text(app: App, field: Field) -> str:
    """Return what is filled in: a value that passes the field's checks, or nothing."""
    if field.kind in ATTACHMENT_KINDS:
        return ""
    target = app.models.get(field.target or "")
    if target is None:
        return next(_fitting(field), "")
    key = _key(app, target)
    return field.codec.to_text([key]) if field.kind is Kind.LINKS else _text_of_key(target, key)


def _key(app: App, model: Model) -> tuple[Any, ...]:
    parts = (replace(model.by_attribute[a], target=None) for a in model.key)
    return tuple(_value(app, part) for part in parts)


def _text_of_key(model: Model, key: tuple[Any, ...]) -> str:
    part = model.by_attribute[model.key[0]]
    return "" if key[0] is None else part.codec.to_text(key[0])


def _fitting(field: Field) -> Iterator[str]:
    for text in (*(choice.value for choice in field.choices), *_TEXTS):
        value, fault = read_text(field, text, "")
        if fault is None and not list(value_problems(field, value, "")):
            yield text
