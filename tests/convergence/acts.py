"""What people do with forms, the same on a device and online, without drawing the forms."""

import json
import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps.errands import Place, app
from convergence.office import MODELS
from fieldpost.home import Home
from fieldpost.odp.form.processor import Processed, delete_records, process
from fieldpost.odp.form.rows import Row, new_row, opened_from, row_from_opened
from fieldpost.users import User

Change = Callable[[Row], None]


def in_order(session: Session, model: str) -> list[Any]:
    """Return rows in the order of their marks, which is the same everywhere."""
    rows = session.scalars(sa.select(MODELS[model])).all()
    return sorted(rows, key=lambda row: [int(n) for n in re.findall(r"\d+", row.mark)])


def open_form(home: Home, model: str, which: int) -> dict[str, Any] | None:
    """Open the form of one of the rows; None where there are none."""
    with home.session() as session:
        rows = in_order(session, model)
        if not rows:
            return None
        return opened_from(app.pages[model].layout, rows[which % len(rows)], home.base())


def save_form(home: Home, user: User, model: str, opened: Any, change: Change) -> Processed:
    """Fill in a form that was opened, and save it."""
    page = app.pages[model]
    row = row_from_opened(page.layout, opened)
    change(row)
    return process(home, user, page, row, opened)


def add_record(home: Home, user: User, model: str, change: Change) -> Processed:
    """Fill in an empty form, and save it."""
    page = app.pages[model]
    row = new_row(page.layout)
    change(row)
    return process(home, user, page, row, None)


def delete_record(home: Home, user: User, model: str, opened: Any) -> Processed:
    """Delete the record of a form."""
    return delete_records(home, user, app.pages[model], [opened])


def codes(home: Home) -> list[str]:
    """Return the codes of all places."""
    with home.session() as session:
        return sorted(session.scalars(sa.select(Place.code)))


def tick(row: Row, code: str) -> None:
    """Add a place to an errand's stops, or take it away."""
    ticked = {key[0] for key in json.loads(row.texts.get("stops") or "[]")}
    row.texts["stops"] = json.dumps([[each] for each in sorted(ticked ^ {code})])


def add_item(row: Row, mark: str, name: str) -> None:
    """Add a row to an errand's list of items."""
    items = row.lists["items"]
    form = app.pages["errand"].layout.lists["items"].form
    item = new_row(form, f"items[{len(items)}]")
    item.texts |= {"mark": mark, "name": name}
    items.append(item)
